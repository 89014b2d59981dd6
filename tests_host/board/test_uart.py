# SPDX-License-Identifier: MIT
"""machine.UART on the board: MicroPython code against the other end of the line."""

import textwrap
import threading
import time

import pytest
from onemo_board import PORTS

from .helpers import eventually


@pytest.fixture
def wired(start, at, peer):
    """A board with `peer` at its UART 1, and mpremote's exec for it."""

    def make(port="esp32", **options):
        board = start(port_like=port, uarts={1: peer.board_fd}, **options)
        run = at(board)
        return board, lambda code: run.exec(textwrap.dedent(code)).splitlines()

    return make


@pytest.mark.parametrize("port", PORTS)
def test_reads_and_writes_as_machine_uart_does(wired, peer, port):
    _, run = wired(port)
    peer.send(b"boot noise")  # before the UART is open: lost
    out = run("""
        from machine import UART
        u = UART(1, baudrate=115200, timeout=0)
        print(u.any(), u.read(4), u.readinto(bytearray(4)), u.readline(), u.read())
        print(u.write(b'abcdef'), u.write(b'abcdef', 2), u.write(b'abcdef', 3, 2))
        print(u.write(memoryview(b'xyz')[1:]))
        u.flush()
        print(u.txdone())
        """)
    assert out == ["0 None None None None", "6 2 2", "2", "True"]
    assert peer.receive(12) == b"abcdefabdeyz"
    run(f"from machine import UART\nu = UART(1, 115200)\nprint({port!r})")


def test_what_the_peer_sends(wired, peer):
    board, run = wired()
    run("""
        from machine import UART
        f = open('main.py', 'w')
        f.write('''
        from machine import UART
        import select
        u = UART(1, 115200, timeout_char=20)
        p = select.poll()
        p.register(u, select.POLLIN)
        print('ready')
        p.poll(10000)
        buf = bytearray(8)
        print(u.any(), u.readinto(buf, 3), buf, u.read(2), u.readline(), u.read())
        '''.replace(chr(10) + 8 * ' ', chr(10)))
        f.close()
        """)
    mark = board.output.mark()
    board.hard_reset()
    board.output.wait_for("ready", since=mark)
    peer.send(b"abcdefgh\nrest")
    found = board.output.wait_for(r"13 3 (.*)\n", since=mark)
    said = found.group(1).decode().strip()
    assert said == r"bytearray(b'abc\x00\x00\x00\x00\x00') b'de' b'fgh\n' b'rest'"


@pytest.mark.parametrize("port", PORTS)
def test_arguments_by_port(wired, port):
    _, run = wired(port)
    out = run("""
        from machine import UART
        def attempt(*args, **kw):
            try:
                UART(*args, **kw)
                print('ok')
            except Exception as e:
                print(type(e).__name__, *e.args)
        attempt(1, 115200, tx=4, rx=5)
        attempt(1, baudrate=115200, txbuf=512, rxbuf=512)
        attempt(1, 115200, 8, None, 1, rxbuf=1024)
        attempt(1, timeout=5)
        attempt(77)
        attempt(1, 115200, nonsense=1)
        """)
    pins = "TypeError extra keyword arguments given" if port == "stm32" else "ok"
    baud = "TypeError 'baudrate' argument required" if port == "stm32" else "ok"
    assert out == [
        pins,
        pins,
        "ok",
        baud,
        "ValueError UART(77) doesn't exist",
        "TypeError extra keyword arguments given",
    ]


def test_wrong_buffers_are_type_errors(wired):
    _, run = wired()
    out = run("""
        from machine import UART
        u = UART(1, 115200)
        for call in (lambda: u.write(5), lambda: u.readinto(5), lambda: u.readinto(b'const')):
            try:
                print(call())
            except TypeError as e:
                print('TypeError', e)
        """)
    assert out == ["TypeError object with buffer protocol required"] * 3


@pytest.mark.parametrize("port", PORTS)
def test_the_steady_state_allocates_nothing(wired, peer, port):
    board, run = wired(port)
    board.on_baud = lambda uart, baud: peer.send(bytes(range(60)))
    out = run("""
        import micropython, gc, select
        from machine import UART
        u = UART(1, 921600)
        buf = bytearray(16)
        p = select.poll()
        p.register(u, select.POLLIN)
        def steady():
            total = 0
            while total < 60:
                for _ in p.ipoll(1000):
                    n = u.any()
                    total += u.readinto(buf, n if n < 16 else 16)
            return total
        def sending():
            total = u.write(buf) + u.write(buf, 8) + u.write(buf, 3, 9)
            return total + (u.readinto(buf) or 0) + u.any()
        def measured():
            for _ in p.ipoll(0):  # makes its tuple, once
                pass
            before = gc.mem_alloc()
            micropython.heap_lock()
            total = steady()
            sent = sending()
            micropython.heap_unlock()
            return total, sent, gc.mem_alloc() - before
        print(measured())
        """)
    assert out == ["(60, 33, 0)"]


def test_waiting_costs_no_processor_time(wired, peer):
    board, run = wired()
    run("""
        f = open('main.py', 'w')
        f.write('import select; from machine import UART; u = UART(1, 115200); p = select.poll()')
        f.write('; p.register(u, select.POLLIN); print("waiting"); print(p.poll(20000), u.read())')
        f.close()
        """)
    board.hard_reset()
    board.output.wait_for("waiting")
    time.sleep(0.2)

    def used() -> int:
        with open(f"/proc/{board.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(1.5)
    assert used() - before <= 2  # of 150 ticks
    peer.send(b"wake")
    board.output.wait_for("b'wake'")


def test_asyncio_streams(wired, peer):
    board, run = wired(overrun=False, line_time=False)
    board.on_baud = lambda uart, baud: peer.send(bytes(range(256)) * 32)
    out = run("""
        import asyncio
        from machine import UART
        async def main():
            u = UART(1, 115200, rxbuf=512)
            s = asyncio.StreamReader(u)
            data = await s.readexactly(8192)
            print(len(data), data == bytes(range(256)) * 32)
            s.write(data[:3000])
            await s.drain()
            try:
                await asyncio.wait_for_ms(s.read(1), 50)
            except asyncio.TimeoutError:
                print('timeout')
        asyncio.run(main())
        """)
    assert out == ["8192 True", "timeout"]
    assert peer.receive(3000) == (bytes(range(256)) * 32)[:3000]


def test_the_host_hears_of_baud_rates_breaks_and_overruns(wired, peer):
    bauds, breaks = [], []
    board, run = wired(
        "stm32",
        on_baud=lambda uart, baud: (bauds.append((uart, baud)), peer.send(bytes(100))),
        on_break=breaks.append,
    )
    out = run("""
        from machine import UART
        u = UART(1, 9600)
        n = len(u.read())
        print(n)
        u.init(921600, rxbuf=200)
        u.sendbreak()
        print(len(u.read()))
        """)
    assert out == ["65", "100"]
    assert bauds == [(1, 9600), (1, 921600)]
    eventually(lambda: breaks == [1])
    assert board.overruns == {1: 35}


def test_a_failing_callback_is_told_when_the_board_stops(tmp_path, peer):
    from onemo_board import Mpremote, VirtualBoard

    def broken(uart, baud):
        raise RuntimeError("the test's own mistake")

    with (
        pytest.raises(RuntimeError, match="own mistake"),
        VirtualBoard(tmp_path / "flash.img", uarts={1: peer.board_fd}, on_baud=broken) as board,
    ):
        Mpremote(board.port).exec("from machine import UART; UART(1, 9600)")


def test_ctrl_c_ends_a_read_that_waits(wired, at):
    board, run = wired()
    code = 'from machine import UART; u = UART(1, 9600, timeout=60000); print("begun"); u.read(1)'
    run(f"f = open('main.py', 'w'); f.write({code!r}); f.close()")
    board.hard_reset()
    board.output.wait_for("begun")
    start = time.monotonic()
    assert run("print('here')") == ["here"]
    assert time.monotonic() - start < 20
    assert "KeyboardInterrupt" in board.output


def test_a_pty_is_a_line_too(start, at):
    import os

    master, slave = os.openpty()
    try:
        board = start(uarts={2: os.ttyname(slave)}, overrun=False)
        at(board).exec("from machine import UART; print(UART(2, 9600).write(b'ping\\n'))")
        assert os.read(master, 100) == b"ping\n"
    finally:
        os.close(master)
        os.close(slave)


HANDLER = """
    from machine import UART
    import time
    u = UART(1, 115200)
    calls = []
    irq = u.irq(lambda which: calls.append((which is u, irq.flags())), {trigger})
    u.write('go')
    time.sleep_ms(400)
    print(calls, u.any())
    """


@pytest.mark.parametrize(
    ("port", "trigger", "flags"),
    [
        ("rp2", "UART.IRQ_RXIDLE", 64),
        ("esp32", "UART.IRQ_RXIDLE", 0x1000),
        ("esp32", "UART.IRQ_RX", 1),
        ("stm32", "UART.IRQ_RXIDLE", 16),
        ("stm32", "UART.IRQ_RX", 32),
    ],
)
def test_a_handler_hears_what_the_peer_sends(wired, peer, port, trigger, flags):
    _, run = wired(port)

    def answer():
        assert peer.receive(2) == b"go"
        for _ in range(2):
            peer.send(b"a message")
            time.sleep(0.1)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        [said] = run(HANDLER.format(trigger=trigger))
    finally:
        thread.join()
    assert said == f"[(True, {flags}), (True, {flags})] 18"


@pytest.mark.parametrize(
    ("port", "trigger", "hard", "said"),
    [
        ("esp32", 1, True, "hard IRQ is not supported"),
        ("stm32", 1 << 20, False, "trigger 0x100000 unsupported"),
    ],
)
def test_what_irq_refuses(wired, port, trigger, hard, said):
    _, run = wired(port)
    out = run(f"""
        from machine import UART
        u = UART(1, 115200)
        try:
            u.irq(print, {trigger}, {hard})
        except ValueError as error:
            print(error)
        """)
    assert out == [said]


def test_a_soft_reset_ends_handlers(wired, peer):
    _, run = wired("rp2")
    run("from machine import UART\nu = UART(1, 115200)\nu.irq(print, UART.IRQ_RXIDLE)")
    out = run("""
        from machine import UART
        import time
        u = UART(1, 115200)
        u.write('x')
        time.sleep_ms(100)
        print(u.irq().trigger(), u.any())
        """)
    assert out == ["0 0"]


def test_stm32_shows_the_speed_of_its_divisor_two_stop_bits_and_one_object(wired):
    _, run = wired("stm32")
    assert run("""
        import machine
        from machine import UART
        print(UART(1, 115200, stop=3))
        print(UART(2, 115200) is UART(2), UART(2))
        print(machine.freq())
        """) == [
        "UART(1, baudrate=115226, bits=8, parity=None, stop=2, flow=0, timeout=0, timeout_char=2, "
        "rxbuf=64)",
        "True UART(2, baudrate=115068, bits=8, parity=None, stop=1, flow=0, timeout=0, "
        "timeout_char=2, rxbuf=64)",
        "(168000000, 168000000, 42000000, 84000000)",
    ]
