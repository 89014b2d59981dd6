# SPDX-License-Identifier: MIT
"""The server that `onemo probe --server` asks for: TLS with the right name and with a wrong one,
plain TCP, and a handshake that is never answered, on four ports in a row."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from typing import Self

from onemo_tools.servers.endpoint import Connection, Endpoint
from onemo_tools.servers.pki import Authority

PORTS = 4  # right name, wrong name, plain, silent
PLAIN, SILENT = 2, 3  # behind the first
_WRONG = "wrong.invalid"  # no host has this name (RFC 6761)
_IDLE_S = 180.0  # a connection of the probe's may wait for others so long
_PAUSE_S = 0.4  # between two packets that are to be two
_FETCH_S = 10.0
_END = b"-----END CERTIFICATE-----"


class ProbeServer:
    """Serves `name` (a host name or an address, as the module reaches this machine) on `port` and
    the three behind it. `ca`: what the module has to trust, PEM."""

    def __init__(self, name: str, port: int, bind: str = "0.0.0.0") -> None:
        self.name = name
        self.port = port
        authority = Authority("onemo probe server CA")
        right = authority.issue(name, server=True, sans=[name])
        wrong = authority.issue(_WRONG, server=True, sans=[_WRONG])
        self.ca = authority.pem
        self._endpoints = tuple(
            Endpoint(
                self._behave,
                identity=identity,
                stall=at == SILENT,
                host=bind,
                port=port + at,
                timeout_s=_IDLE_S,
            )
            for at, identity in enumerate((right, wrong, None, right))
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            for endpoint in self._endpoints:
                self._stack.enter_context(endpoint)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _behave(self, connection: Connection) -> None:
        """Says what it saw, then obeys words that end with a semicolon; others come back."""
        seen = connection.seen
        hello = {
            "sni": seen.server_name,
            "version": seen.version,
            "cipher": seen.cipher,
            "resumed": seen.resumed,
        }
        connection.send(json.dumps(hello).encode() + b"\n")
        pending = b""
        while data := connection.receive():
            pending += data
            *words, pending = pending.split(b";")
            for word in words:
                if not self._obey(connection, word):
                    return

    def _obey(self, connection: Connection, word: bytes) -> bool:
        if word == b"two":
            connection.send(b"A" * 100)
            time.sleep(_PAUSE_S)
            connection.send(b"B" * 100)
        elif word == b"bye":
            connection.send(b"left over")
            return False
        elif word == b"ca":
            connection.send(self.ca)
        else:
            connection.send(word + b";")
        return True


def fetch_ca(host: str, port: int) -> bytes:
    """The CA of a probe server, from its plain port. OSError or ValueError where there is none."""
    got = b""
    deadline = time.monotonic() + _FETCH_S
    with socket.create_connection((host, port + PLAIN), _FETCH_S) as sock:
        sock.sendall(b"ca;")
        while _END not in got:
            sock.settimeout(max(0.1, deadline - time.monotonic()))
            data = sock.recv(4096)
            got += data
            if not data or len(got) > 65536 or time.monotonic() > deadline:
                raise ValueError(f"what listens at {host}:{port + PLAIN} is no onemo probe-server")
    begin = got.find(b"-----BEGIN CERTIFICATE-----")
    if begin < 0:
        raise ValueError(f"what listens at {host}:{port + PLAIN} is no onemo probe-server")
    return got[begin : got.find(_END) + len(_END)] + b"\n"
