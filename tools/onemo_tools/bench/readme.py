# SPDX-License-Identifier: MIT
"""The README's section, made from docs/bench.json."""

from pathlib import Path
from typing import Any

from onemo_tools.deploy.packages import ROOT

from . import table

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

_SECTION = """
## What it costs

`make bench` measures this on real MicroPython, the modules compiled as they go to a board, and
writes `docs/bench.json` (all figures, module by module) and this table. Objects on the 64-bit unix
port take twice what they take on a microcontroller; the 32-bit figures are from MicroPython's
WebAssembly build. Limit: what no driver could go below. The plain script reads the PEM into a
string and writes it; it looks at no PEM and verifies nothing. `micropython-am7020` 1.0.4,
the only MicroPython modem driver that we found on PyPI, is for another module and has no calls for
certificates. The upload is ours, built from its calls in pieces of 256 bytes; it verifies nothing.
Its figure for the import is for its main class alone. The driver does far less than onemo, so its
code takes less heap; it collects each answer byte by byte in a string.

{table}

![The figures beside their limits](docs/bench.svg)

The time is that of a verified upload in packets of 2048 bytes, over what all its bytes need on the
line: first on a clock that stands still while the driver thinks, then in real time on a PC, where
the best of five counts.

The last rows are those of a chip: a MicroPython firmware built from Debian's sources runs in an
emulated RP2040, at whose UART a script answers in the chip's own time. Cycles are those that the
processor is awake, on a line that keeps nobody waiting; instructions come from a flash that is
always in the cache. Lost is what overran while 8192 bytes came back to back. The gap is the
longest that a task, which wants to run every 5 ms, had to wait beside the asyncio front; the plain
script lets none run before it is through. Mutual TLS is with a real server, through the simulated
module, whose own TLS takes no time.

What is live after start, sync and connect is what a product has for good; what is needed once is
gone by then. From files the code is loaded into RAM; in ROMFS (`./onemo deploy --romfs`, where the
firmware has such a partition) it stays in flash and runs there.
"""


def section(report: dict[str, Any]) -> str:
    """What stands between the markers."""
    return _SECTION.format(table=table.markdown(report))


def inside(text: str) -> str:
    """What stands between the markers of a README."""
    return text.partition(BEGIN)[2].partition(END)[0]


def replaced(text: str, report: dict[str, Any]) -> str:
    """The README with a new section. ValueError where it has no markers."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    return text.partition(BEGIN)[0] + BEGIN + section(report) + END + text.partition(END)[2]


def write(report: dict[str, Any], path: Path = ROOT / "README.md") -> None:
    """Renews the section."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), report), encoding="utf-8")
