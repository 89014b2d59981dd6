# SPDX-License-Identifier: MIT
"""Who runs the product: an MQTT client (amqtt's) at the broker's own port, past the TLS front."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from amqtt.client import MQTTClient  # type: ignore[import-untyped]

from onemo_tools.servers.loop_thread import LoopThread

from .errors import DemoFailed

_QOS = 1


class Operator:
    """Keeps the telemetry that comes, and sends commands."""

    def __init__(self, port: int, topic: str) -> None:
        self._uri = f"mqtt://127.0.0.1:{port}"
        self._topic = topic
        self._thread = LoopThread("operator")
        self._client: Any = None
        self._listening: Any = None
        self._news = threading.Condition()
        self._came: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._thread.do(self._begin())
        except BaseException:
            self._thread.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._thread.do(self._finish())
        finally:
            self._thread.close()

    def wait_for(self, message: str, timeout: float) -> str:
        """The topic that `message` came under; DemoFailed when it does not come in time (s)."""
        with self._news:
            if not self._news.wait_for(lambda: message in dict(self._said()), timeout):
                raise DemoFailed(f"{message!r} did not come through the broker")
            return dict(self._said())[message]

    def first(self, timeout: float) -> tuple[str, str]:
        """Topic and text of the first message; DemoFailed when none comes in time (s)."""
        with self._news:
            if not self._news.wait_for(lambda: self._came, timeout):
                raise DemoFailed(f"no message came through the broker within {timeout:g} s")
            return self._came[0]

    def count(self) -> int:
        """How many messages have come."""
        return len(self._came)

    def send(self, topic: str, message: str) -> None:
        """Publishes; returns once the broker has it."""
        self._thread.do(self._client.publish(topic, message.encode(), qos=_QOS))

    def _said(self) -> list[tuple[str, str]]:
        return [(message, topic) for topic, message in self._came]

    async def _begin(self) -> None:
        self._client = MQTTClient(client_id="operator", config={"auto_reconnect": False})
        await self._client.connect(self._uri)
        await self._client.subscribe([(self._topic, _QOS)])
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            message = await self._client.deliver_message()
            with self._news:
                self._came.append((message.topic, message.data.decode()))
                self._news.notify_all()

    async def _finish(self) -> None:
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._client.disconnect()
