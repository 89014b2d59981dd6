# SPDX-License-Identifier: MIT
"""The chip: what runs, in CPython, inside the board's own process beside MicroPython.

MicroPython's unix build is a shared library here. This package adds to its ROM what a
firmware has and the unix build lacks (`machine`'s hardware, flash, `os.uname`), as
native functions: they cost the board's heap nothing and allocate nothing when called.
"""
