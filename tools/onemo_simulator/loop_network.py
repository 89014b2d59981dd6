# SPDX-License-Identifier: MIT
"""A network inside the process: peers are Python objects. Quick, and exact on a virtual clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .clock import Clock, MonotonicClock
from .network import NO_HOST, REFUSED, TLS_SLOW, TlsInfo, TlsRequest


class LoopConnection:
    """Both ends of a connection: the module's (`Connection`), the peer's (`reply`, `end`)."""

    def __init__(self, network: LoopNetwork, peer: Peer | None, code: int) -> None:
        self.tls_info: TlsInfo | None = None
        self.tls: TlsRequest | None = None  # what the module asked for; None: plain
        self.host = ""
        self.port = 0
        self.sent = bytearray()  # all that the module has sent
        self.closed = False  # by the module
        self._network = network
        self._peer = peer
        self._code = code
        self._ready = 0.0
        self._told = False
        self._inbound: deque[tuple[float, bytes]] = deque()
        self._end: tuple[float, int] | None = None
        self._datagrams = False
        self._vanished = False
        self._probes: float | None = None  # s until keep-alive notices that the peer is gone

    # --- the peer's side ------------------------------------------------------------------------

    def reply(self, data: bytes, delay: float = 0.0) -> None:
        """The peer sends `data`, which is at the module `latency + delay` seconds later."""
        if data and self._end is None and not self.closed and not self._vanished:
            self._inbound.append((self._network.now() + self._network.latency + delay, data))

    def end(self, state: int = 1, delay: float = 0.0) -> None:
        """The peer closes (1) or the connection breaks (2)."""
        if self._end is None:
            self._end = (self._network.now() + self._network.latency + delay, state)

    def vanish(self) -> None:
        """The peer is gone without a word: nothing arrives any more, in either direction."""
        self._vanished = True
        self._inbound.clear()
        if self._probes is not None:
            self.end(2, self._probes)

    # --- the module's side ----------------------------------------------------------------------

    @property
    def result(self) -> int | None:
        """None while opening, 0 when open, else the code."""
        if self._network.now() < self._ready:
            return None
        return self._code

    @property
    def ended(self) -> int:
        """0 while there is something to read or to come."""
        if self._inbound or self._end is None or self._network.now() < self._end[0]:
            return 0
        return self._end[1]

    def read(self, limit: int) -> bytes:
        """Bytes that have arrived."""
        if not self._inbound:
            return b""
        now = self._network.now()
        got = bytearray()
        while self._inbound and self._inbound[0][0] <= now and len(got) < limit:
            moment, data = self._inbound.popleft()
            room = limit - len(got)
            if self._datagrams:  # one a call; what does not fit is lost
                return data[:room]
            if len(data) > room:
                self._inbound.appendleft((moment, data[room:]))
            got += data[:room]
        return bytes(got)

    def write(self, data: bytes) -> int:
        """To the peer, at once."""
        if self._vanished and not self.closed:
            return len(data)  # kept by the stack, for an acknowledgement that never comes
        if self.closed or self._end is not None:
            return 0
        self.sent += data
        if self._peer is not None:
            self._peer.on_data(self, data)
        return len(data)

    def keep_alive(self, idle: int, interval: int, count: int) -> None:
        """Notices a peer that has vanished."""
        self._probes = float(idle + interval * count)

    def close(self) -> None:
        """Tell the peer."""
        if not self.closed:
            self.closed = True
            self._network.forget(self)
            if self._told and self._peer is not None:
                self._peer.on_close(self)

    abort = close

    def poll(self, now: float) -> None:
        """The peer learns of the connection once it stands."""
        if not self._told and self._code == 0 and now >= self._ready:
            self._told = True
            if self._peer is not None:
                self._peer.on_connect(self)

    def due(self, now: float) -> list[float]:
        """When something happens here."""
        if self._told and not self._inbound and self._end is None:
            return []
        if not self._told and self._code == 0:
            return [self._ready]
        moments = [self._ready] if now < self._ready else []
        if self._inbound:
            moments.append(self._inbound[0][0])
        elif self._end is not None:
            moments.append(self._end[0])
        return [moment for moment in moments if moment > now]


class Peer:
    """A server. Override what it does; `verdict` decides how a TLS handshake ends.

    `resumes`: it resumes TLS sessions, without a verdict, if the module asks for that.
    """

    resumes = True

    def verdict(self, tls: TlsRequest) -> int:
        """0 for a TLS connection that stands, else the code (752, 754, ...)."""
        return 0

    def on_connect(self, conn: LoopConnection) -> None:
        """A connection stands."""

    def on_data(self, conn: LoopConnection, data: bytes) -> None:
        """The module sent `data`."""

    def on_close(self, conn: LoopConnection) -> None:
        """The module closed."""


class EchoPeer(Peer):
    """Sends everything back."""

    def on_data(self, conn: LoopConnection, data: bytes) -> None:
        """Echo."""
        conn.reply(data)


class VerifyingPeer(EchoPeer):
    """Echo, and TLS verdicts that follow from the very bytes in the module's store.

    `ca`: what the module must hold to trust this server. `client`: the (certificate, key) pair
    that a client must show, or None.
    """

    def __init__(self, ca: bytes, client: tuple[bytes, bytes] | None = None) -> None:
        self.ca = ca
        self.client = client

    def verdict(self, tls: TlsRequest) -> int:
        """752 for a wrong CA, 754 for a missing or wrong client certificate."""
        if tls.auth and not tls.ignoreverify and tls.ca != self.ca:
            return 752
        if self.client is not None and (tls.auth != 2 or (tls.cert, tls.key) != self.client):
            return 754
        return 0


class LoopNetwork:
    """Peers by host and port. `connections` keeps every connection that was asked for.

    open_delay: seconds until a connection stands; tls_delay: more for a handshake; latency: for
    the peer's bytes. An unknown host fails with 580, an unknown port with 557.
    """

    def __init__(
        self, open_delay: float = 0.1, tls_delay: float = 0.2, latency: float = 0.02
    ) -> None:
        self.open_delay = open_delay
        self.tls_delay = tls_delay
        self.latency = latency
        self.connections: list[LoopConnection] = []
        self.on_open: Callable[[LoopConnection], None] | None = None
        self._peers: dict[tuple[str, int], Peer] = {}
        self._alive: list[LoopConnection] = []
        self._sessions: set[tuple[str, int]] = set()
        self._clock: Clock = MonotonicClock()

    def attach(self, clock: Clock) -> None:
        """The module's clock."""
        self._clock = clock

    def now(self) -> float:
        """The clock's time."""
        return self._clock.now()

    def listen(self, host: str, port: int, peer: Peer) -> Peer:
        """Let `peer` serve host:port."""
        self._peers[host, port] = peer
        return peer

    def leave(self, host: str, port: int) -> None:
        """Nobody serves host:port any more; connections that stand are not touched."""
        self._peers.pop((host, port), None)

    def forget(self, conn: LoopConnection) -> None:
        """A connection is closed."""
        if conn in self._alive:
            self._alive.remove(conn)

    def open(
        self, host: str, port: int, tls: TlsRequest | None, timeout: float, overall: bool = True
    ) -> LoopConnection:
        """Begin to connect."""
        peer = self._peers.get((host, port))
        delay = self.open_delay
        resumed = False
        if peer is None:
            code = REFUSED if any(host == known for known, _ in self._peers) else NO_HOST
        elif tls is None:
            code = 0
        else:
            resumed = tls.resumes and peer.resumes and (host, port) in self._sessions
            code = 0 if resumed else peer.verdict(tls)
            if tls.resumes and not code:
                self._sessions.add((host, port))
            # A peer that does not answer a handshake: the limits end it.
            if code == TLS_SLOW:
                delay = min(tls.negotime, timeout) if overall else tls.negotime
            else:
                delay += self.tls_delay
        conn = LoopConnection(self, peer, code)
        conn.tls = tls
        self._begin(conn, host, port, delay)
        if tls is not None and code == 0:
            conn.tls_info = TlsInfo("TLSv1.2", "simulated", f"CN={host}", resumed)
        if self.on_open:
            self.on_open(conn)
        return conn

    def open_datagram(self, host: str, port: int, timeout: float) -> LoopConnection:
        """A UDP socket. A port where no peer is takes datagrams, and nothing comes back."""
        known = any(host == name for name, _ in self._peers)
        conn = LoopConnection(self, self._peers.get((host, port)), 0 if known else NO_HOST)
        conn._datagrams = True
        self._begin(conn, host, port, 0.0)
        return conn

    def forget_sessions(self) -> None:
        """The module has lost its TLS sessions."""
        self._sessions.clear()

    def _begin(self, conn: LoopConnection, host: str, port: int, delay: float) -> None:
        conn.host, conn.port = host, port
        conn._ready = self.now() + delay
        self.connections.append(conn)
        self._alive.append(conn)

    def lookup(self, host: str) -> list[str] | None:
        """A made-up address for every host that has a peer."""
        hosts = sorted({known for known, _ in self._peers})
        return [f"192.0.2.{hosts.index(host) + 1}"] if host in hosts else []

    def poll(self) -> None:
        """Tell peers of connections that stand by now."""
        if not self._alive:
            return
        now = self.now()
        for conn in tuple(self._alive):
            conn.poll(now)

    def next_event(self, sockets: bool) -> float | None:
        """The next arrival."""
        if not self._alive:
            return None
        now = self.now()
        moments = [moment for conn in self._alive for moment in conn.due(now)]
        return min(moments) if moments else None
