# SPDX-License-Identifier: MIT
"""A real MQTT broker on loopback, for the demo and the tests: amqtt behind a TLS front.

    with Broker(identity=server, client_ca=authority.pem) as broker:
        ...                                   # connect to broker.host, broker.port
        broker.cut()                          # every connection breaks

amqtt's own listener does not insist on client certificates; the front does, and passes on what it
has decrypted. Without an identity there is no front: plain TCP, and nothing to cut. What comes
with QoS 1 for a client that is away is kept for it, unless it asked for a clean session.
"""

import asyncio
import logging
import ssl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from amqtt.broker import Broker as AmqttBroker  # type: ignore[import-untyped]
from amqtt.plugins.base import BaseAuthPlugin  # type: ignore[import-untyped]
from amqtt.session import Session  # type: ignore[import-untyped]

from .loop_thread import LoopThread
from .pki import Identity

_PIECE = 16384


class Anybody(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in whom the front let in. amqtt's AnonymousAuthPlugin does, too, but for those that
    it calls anonymous amqtt keeps nothing: no session, and no messages while they are away."""

    async def authenticate(self, *, session: Session) -> bool:
        return True


class Broker:
    """A broker in a thread of its own. `port` is the front's, or the broker's where there is none;
    `plain_port` the broker's."""

    def __init__(
        self, *, identity: Identity | None = None, client_ca: bytes | None = None, port: int = 0
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.plain_port = 0
        self._identity = identity
        self._client_ca = client_ca
        self._thread = LoopThread("broker")
        self._broker: AmqttBroker | None = None
        self._front: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Self:
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        # Clients that break off leave tasks behind, amqtt's too, and asyncio would tell of those.
        self._thread.loop.set_exception_handler(lambda loop, context: None)
        self._thread.start()
        try:
            self._thread.do(self._start())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends broker and front."""
        if self._thread.loop.is_closed():
            return
        try:
            self._thread.do(self._stop())
        finally:
            self._thread.close()

    def cut(self) -> None:
        """Breaks every connection through the front, without a good-bye."""
        self._thread.do(self._cut())

    async def _start(self) -> None:
        self._broker = AmqttBroker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:0"}},
                "plugins": {f"{__name__}.Anybody": {}},
            }
        )
        await self._broker.start()
        self.plain_port = _port_of(self._broker)
        if self._identity is None:
            self.port = self.plain_port
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*self._identity.write(Path(folder)))
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self._client_ca.decode("ascii"))
        self._front = await asyncio.start_server(self._pass_on, self.host, self.port, ssl=context)
        self.port = self._front.sockets[0].getsockname()[1]

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        links = [writer]
        self._links.add(writer)
        pumps: set[asyncio.Task[None]] = set()
        try:
            inner_reader, inner_writer = await asyncio.open_connection(self.host, self.plain_port)
            links.append(inner_writer)
            self._links.add(inner_writer)
            pumps.add(asyncio.create_task(_pump(reader, inner_writer)))
            pumps.add(asyncio.create_task(_pump(inner_reader, writer)))
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for link in links:
                link.close()
            self._links.difference_update(links)
            self._tasks.discard(task)

    async def _cut(self) -> None:
        for link in self._links:
            link.transport.abort()

    async def _stop(self) -> None:
        if self._front is not None:
            self._front.close()
        await self._cut()
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        if self._broker is not None:
            await self._broker.shutdown()
        await asyncio.sleep(0.01)  # aborted transports are closed by then


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # broken: the other side is closed as well


def _port_of(broker: AmqttBroker) -> int:
    server = next(iter(broker._servers.values()))
    return int(server.instance.sockets[0].getsockname()[1])
