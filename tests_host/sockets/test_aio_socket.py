# SPDX-License-Identifier: MIT
"""Sockets under MicroPython's own asyncio: what asyncio.open_connection and mqtt_as are given."""

from onemo_simulator import LoopNetwork, Module, Peer

from .conftest import HOST, Sink, Talker, network
from .device import pattern, run
from .test_on_micropython import Sender

SIZE = 20_000


def both(script, **names):
    """Runs a coroutine `job(modem, socket)` with sockets in place; what it printed."""
    return run(
        script=HEAD + script + "\nasyncio.run(main())\n",
        HOST=HOST,
        heap="512K",
        seconds=90,
        **names,
    )


HEAD = """
import asyncio, errno
from onemo.aio import Modem

async def main():
    modem = Modem(uart)
    await modem.start()
    with modem.use_as_socket() as socket:
        await job(modem, socket)
"""


def test_streams_of_asyncio_itself():
    net = network()
    module = Module("ML307R", network=net)
    out = both(
        """
async def job(modem, socket):
    reader, writer = await asyncio.open_connection(HOST, 7)
    writer.write(b"hello\\nworld")
    await writer.drain()
    print(await reader.readline(), await reader.readexactly(5))
    await writer.awrite(b"x" * 5000)
    print(await reader.readexactly(5000) == b"x" * 5000)
    writer.write(b"good-bye")
    writer.close()
    await writer.wait_closed()
    reader, writer = await asyncio.open_connection(HOST, 19)
    print(await reader.read(-1))
    print(await reader.read(5), await reader.readline())
    try:
        await reader.readexactly(1)
    except EOFError:
        print("EOFError")
    await writer.aclose()
    await asyncio.sleep_ms(600)
    # The modem is there for others, and for streams of its own.
    stream = await modem.connect(HOST, 7)
    await stream.awrite(b"mine\\n")
    print(await stream.readline())
    await stream.aclose()
    print(await modem.command("+CSQ"))
""",
        module=module,
    )
    assert out.splitlines() == [
        "b'hello\\n' b'world'",
        "True",
        "b'first line\\nsecond\\nlast without end'",
        "b'' b''",
        "EOFError",
        "b'mine\\n'",
        "[b'+CSQ: 24,99']",
    ]
    assert bytes(net.connections[0].sent).endswith(b"good-bye")
    assert all(conn.closed for conn in net.connections)
    assert module.violations == []


def test_many_tasks_move_much_over_many_sockets():
    net = LoopNetwork(latency=0.0)
    for number in range(2):
        net.listen(HOST, 30 + number, Sink())
        net.listen(HOST, 40 + number, Sender(number * 1000, SIZE))
    module = Module("ML307R", network=net)
    out = both(
        """
async def write(n):
    reader, writer = await asyncio.open_connection(HOST, 30 + n)
    at = step = 0
    while at < SIZE:
        step += 1
        size = min((1, 200, 9000)[step % 3], SIZE - at)
        writer.write(pattern(n * 1000 + at, size))
        await writer.drain()
        at += size
    writer.close()
    await writer.wait_closed()

async def read(n):
    reader, writer = await asyncio.open_connection(HOST, 40 + n)
    at = step = 0
    buf = bytearray(1000)
    while True:
        step += 1
        if step % 2:
            data = await reader.read(500)
        else:
            size = await reader.readinto(buf)
            data = buf[:size]
        if not data:
            break
        assert data == pattern(n * 1000 + at, len(data)), (n, at)
        at += len(data)
    assert at == SIZE, at
    await reader.aclose()

async def talk(modem, counts):
    while 0 not in counts:
        assert await modem.command("+CSQ") == [b"+CSQ: 24,99"]
        counts.append(1)
        await asyncio.sleep_ms(10)

async def job(modem, socket):
    counts = []
    talker = asyncio.create_task(talk(modem, counts))
    await asyncio.gather(*[work(n) for n in range(2) for work in (read, write)])
    counts.append(0)
    await talker
    await asyncio.sleep_ms(600)
    print(len(counts) > 20)
""",
        module=module,
        SIZE=SIZE,
    )
    assert out == "True\n"
    sent = {conn.port: bytes(conn.sent) for conn in net.connections}
    for number in range(2):
        assert sent[30 + number] == pattern(number * 1000, SIZE)
    assert all(conn.closed for conn in net.connections if conn.port < 40)
    assert module.violations == []


def test_a_flood_does_not_touch_the_boards_heap():
    net = LoopNetwork(latency=0.0)
    net.listen(HOST, 40, Sender(0, 1_000_000))
    module = Module("ML307R", network=net)
    out = both(
        """
async def job(modem, socket):
    reader, writer = await asyncio.open_connection(HOST, 40)
    buf = bytearray(4096)
    at = await reader.readinto(buf)
    await asyncio.sleep_ms(300)
    gc.collect()
    before = gc.mem_alloc()
    await asyncio.sleep_ms(300)
    gc.collect()
    print(gc.mem_alloc() - before <= 512)
    while True:
        n = await reader.readinto(buf)
        if not n:
            break
        if at % 5 == 0:
            assert buf[:n] == pattern(at, n)
        at += n
    gc.collect()
    print(at, gc.mem_alloc() - before <= 512)
""",
        module=module,
    )
    assert out == "True\n1000000 True\n"


def test_what_it_costs_to_read_and_write():
    """Once warm: a read of what is there, and a write of what has room."""
    net = network()
    module = Module("ML307R", network=net)
    out = both(
        """
def allocated(call, *args):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    call(*args)
    n = gc.mem_alloc() - before
    gc.enable()
    return n

async def job(modem, socket):
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.connect(socket.getaddrinfo(HOST, 7)[0][-1])
    except OSError as error:
        print(error.errno == errno.EINPROGRESS)
    buf = bytearray(20)
    for _ in range(3):
        while sock.write(b"x" * 60) is None:
            await asyncio.sleep_ms(5)
        left = 60
        while left:
            left -= sock.readinto(buf) or 0
            await asyncio.sleep_ms(1)
    while sock.write(b"x" * 60) is None:
        await asyncio.sleep_ms(5)
    print(allocated(sock.write, b"x") <= 64)
    while sock.ioctl(3, 1) != 1:
        await asyncio.sleep_ms(5)
    view = memoryview(buf)
    print(allocated(sock.readinto, view, 5) <= 128)
    sock.close()
""",
        module=module,
    )
    assert out == "True\nTrue\nTrue\n"


class Resetting(Peer):
    """Ends a connection in a given state as soon as something comes."""

    def __init__(self, state):
        self.state = state

    def on_data(self, conn, data):
        conn.end(self.state)


def test_errors_are_those_of_sockets():
    net = network()
    net.listen(HOST, 21, Resetting(1))
    net.listen(HOST, 22, Resetting(2))
    net.listen(HOST, 23, Talker(b"", end=None))
    net.listen(HOST, 24, Talker(b"y" * 700, end=2))
    module = Module("ML307R", network=net)
    out = both(
        """
async def outcome(port, limit=None):
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(b"x")
        await writer.drain()
        read = reader.read(10)
        got = await (asyncio.wait_for_ms(read, limit) if limit else read)
        try:
            while True:
                writer.write(b"more")
                await writer.drain()
                await asyncio.sleep_ms(10)
        except OSError as error:
            return got, error.errno == errno.ECONNRESET or error.errno
    except OSError as error:
        return errno.errorcode[error.errno]
    except asyncio.TimeoutError:
        return "timeout"
    finally:
        await writer.aclose()

async def job(modem, socket):
    for port in (81, 21, 22):
        print(await outcome(port))
    print(await outcome(23, 300))
    reader, writer = await asyncio.open_connection(HOST, 24)
    got = b""
    try:
        while True:
            got += await reader.read(100)
    except OSError as error:
        print(len(got), errno.errorcode[error.errno])
    await writer.aclose()
    sock = socket.socket()
    for call in (sock.read, sock.readline, lambda: sock.recv(1), lambda: sock.write(b"x")):
        try:
            call()
        except OSError as error:
            print(errno.errorcode[error.errno], end=" ")
    try:
        sock.connect((HOST, 7))
    except OSError as error:
        print(str(error)[:46])
    sock.setblocking(False)
    for _ in range(2):
        try:
            sock.connect((HOST, 7))
        except OSError as error:
            print(error.errno == errno.EINPROGRESS or str(error))
    print(sock.write(b"x"), sock.read(1))
    try:
        sock.recv(1)
    except OSError as error:
        print(errno.errorcode[error.errno])
    sock.close()
    sock.close()
    try:
        sock.write(b"x")
    except OSError as error:
        print(errno.errorcode[error.errno])
    for _ in range(7):  # more than the module has: none is left over
        reader, writer = await asyncio.open_connection(HOST, 7)
        writer.write(b"again")
        print(len(await reader.readexactly(5)), end=" ")
        await writer.aclose()
    print()
""",
        module=module,
    )
    assert out.splitlines() == [
        "ECONNREFUSED",
        "(b'', True)",
        "ECONNRESET",
        "timeout",
        "700 ECONNRESET",
        "ENOTCONN ENOTCONN ENOTCONN ENOTCONN a socket must not block under onemo.aio: setbl",
        "True",
        "this socket was connected before: make a new one",
        "None None",
        "EAGAIN",
        "ENOTCONN",
        "5 5 5 5 5 5 5 ",
    ]
    assert module.violations == []


def test_a_loop_that_lets_no_task_run_is_told_so():
    net = network()
    module = Module("ML307R", network=net)
    module.reply(b"AT+SLOW", None)
    out = both(
        """
async def job(modem, socket):
    sock = socket.socket()
    sock.setblocking(False)
    # Another task has the modem for long: that is not this.
    async def hog():
        try:
            await modem.command("+SLOW", timeout_ms=7000)
        except OSError:
            pass
    hogging = asyncio.create_task(hog())
    await asyncio.sleep_ms(10)
    try:
        sock.connect((HOST, 9))
    except OSError:
        pass
    patience = 0
    while not hogging.done():
        assert sock.write(b"x") is None
        await asyncio.sleep_ms(20)
        patience += 1
    print(patience > 50)
    while sock.write(b"x" * 1024) is None:  # what is opened by now is filled up
        await asyncio.sleep_ms(20)
    for wait in (lambda: sock.write(b"x" * 2000), lambda: sock.read(1)):
        from time import sleep_ms, ticks_ms, ticks_diff
        start = ticks_ms()
        try:
            while wait() is None:
                sleep_ms(50)
        except OSError as error:
            print(errno.errorcode[error.errno], 4 < ticks_diff(ticks_ms(), start) / 1000 < 8)
            print("do_handshake_on_connect=False" in str(error))
        await asyncio.sleep_ms(200)
    sock.close()
""",
        module=module,
    )
    assert out == "True\n" + "ETIMEDOUT True\nTrue\n" * 2


def test_tls_by_the_module_under_asyncio():
    net = network()
    module = Module("ML307R", network=net)
    out = both(
        """
async def job(modem, socket):
    await modem.tls(1).configure(0)
    with modem.use_as_socket(modem.tls(1)):
        reader, writer = await asyncio.open_connection(HOST, 7, ssl=True)  # the module's
        writer.write(b"hello")
        print(await reader.readexactly(5))
        await writer.aclose()
        reader, writer = await asyncio.open_connection(HOST, 7)
        writer.write(b"\\x16\\x03\\x01\\0\\x05\\x01" + bytes(20))
        try:
            await writer.drain()
            await reader.read(1)
        except OSError as error:
            print("use http:// or a plain socket" in str(error))
        await writer.aclose()
        reader, writer = await asyncio.open_connection(HOST, 752)
        try:
            await reader.read(1)
        except OSError as error:
            print(error.code, errno.errorcode[error.errno])
        await writer.aclose()
""",
        module=module,
    )
    assert out == "b'hello'\nTrue\n752 ECONNABORTED\n"
    assert [conn.tls is not None for conn in net.connections] == [True] * len(net.connections)
