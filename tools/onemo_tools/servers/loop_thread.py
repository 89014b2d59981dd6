# SPDX-License-Identifier: MIT
"""asyncio in a thread of its own, for programs that do not live in it."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_PATIENCE_S = 20.0

Found = TypeVar("Found")


class LoopThread:
    """An event loop that runs from `start` until `close`."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Found]) -> Found:
        """Runs a coroutine there and waits for it; TimeoutError after 20 s."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE_S)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self.loop.close()
