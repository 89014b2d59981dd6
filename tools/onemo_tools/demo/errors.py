# SPDX-License-Identifier: MIT
"""How the demo ends early, and the time that it may take."""

import time


class DemoFailed(Exception):
    """Something that the demo is to show did not happen; the message says what."""


class Limit:
    """The time that is left of what everything together may take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, most: float = 60.0) -> float:
        """Seconds for the next wait, at most `most`; DemoFailed when none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise DemoFailed(f"it did not end within {self.seconds:g} s")
        return min(left, most)


def expect(holds: object, what: str) -> None:
    """DemoFailed unless it holds. `what`: how it is where it does not."""
    if not holds:
        raise DemoFailed(what)
