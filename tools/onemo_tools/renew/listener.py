# SPDX-License-Identifier: MIT
"""The service's listeners: MQTT over TLS that demands a device's certificate.

Two ports: one checks everything, the other everything but dates, for devices whose certificate
has expired. Who was revoked, or superseded, gets in at neither: the record decides after the
handshake.

It is no broker: what a device says is for the service, what the service says for that device, on
that connection, and nothing is kept. TLS sessions are never resumed, for a resumed one would show
the certificate of the connection before: each connection has a TLS context of its own.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509

from onemo_tools.factory.database import RecordsError

from . import packets
from .service import Refused, Service, Visit

_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME
_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN: a CA below the root may be the anchor
_HANDSHAKE_S = 60.0
_IDLE_S = 180.0  # without a packet; a device pings twice a minute


@dataclass(frozen=True)
class ServerIdentity:
    """Files with the server's certificate (and chain) and key, and the CAs, as PEM, whose devices
    are let in."""

    certificate: Path
    key: Path
    trusted: bytes

    def context(self, expired: bool) -> ssl.SSLContext:
        """A new TLS context; `expired`: dates are not checked."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        flags = _PARTIAL_CHAIN | (_NO_CHECK_TIME if expired else 0)
        context.verify_flags |= flags  # type: ignore[assignment]
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(cadata=self.trusted.decode("ascii"))
        return context


class Listeners:
    """`async with Listeners(service, identity, place, grace_place)`: places are (address, port).
    Port 0 takes a free one; `port` and `grace_port` are the real ones then."""

    def __init__(
        self,
        service: Service,
        identity: ServerIdentity,
        place: tuple[str, int],
        grace_place: tuple[str, int],
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._service = service
        self._identity = identity
        self._places = place, grace_place
        self.port, self.grace_port = place[1], grace_place[1]
        self._tell = tell
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.refusals: list[str] = []  # the last ones, for those who look

    async def __aenter__(self) -> Self:
        self._identity.context(False)  # what is wrong with the files is said at once
        self.port, self.grace_port = [
            await self._listen(*place, expired)
            for place, expired in zip(self._places, (False, True), strict=True)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _listen(self, host: str, port: int, expired: bool) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._serve(reader, writer, expired)
            finally:
                self._tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, host, port)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, expired: bool
    ) -> None:
        peer = writer.get_extra_info("peername")
        visit = None
        try:
            await writer.start_tls(
                self._identity.context(expired), ssl_handshake_timeout=_HANDSHAKE_S
            )
            shown = writer.get_extra_info("ssl_object").getpeercert(True)
            serial = x509.load_der_x509_certificate(shown).serial_number
            first = await asyncio.wait_for(packets.receive(reader), _HANDSHAKE_S)
            device = packets.client_id(first)
            try:
                visit = await self._service.admit(
                    serial, expired=expired, end=writer.transport.abort
                )
            except Refused as error:
                self._refuse(f"{device}: {error}")
                writer.write(packets.connack(packets.NOT_AUTHORIZED))
                await writer.drain()
                return
            writer.write(packets.connack(packets.ACCEPTED))
            await self._converse(visit, reader, writer)
        except (OSError, EOFError, TimeoutError, packets.PacketError, Refused) as error:
            # A handshake that fails, a device that goes away: nothing that ends the service.
            if isinstance(error, ssl.SSLError | packets.PacketError | Refused | RecordsError):
                self._refuse(f"{peer[0]}: {error}")
        finally:
            if visit is not None:
                self._service.leave(visit)

    async def _converse(
        self, visit: Visit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            packet = await asyncio.wait_for(packets.receive(reader), _IDLE_S)
            if packet.kind == packets.DISCONNECT:
                return
            if packet.kind == packets.PINGREQ:
                writer.write(packets.PINGRESP)
            elif packet.kind == packets.SUBSCRIBE:
                writer.write(packets.suback(packet))
            elif packet.kind == packets.PUBLISH:
                said = packets.message(packet)
                answer = await self._answer(visit, said)
                if said.packet_id is not None:
                    writer.write(packets.puback(said.packet_id))
                if answer is not None:
                    topic = said.topic.rpartition("/")[0] + "/answer"
                    writer.write(packets.publish(topic, answer))
            else:
                raise packets.PacketError(f"a packet of type {packet.kind}")
            await writer.drain()

    async def _answer(self, visit: Visit, said: packets.Message) -> bytes | None:
        verb = said.topic.rpartition("/")[2]
        if verb == "done":
            await self._service.done(visit)
            return None
        question = _question(said.payload)
        if verb == "get":
            left = question.get("left")
            if not isinstance(left, int):
                raise packets.PacketError("a get without left")
            return self._service.piece(visit, str(question.get("what")), left)
        if verb != "request":
            raise packets.PacketError(f"a message of the kind {verb[:20]!r}")
        answer: dict[str, object] = {"nonce": question.get("nonce")}
        try:
            answer |= await self._service.request(visit, str(question.get("serial")))
        except Refused as error:
            self._refuse(f"{visit.device_name}: {error}")
            answer["refused"] = str(error)[:200]
        return json.dumps(answer).encode()

    def _refuse(self, text: str) -> None:
        self.refusals = [*self.refusals[-99:], text]
        with suppress(OSError):
            self._tell(f"refused: {text}")


def _question(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except ValueError:
        raise packets.PacketError("a message that is no JSON") from None
    if not isinstance(said, dict):
        raise packets.PacketError("a message that is no JSON object")
    return said
