# SPDX-License-Identifier: MIT
"""The virtual board: real MicroPython as a microcontroller that the real mpremote talks to.

What stands for the board itself is loaded on first use: it needs Linux, and mpremote does not.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .chip.ports import BUTTON, DEEP_SLEEP, HARD, PORTS, POWER_ON, SOFT, WATCHDOG
from .console import Output
from .errors import (
    BoardError,
    BoardTimeout,
    BootError,
    CrashLoop,
    MpremoteError,
    MpremoteTimeout,
    NoBoard,
)
from .mpremote import Mpremote, Result, mpremote

if TYPE_CHECKING:
    from .virtual import Boot, VirtualBoard

__all__ = [
    "BUTTON",
    "DEEP_SLEEP",
    "HARD",
    "PORTS",
    "POWER_ON",
    "SOFT",
    "WATCHDOG",
    "BoardError",
    "BoardTimeout",
    "Boot",
    "BootError",
    "CrashLoop",
    "Mpremote",
    "MpremoteError",
    "MpremoteTimeout",
    "NoBoard",
    "Output",
    "Result",
    "VirtualBoard",
    "mpremote",
]


def __getattr__(name: str) -> Any:
    if name not in ("Boot", "VirtualBoard"):
        raise AttributeError(f"{__name__} has no {name}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.virtual"), name)
    return value
