# SPDX-License-Identifier: MIT
#
# Stands in for the `socket` module in code that knows no modem: umqtt.simple, umqtt.robust,
# requests. Names are looked up by the module (DNS), connections made by it, with its TLS.
#
# Such code writes a message in many small pieces, each of which would be a packet of its own on
# the air. A piece is held while it is, with those before it, an MQTT packet or the head of an
# HTTP request that is not complete: the peer could do nothing with it yet. All else is sent at
# once, and a read, a poll or a close sends whatever is held.

from ._port import const
from .errors import ModemError
from .net_flow import HELD_MAX
from .net_links import OPEN_MIN_MS, OPEN_MS, check_context
from .net_stream import Stream, open_connection

_MQTT = const(1)
_HTTP = const(2)
_RAW = const(3)


class Socket(Stream):
    def __init__(self, modem, tls):
        Stream.__init__(self, modem, None, None)
        self._tls = tls
        self._protocol = 0  # as far as the first bytes tell; 0: none were written
        self._remaining = 0  # bytes that are to come of an MQTT packet
        self._size = 0
        self._shift = -1  # of the next byte of its size; -1: none is to come

    def connect(self, address):
        """Connects to (host, port); as long as `settimeout` says, 6 s at least, or 60 s."""
        timeout_ms = max(self._timeout_ms or OPEN_MS, OPEN_MIN_MS)
        if self._connection:
            raise ModemError("this socket was connected before: make a new one")
        self._connection = open_connection(
            self._modem, address[0], address[1], self._tls, timeout_ms
        )

    def setsockopt(self, *args):
        pass

    def _require_connection(self):
        if not self._connection:
            raise ModemError("the socket is not connected")

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
        self._require_connection()
        return Stream.ioctl(self, request, argument)

    recv_into = readinto

    def recv(self, n):
        """Up to `n` bytes, as soon as there are some."""
        buf = bytearray(n)
        got = self.readinto(buf)
        return None if got is None else bytes(buf[:got])

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


class SocketModule:
    """What `modem.socket_module(tls)` returns."""

    AF_INET = 2
    AF_INET6 = 10
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    IPPROTO_TCP = 6
    SOL_SOCKET = 1
    SO_REUSEADDR = 2

    def __init__(self, modem, tls):
        check_context(tls)
        self._modem = modem
        self._tls = tls

    def socket(self, family=2, kind=1, protocol=0):
        if kind != 1:
            raise ValueError("the module connects by TCP only (SOCK_STREAM)")
        return Socket(self._modem, self._tls)

    def getaddrinfo(self, host, port, *hints):
        """One entry; the name goes to the module as it is, which looks it up when it connects."""
        return [(2, 1, 6, "", (host, port))]
