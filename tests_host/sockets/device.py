# SPDX-License-Identifier: MIT
"""Runs a script on real MicroPython (unix), its UART wired to a simulated module."""

import subprocess
import sys
import threading
from pathlib import Path

from onemo_simulator import Line, Module

ROOT = Path(__file__).resolve().parents[2]
_MICROPYTHON = Path(sys.executable).parent / "micropython"

HEAD = """
import sys
sys.path.insert(0, {lib!r})
import gc


class Uart:
    # What machine.UART has, on a descriptor.
    def __init__(self, fd):
        self._file = open(fd, "r+b")
        self.readinto = self._file.readinto
        self.write = self._file.write

    def any(self):
        return 64  # readinto says None where there is nothing


uart = Uart({fd})


def pattern(start, n):
    # Any part of an endless row of bytes that does not repeat early.
    data = bytearray(n)
    for at in range(n):
        data[at] = (start + at) * 7 + (start + at) // 251 & 255
    return data
"""


def pattern(start: int, n: int) -> bytes:
    """As the scripts' own."""
    return bytes((at * 7 + at // 251) & 255 for at in range(start, start + n))


def run(
    module: Module, script: str, *, heap: str = "256K", seconds: float = 60, **names: object
) -> str:
    """Runs `script`, to which `uart` is `module`; what it printed. It has `pattern` as well, and
    `names`."""
    with Line(module) as wire:
        head = HEAD.format(lib=str(ROOT / "lib"), fd=wire.board_fd)
        head += "".join(f"{name} = {value!r}\n" for name, value in names.items())
        process = subprocess.Popen(
            [_MICROPYTHON, "-X", f"heapsize={heap}", "-c", head + script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[wire.board_fd],
        )
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        try:
            out = process.communicate()[0]
        finally:
            killer.cancel()
    assert process.returncode == 0, out[-4000:]
    return out
