# SPDX-License-Identifier: MIT
#
# A connection as a MicroPython stream, for the blocking front: what code written for `socket`
# expects. Memory is bounded by one small read-ahead buffer, whatever the peer sends.

import io

from ._port import const
from .net_flow import HELD_MAX, ConnectionBuffer, as_sized, size_of
from .net_links import OPEN_MS, connections_of

_POLL = const(3)  # ioctl requests and flags of MicroPython's streams
_FLUSH = const(1)
_CLOSE = const(4)
_RD = const(1)
_WR = const(4)
_HUP = const(16)
_EINVAL = const(22)


class Stream(io.IOBase, ConnectionBuffer):  # a stream to MicroPython by its first base
    """A TCP or TLS connection. Reads return b"" at the end of the stream, and raise Timeout (an
    OSError with ETIMEDOUT) when nothing comes for as long as `settimeout` says, 60 s at first.
    ConnectionLost if the peer did not close it in order, ModemReset if the module
    rebooted. Writes write all, each at once; while `buffered` is True small ones are held until
    1 KB is together, or flush(), a read, a poll or close() sends them.

    `readahead`: bytes that are fetched at once for small reads, and the RAM for them; at first
    those of Modem's `buffer`, 256. With 1024 small reads need 5 % more time than their bytes do,
    with 256 18 %."""

    buffered = False

    def __init__(self, modem, connection, timeout_ms=OPEN_MS):
        ConnectionBuffer.__init__(self, modem, connection, timeout_ms)

    def __del__(self):
        # CPython's IOBase would close, and so talk to the module, from the garbage collector.
        pass

    def settimeout(self, seconds: "float | None") -> None:
        """0: reads give None where they would wait. None: they wait until the connection ends."""
        self._timeout_ms = None if seconds is None else int(seconds * 1000)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0)

    def _run(self, reader):
        for operation in reader:
            self._run_step(operation)
        return self._result

    def _run_step(self, operation):  # apart, so that neither frame is of the heap
        if operation is None:
            operation = self._connections.wait_news_op(self._connection, self.wait_ms)
        self._modem.run_operation(operation)

    def readinto(self, buf, n: "int | None" = None) -> "int | None":
        """Up to `n` bytes, as soon as there are some; 0 at the end, None if it would have to wait
        and must not."""
        size = len(buf) if n is None else min(n, len(buf))
        if not size:
            return 0
        if self._begin_readinto(buf, size):
            while (operation := self.next_step()) is not False:
                self._run_step(operation)
        return self._end_readinto(buf, size)

    def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes, fewer only at the end; all up to the end without `n`. A Timeout loses
        nothing: what came before it is read next."""
        got = self._run(self._read_steps(-1 if n is None else n))
        return None if got is None else bytes(got)

    def readline(self, n: int = -1) -> bytes:
        """A line with its line end, or its first `n` bytes; what there is at the end of the
        stream. A Timeout loses nothing. ProtocolError, which loses nothing either, without a line
        end in `line_max` bytes (16,384 at first)."""
        got = self._run(self._read_steps(n, True))
        return None if got is None else bytes(got)

    def write(self, data, n: "int | None" = None) -> int:
        """Writes all of `data` (bytes-like, or str as UTF-8), or its first `n` bytes; how many
        that were."""
        data = as_sized(data)
        n = size_of(data, n)
        if self._may_buffer(data, n):
            self._queue(data if n == len(data) else data[:n])
            if len(self._out) >= HELD_MAX or not self._keep_buffering():
                self.flush()
        elif n:
            self.flush()
            self._modem.run_operation(self._send_op(data, 0, n))
        return n

    def _may_buffer(self, data, n):
        # True if a write may wait for others.
        return self.buffered and n < HELD_MAX

    def _keep_buffering(self):
        # True while buffered data may stay buffered.
        return True

    def flush(self) -> None:
        """Send what is held back."""
        if self._out:
            self._modem.run_operation(self._flush_op())

    def close(self) -> None:
        """Close the connection. Closing twice is harmless. What was held back is sent first; if
        that fails, the connection is closed all the same and the error raised."""
        failure = None
        connection = self._connection
        if self._out:
            try:
                self.flush()
            except OSError as error:
                failure = error
                self._out = b""
        if connection:
            self._modem.run_operation(self._connections.close_op(connection))
        if failure:
            raise failure

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, kind, *exc) -> None:
        try:
            self.close()
        except OSError:
            if kind is None:
                raise  # else the error that is under way says more

    def ioctl(self, request, argument):
        if request == _POLL:
            try:
                self.flush()
                self._modem.channel.ready()  # serves URCs
                if self._connection.error or not self._is_readable():
                    self._connections.check(self._connection)
            except OSError:
                return _HUP | (_RD & argument)
            connection = self._connection
            flags = 0 if connection.close_reason else _WR
            if self._is_readable():
                flags |= _RD
            return flags & argument | (_HUP if connection.close_reason else 0)
        if request == _FLUSH:
            self.flush()
            return 0
        if request == _CLOSE:
            if not self._abandon():
                self.close()
            return 0
        return -_EINVAL


def open_stream(modem, host, port, tls, timeout_ms, wanted_id=None, ssl=None):
    """A Stream: see onemo.Modem.connect."""
    return Stream(modem, open_connection(modem, host, port, tls, timeout_ms, wanted_id))


def open_connection(modem, host, port, tls, timeout_ms, wanted_id=None, udp=False):
    """A Connection that is open; the exceptions are connect's."""
    connections = connections_of(modem)
    connection = connections.prepare(host, port, tls, timeout_ms, wanted_id)
    if udp:
        connection.udp = True
    opening = connections.open_op(connection, timeout_ms)
    try:
        modem.run_operation(opening)
        modem.run_operation(connections.wait_news_op(connection, timeout_ms))
        connections.check_opened(connection, timeout_ms)
        modem.run_operation(opening)
    except BaseException:
        connections.drop(connection)
        raise
    return connection
