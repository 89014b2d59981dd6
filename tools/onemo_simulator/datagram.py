# SPDX-License-Identifier: MIT
"""One real UDP socket of the module."""

from __future__ import annotations

import selectors
import socket
from typing import TYPE_CHECKING

from .network import NO_HOST, TlsInfo

if TYPE_CHECKING:
    from .system_network import SystemNetwork

_MOST = 65536


class SystemDatagram:
    """A UDP socket of this machine towards one host and port: a `Connection` by datagrams."""

    tls_info: TlsInfo | None = None
    ended = 0

    def __init__(self, network: SystemNetwork, host: str, port: int, timeout: float) -> None:
        self.host = host
        self.port = port
        self.step = "lookup"
        self.dead = False
        self.result: int | None = None
        self.deadline: float | None = network.now() + timeout
        self._network = network
        self._lookup = network.begin_lookup(host)
        self._sock: socket.socket | None = None

    def go_on(self, now: float) -> None:
        """Do what can be done without waiting."""
        if self.step != "lookup":
            return
        found = self._lookup.found
        if found:
            family = socket.AF_INET6 if ":" in found[0] else socket.AF_INET
            self._sock = socket.socket(family, socket.SOCK_DGRAM)
            self._sock.setblocking(False)
            self._sock.connect((found[0], self.port))
            self._network.watch(self._sock, 0, selectors.EVENT_READ)
            self.step, self.result, self.deadline = "open", 0, None
        elif found is not None or (self.deadline is not None and now >= self.deadline):
            self.result = NO_HOST
            self.close()

    def read(self, limit: int) -> bytes:
        """A datagram; what is beyond `limit` is lost."""
        if self._sock is None:
            return b""
        try:
            return self._sock.recv(_MOST)[:limit]
        except OSError:  # nothing there, or an ICMP refusal of an earlier one
            return b""

    def write(self, data: bytes) -> int:
        """Send a datagram."""
        if self._sock is None:
            return 0
        try:
            return self._sock.send(data)
        except OSError:
            return 0

    def keep_alive(self, idle: int, interval: int, count: int) -> None:
        """UDP has none."""

    def close(self) -> None:
        """Close."""
        self.step, self.dead, self.deadline = "closed", True, None
        if self._sock is not None:
            self._network.unwatch(self._sock, selectors.EVENT_READ)
            self._sock.close()
            self._sock = None

    abort = close
