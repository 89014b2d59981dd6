# SPDX-License-Identifier: MIT
"""Mutants that nobody could tell from the original: function, change, and why.

`make mutants` counts these apart. The change is written as before -> after, the lines without
their indentation; lines of one side are joined by " / "."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str], str] = {}
