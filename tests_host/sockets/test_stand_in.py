# SPDX-License-Identifier: MIT
"""modem.use_as_socket: what code finds that imports `socket` and `ssl`, and their manners."""

import errno
import functools
import importlib
import sys
import types

import pytest
from onemo import AUTH_NONE
from onemo.errors import CommandError, ConnectionLost, ModemError, Timeout, Unsupported
from onemo_simulator import Peer

from .conftest import HOST, Talker, commands, network, sends, talker
from .device import run

HELLO = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(154)


def test_import_finds_the_module_and_later_what_was_there_before(rigs):
    rig = rigs()
    before = {name: sys.modules.get(name) for name in ("socket", "usocket", "ssl", "ussl", "tls")}
    assert before["socket"] is not None
    with rig.modem.use_as_socket() as socket:
        assert importlib.import_module("socket") is socket
        assert importlib.import_module("usocket") is socket
        assert importlib.import_module("ssl") is before["ssl"] or before["ssl"] is None
        inner = rig.modem.use_as_socket(rig.modem.tls(1))
        assert importlib.import_module("socket") is inner.socket is not socket
        inner.undo()
        assert importlib.import_module("socket") is socket
        inner.undo()
        assert importlib.import_module("socket") is socket
        sock = socket.socket()
        sock.connect(socket.getaddrinfo(HOST, 7)[0][-1])
        assert sock.send(b"hello") == 5
        assert sock.recv(10) == b"hello"
        sock.close()
    for name, module in before.items():
        assert sys.modules.get(name) is module, name


def test_the_boards_own_tls_stays_under_each_of_its_names(rigs, monkeypatch):
    there = {name: types.ModuleType(name) for name in ("ssl", "ussl", "tls")}
    for name, module in there.items():
        monkeypatch.setitem(sys.modules, name, module)
    modem = rigs().modem
    with modem.use_as_socket():
        assert {name: sys.modules[name] for name in there} == there
    monkeypatch.setitem(sys.modules, "ussl", None)  # what lacks gets the one that there is
    with modem.use_as_socket():
        assert importlib.import_module("ussl") is there["ssl"]
        assert importlib.import_module("tls") is there["tls"]
    with modem.use_as_socket(modem.tls(1)):
        del sys.modules["usocket"]  # as a program may that wants its RAM
        assert not {sys.modules[name] for name in there} & set(there.values())


def test_errors_come_out_of_the_with_and_all_is_undone(rigs):
    rig = rigs()
    real = sys.modules["socket"]
    with pytest.raises(ZeroDivisionError), rig.modem.use_as_socket():
        raise ZeroDivisionError
    assert sys.modules["socket"] is real


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (557, "ECONNREFUSED"),
        (558, "ETIMEDOUT"),
        (559, "EHOSTUNREACH"),
        (580, "EHOSTUNREACH"),
        (570, "EHOSTUNREACH"),
        (575, "EHOSTUNREACH"),
        (576, "EADDRINUSE"),
        (554, "ENOBUFS"),
        (550, "EIO"),
        (-1, "EHOSTUNREACH"),
        (752, "ECONNABORTED"),
        (753, "ETIMEDOUT"),
        (751, "ENOBUFS"),
    ],
)
def test_an_opening_that_fails_has_the_errno_of_sockets(rigs, code, number):
    rig = rigs(open_result=code)
    sock = rig.modem.socket_module().socket()
    with pytest.raises(OSError) as caught:
        sock.connect((HOST, 7))
    assert caught.value.errno == caught.value.args[0] == getattr(errno, number)
    assert isinstance(caught.value, CommandError)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("command", "code", "number"),
    [
        (b"AT+MIPSEND", 553, "ENOTCONN"),
        (b"AT+MIPSEND", 560, "ECONNRESET"),
        (b"AT+MIPSEND", 551, "ENOTCONN"),
        (b"AT+MIPRD", 561, "ECONNRESET"),
        (b"AT+MIPRD", 551, "ENOTCONN"),
        (b"AT+MIPOPEN", 552, "EADDRINUSE"),
    ],
)
def test_a_transfer_that_is_refused_has_the_errno_of_sockets(rigs, command, code, number):
    rig = rigs(network=talker(b"x" * 500, end=None))
    sock = rig.modem.socket_module().socket()
    rig.module.reply(command, b"+CME ERROR: %d" % code)
    with pytest.raises(CommandError) as caught:
        sock.connect((HOST, 20))
        sock.send(b"x" * 20)
        sock.recv(100)
    assert caught.value.args[0] == caught.value.errno == getattr(errno, number)


def test_what_has_no_connection_says_so(rigs):
    rig = rigs()
    socket = rig.modem.socket_module()
    sock = socket.socket()
    for call in (
        lambda: sock.send(b"x"),
        lambda: sock.recv(1),
        lambda: sock.recv_into(bytearray(1)),
        lambda: sock.read(1),
        sock.readline,
        lambda: sock.readinto(bytearray(1)),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENOTCONN
    assert sock.ioctl(3, 5) == 16  # poll: hung up
    sock.connect((HOST, 7))
    with pytest.raises(OSError) as caught:
        sock.connect((HOST, 7))
    assert caught.value.errno == errno.EISCONN
    sock.close()


def test_a_socket_that_must_not_wait(rigs):
    rig = rigs(network=talker(b"", end=None))
    sock = rig.modem.socket_module().socket()
    sock.connect((HOST, 20))
    sock.setblocking(False)
    for call in (lambda: sock.recv(5), lambda: sock.recv_into(bytearray(5))):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.args[0] == errno.EAGAIN
    assert sock.read(5) is None
    assert sock.readline() is None
    assert sock.readinto(bytearray(5)) is None
    assert sock.ioctl(3, 5) == 4  # may be written to
    rig.network.connections[-1].reply(b"abc\ndef")
    rig.clock.advance(1)
    assert sock.ioctl(3, 5) == 5
    assert sock.recv(2) == b"ab"
    assert sock.readline() == b"c\n"
    buf = bytearray(8)
    assert sock.recv_into(buf, 2) == 2
    assert sock.recv_into(buf) == 1
    rig.network.connections[-1].end(1)
    rig.clock.advance(1)
    assert sock.recv(5) == b""


@pytest.mark.parametrize("when", ["nothing", "None", "blocking"])
def test_a_silent_server_holds_nobody_for_ever(rigs, when):
    rig = rigs()
    socket = rig.modem.socket_module()
    sock = socket.socket()
    if when == "None":
        sock.settimeout(None)
    sock.connect((HOST, 9))
    if when == "blocking":
        sock.setblocking(False)
        sock.setblocking(True)
    start = rig.clock.now()
    with pytest.raises(Timeout) as caught:
        sock.read(1)
    assert caught.value.errno == errno.ETIMEDOUT
    assert socket.default_timeout <= rig.clock.now() - start < socket.default_timeout + 20
    sock.settimeout(2)
    start = rig.clock.now()
    with pytest.raises(Timeout):
        sock.recv(1)
    assert 2 <= rig.clock.now() - start < 4
    socket.default_timeout = 7.5
    other = socket.socket()
    other.connect((HOST, 9))
    start = rig.clock.now()
    with pytest.raises(Timeout):
        other.readline()
    assert 7.5 <= rig.clock.now() - start < 10
    assert (socket.default_ms(), rig.modem.socket_module().default_ms()) == (7500, 300000)
    socket.default_timeout = None
    assert socket.default_ms() is None  # for ever


def test_a_server_slow_or_without_line_ends_ends_in_words(rigs):
    """One byte in 20 s is slow, not dead; a megabyte without a line end is bounded."""
    rig = rigs(network=talker(b"x" * 1_000_000, end=None))
    sock = rig.modem.socket_module().socket()
    sock.connect((HOST, 20))
    with pytest.raises(ModemError, match="no line end in 16384 bytes"):
        sock.readline()
    assert sock.recv(100) == b"x" * 100
    sock.close()


class Dripping(Peer):
    def on_connect(self, conn):
        for number in range(3):
            conn.reply(b"%d" % number, 20 * (number + 1))


def test_a_slow_server_is_waited_for(rigs):
    net = network()
    net.listen(HOST, 21, Dripping())
    sock = rigs(network=net).modem.socket_module().socket()
    sock.connect((HOST, 21))
    assert sock.read(3) == b"012"


@pytest.mark.parametrize("state", [1, 2, 3])
def test_a_server_that_closes_at_any_moment(rigs, state):
    for size in (0, 1, 300):
        net = network()
        net.listen(HOST, 21, Talker(b"y" * size, end=state))
        sock = rigs(network=net).modem.socket_module().socket()
        sock.settimeout(10)
        sock.connect((HOST, 21))
        got = b""
        try:
            while data := sock.recv(100):
                got += data
        except ConnectionLost as error:
            assert state != 1
            assert error.errno == errno.ECONNRESET
        else:
            assert state == 1
        assert got == b"y" * size
        with pytest.raises(OSError):
            sock.send(b"too late")
        sock.close()


def test_keep_alive_is_the_modules(rigs):
    rig = rigs()
    socket = rig.modem.socket_module()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with pytest.raises(OSError, match="no such option: 1, 20") as caught:
        sock.setsockopt(socket.SOL_SOCKET, 20, print)
    assert caught.value.args[0] == errno.ENOPROTOOPT
    assert commands(rig, b"AT+MIPTKA") == []
    sock.connect((HOST, 7))
    assert commands(rig, b"AT+MIPTKA") == [b"AT+MIPTKA=0,1"]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    assert rig.module.sockets.keepalive[0][0] == 1
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    assert rig.module.sockets.keepalive[0][0] == 0
    sock.close()


# TLS by the module


def test_wrapping_means_the_tls_that_the_module_has_begun(rigs):
    rig = rigs()
    tls = rig.modem.tls(1)
    tls.configure(AUTH_NONE)
    with rig.modem.use_as_socket(tls) as socket:
        ssl = importlib.import_module("ssl")
        assert importlib.import_module("ussl") is importlib.import_module("tls") is ssl
        sock = socket.socket()
        sock.connect((HOST, 7))
        assert rig.network.connections[-1].tls is not None
        assert ssl.wrap_socket(sock, server_hostname=HOST, cert_reqs=ssl.CERT_NONE) is sock
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_NONE  # what the module checks is what its context says
        assert context.wrap_socket(sock, server_hostname=HOST) is sock
        assert ssl.create_default_context().wrap_socket(sock) is sock
        assert ssl.SSLContext().wrap_socket(sock) is sock
        sock.write(b"through")
        assert sock.read(7) == b"through"
        for refused in (
            lambda: context.load_verify_locations(b"x"),
            lambda: context.load_cert_chain("a", "b"),
            lambda: context.set_ciphers(["x"]),
            lambda: ssl.wrap_socket(sock, cert=b"x", key=b"y"),
            *(
                functools.partial(ssl.wrap_socket, sock, **{name: "x"})
                for name in ("key", "cert", "keyfile", "certfile", "cadata", "ca_certs")
            ),
            lambda: ssl.wrap_socket(sock, server_side=True),
            lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ):
            with pytest.raises(Unsupported, match="module"):
                refused()
        plain = rig.modem.socket_module().socket()
        with pytest.raises(ModemError, match="begins when it connects"):
            context.wrap_socket(plain)
        sock.close()


def test_without_a_context_wrapping_says_what_is_missing(rigs, monkeypatch):
    rig = rigs()
    monkeypatch.setitem(sys.modules, "ssl", None)  # as on a board without it
    with rig.modem.use_as_socket() as socket:
        ssl = importlib.import_module("ssl")
        with pytest.raises(ModemError, match=r"use_as_socket\(modem.tls\(1\)\)"):
            ssl.wrap_socket(socket.socket())


def test_tls_inside_tls_is_refused_in_words(rigs):
    rig = rigs()
    tls = rig.modem.tls(1)
    tls.configure(AUTH_NONE)
    sock = rig.modem.socket_module(tls).socket()
    sock.connect((HOST, 7))
    for stream in (rig.modem.connect(HOST, 7, tls), sock):
        with pytest.raises(ModemError, match="TLS by the module: use http:// or a plain socket"):
            stream.write(HELLO)
        assert sends(rig) == []
        stream.close()
    plain = rig.modem.connect(HOST, 7)
    plain.write(HELLO)  # that is what a plain connection is for
    assert plain.read(len(HELLO)) == HELLO
    inside = rig.modem.connect(HOST, 7, tls)
    inside.write(b"\x16\x03\x01\x00\x05\x02rest")  # no ClientHello
    inside.write(HELLO)  # nor is this, in the middle of something else
    assert inside.read(10 + len(HELLO))[10:] == HELLO


def test_tls_inside_tls_is_refused_on_micropython_too():
    """By MicroPython's own ssl, and over asyncio's front."""
    from onemo_simulator import EchoPeer, LoopNetwork, Module

    net = LoopNetwork()
    net.listen(HOST, 7, EchoPeer())
    module = Module("ML307R", network=net)
    out = run(
        module,
        """
import ssl
from onemo import Modem
modem = Modem(uart)
modem.start()
modem.tls(1).configure(0)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.verify_mode = ssl.CERT_NONE
stream = modem.connect(HOST, 7, modem.tls(1))
try:
    context.wrap_socket(stream, server_hostname=HOST)
except OSError as error:
    print("use http:// or a plain socket" in str(error))
stream.close()
with modem.use_as_socket():
    import socket, usocket
    print(socket is usocket, socket.socket.__name__ if hasattr(socket.socket, "__name__") else "")
    import ssl as other
    print(other is ssl)
with modem.use_as_socket(modem.tls(1)) as mine:
    import socket, ssl as other, tls, ussl
    print(other is ssl, other is tls is ussl, socket is mine)
    from socket import socket as make, AF_INET, getaddrinfo
    sock = make(AF_INET)
    sock.connect(getaddrinfo(HOST, 7)[0][-1])
    sock = other.SSLContext(other.PROTOCOL_TLS_CLIENT).wrap_socket(sock, server_hostname=HOST)
    sock.write(b"hello")
    print(sock.read(5))
    sock.close()
import socket, ssl as other
print(other is ssl, socket is mine)
""",
        HOST=HOST,
    )
    assert out.splitlines() == [
        "True",
        "True socket",
        "True",
        "False True True",
        "b'hello'",
        "True False",
    ]
    assert module.violations == []


def test_datagrams_and_streams_are_told_apart(rigs):
    socket = rigs().modem.socket_module()
    assert socket.getaddrinfo(HOST, 7, 0, 0)[0][1] == socket.SOCK_STREAM
    assert socket.getaddrinfo(HOST, 7, 0, socket.SOCK_DGRAM)[0][1] == socket.SOCK_DGRAM
    for more in ((), (0, socket.SOCK_STREAM)):
        found = socket.getaddrinfo(HOST, 7, *more)
        assert found == [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, 7))]
