# SPDX-License-Identifier: MIT
"""The board's hardware outside the processor: pins, watchdog, clock, wake-up timer, lines."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .lines import Lines

if TYPE_CHECKING:
    from .virtual import VirtualBoard


class Peripherals:
    """Takes what the board's process says on its control line (`chip/hal.py` says it)."""

    def __init__(self, board: "VirtualBoard", lines: Lines) -> None:
        self._board, self._lines = board, lines
        self.rtc_offset = 0  # survives resets, as a real-time clock does
        self.callback_error: Exception | None = None
        self.reset()

    def reset(self) -> None:
        """What any reset but a soft one does."""
        self._watchdog_ms = 0
        self.kept: dict[int, dict[str, int]] = {}  # UART -> settings that outlive a soft reset
        self._fed = 0.0
        self.wake_at: float | None = None

    @property
    def watchdog_at(self) -> float | None:
        """When the watchdog bites (monotonic); None while there is none."""
        return self._fed + self._watchdog_ms / 1000 if self._watchdog_ms else None

    def event(self, what: str, *words: str) -> int | None:
        """Deals with one message; the answer, where one is waited for."""
        board = self._board
        answer = None
        if what == "pin":
            board.pins[words[0]] = int(words[1])
            self._call(board.on_pin, words[0], int(words[1]))
        elif what == "pin?":
            answer = board.pins.get(words[0], 0)
        elif what == "baud":
            self._lines.set_baud(int(words[0]), int(words[1]))
            self._call(board.on_baud, int(words[0]), int(words[1]))
            answer = 0
        elif what == "overrun":
            uart = int(words[0])
            board.overruns[uart] = board.overruns.get(uart, 0) + int(words[1])
            answer = 0
        elif what == "kept":
            rows = (row.split("=") for row in words[1].split(","))
            self.kept[int(words[0])] = {name: int(value) for name, value in rows}
            answer = 0
        elif what == "break":
            self._call(board.on_break, int(words[0]))
        elif what == "wdt":
            self._watchdog_ms, self._fed = int(words[0]), time.monotonic()
        elif what == "feed":
            self._fed = time.monotonic()
        elif what == "sleep":
            ms = int(words[0])
            self.wake_at = None if ms < 0 else time.monotonic() + ms / 1000
        elif what == "rtc":
            self.rtc_offset = int(words[0])
        return answer

    def _call(self, callback: Callable[..., object] | None, *args: object) -> None:
        if callback is None:
            return
        try:
            callback(*args)
        except Exception as error:  # the board goes on; raised when it is stopped
            self.callback_error = self.callback_error or error
