# SPDX-License-Identifier: MIT
"""What the virtual board and the emulated one share: a context, lines, a terminal."""

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .chip.ports import Port
from .console import Output
from .lines import Lines
from .terminal import Terminal

_STEP_S = 0.5


class Board(ABC):
    """Entering the context switches it on, leaving it takes everything away."""

    _lines: Lines
    _terminal: Terminal

    def __init__(
        self,
        uarts: Mapping[int, int | str] | None,
        link: str | os.PathLike[str] | None,
        on_baud: Callable[[int, int], object] | None,
        on_pin: Callable[[str, int], object] | None,
        on_break: Callable[[int], object] | None,
    ) -> None:
        self.on_baud, self.on_pin, self.on_break = on_baud, on_pin, on_break
        self.output = Output()
        self.pins: dict[str, int] = {}
        self._uarts = dict(uarts or {})
        self._link = Path(link) if link is not None else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failure = self.stop()
        if failure is not None and error is None:
            raise failure

    @abstractmethod
    def start(self) -> None:
        """Switches the board on and waits until it has booted. BoardError."""

    @abstractmethod
    def stop(self) -> Exception | None:
        """Ends the board; what a callback raised, if one did."""

    @property
    def port(self) -> str:
        """What mpremote connects to: the link if one was asked for, else the pty."""
        return str(self._link) if self._link is not None else self._terminal.port

    def _open_lines(self, port: Port) -> None:
        """The UARTs' lines and the terminal: both of them, or none."""
        self._lines = Lines(self._uarts, port)
        try:
            self._terminal = Terminal(self._link)
        except BaseException:
            self._lines.close()
            raise


def wait_until(
    condition: Callable[[], bool],
    seconds: float,
    changed: threading.Condition,
    check: Callable[[], object],
) -> bool:
    """Waits until a condition holds, looking whenever something has `changed`; False where it did
    not in time. `check` raises what has ended the board."""
    deadline = time.monotonic() + seconds
    with changed:
        while not condition():
            check()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            changed.wait(min(left, _STEP_S))
    return True
