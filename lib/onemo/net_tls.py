# SPDX-License-Identifier: MIT
#
# modem.connect(..., ssl=SSLContext): TLS on the board, by MicroPython's own `ssl`, over a plain
# connection of the module. It checks the host's name.
#
#     TlsStream --> MicroPython's SSLSocket --> Transport --> the module's connection
#
# After the handshake the transport never waits inside of `ssl`: what is not there yet is waited
# for here, so that a Timeout loses nothing and breaks no TLS record.

import io

from . import _port
from ._port import const
from .errors import ConnectionLost, ModemError, ProtocolError, Timeout, Unsupported
from .net_flow import as_sized, size_of
from .net_links import OPEN_MS
from .net_stream import Stream, open_connection

_POLL = const(3)  # ioctl requests and flags of MicroPython's streams
_FLUSH = const(1)
_CLOSE = const(4)
_RD = const(1)
_WR = const(4)
_HUP = const(16)
_EINVAL = const(22)

_CHUNK = const(256)
_EOF = const(-0x7280)  # MBEDTLS_ERR_SSL_CONN_EOF: no good-bye of TLS before the end


class Transport(Stream):
    """What `ssl` reads from and writes to."""

    buffered = True  # until the handshake is over, whose messages `ssl` writes one by one
    _deadline = None  # ticks

    def begin(self, timeout_ms):
        """Make all reads together end after `timeout_ms`."""
        self._deadline = _port.ticks_add(_port.ticks_ms(), timeout_ms)

    def end_handshake(self):
        """Never wait inside of `ssl` from now on."""
        self._deadline = None
        self._timeout_ms = 0
        self.flush()
        self.buffered = False

    def readinto(self, buf, n=None):
        if self._deadline is not None:
            left_ms = _port.ticks_diff(self._deadline, _port.ticks_ms())
            if left_ms <= 0:
                raise Timeout("the TLS handshake was not over in time")
            self._timeout_ms = left_ms
        return Stream.readinto(self, buf, n)

    def fill(self, timeout_ms):
        """Wait until there is something to read, or the end."""
        if self._at == self._stop:
            self._timeout_ms = timeout_ms
            try:
                self._run(self._refill_steps())
            except:  # `finally` would make the frame too large for the stack
                self._timeout_ms = 0
                raise
            self._timeout_ms = 0


class TlsStream(io.IOBase):
    """A TLS connection by the board's `ssl`; the methods of `modem.connect`'s other streams."""

    line_max = 16384  # bytes of a line that readline() without a limit collects

    def __init__(self, transport, sock):
        self._transport = transport
        self._sock = sock
        self._timeout_ms = OPEN_MS
        self._chunk = bytearray(_CHUNK)
        self._rest = bytearray()  # received and not read yet

    def __del__(self):
        pass  # CPython's IOBase would close

    def __repr__(self):
        return "<TlsStream over %r>" % self._transport

    def get_extra_info(self, name, default=None):
        """ "peername": (host, port)."""
        return self._transport.get_extra_info(name, default)

    def cipher(self):
        """(suite, TLS version), as MicroPython's `ssl` tells it."""
        return self._sock.cipher()

    def settimeout(self, seconds):
        """0: reads give None where they would wait. None: they wait until the connection ends."""
        self._timeout_ms = None if seconds is None else int(seconds * 1000)

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def _receive(self, buf, timeout_ms):
        # Some bytes into `buf`; 0 at the end, None if it would have to wait and must not.
        start = _port.ticks_ms()
        while True:
            got = self._receive_now(buf)
            if got is not None or timeout_ms == 0:
                return got
            got = timeout_ms  # what is left of it
            if got is not None:
                got -= _port.ticks_diff(_port.ticks_ms(), start)
                got = max(1, got)
            self._transport.fill(got)

    def _receive_now(self, buf):
        try:
            return self._sock.readinto(buf)
        except ModemError:
            raise
        except OSError as error:
            raise ConnectionLost(_words(error))

    def _more(self, timeout_ms):
        # A chunk into _rest.
        got = self._receive(self._chunk, timeout_ms)
        if got:
            self._rest += self._chunk if got == _CHUNK else self._chunk[:got]
        return got

    def _take(self, n):
        rest = self._rest
        data = bytes(rest[:n])
        rest[:n] = b""
        return data

    def readinto(self, buf, n=None):
        """Up to `n` bytes, as soon as there are some; 0 at the end, None if it would have to wait
        and must not."""
        size = len(buf) if n is None else min(n, len(buf))
        if not size:
            return 0
        if not self._rest:
            whole = size == len(buf)
            return self._receive(buf if whole else memoryview(buf)[:size], self._timeout_ms)
        size = min(size, len(self._rest))
        buf[:size] = self._rest[:size]
        self._rest[:size] = b""
        return size

    def read(self, n=-1):
        """Exactly `n` bytes, fewer only at the end; all up to the end without `n`. A Timeout loses
        nothing: what came before it is read next."""
        if n is None:
            n = -1
        got = 1
        while got and (n < 0 or len(self._rest) < n):
            got = self._more(self._timeout_ms)
        if got is None and not self._rest:
            return None
        return self._take(len(self._rest) if n < 0 else n)

    def readline(self, n=-1):
        """A line with its line end, or its first `n` bytes; what there is at the end of the
        stream. A Timeout loses nothing, nor does the ProtocolError for a line without a line end
        in `line_max` bytes (16,384 at first)."""
        seen = 0
        while True:
            end = self._rest.find(b"\n", seen) + 1
            if end or 0 <= n <= len(self._rest):
                return self._take(min(end or n, n) if n >= 0 else end)
            seen = len(self._rest)
            if n < 0 and seen >= self.line_max:
                raise ProtocolError("no line end in %d bytes of %r" % (seen, self._transport))
            got = self._more(self._timeout_ms)
            if not got:
                return None if got is None else self._take(len(self._rest))

    def write(self, data, n=None):
        """Writes all of `data` (bytes-like, or str as UTF-8), or its first `n` bytes; how many
        that were."""
        data = as_sized(data)
        n = size_of(data, n)
        if n:
            self._sock.write(data if n == len(data) else memoryview(data)[:n])
        return n

    def flush(self):
        """Nothing is held back."""

    def close(self):
        """Close the connection. Closing twice is harmless."""
        self._sock.close()  # which closes what it stands on

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            self.close()
        except OSError:
            if kind is None:
                raise  # else the error that is under way says more

    def ioctl(self, request, argument):
        if request == _POLL:
            try:
                if not self._rest:
                    self._more(0)
            except OSError:
                return _HUP | (_RD & argument)
            flags = self._transport.ioctl(_POLL, argument) | (_RD if self._rest else 0)
            return flags & (argument | _HUP)
        if request == _CLOSE:
            self.close()
            return 0
        return 0 if request == _FLUSH else -_EINVAL


def open_stream(modem, host, port, tls, timeout_ms, wanted_id, context):
    """A TlsStream: see onemo.Modem.connect."""
    check_context(tls, context)
    start = _port.ticks_ms()
    connection = open_connection(modem, host, port, None, timeout_ms, wanted_id)
    transport = Transport(modem, connection)
    transport.begin(max(1, timeout_ms - _port.ticks_diff(_port.ticks_ms(), start)))
    try:
        sock = context.wrap_socket(transport, server_hostname=host)
        transport.end_handshake()
    except BaseException as error:
        transport.close()
        if isinstance(error, (OSError, ValueError)) and not isinstance(error, ModemError):
            raise ModemError(_words(error))
        if isinstance(error, AttributeError):
            raise Unsupported("TLS on the board needs an SSLContext of MicroPython's own ssl")
        raise
    return TlsStream(transport, sock)


def check_context(tls, context):
    """ValueError for what would be no TLS, or one that nobody is checked by."""
    if tls:
        raise ValueError("tls= is TLS by the module, ssl= is TLS on the board: give one of them")
    if not getattr(context, "verify_mode", 1):
        raise ValueError(
            "this SSLContext checks nobody: set context.verify_mode = ssl.CERT_REQUIRED and load "
            "the CA, since MicroPython's ssl.SSLContext begins with CERT_NONE; to check nothing, "
            "call context.wrap_socket(modem.connect(host, port)) instead"
        )


def _words(error):
    if error.args and error.args[0] == _EOF:
        return "the peer ended the connection without TLS's good-bye"
    words = str(error.args[-1] if error.args else error).split()
    return "TLS on the board failed: " + " ".join(words)
