# A connection as a MicroPython stream, for the blocking front: what code written for `socket`
# expects. Memory is bounded by one small read-ahead buffer, whatever the peer sends.

import io

from ._port import const
from .flow import HELD_MAX, Flow, sized

_POLL = const(3)  # ioctl requests and flags of MicroPython's streams
_FLUSH = const(1)
_CLOSE = const(4)
_RD = const(1)
_WR = const(4)
_HUP = const(16)
_EINVAL = const(22)


class Stream(io.IOBase, Flow):  # a stream to MicroPython by its first base
    """A TCP or TLS connection. Reads return b"" at the end of the stream, and raise Timeout (an
    OSError with ETIMEDOUT) when nothing comes for as long as `settimeout` says, 60 s at first.
    ConnectionLost where it ended otherwise than by its peer's closing, ModemReset where the module
    rebooted. Writes write all, each at once; while `buffered` is True small ones are held until
    1 KB is together, or flush(), a read, a poll or close() sends them."""

    buffered = False

    def __init__(self, modem, link, timeout_ms=60000):
        Flow.__init__(self, modem, link, timeout_ms)

    def __del__(self):
        # CPython's IOBase would close, and so talk to the module, from the garbage collector.
        pass

    def settimeout(self, seconds):
        """0: reads give None where they would wait. None: they wait until the connection ends."""
        self._timeout_ms = None if seconds is None else int(seconds * 1000)

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def _run(self, reader):
        modem = self._modem
        for operation in reader:
            if operation is None:
                modem.run_operation(self._sockets.arrival(self._link, self.patience_ms))
            else:
                modem.run_operation(operation)
        return self._result

    def readinto(self, buf, n=None):
        """Up to `n` bytes, as soon as there are some; 0 at the end, None if it would have to wait
        and must not."""
        most = len(buf) if n is None else min(n, len(buf))
        return self._run(self._reading_into(buf, most)) if most else 0

    def read(self, n=-1):
        """Exactly `n` bytes, fewer only at the end; all up to the end without `n`. A Timeout loses
        nothing: what came before it is read next."""
        got = self._run(self._collecting(-1 if n is None else n))
        return None if got is None else bytes(got)

    def readline(self, n=-1):
        """A line with its line end; what there is at the end of the stream. A Timeout loses
        nothing."""
        got = self._run(self._collecting(n, True))
        return None if got is None else bytes(got)

    def write(self, data, n=None):
        """Writes all of `data` (bytes-like, or str as UTF-8), or its first `n` bytes; how many
        that were."""
        data, n = sized(data, n)
        if self._holds(data, n):
            self._hold(data if n == len(data) else data[:n])
            if len(self._out) >= HELD_MAX or not self._held():
                self.flush()
        elif n:
            self.flush()
            self._modem.run_operation(self._send(data, 0, n))
        return n

    def _holds(self, data, n):
        # Whether a write waits for others.
        return self.buffered and n < HELD_MAX

    def _held(self):
        # Whether what waits waits on.
        return True

    def flush(self):
        """Sends what is held."""
        if self._out:
            self._modem.run_operation(self._flushing())

    def close(self):
        """Closes the connection; again is nothing."""
        link = self._link
        if link and not link.broken:
            try:
                self.flush()
            except OSError:
                pass  # the connection is over, as it is to be
        if link:
            self._modem.run_operation(self._sockets.close(link))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def ioctl(self, request, argument):
        if request == _POLL:
            try:
                self.flush()
                if not self._modem.channel.active:
                    self._modem.channel.poll()
                if self._link.broken or not self._readable():
                    self._sockets.check(self._link)
            except OSError:
                return _HUP | (_RD & argument)
            link = self._link
            flags = 0 if link.ended else _WR
            if self._readable():
                flags |= _RD
            return flags & argument | (_HUP if link.ended else 0)
        if request == _FLUSH:
            self.flush()
            return 0
        if request == _CLOSE:
            self.close()
            return 0
        return -_EINVAL


def connect(modem, host, port, tls=None, timeout_ms=60000):
    """A TCP connection, or a TLS connection by the configured context `tls` (manual 4.1): a
    stream. `timeout_ms`, at least 6000, bounds DNS, TCP and TLS together.

    CommandError with the module's reason (752: the server's certificate was not accepted);
    Timeout; ClockError where dates are to be checked and the module's clock is not set;
    VerifyError where TLS would not be used."""
    link = open_link(modem, host, port, tls, timeout_ms)
    return Stream(modem, link)


def open_link(modem, host, port, tls, timeout_ms):
    # A Link; the exceptions are connect's.
    sockets = modem.sockets()
    link = sockets.link(host, port, tls, timeout_ms)
    try:
        modem.run_operation(sockets.opening(link, timeout_ms))
        modem.run_operation(sockets.arrival(link, timeout_ms))
        sockets.opened(link, timeout_ms)
    except BaseException:
        sockets.drop(link)
        raise
    return link
