# SPDX-License-Identifier: MIT
#
# A SOCK_DGRAM socket for code that knows no modem and runs in asyncio: CoAP, DNS, NTP clients. It
# never waits: one task of its own gives the module what is sent, and fetches one datagram; those
# behind it stay in the module until that one is read. MicroPython's asyncio polls it (`ioctl`).
#
# The module sends datagrams to one host and port at a time: `sendto` another one ends what was
# there before.

import asyncio
import io
from errno import EAGAIN

from ._port import const
from .errors import ModemError
from .net_links import OPEN_MS
from .net_stand_in import NotConnected, check_option
from .net_udp import DATAGRAM_MAX, DatagramBuffer

_POLL = const(3)  # ioctl requests and flags of MicroPython's streams
_CLOSE = const(4)
_RD = const(1)
_WR = const(4)
_HUP = const(16)
_EINVAL = const(22)

_OUTGOING_MAX = const(2)  # datagrams that wait to be sent


class DatagramSocket(io.IOBase, DatagramBuffer):  # a stream to MicroPython by its first base
    """A UDP socket for asyncio, once it is set not to block. What fails, fails in its task: the
    next call raises it, and the next `sendto` begins anew."""

    def __init__(self, modem):
        DatagramBuffer.__init__(self, modem, None, None)
        self._blocking = True
        self._closed = False
        self._there = None  # the connection that is wanted; _connection: that there is
        self._outgoing = []  # (connection, datagram)
        self._datagram = bytearray(DATAGRAM_MAX)
        self._size = None  # of what is in it; None: nothing
        self._source = None  # whom that came from
        self._failure = None
        self._worker = None
        self._wanted = asyncio.Event()  # there is something to do

    def __del__(self):
        pass  # CPython's IOBase would close

    # As sockets have it

    def setblocking(self, flag):
        """False; asyncio has no use for a socket that blocks."""
        self._blocking = bool(flag)

    def settimeout(self, seconds):
        """0, as `setblocking(False)`: time limits are asyncio's, see `asyncio.wait_for`."""
        self.setblocking(seconds != 0)

    def setsockopt(self, level, option, value=1):
        check_option(level, option)

    def bind(self, address):
        """Accepted and without effect: only who was sent to can answer."""

    def connect(self, address):
        """Send to (host, port) from now on, and receive from there. Does not wait for that."""
        self._check()
        there = self._there
        if there and (there.host, there.port) == tuple(address[:2]):
            return
        self._there = self._connections.prepare(address[0], address[1], None, OPEN_MS)
        self._there.udp = True
        if not self._worker:
            self._worker = asyncio.create_task(self._work())
        self._wanted.set()

    def sendto(self, data, *args):
        """Send one datagram to the address, which comes last, behind flags if there are any; its
        length. OSError with EAGAIN if two wait to be sent already."""
        data, _ = self._checked(data)
        if len(self._outgoing) < _OUTGOING_MAX:
            self.connect(args[-1])
        return self.send(data)

    def send(self, data, n=None):
        """Send one datagram to where it is connected to; as `sendto`."""
        n = self.write(data, n)
        if n is None:
            raise OSError(EAGAIN, "two datagrams wait to be sent")
        return n

    def write(self, data, n=None):
        """The same, but None if two wait to be sent already."""
        self._check()
        self._require_address()
        data, n = self._checked(data, n)
        if len(self._outgoing) >= _OUTGOING_MAX:
            return None
        self._outgoing.append((self._there, bytes(data[:n])))
        self._wanted.set()
        return n

    def readinto(self, buf, n=None):
        """The datagram that is there, as much of it as `buf` (its first `n` bytes) has room for;
        its length. None if none is there yet."""
        self._check()
        self._require_address()
        if self._size is None:
            return None
        n = min(len(buf) if n is None else min(n, len(buf)), self._size)
        buf[:n] = self._datagram[:n]
        self._size = None
        self._wanted.set()
        return n

    def recv_into(self, buf, n=None):
        """The same, but OSError with EAGAIN if none is there yet."""
        got = self.readinto(buf, n or None)
        if got is None:
            raise OSError(EAGAIN, "no datagram yet")
        return got

    def read(self, n=DATAGRAM_MAX):
        """The datagram that is there, its first `n` bytes; None if none is there yet."""
        buf = bytearray(n if self._size is None else min(n, self._size))
        got = self.readinto(buf)
        return None if got is None else bytes(buf)

    def recv(self, n=DATAGRAM_MAX):
        """The same, but OSError with EAGAIN if none is there yet."""
        data = self.read(n)
        if data is None:
            raise OSError(EAGAIN, "no datagram yet")
        return data

    def recvfrom(self, n):
        """(datagram, (host, port)); OSError with EAGAIN if none is there yet."""
        source = self._source
        return self.recv(n), source

    def close(self):
        """Begin to close; what was sent goes out first. Closing twice is harmless."""
        self._closed = True
        self._wanted.set()

    def ioctl(self, request, argument):
        if request == _POLL:
            if self._closed:
                return _HUP
            if self._failure:
                return (_RD | _WR) & argument | _HUP
            flags = 0 if self._size is None else _RD
            if len(self._outgoing) < _OUTGOING_MAX:
                flags |= _WR
            return flags & argument
        if request == _CLOSE:
            self._abandon()
            self.close()
            return 0
        return -_EINVAL

    # Inside

    def _check(self):
        if self._closed:
            raise NotConnected("the socket is closed")
        if self._blocking:
            raise ModemError(
                "a socket must not block under onemo.aio: setblocking(False) first, or modem.udp; "
                "code that blocks needs the blocking onemo.Modem"
            )
        if self._failure:
            failure = self._failure
            self._failure = None
            raise failure

    def _require_address(self):
        if not self._there:
            raise NotConnected("nothing was sent from this socket yet: nothing can come")

    async def _work(self):
        while self._outgoing or not self._closed:
            there = self._outgoing[0][0] if self._outgoing else self._there
            try:
                if there and there is not self._connection:
                    await self._go_to(there)
                elif self._outgoing:
                    data = self._outgoing[0][1]
                    await self._modem.run_operation(self._send_op(data, 0, len(data)), True, True)
                    self._outgoing.pop(0)
                elif there and self._size is None:
                    await self._receive()
                else:
                    self._wanted.clear()
                    await self._wanted.wait()
            except OSError as error:
                self._failure = error
                self._outgoing = []
                self._there = None
                await self._hang_up()
        await self._hang_up()

    async def _go_to(self, there):
        await self._hang_up()
        await self._modem.open_connection(there, OPEN_MS)
        self._connection = there

    async def _hang_up(self):
        connection = self._connection
        self._connection = None
        if connection:
            try:
                close = self._connections.close_op(connection)
                await self._modem.run_operation(close, True, True)
            except OSError:
                pass  # it is over already

    async def _receive(self):
        connection = self._connection
        for operation in self._receive_packet_steps(self._datagram):
            if operation:
                await self._modem.run_operation(operation, True, True)
                continue
            wait_ms = connection.silence_ms
            await self._modem.wait_news(connection, wait_ms, self._is_interrupted)
            if self._is_interrupted():
                return
            if not self._connections.has_news(connection):  # its URC may have been lost
                await self._modem.run_operation(self._poll_state_op(), True, True)
        self._source = (connection.host, connection.port)
        self._size = self._result

    def _is_interrupted(self):
        return self._closed or self._outgoing or self._there is not self._connection
