# SPDX-License-Identifier: MIT
"""The module's sockets on this machine's network, TLS included: non-blocking, one selector."""

from __future__ import annotations

import selectors
import socket
import ssl

from .clock import Clock, MonotonicClock
from .datagram import SystemDatagram
from .network import TlsRequest
from .system_connection import Lookup, SystemConnection

_TICK_S = 0.001


class SystemNetwork:
    """Real TCP and TLS connections from this machine.

    hosts: names to addresses ({"broker.example": "127.0.0.1"}), looked at before DNS. sni: send
    the host's name. check_hostname: compare it with the certificate, where the context verifies
    at all; no manual says that these modules do.

    With a virtual clock, `poll` waits up to 1 ms of real time for the real sockets, once in each
    millisecond of the clock.
    """

    def __init__(
        self,
        hosts: dict[str, str] | None = None,
        *,
        sni: bool = False,
        check_hostname: bool = False,
    ) -> None:
        self.hosts = dict(hosts or {})
        self.sni = sni
        self.check_hostname = check_hostname
        self._waited = 0.0  # the clock's time when real sockets were last waited for
        self._clock: Clock = MonotonicClock()
        self._selector = selectors.DefaultSelector()
        self._connections: list[SystemConnection | SystemDatagram] = []
        self.sessions: dict[tuple[str, int], tuple[ssl.SSLContext, ssl.SSLSession]] = {}
        self._lookups: dict[str, Lookup] = {}

    def attach(self, clock: Clock) -> None:
        """The module's clock, for deadlines."""
        self._clock = clock

    def now(self) -> float:
        """The clock's time."""
        return self._clock.now()

    def fileno(self) -> int:
        """A descriptor that is readable when `poll` has something to do (epoll's or kqueue's)."""
        fileno = getattr(self._selector, "fileno", None)
        return fileno() if fileno is not None else -1

    def begin_lookup(self, host: str) -> Lookup:
        """Ask for a host's addresses."""
        return Lookup(host, self.hosts.get(host))

    def lookup(self, host: str) -> list[str] | None:
        """Addresses of a host, [] when there are none, None while asking."""
        asked = self._lookups.get(host)
        if asked is None:
            asked = self._lookups[host] = self.begin_lookup(host)
        if asked.found is not None:
            del self._lookups[host]
        return asked.found

    def open(
        self, host: str, port: int, tls: TlsRequest | None, timeout: float, overall: bool = True
    ) -> SystemConnection:
        """Begin to connect; `overall`: `timeout` limits the handshake as well."""
        conn = SystemConnection(self, host, port, tls, timeout)
        conn.overall = overall
        if not conn.dead:
            self._connections.append(conn)
        return conn

    def open_datagram(self, host: str, port: int, timeout: float) -> SystemDatagram:
        """A UDP socket towards host:port."""
        conn = SystemDatagram(self, host, port, timeout)
        self._connections.append(conn)
        return conn

    def forget_sessions(self) -> None:
        """The module has lost its TLS sessions."""
        self.sessions.clear()

    def poll(self) -> None:
        """Let every connection go on."""
        if not self._connections:
            return
        now = self.now()
        if self._clock.virtual and not 0 <= now - self._waited < _TICK_S:
            self._waited = now
            self._selector.select(_TICK_S)
        for conn in self._connections:
            conn.go_on(now)
        self._connections = [conn for conn in self._connections if not conn.dead]

    def next_event(self, sockets: bool) -> float | None:
        """The next deadline; with `sockets`, at most 2 ms from now while a connection lives."""
        if not self._connections:
            return None
        now = self.now()
        waiting = any(conn.step == "lookup" for conn in self._connections)
        if sockets or waiting:
            return now + 0.002
        deadlines = [conn.deadline for conn in self._connections if conn.deadline is not None]
        return min(deadlines) if deadlines else None

    def close(self) -> None:
        """Drop every connection."""
        for conn in self._connections:
            conn.abort()
        self._connections.clear()
        self._selector.close()

    # --- for connections ------------------------------------------------------------------------

    def watch(self, sock: socket.socket, before: int, events: int) -> None:
        """Change what is waited for."""
        if not before:
            self._selector.register(sock, events)
        elif not events:
            self._selector.unregister(sock)
        else:
            self._selector.modify(sock, events)

    def unwatch(self, sock: socket.socket, before: int) -> None:
        """Wait no more."""
        if before:
            self._selector.unregister(sock)
