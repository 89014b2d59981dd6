# SPDX-License-Identifier: MIT
"""The line's own server, to which each new identity has to get through by mutual TLS.

A module connects, sends a number that this station made up, and gets its certificate's serial
number back; the server notes which certificate came with which number. So a proof is of this unit,
now.
"""

import contextlib
import hashlib
import secrets
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

from cryptography import x509

from onemo_tools.deploy.handover import Handover

_HANDSHAKE_S = 60.0
_LINE = 256
_CONNECTIONS = 64  # at once; the next ones wait


class ProvingServer:
    """Listens from `with` on. identity: its certificate with chain, and its key, in PEM.
    client_ca: the CA's certificate that clients have to be signed by."""

    def __init__(
        self, host: str, port: int, certificate: bytes, key: bytes | bytearray, client_ca: bytes
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # the newest that modules speak
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the CA may be an intermediate one
        with Handover() as files:  # OpenSSL takes files; these are in memory
            context.load_cert_chain(files.path(certificate), files.path(bytes(key)))
        self._context = context
        self._address = (host, port)
        self._expected: dict[str, str | None] = {}  # nonce -> SHA-256 of the certificate seen
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_CONNECTIONS)
        self._ended = threading.Event()
        self.port = port

    def __enter__(self) -> Self:
        self._listener = socket.create_server(self._address, backlog=32)
        self._listener.settimeout(0.5)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="proving", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, on Linux
        self._thread.join(5)
        self._listener.close()

    def expect(self) -> str:
        """A number for one proof."""
        nonce = secrets.token_hex(16)
        with self._lock:
            self._expected[nonce] = None
        return nonce

    def seen(self, nonce: str) -> str | None:
        """SHA-256 of the certificate that came with this number, in hex; the number is used up.
        None: nobody came with it."""
        with self._lock:
            return self._expected.pop(nonce, None)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                self._ended.wait(0.05)  # closing, or nothing left to accept with
                continue
            self._places.acquire()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(_HANDSHAKE_S)
            with contextlib.suppress(OSError, ValueError), self._wrapped(sock) as connection:
                self._answer(connection)
        finally:
            sock.close()
            self._places.release()

    def _wrapped(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, server_side=True)

    def _answer(self, connection: ssl.SSLSocket) -> None:
        line = b""
        while not line.endswith(b"\n") and len(line) < _LINE:
            piece = connection.recv(_LINE)
            if not piece:
                return
            line += piece
        nonce = line.strip().decode("ascii", "replace")
        der = connection.getpeercert(binary_form=True) or b""
        serial = x509.load_der_x509_certificate(der).serial_number
        with self._lock:
            if nonce in self._expected:
                self._expected[nonce] = hashlib.sha256(der).hexdigest()
        connection.sendall(f"{serial:x}\n".encode())
        with contextlib.suppress(OSError):
            connection.unwrap()
