# SPDX-License-Identifier: MIT
"""An RP2040 that runs real board firmware: rp2040js from npm, and what it leaves to others.

prepare.py   fetches the emulator
firmware.py  builds a firmware from Debian's sources
board.py     the host's side: pty, lines, resets; storage.py: flash images with files
emulator.mjs the emulator's process; chip.mjs, pl011.mjs: flash, USB, UART; script.mjs: measuring
"""

from .board import EmulatedBoard
from .prepare import Missing

__all__ = ["EmulatedBoard", "Missing"]
