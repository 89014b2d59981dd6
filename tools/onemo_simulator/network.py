# SPDX-License-Identifier: MIT
"""What the module's sockets need of a network; `LoopNetwork` and `SystemNetwork` provide it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .clock import Clock

REFUSED, TIMED_OUT, FAILED = 557, 558, 559
NO_HOST = 580
TLS_UNKNOWN, TLS_RESOURCE, TLS_UNTRUSTED, TLS_SLOW, TLS_FAILED = 750, 751, 752, 753, 754


@dataclass(frozen=True, slots=True)
class TlsRequest:
    """A TLS handshake as the context asks for it; the PEMs are those from the store."""

    auth: int
    ca: bytes | None
    cert: bytes | None
    key: bytes | None
    psk: bool  # a PSK is bound, and no certificate
    version: int
    suite: int
    negotime: float  # s
    session: bool
    ignorestamp: bool
    ignoreverify: bool
    date: datetime  # by the module's own clock
    bad_pem_code: int = 769
    resumes: bool = False  # an earlier session with this server may be resumed
    sni: bool = False  # send the host's name
    check_host: bool = False  # and compare it with the certificate
    oldest: int = 0  # MSSLCFG's number of the oldest version that 255 comprises


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """An established TLS connection."""

    version: str  # "TLSv1.2"
    cipher: str  # OpenSSL's name
    peer: str  # subject, RFC 4514; "" when not known
    resumed: bool = False  # no certificate was shown or verified


class Connection(Protocol):
    """One TCP connection, plain or TLS."""

    tls_info: TlsInfo | None

    @property
    def result(self) -> int | None:
        """None while opening, 0 when open, else the code for +MIPOPEN."""

    @property
    def ended(self) -> int:
        """0 while open; 1 closed by the peer, 2 broken: once all has been read."""

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes that the peer has sent."""

    def write(self, data: bytes) -> int:
        """Send; how many bytes were taken."""

    def keep_alive(self, idle: int, interval: int, count: int) -> None:
        """Probe the peer after `idle` seconds of silence; it is gone after `count` unanswered."""

    def close(self) -> None:
        """Send what is left and close."""

    def abort(self) -> None:
        """Drop it at once."""


class Network(Protocol):
    """Opens connections. Never blocks."""

    def attach(self, clock: Clock) -> None:
        """The module's clock."""

    def open(
        self, host: str, port: int, tls: TlsRequest | None, timeout: float, overall: bool = True
    ) -> Connection:
        """Begin to connect, within `timeout` seconds; `overall`: with the handshake."""

    def open_datagram(self, host: str, port: int, timeout: float) -> Connection:
        """A UDP socket towards host:port; `read` gives one datagram, `write` sends one."""

    def forget_sessions(self) -> None:
        """The module has lost its TLS sessions."""

    def lookup(self, host: str) -> list[str] | None:
        """Addresses of a host, [] when there are none, None while asking."""

    def poll(self) -> None:
        """Let things go on."""

    def next_event(self, sockets: bool) -> float | None:
        """When `poll` is due (s of the clock). `sockets`: also because bytes might come."""
