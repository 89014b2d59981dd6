# SPDX-License-Identifier: MIT
"""A host for the simulated module on a virtual clock; certificates and servers for real TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from onemo_simulator import EchoPeer, LoopNetwork, Module, VirtualClock

PATIENCE = 20  # s of real time for anything on this machine
UTC = timezone.utc  # noqa: UP017 (hosts older than 3.11 have no other name)


class Host:
    """Sends whole commands and waits on the virtual clock. ATE0 is sent unless `echo`."""

    def __init__(self, model: str = "ML307R", *, echo: bool = False, **quirks: Any) -> None:
        self.clock = VirtualClock()
        self.network = quirks.pop("network", None) or LoopNetwork()
        self.module = Module(model, clock=self.clock, network=self.network, echo=echo, **quirks)
        self.command("AT+CMEE=1")

    def wait(self, seconds: float) -> bytes:
        """Let time pass, event by event; what came."""
        end = self.clock.now() + seconds
        got = self.module.take()
        while (event := self.module.next_event()) is not None and event <= end:
            self.clock.advance_to(event)
            got += self.module.take()
        self.clock.advance_to(end)
        return got + self.module.take()

    def command(self, text: str | bytes, seconds: float = 0.5) -> bytes:
        """Send a command with CR; everything that came within `seconds`."""
        self.module.feed((text.encode() if isinstance(text, str) else text) + b"\r")
        return self.wait(seconds)

    def lines(self, text: str, seconds: float = 0.5) -> list[bytes]:
        """Send a command; the lines of the answer, empty ones left out."""
        return [line for line in self.command(text, seconds).split(b"\r\n") if line]

    def code(self, text: str, seconds: float = 0.5) -> int | str:
        """Send a command; 0 for OK, the number of a CME error, or the last line."""
        last = self.lines(text, seconds)[-1].decode()
        if last == "OK":
            return 0
        return int(last.removeprefix("+CME ERROR: ")) if last.startswith("+CME") else last

    def write(self, name: str, data: bytes, packet: int = 8192, what: str = "CERT") -> list[bytes]:
        """Upload with `>` in packets; the answers after each packet."""
        answers: list[bytes] = []
        for at in range(0, len(data), packet):
            part = data[at : at + packet]
            remain = len(data) - at - len(part)
            prompt = self.command(f'AT+MSSL{what}WR="{name}",{remain},{len(part)}', 0.1)
            if not prompt.strip().startswith(b">"):
                return [*answers, prompt.strip()]
            self.module.feed(part)
            answers.append(self.wait(0.5).strip())
        return answers


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def make_host() -> Callable[..., Host]:
    return Host


@pytest.fixture
def online() -> Iterator[Host]:
    """A host whose module reaches an echo server at echo.example:7."""
    network = LoopNetwork()
    network.listen("echo.example", 7, EchoPeer())
    host = Host(network=network)
    yield host
    assert host.module.violations == []


@cache
def _key(label: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Identity:
    """A certificate with its key, as PEM."""

    def __init__(self, cert: x509.Certificate, key: rsa.RSAPrivateKey) -> None:
        self.x509 = cert
        self.cert = cert.public_bytes(serialization.Encoding.PEM)
        self.key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def make_identity(
    common_name: str,
    issuer: tuple[Identity, str] | None = None,
    days: tuple[int, int] = (-1, 30),
) -> Identity:
    """A CA (no issuer) or what it has signed; issuer: its identity and key label."""
    key = _key(common_name)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    signer = _key(issuer[1]) if issuer else key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[0].x509.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    return Identity(builder.sign(signer, hashes.SHA256()), key)


class Pki:
    """Two authorities that do not know each other, a server, a client, an expired server."""

    def __init__(self) -> None:
        self.ca = make_identity("test ca")
        self.other_ca = make_identity("other ca")
        self.server = make_identity("broker.example", (self.ca, "test ca"))
        self.client = make_identity("device-1", (self.ca, "test ca"))
        self.expired = make_identity("old.example", (self.ca, "test ca"), (-20, -10))


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki()


class Server:
    """A TLS (or plain) echo server on 127.0.0.1; `silent` accepts and says nothing."""

    def __init__(self, folder, identity=None, ca=None, mode="echo", maximum=None) -> None:
        self.mode = mode
        self.peers: list[str] = []
        self.context = None
        if identity is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            cert, key = folder / "cert.pem", folder / "key.pem"
            cert.write_bytes(identity.cert)
            key.write_bytes(identity.key)
            self.context.load_cert_chain(cert, key)
            if ca is not None:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(cadata=ca.cert.decode())
            if maximum is not None:
                self.context.set_ciphers(maximum)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            client.settimeout(PATIENCE)
            self.open.append(client)
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        if self.mode == "silent":
            return
        with contextlib.suppress(OSError):
            if self.context is not None:
                client = self.context.wrap_socket(client, server_side=True)
                self.open.append(client)
                peer: Any = client.getpeercert()
                if peer:
                    self.peers.append(dict(pair[0] for pair in peer["subject"])["commonName"])
            if self.mode == "farewell":
                client.sendall(b"farewell")
                client.close()
                return
            while data := client.recv(65536):
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.close()

    def close(self) -> None:
        self.socket.close()
        for client in self.open:
            with contextlib.suppress(OSError):
                client.close()


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(*args, **kwargs):
        servers.append(Server(tmp_path, *args, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
