# SPDX-License-Identifier: MIT
#
# A connection with the methods of asyncio's StreamReader and StreamWriter.

import asyncio

from .errors import ModemReset
from .net_flow import ConnectionBuffer, as_sized


class Stream(ConnectionBuffer):
    """A TCP or TLS connection with the methods of asyncio's StreamReader and StreamWriter. Reads
    wait as long as it takes, or as `settimeout` says, return b"" at the end of the stream, and
    lose nothing when they are cancelled. (MicroPython's `wait_for` may drop what a read returns at
    the very moment of the timeout; `settimeout` does not.) ConnectionLost if the peer did not
    close it in order, ModemReset if the module rebooted. One task may
    read while another writes."""

    _failure = None  # why what was written could not be sent before closing
    _closer = None  # the task that closes it

    def settimeout(self, seconds: "float | None") -> None:
        """Reads raise Timeout after so long. None: they wait."""
        self._timeout_ms = None if seconds is None else max(1, int(seconds * 1000))

    async def _run(self, reader):
        modem = self._modem
        for operation in reader:
            if operation is None:
                await modem.wait_news(self._connection, self.wait_ms)
            else:
                await modem.run_operation(operation, True, True)
        return self._result

    async def readinto(self, buf) -> int:
        """Fills `buf` as far as there is something, and waits until there is; how many bytes, 0 at
        the end."""
        return await self._readinto(buf, len(buf))

    async def _readinto(self, buf, size):
        if self._begin_readinto(buf, size):
            await self._run(self._receive_some_steps())
        return self._end_readinto(buf, size)

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, as soon as there are some; all up to the end without `n`."""
        if n < 0:
            return bytes(await self._run(self._read_steps(-1)))
        if not n:
            return b""
        buf = bytearray(min(n, 4 * self.room()))
        got = await self._readinto(buf, len(buf))
        return bytes(buf[:got])

    async def readexactly(self, n: int) -> bytes:
        """`n` bytes; EOFError where the stream ends before."""
        got = await self._run(self._read_steps(n))
        if len(got) < n:
            raise EOFError("the stream ended after %d of %d bytes" % (len(got), n))
        return bytes(got)

    async def readline(self, n: int = -1) -> bytes:
        """A line with its line end, or its first `n` bytes; what there is at the end of the
        stream. ProtocolError, which loses nothing, without a line end in `line_max` bytes (16,384
        at first)."""
        return bytes(await self._run(self._read_steps(n, True)))

    def write(self, data) -> None:
        """Takes `data` (bytes-like, or str as UTF-8). It is sent by `drain`, or with the next
        read or close: small writes go out together."""
        self._connections.check(self._connection)
        self._queue(as_sized(data))

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    async def awrite(self, data) -> None:
        """`write` and `drain`, as MicroPython's streams have it."""
        self.write(data)
        await self.drain()

    async def drain(self) -> None:
        """Sends what was written. Returns once the module has it."""
        if self._out:
            await self._modem.run_operation(self._flush_op(), True, True)

    def close(self) -> None:
        """Begins to close: what was written goes out first. `wait_closed` waits for it."""
        self._connection.user_saw_error = (
            True  # its id may be taken back, should closing be cancelled
        )
        if not self._closer:
            self._closer = asyncio.create_task(self._close())

    async def wait_closed(self) -> None:
        """Returns once the connection is closed, and closes it if that has not begun. Raises the
        error if what was written could not be sent before, or the module did not say that the
        connection is closed: the next `connect` closes it then."""
        self.close()
        await self._closer
        failure = self._failure
        self._failure = None
        if failure:
            raise failure

    async def aclose(self):
        """The same, as MicroPython's streams have it."""
        await self.wait_closed()

    async def _close(self):
        try:
            await self.drain()
        except OSError as error:
            self._failure = error
            self._out = b""
        try:
            close = self._connections.close_op(self._connection)
            await self._modem.run_operation(close, True, True)
        except ModemReset:
            pass  # it is over already
        except OSError as error:
            self._failure = self._failure or error

    def is_closing(self) -> bool:
        return self._closer is not None

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, kind, *exc) -> None:
        try:
            await self.wait_closed()
        except OSError:
            if kind is None:
                raise  # else the error that is under way says more
