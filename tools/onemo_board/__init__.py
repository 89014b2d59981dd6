# SPDX-License-Identifier: MIT
"""The virtual board: real MicroPython as a microcontroller that the real mpremote talks to."""

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
