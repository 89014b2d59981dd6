# SPDX-License-Identifier: MIT
"""A stream of TLS on the board, with a stand-in for MicroPython's ssl: it hides nothing, and its
handshake is a greeting that the peer repeats. The real one is in test_tls_on_board.py."""

import ssl
from types import SimpleNamespace

import pytest
from onemo.errors import ConnectionLost, ModemError, ProtocolError, Timeout, Unsupported
from onemo_simulator import EchoPeer, Peer

from .conftest import HOST, commands, network, sends, waited

POLL, FLUSH, CLOSE = 3, 1, 4
READ, WRITE, HUNG_UP = 1, 4, 16
GREETING = [b"client ", b"hello\n"]


class Socket:
    """What wrap_socket returns. `#` is a record without data for the application."""

    def __init__(self, transport):
        self.transport = transport
        self.error = None  # of the next read

    def readinto(self, buf):
        if self.error:
            raise self.error
        got = self.transport.readinto(buf)
        if got and bytes(buf[:got]).strip(b"#") == b"":
            return None
        return got

    def write(self, data):
        return self.transport.write(data)

    def close(self):
        self.transport.close()

    def cipher(self):
        return "TLS-SUITE", "TLSv1.2"


class Context:
    """An SSLContext."""

    def __init__(self, error=None):
        self.verify_mode = ssl.CERT_REQUIRED
        self.error = error
        self.names = []
        self.sockets = []

    def wrap_socket(self, transport, server_hostname):
        self.names.append(server_hostname)
        for part in GREETING:
            transport.write(part)
        answer = bytearray(1)
        for expected in b"".join(GREETING):
            assert transport.readinto(answer) == 1
            assert answer[0] == expected
        if self.error:
            raise self.error
        self.sockets.append(Socket(transport))
        return self.sockets[-1]


class Greeter(Peer):
    """Repeats the greeting, `gap` seconds between its bytes; then sends `data` in pieces, one
    each tenth of a second, and ends in state `end`."""

    def __init__(self, *data, gap=0.0, end=None):
        self.data, self.gap, self.end = data, gap, end

    def on_data(self, conn, data):
        for number, byte in enumerate(b"".join(GREETING)):
            conn.reply(bytes([byte]), self.gap * number)
        for number, piece in enumerate(self.data):
            conn.reply(piece, 1 + 0.1 * number)
        if self.end:
            conn.end(self.end, 1 + 0.1 * len(self.data))


@pytest.fixture
def opened(rigs):
    """Makes rigs with such a stream to a peer, an echo at first: (rig, stream, its socket)."""

    def make(peer=None, **settings):
        net = network()
        net.listen(HOST, 443, peer or EchoPeer())
        rig = rigs(network=net)
        rig.modem.attach()
        context = Context()
        stream = rig.modem.connect(HOST, 443, ssl=context, **settings)
        assert context.names == [HOST]
        return rig, stream, context.sockets[0]

    return make


# The handshake


def test_it_writes_its_messages_together_and_later_ones_at_once(opened):
    rig, stream, _ = opened()
    assert sends(rig) == [13]
    assert stream.write(b"a") == 1 and stream.write("ä") == 2 and stream.write(b"xyz", 2) == 2
    assert stream.write(b"") == 0
    stream.flush()
    assert sends(rig) == [13, 1, 2, 2]
    assert stream.read(5) == b"a\xc3\xa4xy"
    assert repr(stream) == "<TlsStream over <Transport of connection 0>>"
    assert stream.get_extra_info("peername") == (HOST, 443)
    assert stream.get_extra_info("socket", 5) == 5
    assert stream.cipher() == ("TLS-SUITE", "TLSv1.2")


def test_the_id_and_the_time_are_passed_on(opened):
    rig, _, _ = opened(id=4, timeout_ms=9000)
    assert commands(rig, b"AT+MIPOPEN")[0].startswith(b"AT+MIPOPEN=4,")
    assert commands(rig, b"AT+MIPOPEN")[0].endswith(b",4,2")


@pytest.mark.parametrize("gap", [60, 1.5])
def test_a_handshake_has_the_time_of_the_whole_opening(rigs, gap):
    net = network()
    net.listen(HOST, 443, Greeter(gap=gap))
    net.open_delay = 2
    rig = rigs(network=net)
    rig.modem.attach()
    seconds, error = waited(
        rig, lambda: rig.modem.connect(HOST, 443, ssl=Context(), timeout_ms=10000)
    )
    assert isinstance(error, Timeout)
    assert 10 <= seconds <= 10.8
    assert commands(rig, b"AT+MIPCLOSE") == [b"AT+MIPCLOSE=0"]


def test_what_is_left_of_the_time_is_looked_at_before_a_read():
    from onemo import _port
    from onemo.net_tls import Transport

    transport = Transport.__new__(Transport)
    transport._deadline = _port.ticks_add(_port.ticks_ms(), -1)
    with pytest.raises(Timeout, match="the TLS handshake was not over in time"):
        transport.readinto(bytearray(1))


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (OSError(-0x7280, "x"), ModemError, "the peer ended the connection without TLS's good"),
        (OSError(-0x2700, "bad  cert\n"), ModemError, "TLS on the board failed: bad cert"),
        (ValueError("no such name"), ModemError, "TLS on the board failed: no such name"),
        (OSError(), ModemError, "TLS on the board failed: "),
        (AttributeError("x"), Unsupported, "TLS on the board needs an SSLContext of MicroPython"),
        (ConnectionLost("it was closed"), ConnectionLost, "it was closed"),
        (KeyboardInterrupt(), KeyboardInterrupt, ""),
    ],
)
def test_a_handshake_that_fails_closes_and_is_put_into_words(rigs, error, raised, text):
    rig = rigs()
    rig.modem.attach()
    with pytest.raises(raised) as caught:
        rig.modem.connect(HOST, 7, ssl=Context(error))
    assert type(caught.value) is raised
    assert str(caught.value).startswith(text)
    assert commands(rig, b"AT+MIPCLOSE") == [b"AT+MIPCLOSE=0"]


def test_what_would_be_no_tls_or_checks_nobody_is_refused(rigs):
    rig = rigs()
    tls = rig.modem.tls(0)
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="tls= is TLS by the module, ssl= is TLS on the board"):
        rig.modem.connect(HOST, 7, tls, ssl=Context())
    context = Context()
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="this SSLContext checks nobody"):
        rig.modem.connect(HOST, 7, ssl=context)
    assert rig.uart.bytes_written == sent
    rig.modem.attach()
    with pytest.raises(Unsupported):  # nothing is known of it: it is tried
        rig.modem.connect(HOST, 7, ssl=SimpleNamespace())


# Reading


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1000])
def test_exactly_as_many_bytes_as_asked_for(opened, size):
    data = bytes(i & 0xFF for i in range(2 * size + 7))
    _, stream, _ = opened(Greeter(data, end=1))
    assert stream.read(0) == b""
    assert stream.read(size) == data[:size]
    assert stream.read(size) == data[size : 2 * size]
    assert stream.read(100) == data[-7:]
    assert stream.read(1) == b""


@pytest.mark.parametrize("n", [(), (-1,), (None,)])
def test_all_up_to_the_end(opened, n):
    _, stream, _ = opened(Greeter(b"x" * 700, b"y" * 300, end=1))
    assert stream.read(*n) == b"x" * 700 + b"y" * 300
    assert stream.read(*n) == b""


def test_lines(opened):
    _, stream, _ = opened(Greeter(b"one\ntwo\n" + b"3" * 600, b"end\n\nno line end", end=1))
    assert stream.readline() == b"one\n"
    assert stream.readline(2) == b"tw"
    assert stream.readline(2) == b"o\n"
    assert stream.readline(0) == b""
    assert stream.readline(600) == b"3" * 600
    assert stream.readline(4) == b"end\n"
    assert stream.readline() == b"\n"
    assert stream.readline() == b"no line end"
    assert stream.readline() == b""


def test_a_line_that_does_not_end(opened):
    _, stream, _ = opened(Greeter(b"x" * 1024, end=1))
    stream.line_max = 512
    with pytest.raises(ProtocolError, match="no line end in 512 bytes of <Transport of conn"):
        stream.readline()
    assert stream.readline(700) == b"x" * 700
    assert stream.read() == b"x" * 324


def test_readinto(opened):
    _, stream, _ = opened(Greeter(b"line\n0123456789", end=1))
    assert stream.readinto(bytearray(0)) == 0 == stream.readinto(bytearray(4), 0)
    assert stream.readline() == b"line\n"
    buf = bytearray(6)
    assert stream.readinto(buf, 4) == 4 and bytes(buf) == b"0123\0\0"
    assert stream.readinto(buf) == 6 and bytes(buf) == b"456789"
    assert stream.readinto(buf) == 0


def test_ssl_may_ask_for_less_than_its_buffer_holds(opened):
    rig, _, sock = opened(Greeter(b"0123456789"))
    rig.clock.advance(2)
    buf = bytearray(5)
    assert sock.transport.readinto(buf, 2) == 2 and bytes(buf) == b"01\0\0\0"


def test_readinto_with_nothing_kept(opened):
    rig, stream, _ = opened(Greeter(b"0123456789", end=1))
    rig.clock.advance(2)
    buf = bytearray(6)
    assert stream.readinto(buf, 4) == 4 and bytes(buf) == b"0123\0\0"
    assert stream.readinto(buf) == 6 and bytes(buf) == b"456789"


def test_without_waiting_there_is_none(opened):
    rig, stream, _ = opened(Greeter(b"abc"))
    stream.setblocking(False)
    began = rig.clock.now()
    assert stream.read(3) is None
    assert stream.read() is None
    assert stream.readline() is None
    assert stream.readinto(bytearray(3)) is None
    assert rig.clock.now() - began < 0.1
    rig.clock.advance(2)
    assert stream.readline() is None  # and keeps what it had
    assert stream.read(5) == b"abc"
    assert stream.read(5) is None
    stream.setblocking(True)
    assert stream._timeout_ms is None


def test_a_line_of_as_many_bytes_as_there_are(opened):
    rig, stream, _ = opened(Greeter(b"abc"))
    rig.clock.advance(2)
    stream.settimeout(0)
    assert stream.readline(3) == b"abc"


def test_without_a_word_about_it_a_read_waits_a_minute(opened):
    rig, stream, _ = opened(Greeter())
    lasted, error = waited(rig, lambda: stream.read(1))
    assert isinstance(error, Timeout) and lasted == pytest.approx(60, abs=0.5)


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_timeouts_last_as_long_as_they_say_and_lose_nothing(opened, seconds):
    rig, stream, _ = opened(Greeter(b"ab"))
    rig.clock.advance(2)
    stream.settimeout(seconds)
    lasted, error = waited(rig, lambda: stream.read(3))
    assert isinstance(error, Timeout) and lasted == pytest.approx(seconds, abs=0.2)
    assert f"within {int(seconds * 1000)} ms" in str(error)
    assert stream.read(2) == b"ab"
    stream.settimeout(0)
    lasted, found = waited(rig, lambda: stream.read(1))
    assert found is None and lasted < 0.1  # the time of a wait is not left over


def test_the_time_counts_over_records_without_data(opened):
    rig, stream, _ = opened(Greeter(*[b"#"] * 40))
    stream.settimeout(2)
    lasted, error = waited(rig, lambda: stream.read(1))
    assert isinstance(error, Timeout) and 2 <= lasted <= 2.3
    stream.settimeout(None)
    lasted, found = waited(rig, lambda: stream.write(b"x"))
    assert found == 1


def test_a_stream_without_a_timeout_waits_to_the_end(opened):
    rig, stream, _ = opened(Greeter(*[b"#"] * 100, b"late", end=1))
    stream.settimeout(None)
    assert stream.read() == b"late"
    assert rig.clock.now() > 11


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (OSError(-0x7280, "x"), ConnectionLost, "the peer ended the connection without TLS's"),
        (OSError(-0x7200, "MBEDTLS_ERR"), ConnectionLost, "TLS on the board failed: MBEDTLS_ERR"),
        (ProtocolError("odd"), ProtocolError, "odd"),
    ],
)
def test_an_error_while_reading_is_put_into_words(opened, error, raised, text):
    _, stream, sock = opened()
    sock.error = error
    for read in (stream.read, stream.readline, lambda: stream.readinto(bytearray(5))):
        with pytest.raises(raised) as caught:
            read()
        assert type(caught.value) is raised and str(caught.value).startswith(text)
    assert stream.ioctl(POLL, READ | WRITE) == HUNG_UP | READ
    assert stream.ioctl(POLL, WRITE) == HUNG_UP


# Polling, and the end


def test_polling(opened):
    rig, stream, _ = opened(Greeter(b"abc", end=1))
    assert stream.ioctl(POLL, READ | WRITE) == WRITE
    assert stream.ioctl(POLL, READ) == 0
    rig.clock.advance(1.05)
    assert stream.ioctl(POLL, READ | WRITE) == READ | WRITE
    assert stream.ioctl(POLL, READ) == READ
    assert stream.ioctl(POLL, WRITE) == WRITE
    assert stream.read(3) == b"abc"
    rig.clock.advance(1)
    assert stream.ioctl(POLL, READ | WRITE) & HUNG_UP
    assert stream.ioctl(FLUSH, 0) == 0
    assert stream.ioctl(99, 0) == -22


@pytest.mark.parametrize("way", ["close", "ioctl", "with", "error"])
def test_the_ways_to_close(opened, way):
    rig, stream, _ = opened()
    if way == "close":
        stream.close()
        stream.close()
    elif way == "ioctl":
        assert stream.ioctl(CLOSE, 0) == 0
    elif way == "with":
        with stream as same:
            assert same is stream
    else:
        with pytest.raises(KeyError), stream:
            raise KeyError
    assert commands(rig, b"AT+MIPCLOSE") == [b"AT+MIPCLOSE=0"]


@pytest.mark.parametrize("under_way", [None, KeyError])
def test_an_error_of_closing_gives_way_to_the_one_that_is_under_way(opened, under_way):
    _, stream, sock = opened()

    def close():
        raise OSError(5)

    sock.close = close
    with pytest.raises(under_way or OSError), stream:
        if under_way:
            raise under_way


def test_the_garbage_collector_closes_nothing(opened):
    rig, stream, _ = opened()
    stream.__del__()
    assert commands(rig, b"AT+MIPCLOSE") == []
