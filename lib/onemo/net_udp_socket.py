# SPDX-License-Identifier: MIT
#
# A SOCK_DGRAM socket for code that knows no modem: ntptime, DNS, CoAP clients. The module sends
# datagrams to one host and port at a time: `sendto` another one ends what was there before.

import io
from errno import EAGAIN

from ._port import const
from .net_links import OPEN_MS
from .net_stand_in import NotConnected, check_option
from .net_stream import open_connection
from .net_udp import DATAGRAM_MAX, Datagrams

_POLL = const(3)  # ioctl requests and flags of MicroPython's streams
_CLOSE = const(4)
_RD = const(1)
_WR = const(4)
_HUP = const(16)
_EINVAL = const(22)


class DatagramSocket(io.IOBase, Datagrams):  # a stream to MicroPython by its first base
    def __init__(self, modem, default_ms):
        Datagrams.__init__(self, modem, None, default_ms)
        self._default_ms = default_ms

    def __del__(self):
        pass  # CPython's IOBase would close

    def settimeout(self, seconds):
        """0: `recv` raises EAGAIN where it would wait. None: the default timeout of the module."""
        Datagrams.settimeout(self, seconds)
        if seconds is None:
            self._timeout_ms = self._default_ms

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def setsockopt(self, level, option, value=1):
        check_option(level, option)

    def bind(self, address):
        """Accepted and without effect: only who was sent to can answer."""

    def connect(self, address):
        """Send to (host, port) from now on, and receive from there."""
        connection = self._connection
        if connection:
            there = (connection.host, connection.port) == tuple(address[:2])
            if there and not (connection.error or connection.close_reason):
                return
            Datagrams.close(self)
        self._connection = open_connection(
            self._modem, address[0], address[1], None, OPEN_MS, None, True
        )

    def _require_connection(self):
        if not self._connection:
            raise NotConnected("nothing was sent from this socket yet: nothing can come")

    def sendto(self, data, *args):
        """Send one datagram to the address, which comes last, behind flags if there are any."""
        self.connect(args[-1])
        return self.send(data)

    def send(self, data, n=None):
        """Send one datagram to where it is connected to."""
        self._require_connection()
        return Datagrams.send(self, data, n)

    write = send

    def readinto(self, buf, n=None):
        """The next datagram into `buf`; its length. None if there is none, and it must not
        wait."""
        self._require_connection()
        return Datagrams.recv_into(self, buf if n is None else memoryview(buf)[:n])

    def recv_into(self, buf, n=None):
        """The same, but OSError with EAGAIN if there is none."""
        got = self.readinto(buf, n or None)
        if got is None:
            raise OSError(EAGAIN, "no datagram yet")
        return got

    def recv(self, n=DATAGRAM_MAX):
        """The next datagram, its first `n` bytes; OSError with EAGAIN if there is none, and it
        must not wait."""
        buf = bytearray(n)
        return bytes(buf[: self.recv_into(buf)])

    def read(self, n):
        """The same; None if there is none, and it must not wait."""
        buf = bytearray(n)
        got = self.readinto(buf)
        return None if got is None else bytes(buf[:got])

    def recvfrom(self, n):
        """(datagram, (host, port))."""
        data = self.recv(n)
        return data, (self._connection.host, self._connection.port)

    def close(self):
        if self._connection:
            Datagrams.close(self)

    def ioctl(self, request, argument):
        if request == _POLL:
            connection = self._connection
            if not connection:
                return _WR & argument
            self._ch.ready()  # serves URCs
            if connection.error or connection.close_reason:
                return _HUP
            return (_WR | (_RD if connection.unread else 0)) & argument
        if request == _CLOSE:
            if not self._abandon():
                self.close()
            return 0
        return -_EINVAL
