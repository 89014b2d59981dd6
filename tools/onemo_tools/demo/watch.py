# SPDX-License-Identifier: MIT
"""Reads what the board prints, line by line, as it comes."""

import re

from onemo_board import BoardTimeout, VirtualBoard

from .errors import DemoFailed, Limit
from .screen import Screen

PROGRESS = re.compile(r"(\S+) (\d+)/(\d+)")
# What no board of the demo ever prints, unless something is wrong.
_WRONG = re.compile(r"Traceback|MemoryError|config\.json: ")


class Watch:
    """What the board prints from now on."""

    def __init__(self, board: VirtualBoard, screen: Screen, limit: Limit) -> None:
        self._board, self._screen, self._limit = board, screen, limit
        self._mark = board.output.mark()
        self.lines: list[str] = []  # all that was seen, but progress
        self.bars: dict[str, list[tuple[int, int]]] = {}  # name -> (done, total), as told

    def until(self, pattern: str, timeout: float = 60.0) -> re.Match[str]:
        """Shows lines until one is `pattern`. DemoFailed when none is in time (s), when the board
        prints a traceback, or a failure that is not the one waited for."""
        wanted = re.compile(pattern)
        end = Limit(self._limit.left(timeout))
        while True:
            line = self._next(end, pattern)
            found = wanted.fullmatch(line)
            self._show(line)
            if found:
                return found
            if _WRONG.search(line) or line.startswith("failed: "):
                raise DemoFailed(f"the board printed {line!r}{self._rest()}")

    def _next(self, end: Limit, pattern: str) -> str:
        output = self._board.output
        try:
            output.wait_for(rb"\n", timeout=end.left(), since=self._mark)
        except (BoardTimeout, DemoFailed):
            raise DemoFailed(
                f"the board did not print {pattern!r} in time; its last lines: {self.lines[-3:]}"
            ) from None
        text = output.since(self._mark)
        line = text[: text.index("\n") + 1]
        self._mark += len(line.encode())
        return line.rstrip("\r\n")

    def _show(self, line: str) -> None:
        told = PROGRESS.fullmatch(line)
        if told:
            name, done, total = told.group(1), int(told.group(2)), int(told.group(3))
            self.bars.setdefault(name, []).append((done, total))
            self._screen.progress(name, done, total)
            return
        if line:
            self.lines.append(line)
            self._screen.board(line)

    def _rest(self) -> str:
        # A traceback says what it is in its last line.
        rest = self._board.output.since(self._mark).strip()
        return f" ... {rest.splitlines()[-1]!r}" if rest else ""
