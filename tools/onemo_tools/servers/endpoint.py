# SPDX-License-Identifier: MIT
"""A real TLS (or TCP) server on loopback, for the demo and the tests.

with Endpoint(echo, identity=server, client_ca=authority.pem) as endpoint:
    ...                                   # connect to endpoint.host, endpoint.port
    [seen] = endpoint.wait(1)             # seen.peer, seen.version, seen.cipher, seen.error

What it does with a connection is a function: one of those below, or your own. Every wait ends.
"""

import hashlib
import socket
import ssl
import struct
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID

from onemo_tools.servers.pki import Identity

_PIECE = 4096
_ACCEPT_S = 0.5  # how long a closing may go unnoticed at worst
_CLOSE_S = 5.0
_DRAIN_S = 1.0


@dataclass
class Seen:
    """What a connection was like. `error` is None if all went well. Whole once `done` is set."""

    address: tuple[str, int]
    peer: str | None = None  # common name in the client's certificate
    version: str | None = None  # "TLSv1.2"; None on plain TCP and before the handshake is over
    cipher: str | None = None
    server_name: str | None = None  # SNI
    resumed: bool = False  # the TLS session is one of an earlier connection
    received: int = 0  # bytes
    sent: int = 0
    sha256: str | None = None  # of what was received, by sink
    error: str | None = None
    done: threading.Event = field(default_factory=threading.Event, repr=False)


class Connection:
    """The server's end of a connection, as behaviours get it."""

    def __init__(self, sock: socket.socket, seen: Seen):
        self._sock = sock
        self._ended = False
        self.seen = seen

    def receive(self, most: int = _PIECE) -> bytes:
        """What has come, up to `most` bytes; b"" at the end."""
        data = self._sock.recv(most)
        self.seen.received += len(data)
        return data

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)
        self.seen.sent += len(data)

    def end_sending(self) -> None:
        """No more from this side: close_notify where TLS is spoken, then FIN. Receiving goes on.
        After the first time it does nothing, nor after a reset."""
        if self._ended:
            return
        self._ended = True
        if isinstance(self._sock, ssl.SSLSocket):
            patience = self._sock.gettimeout()
            self._sock.settimeout(0)
            with suppress(ssl.SSLWantReadError):  # the other side's close_notify is not waited for
                self._sock.unwrap()
            self._sock.settimeout(patience)
        socket.socket.shutdown(self._sock, socket.SHUT_WR)

    def reset(self) -> None:
        """RST: the connection is gone without a good-bye."""
        self._ended = True
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


Behaviour = Callable[[Connection], None]


def echo(connection: Connection) -> None:
    """Sends back every byte as it comes."""
    while data := connection.receive():
        connection.send(data)


def echo_lines(connection: Connection) -> None:
    """Sends back whole lines only; what follows the last LF is dropped."""
    pending = b""
    while data := connection.receive():
        pending += data
        lines, newline, pending = pending.rpartition(b"\n")
        if newline:
            connection.send(lines + newline)


def sink(length: int | None = None) -> Behaviour:
    """Takes `length` bytes, or all until the client's end; notes their SHA-256, and sends it with
    the count as a line: b"5000 9f86d0...\\n"."""

    def behave(connection: Connection) -> None:
        digest = hashlib.sha256()
        seen = connection.seen
        while length is None or seen.received < length:
            left = _PIECE if length is None else min(_PIECE, length - seen.received)
            data = connection.receive(left)
            if not data:
                break
            digest.update(data)
        seen.sha256 = digest.hexdigest()
        connection.send(b"%d %s\n" % (seen.received, seen.sha256.encode()))

    return behave


def pattern(length: int, start: int = 0) -> bytes:
    """`length` bytes of what flood() sends, from byte `start` on; it repeats after 64256 bytes."""
    return bytes((at * 7 + at // 251) & 255 for at in range(start, start + length))


def flood(length: int) -> Behaviour:
    """Sends `length` bytes of pattern() as fast as they are taken, then ends."""

    def behave(connection: Connection) -> None:
        for start in range(0, length, _PIECE):
            connection.send(pattern(min(_PIECE, length - start), start))

    return behave


def close_after(length: int) -> Behaviour:
    """Takes `length` bytes, answers nothing, closes."""

    def behave(connection: Connection) -> None:
        left = length
        while left > 0 and (data := connection.receive(left)):
            left -= len(data)

    return behave


def half_close(greeting: bytes = b"bye\n") -> Behaviour:
    """Sends `greeting`, ends its own direction, and goes on taking what the client sends."""

    def behave(connection: Connection) -> None:
        connection.send(greeting)
        connection.end_sending()
        while connection.receive():
            pass

    return behave


def reset_after(length: int = 0) -> Behaviour:
    """Takes `length` bytes, then resets the connection."""

    def behave(connection: Connection) -> None:
        close_after(length)(connection)
        connection.reset()

    return behave


class Endpoint:
    """A server on `host` that does `behaviour` with every connection, each in a thread of its own.

    identity: the server's; None speaks plain TCP. client_ca: PEM that clients' certificates must
    chain to; none is demanded without it. minimum, maximum: TLS versions. ciphers: OpenSSL's
    names. stall: takes connections and never answers the handshake. timeout_s: the longest wait
    for the other side, then the connection is given up with an error. port 0 takes a free one.
    """

    def __init__(
        self,
        behaviour: Behaviour = echo,
        *,
        identity: Identity | None = None,
        client_ca: bytes | None = None,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        ciphers: str | None = None,
        stall: bool = False,
        timeout_s: float = 30,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        if identity is None and (client_ca or ciphers):
            raise ValueError("client_ca and ciphers belong to TLS: give an identity as well")
        self.behaviour = behaviour
        self.host = host
        self.port = port  # the real one once entered
        self.stall = stall
        self.timeout_s = timeout_s
        self.connections: list[Seen] = []
        self._context: ssl.SSLContext | None = None
        if identity is not None:
            self._context = _context(identity, client_ca, minimum, maximum, ciphers)
            self._context.sni_callback = self._named
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._handshaking: dict[object, Seen] = {}
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, self.port), backlog=16)
        self._listener.settimeout(_ACCEPT_S)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the server and every connection; RuntimeError if one does not end within 5 s."""
        self._stopping.set()
        with self._lock:
            sockets = list(self._open)
        if self._listener is not None:
            sockets.append(self._listener)
        for sock in sockets:
            with suppress(OSError):  # wakes the thread; an ended connection cannot be ended again
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        deadline = time.monotonic() + _CLOSE_S
        done = 0
        while done < len(self._threads):  # the first one accepts, and may add one more
            thread = self._threads[done]
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                raise RuntimeError(f"endpoint: {thread.name} did not end within {_CLOSE_S} s")
            done += 1

    def wait(self, count: int, timeout: float = 10) -> list[Seen]:
        """The first `count` connections, once over; TimeoutError if that takes longer."""
        deadline = time.monotonic() + timeout
        while len(self.connections) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        for seen in self.connections[:count]:
            seen.done.wait(max(0, deadline - time.monotonic()))
        ended = [seen for seen in self.connections[:count] if seen.done.is_set()]
        if len(ended) < count:
            raise TimeoutError(
                f"endpoint: {len(ended)} of {count} connections ended in {timeout} s"
            )
        return ended

    def _start(self, what: Callable[..., None], *args: object) -> None:
        name = f"{what.__name__.strip('_')} {self.port}"
        thread = threading.Thread(target=what, args=args, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while not self._stopping.is_set():
                try:
                    sock, address = listener.accept()
                except TimeoutError:
                    continue
                except OSError:  # closing, or nothing left to accept with
                    self._stopping.wait(0.05)
                    continue
                sock.settimeout(self.timeout_s)
                seen = Seen(address[:2])
                self._track(sock)
                self.connections.append(seen)
                self._start(self._serve, sock, seen)

    def _track(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)
            if self._stopping.is_set():  # close() may have looked before
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _serve(self, sock: socket.socket, seen: Seen) -> None:
        try:
            if self.stall:
                while sock.recv(_PIECE):
                    pass
                return
            if self._context is not None:
                sock = self._wrap(sock, seen, self._context)
                sock.do_handshake()
                _note(sock, seen)
            connection = Connection(sock, seen)
            self.behaviour(connection)
            with suppress(OSError):  # the other side may have gone already
                connection.end_sending()
        except Exception as error:  # whatever it was, it is told to those who look
            seen.error = f"{type(error).__name__}: {error}"
        finally:
            _drain(sock)
            with self._lock:
                self._open.discard(sock)
                self._handshaking.pop(sock, None)
            sock.close()
            seen.done.set()

    def _wrap(self, sock: socket.socket, seen: Seen, context: ssl.SSLContext) -> ssl.SSLSocket:
        wrapped = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.discard(sock)
            self._handshaking[wrapped] = seen
        self._track(wrapped)
        return wrapped

    def _named(self, sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        with self._lock:
            seen = self._handshaking.get(sock)
        if seen is not None:
            seen.server_name = name


def _note(sock: ssl.SSLSocket, seen: Seen) -> None:
    """What the handshake agreed on."""
    seen.version = sock.version()
    seen.resumed = bool(sock.session_reused)
    cipher = sock.cipher()
    seen.cipher = cipher[0] if cipher else None
    der = sock.getpeercert(binary_form=True)
    if der:
        names = x509.load_der_x509_certificate(der).subject
        for name in names.get_attributes_for_oid(NameOID.COMMON_NAME):
            seen.peer = str(name.value)


def _drain(sock: socket.socket) -> None:
    """Ends sending and takes what is still on its way, for a moment: a close with bytes unread
    would be a reset, and the other side might lose what it was told last."""
    deadline = time.monotonic() + _DRAIN_S
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not socket.socket.recv(sock, _PIECE):  # below TLS
                break


def _context(
    identity: Identity,
    client_ca: bytes | None,
    minimum: ssl.TLSVersion,
    maximum: ssl.TLSVersion,
    ciphers: str | None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is asked for to be refused
        context.minimum_version = minimum
        context.maximum_version = maximum
    if ciphers is None and minimum < ssl.TLSVersion.TLSv1_2:
        ciphers = "ALL:@SECLEVEL=0"  # OpenSSL 3 has nothing for old versions above that level
    if ciphers is not None:
        context.set_ciphers(ciphers)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*identity.write(Path(folder)))
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode("ascii"))
    return context
