# SPDX-License-Identifier: MIT
"""What time it is for the simulated module: the machine's clock, or one that tests move."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since an arbitrary start; never goes back."""

    virtual: bool

    def now(self) -> float:
        """The time in seconds."""


class MonotonicClock:
    """The machine's own clock."""

    virtual = False

    def now(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()


class VirtualClock:
    """A clock that stands still until `advance`: an hour passes in no time."""

    virtual = True

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Virtual seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass (0 or more)."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds

    def advance_to(self, moment: float) -> None:
        """Let time pass up to `moment`; nothing when that is past."""
        self._now = max(self._now, moment)
