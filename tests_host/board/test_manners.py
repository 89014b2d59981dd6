# SPDX-License-Identifier: MIT
"""The three ports' manners at the UART, without MicroPython around them."""

import ctypes
import os
import socket
import time

import pytest
from onemo_board.chip import manners
from onemo_board.chip.ports import PORTS
from onemo_board.chip.uart import ConfigError

from .helpers import Peer


class Bench:
    """One UART, configured from keywords, with buffers as MicroPython would pass them."""

    def __init__(self, port: str, peer: Peer, **options) -> None:
        self.events: list[tuple] = []
        self.peer = peer
        tell = self.events.append
        self.uart = manners.make(1, peer.board_fd, PORTS[port], tell=lambda *e: tell(e), **options)

    def open(self, *, constructor: bool = True, positional: int = 0, **values) -> None:
        self.uart.configure(values, positional, constructor)

    def write(self, data: bytes) -> int | None:
        memory = ctypes.create_string_buffer(data, len(data))
        return self.uart.write_from(ctypes.addressof(memory), len(data))

    def read(self, count: int) -> bytes | None:
        memory = ctypes.create_string_buffer(count)
        got = self.uart.read_into(ctypes.addressof(memory), count)
        return None if got is None else memory.raw[:got]


@pytest.fixture
def bench(peer):
    return lambda port, **options: Bench(port, peer, **options)


def refused(bench: Bench, **values) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        bench.open(**values)
    return caught.value.kind, caught.value.text


# -- settings ---------------------------------------------------------------------------------
def test_stm32_takes_no_pins_and_no_txbuf_and_wants_a_baudrate(bench):
    uart = bench("stm32")
    for name in ("tx", "rx", "rts", "cts", "txbuf", "invert"):
        assert refused(uart, baudrate=9600, **{name: 4}) == (
            "TypeError",
            "extra keyword arguments given",
        )
    assert refused(uart, timeout=5)[0] == "TypeError"
    uart.open(baudrate=9600, bits=8, parity=None, stop=1, flow=0, timeout=1, timeout_char=9)


def test_an_unknown_keyword_and_a_fifth_position_are_refused(bench):
    for port in PORTS:
        uart = bench(port)
        assert refused(uart, baudrate=9600, read_timeout=3)[0] == "TypeError"
        with pytest.raises(ConfigError, match="positional"):
            uart.open(positional=5, baudrate=9600)


def test_default_buffers(bench):
    for port, rxbuf in (("esp32", 256), ("stm32", 64), ("rp2", 256)):
        uart = bench(port)
        uart.open(baudrate=115200)
        assert uart.uart.settings["rxbuf"] == rxbuf
        uart.open(baudrate=115200, rxbuf=1024)
        assert uart.uart.settings["rxbuf"] == 1024


def test_init_resets_everything_on_stm32_only(bench):
    for port, rxbuf, timeout in (("esp32", 1024, 300), ("stm32", 64, 0), ("rp2", 1024, 300)):
        uart = bench(port)
        uart.open(baudrate=115200, rxbuf=1024, timeout=300)
        uart.open(constructor=False, baudrate=921600)
        settings = uart.uart.settings
        assert (settings["rxbuf"], settings["timeout"]) == (rxbuf, timeout)
        assert settings["baudrate"] == 921600
        assert ("baud", 1, 921600, rxbuf) in uart.events


def test_rp2_constructor_takes_default_buffers_again(bench):
    uart = bench("rp2")
    uart.open(baudrate=115200, rxbuf=1024)
    uart.open(baudrate=115200)
    assert uart.uart.settings["rxbuf"] == 256
    uart.open(baudrate=115200, rxbuf=5)
    assert uart.uart.settings["rxbuf"] == 32
    assert refused(uart, rxbuf=32767) == ("ValueError", "rxbuf too large")


def test_esp32_buffers_must_exceed_the_fifo(bench):
    uart = bench("esp32")
    for values in ({"rxbuf": 128}, {"txbuf": 100}):
        assert refused(uart, baudrate=115200, **values) == ("OSError", "ESP_FAIL")
    uart.open(baudrate=115200, rxbuf=129, txbuf=0)


def test_timeouts_are_16_bit_and_have_floors(bench):
    for port, floor in (("esp32", 0), ("stm32", 3), ("rp2", 2)):
        uart = bench(port)
        uart.open(baudrate=9600, timeout=65536 + 7)
        assert uart.uart.settings["timeout"] == 7
        assert uart.uart.settings["timeout_char"] == floor
    uart = bench("esp32")
    uart.open(timeout=9, timeout_char=19)  # ticks of 10 ms
    assert (uart.uart.first_byte_ms(), uart.uart.next_byte_ms()) == (0, 10)


def test_opening_drops_what_was_received_before_it_but_rp2_init_keeps(bench, peer):
    for port in PORTS:
        uart = bench(port)
        peer.send(b"before")
        uart.open(baudrate=115200)
        assert uart.uart.any() == 0
        peer.send(b"kept")
        uart.open(constructor=False, baudrate=115200)
        assert uart.read(9) == (b"kept" if port == "rp2" else None)


# -- reading ----------------------------------------------------------------------------------
def test_reading_gives_none_when_empty_and_what_there_is(bench, peer):
    for port in PORTS:
        uart = bench(port)
        uart.open(baudrate=115200)
        assert uart.read(5) is None
        peer.send(b"again")
        assert uart.uart.any() == 5
        assert uart.read(3) == b"aga"
        assert uart.read(9) == b"in"
        assert uart.read(9) is None


def test_the_timeout_of_the_first_byte(bench):
    uart = bench("rp2")
    uart.open(baudrate=115200, timeout=80)
    start = time.monotonic()
    assert uart.read(5) is None
    assert 0.08 <= time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("port", "kept", "tail"),
    # stm32: the ring and the data register; rp2: the ring and 32 bytes of FIFO; esp32: ring, one
    # stashed byte, then the FIFO is reset whenever its 129th byte comes: 2743 = 21 * 129 + 34
    [("stm32", 257, 0), ("rp2", 288, 0), ("esp32", 257, 34)],
)
def test_what_nobody_reads_in_time_is_lost(bench, peer, port, kept, tail):
    uart = bench(port)
    uart.open(baudrate=115200, rxbuf=256)
    data = bytes(i * 7 % 251 for i in range(3000))
    peer.send(data)
    assert uart.uart.any() == 256
    got = b""
    while part := uart.read(50):
        got += part
    assert got == data[:kept] + data[len(data) - tail :]
    assert ("overrun", 1, 3000 - kept - tail) in uart.events
    peer.send(b"and on")
    assert uart.read(50) == b"and on"


def test_nothing_is_lost_with_flow_control_or_without_overrun(bench, peer):
    uart = bench("stm32")
    uart.open(baudrate=115200, flow=PORTS["stm32"].uart_constants["RTS"])
    peer.send(bytes(1000))
    assert len(uart.read(5000)) == 1000
    uart = bench("stm32", overrun=False)
    uart.open(baudrate=115200)
    peer.send(bytes(1000))
    assert uart.uart.any() == 64  # no more than the buffer is long is announced
    assert len(uart.read(5000)) == 1000


def test_a_lost_byte_does_not_wake_a_poll(bench, peer):
    uart = bench("stm32")
    uart.open(baudrate=115200)
    peer.send(bytes(500))
    assert uart.uart.ready(1) == 1
    assert len(uart.read(65)) == 65
    assert uart.uart.ready(1) == 0
    with pytest.raises(BlockingIOError):
        os.read(peer.board_fd, 1)


# -- writing ----------------------------------------------------------------------------------
def test_stm32_blocks_until_the_last_bit_is_out(bench, peer):
    uart = bench("stm32")
    uart.open(baudrate=9600)
    start = time.monotonic()
    assert uart.write(bytes(96)) == 96
    assert 0.1 <= time.monotonic() - start < 5
    assert peer.receive(96) == bytes(96)
    assert uart.uart.txdone()


def test_stm32_gives_none_then_short_when_the_line_takes_nothing(bench, peer):
    uart = bench("stm32", line_time=False)
    uart.open(baudrate=115200, timeout=20)
    block = bytes(1 << 16)
    while uart.write(block) == len(block):
        pass
    assert uart.write(block) is None


def test_esp32_blocks_until_everything_is_queued(bench, peer):
    uart = bench("esp32")
    uart.open(baudrate=9600)
    start = time.monotonic()
    assert uart.write(bytes(256 + 128)) == 384  # ring and FIFO take it at once
    assert time.monotonic() - start < 0.1
    assert not uart.uart.txdone()
    assert uart.write(bytes(96)) == 96  # must wait until 96 bytes have left
    assert 0.09 <= time.monotonic() - start < 5
    assert peer.receive(480) == bytes(480)


def test_rp2_gives_a_short_count_and_none_when_its_ring_is_full(bench, peer):
    uart = bench("rp2")
    uart.open(baudrate=2400)
    assert uart.write(bytes(500)) == 256 + 32
    assert uart.write(b"x") is None
    assert not uart.uart.write_ready()
    assert uart.uart.pollable() is None  # a system poll would find the socket writable
    time.sleep(0.2)  # 28 bytes leave the FIFO, then the interrupt refills it
    assert uart.uart.write_ready()
    assert 1 <= uart.write(bytes(280)) <= 279  # the whole of it would take 1.2 s to leave
    assert len(peer.receive(289)) == 289


def test_rp2_waits_for_room_within_its_timeout(bench):
    uart = bench("rp2")
    uart.open(baudrate=115200, timeout=200, timeout_char=200)
    start = time.monotonic()
    assert uart.write(bytes(600)) == 600
    # what does not fit must have left: 600 - 288 bytes of 87 us, in bursts of 28
    assert 0.02 <= time.monotonic() - start < 5


def test_without_line_time_writing_takes_none(bench):
    for port in PORTS:
        uart = bench(port, line_time=False)
        uart.open(baudrate=1200)
        start = time.monotonic()
        assert uart.write(bytes(3000)) == 3000
        assert time.monotonic() - start < 1


def test_flush_waits_for_the_wire(bench):
    uart = bench("esp32")
    uart.open(baudrate=9600)
    start = time.monotonic()
    uart.write(bytes(96))
    uart.uart.drain()
    assert 0.1 <= time.monotonic() - start < 5
    assert uart.uart.txdone()


def test_a_closed_uart_takes_and_gives_nothing(bench, peer):
    for port in PORTS:
        uart = bench(port)
        uart.open(baudrate=115200)
        uart.uart.deinit()
        peer.send(b"lost")
        taken = 1 if port == "rp2" else None  # as the firmware says, and nothing is sent
        assert (uart.uart.any(), uart.read(5), uart.write(b"x")) == (0, None, taken)
        uart.open(baudrate=115200)
        assert uart.read(5) is None


def test_a_uart_wired_to_nothing(peer):
    uart = manners.make(2, None, PORTS["esp32"], tell=lambda *event: None)
    uart.configure({"baudrate": 115200, "timeout": 20}, 0, True)
    memory = ctypes.create_string_buffer(b"hello")
    assert uart.write_from(ctypes.addressof(memory), 5) == 5
    assert uart.read_into(ctypes.addressof(memory), 5) is None
    assert uart.any() == 0


def test_the_peer_hanging_up_is_an_empty_line():
    ours, theirs = socket.socketpair()
    fd = ours.detach()
    os.set_blocking(fd, False)
    uart = manners.make(1, fd, PORTS["rp2"], tell=lambda *event: None)
    uart.configure({"baudrate": 115200}, 0, True)
    theirs.close()
    memory = ctypes.create_string_buffer(5)
    assert uart.read_into(ctypes.addressof(memory), 5) is None
    os.close(fd)
