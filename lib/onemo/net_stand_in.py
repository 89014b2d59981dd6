# SPDX-License-Identifier: MIT
#
# modem.use_as_socket: what libraries find when they `import socket`, and `ssl` where that means
# the module's TLS. Python looks into sys.modules before anywhere else, on every port.

import sys
from errno import ENOTCONN

from ._port import const
from .at_channel import DONE, REPLY_MS
from .errors import ModemError, Unsupported
from .net_links import check_context

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from .tls import TLSContext

_EISCONN = const(106)  # lwIP's numbers: MicroPython's errno has no such names
_ENOPROTOOPT = const(92)

_SOL_SOCKET = const(1)
_SO_REUSEADDR = const(2)
_SO_KEEPALIVE = const(9)
_IPPROTO_TCP = const(6)

_SOCKET = ("socket", "usocket")
_SSL = ("ssl", "ussl", "tls")


class Methods:
    """Part of BaseModem, loaded when it is called."""

    def use_as_socket(self, tls: "TLSContext | None" = None) -> "StandIns":
        """Make libraries that `import socket` use the module, unchanged, if they are imported
        after this: puts `socket_module(tls)` into sys.modules as `socket` and `usocket`. Returns
        what undoes it: a context manager, with a method `undo()` as well.

        `tls`: every connection is TLS by this configured context; `ssl`, `ussl` and `tls` are put
        in as well, so that a library's https:// or `wrap_socket` means that TLS. Without it
        connections are plain, and TLS on top of them is the board's own `ssl`, if it has that."""
        return StandIns(self, tls)


class StandIns:
    """What `modem.use_as_socket` returns: in force until `undo()`, or the end of a `with`. `as`
    gives the stand-in for `socket`."""

    def __init__(self, modem, tls):
        self.socket = socket = modem.socket_module(tls)
        self._before = []
        for name in _SOCKET:
            self._put(name, socket)
        ssl = SslModule(tls)
        if not tls:
            ssl = _firmware_ssl() or ssl
        for name in _SSL:
            if tls or not _has(name):
                self._put(name, ssl)

    def _put(self, name, module):
        self._before.append((name, sys.modules.get(name)))
        sys.modules[name] = module

    def undo(self):
        """Put back what was there before. Doing it twice is harmless."""
        for name, module in self._before:
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        self._before = []

    def __enter__(self):
        return self.socket

    def __exit__(self, *exc):
        self.undo()


def _firmware_ssl():
    # Old libraries know it as `ussl`, newer ones as `tls`.
    try:
        import ssl
    except ImportError:
        return None
    return ssl


def _has(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


class NotConnected(ModemError):
    """The socket has no connection."""

    errno = ENOTCONN


class Connected(ModemError):
    """The socket has, or had, a connection."""

    errno = _EISCONN


class SocketModule:
    """What `modem.socket_module(tls)` returns. `default_timeout`: seconds that a read waits where
    the code that uses it says "no timeout" (`settimeout(None)`, or nothing); None: for ever.
    `readahead`: bytes of RAM of each socket for what is read ahead; None: as many as Modem's
    `buffer` has."""

    AF_INET = 2
    AF_INET6 = 10
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    IPPROTO_TCP = 6
    IPPROTO_UDP = 17
    SOL_SOCKET = 1
    SO_REUSEADDR = 2
    SO_KEEPALIVE = 9
    TCP_NODELAY = 1

    default_timeout = 300
    readahead = None

    def __init__(self, modem, tls):
        check_context(tls)
        self._modem = modem
        self._tls = tls

    def getaddrinfo(self, host, port, family=0, kind=1, protocol=0, flags=0):
        """One entry; the name goes to the module as it is, which looks it up when it connects."""
        return [(2, kind or 1, protocol, "", (host, port))]

    def default_ms(self):
        """`default_timeout` in milliseconds."""
        return None if self.default_timeout is None else int(self.default_timeout * 1000)


def check_option(level, option):
    """True for SO_KEEPALIVE, False for an option that changes nothing; OSError with ENOPROTOOPT
    for others."""
    if level == _SOL_SOCKET and option == _SO_KEEPALIVE:
        return True
    if level != _IPPROTO_TCP and (level != _SOL_SOCKET or option != _SO_REUSEADDR):
        raise OSError(_ENOPROTOOPT, "the module has no such option: %r, %r" % (level, option))
    return False


def keep_alive_op(ch, connection, on):
    """Operation: make the module probe the peer of a connection when nothing comes, or not."""
    ch.command(b"+MIPTKA=").number(connection.id).number(1 if on else 0).send(REPLY_MS)
    while ch.poll() != DONE:
        yield


class SslModule:
    """Stands in for `ssl`: `wrap_socket` means the TLS that the module has begun already, by the
    context that `use_as_socket` was given."""

    PROTOCOL_TLS_CLIENT = 0
    PROTOCOL_TLS_SERVER = 1
    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2

    def __init__(self, tls):
        self._tls = tls

    def SSLContext(self, protocol=0):
        """A context that stands for the module's."""
        if protocol != self.PROTOCOL_TLS_CLIENT:
            raise Unsupported("the module is a TLS client only")
        return SSLContext(self._tls)

    def create_default_context(self):
        """A context that stands for the module's."""
        return SSLContext(self._tls)

    def wrap_socket(self, sock, server_side=False, **options):
        """The socket, which is TLS by the module already."""
        for name in ("key", "cert", "keyfile", "certfile", "cadata", "ca_certs"):
            if options.get(name):
                _refuse_files()
        return SSLContext(self._tls).wrap_socket(sock, server_side=server_side)


class SSLContext:
    """Stands for a TLS context of the module, whose settings count: `modem.tls(n).configure`."""

    verify_mode = 2
    check_hostname = False

    def __init__(self, tls):
        self._tls = tls

    def wrap_socket(
        self, sock, *, server_side=False, server_hostname=None, do_handshake_on_connect=True
    ):
        """The socket, which is TLS by the module already; ModemError if it is not."""
        if server_side:
            raise Unsupported("the module is a TLS client only")
        if self._tls is None:
            raise ModemError(
                "there is no TLS on this board, and use_as_socket() was given no TLS context of "
                "the module: use_as_socket(modem.tls(1)), with that one configured"
            )
        if getattr(sock, "tls", None) is not self._tls:
            raise ModemError(
                "TLS by the module begins when it connects: this socket was made before "
                "use_as_socket(tls), or by something else"
            )
        return sock

    def load_verify_locations(self, *args, **options):
        """Refused: see `load_cert_chain`."""
        _refuse_files()

    def load_cert_chain(self, *args, **options):
        """Refused: the module does TLS, with what is in its store."""
        _refuse_files()

    def set_ciphers(self, *args):
        """Refused: `configure(ciphersuite=...)` sets it."""
        raise Unsupported("the module does TLS: choose the suite by modem.tls(n).configure")


def _refuse_files():
    raise Unsupported(
        "the module does TLS, with the certificates in its store: write them by "
        "modem.certs.write, name them by modem.tls(n).configure(ca=..., cert=..., key=...)"
    )
