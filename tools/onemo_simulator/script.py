# SPDX-License-Identifier: MIT
"""What a test plans for commands to come: other or late answers, chatter in front of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .terminal import Terminal


@dataclass(slots=True)
class _Plan:
    """For commands that begin with `prefix`; None `left`: for every one."""

    prefix: bytes
    left: int | None
    final: bytes | None = None
    lines: tuple[bytes, ...] = ()
    seconds: float = 0.0
    text: bytes = b""


def _next(plans: list[_Plan], line: bytes) -> _Plan | None:
    """The plan that this command uses up, the one made first of several."""
    for plan in plans:
        if line.startswith(plan.prefix):
            if plan.left is not None:
                plan.left -= 1
                if plan.left <= 0:
                    plans.remove(plan)
            return plan
    return None


class Script:
    """The plans, each used by the commands that begin with its prefix."""

    def __init__(self) -> None:
        self._replies: list[_Plan] = []
        self._delays: list[_Plan] = []
        self._chatter: list[_Plan] = []
        self._boot_chatter: tuple[bytes, ...] = ()
        self._boot_chatter_until = 0.0
        self._turn = 0

    def clear(self) -> None:
        """A reboot: nothing is planned any more."""
        self._replies.clear()
        self._delays.clear()
        self._chatter.clear()

    def boot(self, texts: tuple[bytes, ...], until: float) -> None:
        """Until that moment `texts` come by turns in front of answers."""
        self._boot_chatter, self._boot_chatter_until, self._turn = texts, until, 0

    def add_reply(
        self, prefix: bytes, final: bytes | None, times: int | None, lines: tuple[bytes, ...]
    ) -> None:
        """Commands that are answered so instead of being executed."""
        self._replies.append(_Plan(prefix, times, final, lines))

    def add_delay(self, prefix: bytes, seconds: float, times: int | None) -> None:
        """Commands that are executed later."""
        self._delays.append(_Plan(prefix, times, seconds=seconds))

    def add_chatter(self, prefix: bytes, text: bytes, times: int | None) -> None:
        """Commands that something else comes in front of the answer of."""
        self._chatter.append(_Plan(prefix, times, text=text))

    def chatter(self, line: bytes, terminal: Terminal, moment: float) -> None:
        """Send what is planned in front of this command's answer."""
        if self._boot_chatter and moment < self._boot_chatter_until:
            terminal.urc(self._boot_chatter[self._turn % len(self._boot_chatter)], "immediate")
            self._turn += 1
        if self._chatter and (plan := _next(self._chatter, line)):
            terminal.urc(plan.text, "immediate")

    def delay(self, line: bytes) -> float:
        """Seconds that this command's execution is put off."""
        plan = _next(self._delays, line) if self._delays else None
        return plan.seconds if plan else 0.0

    def reply(self, line: bytes) -> tuple[tuple[bytes, ...], bytes | None] | None:
        """Information lines and final result that are planned for this command."""
        plan = _next(self._replies, line) if self._replies else None
        return (plan.lines, plan.final) if plan else None
