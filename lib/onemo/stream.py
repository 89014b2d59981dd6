# A connection as a MicroPython stream, for the blocking front: what code written for `socket`
# expects. Memory is bounded by one small read-ahead buffer, whatever the peer sends.

import io

from ._port import raw
from .errors import Timeout

_POLL = 3  # ioctl requests and flags of MicroPython's streams
_CLOSE = 4
_RD = 1
_WR = 4
_HUP = 16
_EINVAL = 22


class Stream(io.IOBase):
    """A TCP or TLS connection. Reads return b"" at the end of the stream, and raise Timeout (an
    OSError with ETIMEDOUT) when nothing comes for as long as `settimeout` says, 60 s at first.
    Writes write all."""

    def __init__(self, modem, link, timeout_ms=60000):
        self._modem = modem
        self._sockets = modem.sockets()
        self._link = link
        self._timeout_ms = timeout_ms
        self._ahead = b""  # read from the module, not yet by the caller
        self._at = 0

    def __del__(self):
        # CPython's IOBase would close, and so talk to the module, from the garbage collector.
        pass

    def __repr__(self):
        return "<Stream of connection %d>" % self._link.id

    def settimeout(self, seconds):
        """0: reads give None where they would wait. None: they wait until the connection ends."""
        self._timeout_ms = None if seconds is None else int(seconds * 1000)

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def _some(self, into, start, most):
        # Bytes put into into[start:], 0 at the end of the stream, None where a non-blocking read
        # has to wait.
        sockets = self._sockets
        link = self._link
        run = self._modem.run_operation
        while True:
            n = run(sockets.receive(link, into, start, most)) if link.unread or link.ended else 0
            if n or link.ended:
                return n
            if self._timeout_ms == 0:
                # What came while nobody listened is seen now.
                run(sockets.arrival(link, 0))
                if not link.unread and not link.ended:
                    sockets.check(link)
                    return None
            elif not run(sockets.arrival(link, self._timeout_ms or _LONG_MS)):
                # The module's word that something came may have been lost on the line: ask.
                n = run(sockets.receive(link, into, start, most))
                if n:
                    return n
                if self._timeout_ms:
                    raise Timeout(
                        "nothing to read from connection %d within %d ms"
                        % (link.id, self._timeout_ms)
                    )

    def readinto(self, buf, n=None):
        """Up to `n` bytes, as soon as there are some; 0 at the end, None if it would have to wait
        and must not."""
        most = len(buf) if n is None else min(n, len(buf))
        if not most:
            return 0
        if self._at < len(self._ahead):
            most = min(most, len(self._ahead) - self._at)
            buf[:most] = self._ahead[self._at : self._at + most]
            self._at += most
            return most
        return self._some(buf if isinstance(buf, memoryview) else memoryview(buf), 0, most)

    def _fill(self):
        # Reads ahead what is there; as _some.
        ahead = bytearray(len(self._modem.channel.buffer))
        n = self._some(ahead, 0, len(ahead))
        self._ahead = ahead[:n] if n else b""
        self._at = 0
        return n

    def read(self, n=-1):
        """Exactly `n` bytes, fewer only at the end; all up to the end without `n`. A Timeout loses
        nothing: what came before it is read next."""
        got = bytearray()
        while n < 0 or len(got) < n:
            if self._at >= len(self._ahead):
                try:
                    more = self._fill()
                except Timeout:
                    self._ahead = got
                    self._at = 0
                    raise
                if not more:
                    if more is None and not got:
                        return None
                    break
            end = len(self._ahead) if n < 0 else min(len(self._ahead), self._at + n - len(got))
            got += self._ahead[self._at : end]
            self._at = end
        return bytes(got)

    def readline(self):
        """A line with its line end; what there is at the end of the stream. A Timeout loses
        nothing."""
        got = bytearray()
        while True:
            stop = self._ahead.find(b"\n", self._at) + 1
            end = stop or len(self._ahead)
            got += self._ahead[self._at : end]
            self._at = end
            if stop:
                return bytes(got)
            try:
                more = self._fill()
            except Timeout:
                self._ahead = got
                self._at = 0
                raise
            if not more:
                if more is None:
                    self._ahead = got
                    self._at = 0
                    return None
                return bytes(got)

    def write(self, data, n=None):
        """Writes all of `data` (bytes-like, or str as UTF-8), or its first `n` bytes; how many
        that were."""
        data = raw(data)
        if not isinstance(data, (bytes, bytearray)):
            data = memoryview(data)
        n = len(data) if n is None else min(n, len(data))
        self._modem.run_operation(self._sockets.send(self._link, data, 0, n))
        return n

    def flush(self):
        pass

    def close(self):
        """Closes the connection; again is nothing."""
        self._modem.run_operation(self._sockets.close(self._link))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def ioctl(self, request, argument):
        if request == _POLL:
            link = self._link
            try:
                if not self._modem.channel.active:
                    self._modem.channel.poll()
                self._sockets.check(link)
            except OSError:
                return _HUP | (_RD & argument)
            flags = 0 if link.ended else _WR
            if link.unread or link.ended or self._at < len(self._ahead):
                flags |= _RD
            return flags & argument | (_HUP if link.ended else 0)
        if request == _CLOSE:
            self.close()
            return 0
        return -_EINVAL


_LONG_MS = 30000
