# SPDX-License-Identifier: MIT
"""The packet that the module takes after its `>`."""

from __future__ import annotations

from collections.abc import Callable


class DataPhase:
    """A packet that is being taken: `need` bytes, or up to Ctrl-Z when that is None."""

    __slots__ = ("buffer", "deadline", "done", "judged", "most", "need", "timeout")

    def __init__(
        self,
        need: int | None,
        most: int,
        done: Callable[[bytes, bool], None],
        timeout: float,
        judged: bool,
    ) -> None:
        self.need = need
        self.most = most
        self.done = done
        self.timeout = timeout
        self.deadline: float | None = None
        self.judged = judged
        self.buffer = bytearray()
