# SPDX-License-Identifier: MIT
"""`onemo trace FILE`: a conversation that `onemo.trace.Trace` recorded, as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onemo_tools.cli.parts import fail, need_file
from onemo_tools.deploy.ports import unnumbered

_LINE = re.compile(r" *(\d+\.\d{3}) ([<>]) (.*)")
_PAYLOAD = re.compile(r"(.*?)<(\d+) bytes>")
_FAILED = re.compile(r"ERROR|\+C(ME|MS|IS) ERROR:.*")


@dataclass(frozen=True)
class Row:
    """One line of a trace: seconds since its start, ">" or "<", text, and bytes not shown."""

    seconds: float
    direction: str
    text: str
    size: int


def parse(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a trace. ValueError names the first line that is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.rstrip("\r\n"))
        if not found:
            raise ValueError(f"line {number} is no line of a trace: {line[:40]!r}")
        text, size = found.group(3), 0
        payload = _PAYLOAD.fullmatch(text)
        if payload:
            text, size = payload.group(1), int(payload.group(2))
        yield Row(float(found.group(1)), found.group(2), text, size)


def table(rows: Iterable[Row]) -> Table:
    """Time, time since the line before, direction, text, and payload by its size."""
    made = Table(box=None, header_style="bold")
    made.add_column("s", justify="right")
    made.add_column("+ms", justify="right", style="dim")
    made.add_column("")
    made.add_column("text", overflow="fold")
    made.add_column("bytes", justify="right")
    before = None
    for row in rows:
        since = "" if before is None else str(round((row.seconds - before) * 1000))
        before = row.seconds
        style = "cyan" if row.direction == ">" else None
        if _FAILED.fullmatch(row.text):
            style = "red"
        size = str(row.size) if row.size else ""
        made.add_row(
            f"{row.seconds:.3f}", since, row.direction, escape(row.text), size, style=style
        )
    return made


def main(file: Annotated[Path, typer.Argument(help="what onemo.trace.Trace wrote")]) -> None:
    """Shows a recorded conversation between driver and module as a table."""
    need_file("trace", file, "what onemo.trace.Trace wrote")
    try:
        rows = list(parse(file.read_text(encoding="ascii", errors="replace").splitlines()))
    except (OSError, ValueError) as error:
        raise fail("trace", f"{file}: {unnumbered(error)}") from None
    Console().print(table(rows))


if __name__ == "__main__":
    typer.run(main)
