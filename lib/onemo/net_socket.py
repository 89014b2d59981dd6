# SPDX-License-Identifier: MIT
#
# Stands in for the `socket` module in code that knows no modem: umqtt.simple, umqtt.robust,
# requests. Names are looked up by the module (DNS), connections made by it, with its TLS.
#
# Such code writes a message in many small pieces, each of which would be a packet of its own on
# the air. A piece is held while it is, with those before it, an MQTT packet or the head of an
# HTTP request that is not complete: the peer could do nothing with it yet. All else is sent at
# once, and a read, a poll or a close sends whatever is held.
#
# Such code often sets no timeout, and a server that accepts and says nothing would hold it for
# ever: where it says "no timeout", the module's `default_timeout` counts.

from errno import EAGAIN

from ._port import const
from .net_flow import HELD_MAX
from .net_links import OPEN_MAX_MS, OPEN_MIN_MS, OPEN_MS
from .net_stand_in import Connected, NotConnected, SocketModule, check_option, keep_alive_op
from .net_stream import Stream, open_connection

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from .tls import TLSContext

_MQTT = const(1)
_HTTP = const(2)
_RAW = const(3)

_HUP = const(16)
_POLL = const(3)
_SOL_SOCKET = const(1)
_SO_KEEPALIVE = const(9)


class Socket(Stream):
    def __init__(self, modem, tls, default_ms=None):
        Stream.__init__(self, modem, None, default_ms)
        self._default_ms = default_ms
        self._keep_alive = None
        self._tls = tls
        self._protocol = 0  # as far as the first bytes tell; 0: none were written
        self._remaining = 0  # bytes that are to come of an MQTT packet
        self._size = 0
        self._shift = -1  # of the next byte of its size; -1: none is to come

    def connect(self, address):
        """Connects to (host, port); as long as `settimeout` says, 6 s at least, or 60 s."""
        timeout_ms = self._timeout_ms
        if not timeout_ms or timeout_ms == self._default_ms:
            timeout_ms = OPEN_MS
        timeout_ms = min(max(timeout_ms, OPEN_MIN_MS), OPEN_MAX_MS)
        if self._connection:
            raise Connected("this socket was connected before: make a new one")
        self._connection = open_connection(
            self._modem, address[0], address[1], self._tls, timeout_ms
        )
        if self._keep_alive is not None:
            self.setsockopt(_SOL_SOCKET, _SO_KEEPALIVE, self._keep_alive)

    @property
    def tls(self):
        """The module's TLS context that its connection uses; None: it is plain."""
        return self._tls

    def settimeout(self, seconds):
        """0: reads give None where they would wait, `recv` raises EAGAIN. None: the default
        timeout of the module (see `SocketModule`)."""
        Stream.settimeout(self, seconds)
        if seconds is None:
            self._timeout_ms = self._default_ms

    def setsockopt(self, level, option, value=1):
        """SO_KEEPALIVE makes the module probe the peer when nothing comes (AT+MIPTKA: after 90 s,
        then every 75 s, 3 times). SO_REUSEADDR and TCP's options change nothing; OSError with
        ENOPROTOOPT for others."""
        if check_option(level, option):
            self._keep_alive = value
            if self._connection:
                self._modem.run_operation(keep_alive_op(self._ch, self._connection, value))

    def _require_connection(self):
        if not self._connection:
            raise NotConnected("the socket is not connected")

    def readinto(self, buf, n=None):
        self._require_connection()
        return Stream.readinto(self, buf, n)

    def read(self, n=-1):
        self._require_connection()
        return Stream.read(self, n)

    def readline(self, n=-1):
        self._require_connection()
        return Stream.readline(self, n)

    def write(self, data, n=None):
        self._require_connection()
        return Stream.write(self, data, n)

    def ioctl(self, request, argument):
        if request == _POLL and not self._connection:
            return _HUP
        return Stream.ioctl(self, request, argument)

    def recv_into(self, buf, n=None):
        """Up to `n` bytes, as soon as there are some; OSError with EAGAIN if it would have to wait
        and must not."""
        got = self.readinto(buf, n or None)
        if got is None:
            raise OSError(EAGAIN, "nothing to read yet")
        return got

    def recv(self, n):
        """Up to `n` bytes, as soon as there are some; b"" at the end; OSError with EAGAIN if it
        would have to wait and must not."""
        buf = bytearray(n)
        return bytes(buf[: self.recv_into(buf)])

    def send(self, data):
        return self.write(data)

    def sendall(self, data):
        self.write(data)

    def makefile(self, mode="rwb", buffering=0):
        return self

    def _may_buffer(self, data, n):
        if not self._protocol and n:
            if data[0] == 0x10:
                self._protocol = _MQTT
            else:
                self._protocol = _HTTP if b" HTTP/1." in bytes(data[:n]) else _RAW
        if self._protocol == _MQTT:
            self._track_mqtt(data, n)
        return n < HELD_MAX and self._protocol != _RAW

    def _keep_buffering(self):
        if self._protocol == _MQTT:
            return self._remaining or self._shift >= 0
        if self._out.find(b"\r\n\r\n") < 0:
            return True
        self._protocol = _RAW  # the body
        return False

    def _track_mqtt(self, data, n):
        # Where in an MQTT packet what is written stands: a byte of type, then how many bytes are
        # due after that, in seven bits a byte, the lowest first.
        at = 0
        while at < n:
            if self._remaining:
                step = min(self._remaining, n - at)
                self._remaining -= step
                at += step
                continue
            if self._shift < 0:
                self._size = self._shift = 0
            else:
                self._size |= (data[at] & 0x7F) << self._shift
                self._shift += 7
                if data[at] < 0x80:
                    self._remaining = self._size
                    self._shift = -1
            at += 1


class Methods:
    """Part of the front's Modem, loaded when it is called."""

    def socket_module(self, tls: "TLSContext | None" = None) -> "SocketModule":
        """A stand-in for the module `socket` in umqtt.simple, umqtt.robust, requests and the like:
        `umqtt.simple.socket = modem.socket_module(tls)`; see `use_as_socket`. Connections are TLS
        by the configured context `tls`, else TCP. Reads end after its `default_timeout`, 300 s at
        first, where that code sets no timeout."""
        return BlockingSockets(self, tls)


class BlockingSockets(SocketModule):
    """What the blocking front's `socket_module(tls)` returns."""

    def socket(self, family=2, kind=1, protocol=0):
        if kind == self.SOCK_DGRAM:
            from .net_udp_socket import DatagramSocket

            return DatagramSocket(self._modem, self.default_ms())
        if kind != self.SOCK_STREAM:
            raise ValueError("a socket is SOCK_STREAM (TCP) or SOCK_DGRAM (UDP)")
        sock = Socket(self._modem, self._tls, self.default_ms())
        sock.readahead = self.readahead
        return sock
