# SPDX-License-Identifier: MIT
#
# Stands in for the `socket` module under asyncio, in code that knows no modem: aiohttp, mqtt_as,
# asyncio.open_connection, with MicroPython's `ssl` on top where wanted. A socket never waits: what
# it is asked it answers from its two buffers, and tasks of its own move these to and from the
# module.
#
#     read, readinto <-- _readahead <-- _receive() <-- MIPRD         one task as long as it is open
#     write          --> _pending   --> _send()    --> MIPSEND       one while there is something
#
# MicroPython's asyncio polls it (`ioctl`) in between, so writes of one turn go out together.

import asyncio
import io
from errno import EAGAIN, EINPROGRESS, ETIMEDOUT

from . import _port
from ._port import const
from .errors import ModemError
from .net_flow import HELD_MAX, ConnectionBuffer, as_sized, size_of
from .net_links import OPEN_MS
from .net_stand_in import Connected, NotConnected, SocketModule, check_option, keep_alive_op

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from .tls import TLSContext

_POLL = const(3)  # ioctl requests and flags of MicroPython's streams
_FLUSH = const(1)
_CLOSE = const(4)
_RD = const(1)
_WR = const(4)
_HUP = const(16)
_EINVAL = const(22)

_LOOK_MS = const(10)
_BEAT_MS = const(1000)
_STUCK_MS = const(5000)  # without a turn of asyncio, somebody waits in a loop of his own


class Socket(io.IOBase, ConnectionBuffer):  # a stream to MicroPython by its first base
    """A socket for asyncio. Only `setblocking(False)` sockets connect."""

    def __init__(self, modem, tls):
        ConnectionBuffer.__init__(self, modem, None, None)
        self.tls = tls  # the module's TLS context that its connection uses; None: it is plain
        self._blocking = True
        self._keep_alive = None
        self._opened = self._at_end = self._closed = False
        self._failure = None
        self._pending = bytearray()  # written, not given to the module
        self._sending = None  # the buffer that is on its way there
        self._spare = None
        self._receiver = None  # tasks
        self._sender = self._closer = self._beating = None
        self._wanted = None  # event: the read-ahead is empty
        self._last_turn = 0  # ticks of asyncio's last turn here

    def __del__(self):
        # CPython's IOBase would close, and so talk to the module, from the garbage collector.
        pass

    # As sockets have it

    def setblocking(self, flag):
        """False; asyncio has no use for a socket that blocks."""
        self._blocking = bool(flag)

    def settimeout(self, seconds):
        """0, as `setblocking(False)`: time limits are asyncio's, see `asyncio.wait_for`."""
        self.setblocking(seconds != 0)

    def setsockopt(self, level, option, value=1):
        """SO_KEEPALIVE makes the module probe the peer when nothing comes (AT+MIPTKA), if it is
        set before `connect`. SO_REUSEADDR and TCP's options change nothing; OSError with
        ENOPROTOOPT for others."""
        if check_option(level, option):
            self._keep_alive = value

    def connect(self, address, timeout_ms=OPEN_MS, wanted_id=None):
        """Begin to connect to (host, port): always raises OSError with EINPROGRESS, unless it
        cannot begin. It is connected, or has failed, once it can be written to."""
        if self._connection:
            raise Connected("this socket was connected before: make a new one")
        if self._blocking:
            raise ModemError(
                "a socket must not block under onemo.aio: setblocking(False) before connect(), or "
                "asyncio.open_connection(); code that blocks needs the blocking onemo.Modem"
            )
        host, port = address
        self._connection = self._connections.prepare(host, port, self.tls, timeout_ms, wanted_id)
        self._wanted = asyncio.Event()
        self._last_turn = _port.ticks_ms()
        self._receiver = asyncio.create_task(self._receive(timeout_ms))
        raise OSError(EINPROGRESS, "connecting")

    async def connected(self):
        """Return once it is connected; raise what it failed of."""
        while not self._opened and not self._failure:
            await asyncio.sleep_ms(_LOOK_MS)
        self._check()

    def read(self, n=-1):
        """Up to `n` bytes that are there; b"" at the end; None if nothing is there yet."""
        if not self._require_data():
            return b"" if self._at_end else None
        stop = self._stop if n < 0 else min(self._stop, self._at + n)
        data = bytes(self._readahead[self._at : stop])
        self._advance(stop)
        return data

    def readinto(self, buf, n=None):
        """The same into `buf`; how many bytes, 0 at the end."""
        if not self._require_data():
            return 0 if self._at_end else None
        n = min(len(buf) if n is None else min(n, len(buf)), self._stop - self._at)
        buf[:n] = self._readahead[self._at : self._at + n]
        self._advance(self._at + n)
        return n

    def readline(self, n=-1):
        """A line as far as it is there, of `n` bytes at the most; b"" at the end; None if nothing
        is there yet."""
        if not self._require_data():
            return b"" if self._at_end else None
        stop = self._stop if n < 0 else min(self._stop, self._at + n)
        return self.read((self._readahead.find(b"\n", self._at, stop) + 1 or stop) - self._at)

    def recv_into(self, buf, n=None):
        """As `readinto`, but OSError with EAGAIN if nothing is there yet."""
        got = self.readinto(buf, n or None)
        if got is None:
            raise OSError(EAGAIN, "nothing to read yet")
        return got

    def recv(self, n):
        """As `read`, but OSError with EAGAIN if nothing is there yet."""
        data = self.read(n)
        if data is None:
            raise OSError(EAGAIN, "nothing to read yet")
        return data

    def write(self, data, n=None):
        """Takes what has room of `data` (bytes-like, or str as UTF-8), or of its first `n` bytes;
        how much that was. None: nothing has yet."""
        self._check()
        data = as_sized(data)
        n = size_of(data, n)
        n = min(n, HELD_MAX - len(self._pending))
        if not self._opened or n <= 0:
            self._check_turn()
            return None
        self._pending += data if n == len(data) else data[:n]
        if not self._sender:
            self._sender = asyncio.create_task(self._send())
        return n

    send = write

    def close(self):
        """Begin to close the connection; what was written goes out first. Closing twice is
        harmless."""
        if not self._closed:
            self._closed = True
            if self._connection:
                self._closer = asyncio.create_task(self._close())

    def ioctl(self, request, argument):
        if request == _POLL:
            if not self._connection or self._closed:
                return _HUP
            if self._failure or self._at_end:
                return (_RD | _WR) & argument | _HUP
            flags = _RD if self._at < self._stop else 0
            if self._opened and len(self._pending) < HELD_MAX:
                flags |= _WR
            return flags & argument
        if request == _CLOSE:
            if self._abandon():
                self._closed = True
                self._wanted.set()
                return 0
            self.close()
            return 0
        return 0 if request == _FLUSH else -_EINVAL

    # Inside

    def _check(self):
        if self._closed or not self._connection:
            raise NotConnected("the socket is not connected")
        if self._failure:
            self._connection.user_saw_error = True
            raise self._failure

    def _check_turn(self):
        # A handshake of `ssl` that blocks would wait for ever for tasks that cannot run.
        silence_ms = _port.ticks_diff(_port.ticks_ms(), self._last_turn)
        if silence_ms > _BEAT_MS and not self._beating:
            self._beating = asyncio.create_task(self._beat())  # the others may wait for the modem
        elif silence_ms > _STUCK_MS:
            raise OSError(
                ETIMEDOUT,
                "asyncio had no turn for 5 s: do not wait for a socket in a loop of your own "
                "(wrap_socket needs do_handshake_on_connect=False)",
            )

    async def _beat(self):
        self._note_turn()
        self._beating = None

    def _require_data(self):
        # False: there is none, now or any more.
        if self._at < self._stop:
            return True
        if not self._at_end:
            self._check()
            self._check_turn()
        return False

    def _advance(self, at):
        self._at = at
        if at == self._stop:
            self._wanted.set()

    async def _receive(self, timeout_ms):
        try:
            await self._modem.open_connection(self._connection, timeout_ms, self._note_turn)
            self._opened = True
            if self._keep_alive is not None:
                keep = keep_alive_op(self._ch, self._connection, self._keep_alive)
                await self._modem.run_operation(keep)
            while not self._closed:
                self._last_turn = _port.ticks_ms()
                if self._at < self._stop:
                    self._wanted.clear()
                    await self._wanted.wait()
                    continue
                await self._refill()
                if self._at == self._stop and not self._closed:
                    self._at_end = True
                    return
        except OSError as error:
            self._failure = error
        if self._connection.abandoned:
            self._receiver = None
            await self._close()  # a finaliser could not

    async def _refill(self):
        for operation in self._refill_steps():
            if self._closed:
                return
            if operation is None:
                await self._wait_news(self.wait_ms)
            else:
                await self._modem.run_operation(operation, True, True)

    async def _wait_news(self, timeout_ms):
        await self._modem.wait_news(self._connection, timeout_ms, self._note_turn)

    def _note_turn(self):
        # True: wait no longer.
        self._last_turn = _port.ticks_ms()
        return self._closed

    async def _send(self):
        modem = self._modem
        try:
            while self._pending:
                data = self._pending
                self._pending = bytearray() if self._spare is None else self._spare
                self._spare = data
                operation = self._send_op(data, 0, len(data))
                await modem.run_operation(operation, True, True)
                self._last_turn = _port.ticks_ms()
                data[:] = b""
        except OSError as error:
            self._failure = self._failure or error
        self._sender = None

    async def _close(self):
        if self._sender:
            await self._sender
        if self._receiver:
            if self._opened:
                self._receiver.cancel()
            else:
                await self._receiver
        if self._opened:
            try:
                close = self._connections.close_op(self._connection)
                await self._modem.run_operation(close, True, True)
            except OSError:
                pass  # it is over already


async def open_tls(modem, host, port, tls, timeout_ms, context, wanted_id):
    """A stream of asyncio's own over TLS on the board: see onemo.aio.Modem.connect."""
    from .net_tls import check_context

    check_context(tls, context)
    sock = Socket(modem, None)
    sock.setblocking(False)
    try:
        sock.connect((host, port), timeout_ms, wanted_id)
    except OSError as error:
        if error.errno != EINPROGRESS:
            raise
    await sock.connected()
    try:
        wrapped = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        wrapped.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return asyncio.StreamReader(wrapped)  # which writes as well


class Methods:
    """Part of the front's Modem, loaded when it is called."""

    def socket_module(self, tls: "TLSContext | None" = None) -> "SocketModule":
        """A stand-in for the module `socket` under MicroPython's asyncio, whose sockets never
        wait: for `asyncio.open_connection`, aiohttp, mqtt_as and the like; see `use_as_socket`.
        Connections are TLS by the configured context `tls`, else TCP. Code that blocks needs the
        blocking onemo.Modem."""
        return AsyncSockets(self, tls)


class AsyncSockets(SocketModule):
    """What the asyncio front's `socket_module(tls)` returns."""

    def socket(self, family=2, kind=1, protocol=0):
        if kind == self.SOCK_DGRAM:
            from .aio_udp_socket import DatagramSocket

            return DatagramSocket(self._modem)
        if kind != self.SOCK_STREAM:
            raise ValueError("a socket is SOCK_STREAM (TCP) or SOCK_DGRAM (UDP)")
        sock = Socket(self._modem, self._tls)
        sock.readahead = self.readahead
        return sock
