# SPDX-License-Identifier: MIT
"""One real connection of the module: TCP and TLS steps, none of which waits."""

from __future__ import annotations

import errno
import selectors
import socket
import ssl
import threading
from typing import TYPE_CHECKING

from . import tls as tlsmod
from .network import (
    FAILED,
    NO_HOST,
    REFUSED,
    TIMED_OUT,
    TLS_FAILED,
    TLS_SLOW,
    TlsInfo,
    TlsRequest,
)
from .wire import Refusal

if TYPE_CHECKING:
    from .system_network import SystemNetwork

_ROOM = 65536  # bytes taken for sending, beyond what the kernel has
_INBOUND = 65536  # bytes read ahead of the module
_LINGER = 5.0  # s that a closed connection may still send


class Lookup:
    """getaddrinfo, which blocks, in a thread of its own."""

    def __init__(self, host: str, mapped: str | None) -> None:
        self.found: list[str] | None = None
        self._host = mapped or host
        if mapped is not None or _is_address(self._host):
            self._ask()
        else:
            threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        try:
            infos = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            self.found = []
        else:
            self.found = list(dict.fromkeys(str(entry[4][0]) for entry in infos))


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, UnicodeError, ValueError):
            continue
        return True
    return False


class SystemConnection:
    """One TCP connection of this machine, plain or TLS."""

    def __init__(
        self, network: SystemNetwork, host: str, port: int, tls: TlsRequest | None, timeout: float
    ) -> None:
        self.tls_info: TlsInfo | None = None
        self.host = host
        self.port = port
        self.tls = tls
        self.overall = True  # the time to open limits the handshake as well
        self.dead = False  # nothing left to do
        self._network = network
        self._result: int | None = None
        self._deadline: float | None = network.now() + timeout
        self._open_deadline = self._deadline
        self._late = TIMED_OUT
        self.step = "lookup"
        self._addresses: list[str] = []
        self._lookup: Lookup | None = None
        self._context: ssl.SSLContext | None = None
        self._sock: socket.socket | None = None
        self._events = 0
        self._outbound = bytearray()
        self._inbound = bytearray()
        self._ended = 0
        self._closing = False
        try:
            if tls is not None:
                checks = network.check_hostname or tls.check_host
                self._context = tlsmod.client_context(tls, checks)
            self._lookup = network.begin_lookup(host)
        except Refusal as refusal:
            self._fail(refusal.code or TLS_FAILED)

    @property
    def result(self) -> int | None:
        """None while opening, 0 when open, else the code."""
        return self._result

    @property
    def ended(self) -> int:
        """0, or how it ended once all has been read."""
        return 0 if self._inbound else self._ended

    @property
    def deadline(self) -> float | None:
        """When opening (or lingering) is given up."""
        return self._deadline

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes."""
        data = bytes(self._inbound[:limit])
        if data:
            del self._inbound[: len(data)]
            self._watch()
        return data

    def write(self, data: bytes) -> int:
        """Take bytes for sending, up to 64 KB ahead of the network."""
        if self.step != "open" or self._ended or self._closing:
            return 0
        count = min(len(data), _ROOM - len(self._outbound))
        self._outbound += data[:count]
        self._flush()
        return count

    def keep_alive(self, idle: int, interval: int, count: int) -> None:
        """TCP's own, where the machine lets it be set."""
        if self._sock is None:
            return
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", idle),
            ("TCP_KEEPINTVL", interval),
            ("TCP_KEEPCNT", count),
        ):
            if hasattr(socket, name):
                self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def close(self) -> None:
        """Send what is left, then close."""
        if self.dead or self._closing:
            return
        if self.step != "open" or self._ended:
            self.abort()
            return
        self._closing = True
        self._deadline = self._network.now() + _LINGER
        self._flush()

    def abort(self) -> None:
        """Close at once."""
        self.step = "closed"
        self._deadline = None
        self.dead = True
        if self._sock is not None:
            self._network.unwatch(self._sock, self._events)
            self._events = 0
            self._sock.close()
            self._sock = None

    # --- going on -------------------------------------------------------------------------------

    def _fail(self, code: int) -> None:
        self._result = code
        self.abort()

    def go_on(self, now: float) -> None:
        """Do what can be done without waiting."""
        if self.step == "lookup" and self._lookup and self._lookup.found is not None:
            self._addresses = self._lookup.found
            if not self._addresses:
                self._fail(NO_HOST)
            else:
                self._connect()
        if self.step == "connect":
            self._look_connected()
        if self.step == "handshake":
            self._shake(now)
        if self.step == "open":
            self._flush()
            self._fill()
        if self._deadline is not None and now >= self._deadline and not self.dead:
            if self._closing:
                self.abort()
            elif self.step != "open":
                self._fail(NO_HOST if self.step == "lookup" else self._late)

    def _connect(self) -> None:
        address = self._addresses.pop(0)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._sock.connect_ex((address, self.port))
        self.step = "connect"
        if code in (0, errno.EINPROGRESS):
            self._set_events(selectors.EVENT_WRITE)
        else:
            self._not_connected(code)

    def _look_connected(self) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._not_connected(code)
            return
        try:
            self._sock.getpeername()
        except OSError:
            return  # not yet
        if self._context is None:
            self._opened()
            return
        assert self.tls is not None
        known = self._network.sessions.get((self.host, self.port)) if self.tls.resumes else None
        session = None
        if known is not None:  # OpenSSL resumes only in the context that the session is from
            self._context, session = known
        sends_name = self._network.sni or self.tls.sni or self._context.check_hostname
        self._set_events(0)
        try:
            self._sock = self._context.wrap_socket(
                self._sock,
                do_handshake_on_connect=False,
                server_hostname=self.host if sends_name else None,
                session=session,
            )
        except (OSError, ValueError):  # a name that cannot be sent, or already closed
            self._fail(TLS_FAILED)
            return
        self.step = "handshake"
        self._late = TLS_SLOW
        limits = [self._network.now() + self.tls.negotime]
        if self._open_deadline is not None and self.overall:
            limits.append(self._open_deadline)
        self._deadline = min(limits)

    def _not_connected(self, code: int) -> None:
        assert self._sock is not None
        self._set_events(0)
        self._sock.close()
        self._sock = None
        if self._addresses:
            self._connect()
        elif code == errno.ECONNREFUSED:
            self._fail(REFUSED)
        else:
            self._fail(TIMED_OUT if code == errno.ETIMEDOUT else FAILED)

    def _shake(self, now: float) -> None:
        assert isinstance(self._sock, ssl.SSLSocket) and self.tls is not None
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._set_events(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._set_events(selectors.EVENT_WRITE)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            self._fail(tlsmod.code_of(error))
        else:
            code = tlsmod.judge(self._sock, self.tls)
            if code:
                self._fail(code)
                return
            self.tls_info = tlsmod.info(self._sock)
            if self.tls.resumes and self._sock.session is not None and self._context is not None:
                self._network.sessions[self.host, self.port] = self._context, self._sock.session
            self._opened()

    def _opened(self) -> None:
        self.step = "open"
        self._deadline = None
        self._result = 0
        self._watch()

    def _fill(self) -> None:
        sock = self._sock
        while sock is not None and not self._ended and len(self._inbound) < _INBOUND:
            try:
                data = sock.recv(16384)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                self._ended = 2
                break
            if not data:
                self._ended = 1
                break
            if not self._closing:
                self._inbound += data
        self._watch()

    def _flush(self) -> None:
        sock = self._sock
        while self._outbound and sock is not None and self._ended != 2:
            try:
                count = sock.send(self._outbound)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                self._ended = 2
                self._outbound.clear()
                break
            del self._outbound[:count]
        if self._closing and (not self._outbound or self._ended == 2):
            self._say_goodbye()
            self.abort()
        else:
            self._watch()

    def _say_goodbye(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.unwrap()  # sends close_notify; the answer is not waited for
            else:
                sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass

    def _watch(self) -> None:
        if self.step != "open":
            return
        events = 0
        if not self._ended and len(self._inbound) < _INBOUND:
            events |= selectors.EVENT_READ
        if self._outbound:
            events |= selectors.EVENT_WRITE
        self._set_events(events)

    def _set_events(self, events: int) -> None:
        if self._sock is not None and events != self._events:
            self._network.watch(self._sock, self._events, events)
            self._events = events
