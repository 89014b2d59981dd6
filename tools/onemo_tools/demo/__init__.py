# SPDX-License-Identifier: MIT
"""The whole job on simulated hardware, for a person to watch and for CI to check."""

from .errors import DemoFailed
from .play import play

__all__ = ["DemoFailed", "play"]
