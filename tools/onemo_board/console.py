# SPDX-License-Identifier: MIT
"""What the board printed: a bounded, thread-safe record that can be waited on."""

import re
import threading
import time

from .errors import BoardTimeout

_LIMIT = 1 << 20


class Output:
    """All console output of a board, over all its boots.

    Positions count from the board's start; the oldest megabytes are forgotten.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._forgotten = 0
        self._changed = threading.Condition()
        self._closed: str | None = None

    def __bytes__(self) -> bytes:
        with self._changed:
            return bytes(self._data)

    def __str__(self) -> str:
        return bytes(self).decode("utf-8", "replace")

    def __contains__(self, text: str | bytes) -> bool:
        return (text.encode() if isinstance(text, str) else text) in bytes(self)

    def mark(self) -> int:
        """The position after what has been printed so far, for `since` and `wait_for`."""
        with self._changed:
            return self._forgotten + len(self._data)

    def since(self, mark: int) -> str:
        """What was printed after a mark."""
        with self._changed:
            return self._data[max(0, mark - self._forgotten) :].decode("utf-8", "replace")

    def wait_for(
        self, pattern: str | bytes, timeout: float = 10, since: int = 0
    ) -> re.Match[bytes]:
        """Waits (s) until a regular expression matches what was printed after a mark.

        BoardTimeout when it does not in time, or can no longer.
        """
        regex = re.compile(pattern.encode() if isinstance(pattern, str) else pattern)
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = regex.search(self._data, max(0, since - self._forgotten))
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    tail = self._data[-600:].decode("utf-8", "replace")
                    why = self._closed or f"{timeout:g} s are over"
                    raise BoardTimeout(f"no output matches {pattern!r}: {why}; latest: {tail!r}")
                self._changed.wait(left)

    def add(self, data: bytes) -> None:
        with self._changed:
            self._data += data
            if len(self._data) > _LIMIT:
                cut = len(self._data) - _LIMIT // 2
                del self._data[:cut]
                self._forgotten += cut
            self._changed.notify_all()

    def close(self, why: str) -> None:
        """Nothing more will come: those who wait are told."""
        with self._changed:
            self._closed = why
            self._changed.notify_all()
