# SPDX-License-Identifier: MIT
"""`make bench`: measures, prints the table, writes docs/bench.json, docs/bench.svg and the section
of the README. `--show` only prints the last run's table; `--render` makes all three anew from
that run, beside what is promised today; `--chip` measures the RP2040's rows only, `--heap` those
of heap and flash, `--speed` those of this machine's time, which must do nothing else then."""

import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import typer

from onemo_tools.deploy.packages import ROOT

from . import limits, picture, readme, report, table
from .device import Device

JSON = ROOT / "docs" / "bench.json"
SVG = ROOT / "docs" / "bench.svg"


def main(
    show: bool = False,
    render: bool = False,
    chip: bool = False,
    heap: bool = False,
    speed: bool = False,
) -> None:
    """Measures what the library costs."""
    if chip or heap or speed:
        with tempfile.TemporaryDirectory(prefix="onemo-bench-") as folder:
            found = report.refreshed(json.loads(JSON.read_text(encoding="utf-8")))
            device = Device(Path(folder))
            if chip:
                found = report.with_chip(found, device)
            if heap:
                found = report.with_heap(found, device, lambda text: typer.echo(text, err=True))
            if speed:
                found = report.with_speed(found, device)
    elif show or render:
        found = report.refreshed(json.loads(JSON.read_text(encoding="utf-8")))
    else:
        found = _measured()
    if not show:
        JSON.parent.mkdir(exist_ok=True)
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        JSON.write_text(text, encoding="utf-8")
        picture.draw(found, SVG)
        readme.write(found)
    typer.echo(table.plain_text(found))
    missed = [row["text"] for row in found["figures"] if row["reached"] is False]
    if missed:
        typer.echo(f"\nnot reached: {'; '.join(missed)}")
    for key, value in limits.OPEN.items():
        typer.echo(f"guarded at {value:g} until then: {limits.figure(key).text}")


def _measured() -> dict[str, Any]:
    start = time.monotonic()

    def say(text: str) -> None:
        typer.echo(f"{time.monotonic() - start:5.1f} s  {text}", err=True)

    with tempfile.TemporaryDirectory(prefix="onemo-bench-") as folder:
        say("compiling")
        found = report.measure(Device(Path(folder)), say)
    say("done")
    return {"versions": _versions(), **found}


def _versions() -> dict[str, str]:
    micropython = Path(sys.executable).parent / "micropython"
    said = subprocess.run(
        [micropython, "--version"], capture_output=True, text=True, timeout=10, check=True
    )
    return {"micropython": said.stdout.split(";")[0].strip(), "python": platform.python_version()}


if __name__ == "__main__":
    typer.run(main)
