# SPDX-License-Identifier: MIT
"""Fuzzing led by coverage: `make fuzz-coverage` gives each target of `make fuzz` some time with
atheris, which keeps the inputs that reach new code and changes those further.

It begins with what `make fuzz` begins with. An input that fails is left under build/fuzz, and
`--again <file>` runs it once more. Its first bytes choose how the rest is cut into pieces, so that
an input can change in one of the two alone.
"""

from __future__ import annotations

import importlib.util
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[3]
CRASHES = ROOT / "build" / "fuzz"
SEEDS = 300  # inputs to begin with
_CHOICES = 4  # bytes in front of an input that seed what is chosen
_LATE = (
    "onemo.error_texts",
    "onemo.cert_pem_faults",
)  # loaded on first use, which would be too late
_LONGEST = 4096  # bytes of an input
_HANG_S = 60
_TAIL = 3000  # characters of a log that are shown


def split(data: bytes) -> tuple[bytes, random.Random]:
    """What a target takes, of what the fuzzer made."""
    return data[_CHOICES:], random.Random(data[:_CHOICES])


def seeds(name: str, folder: Path) -> None:
    """Inputs to begin with."""
    from .fuzz_targets import generate

    for number in range(SEEDS):
        rng = random.Random(f"{name} {number}")
        (folder / f"{number:04}").write_bytes(rng.randbytes(_CHOICES) + generate(rng))


def fuzz(name: str, arguments: list[str]) -> None:
    """In a process of its own, which this ends. Only the library is instrumented, for which it
    must not have been imported before."""
    import atheris

    with atheris.instrument_imports(include=["onemo"]):
        for module in _LATE:
            importlib.import_module(module)
        from .fuzz_targets import TARGETS

    def take(data: bytes) -> None:
        TARGETS[name][0](*split(data))

    atheris.Setup([sys.argv[0], *arguments], take)
    atheris.Fuzz()


def start(name: str, arguments: list[str], log: Path) -> int:
    """`fuzz` in its process, which writes to `log`; that one's exit status."""
    code = f"from onemo_tools.proofs.fuzz_coverage import fuzz; fuzz({name!r}, {arguments!r})"
    with log.open("wb") as out:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, stdout=out, stderr=out, check=False).returncode


def tried(log: str) -> int:
    """How many inputs it says it has tried."""
    found = re.search(r"^stat::number_of_executed_units: *(\d+)$", log, re.MULTILINE)
    return int(found[1]) if found else 0


def led(name: str, seconds: int) -> bool:
    """Some time for a target; whether all went well."""
    log = CRASHES / f"{name}.log"
    with tempfile.TemporaryDirectory() as folder:
        seeds(name, Path(folder))
        settings = {
            "max_total_time": seconds,
            "artifact_prefix": f"{CRASHES}/{name}-",
            "max_len": _LONGEST,
            "timeout": _HANG_S,
            "print_final_stats": 1,
        }
        status = start(
            name, [*(f"-{key}={value}" for key, value in settings.items()), folder], log
        )
    text = log.read_text(errors="replace")
    inputs = tried(text)
    typer.echo(f"{name}: {inputs} inputs in {seconds} s" + (", failed:" if status else ""))
    if status or not inputs:
        typer.echo(text[-_TAIL:])
    return not status and inputs > SEEDS


def main(
    seconds: Annotated[int, typer.Option(min=1, help="for each target")] = 60,
    target: Annotated[str, typer.Option(help="one target instead of all")] = "",
    again: Annotated[Path | None, typer.Option(exists=True, help="an input of the target")] = None,
) -> None:
    """Fuzzes every target, or one; exit status 1 if an input failed."""
    from .fuzz import checked_target
    from .fuzz_targets import TARGETS

    names = [checked_target(target)] if target else list(TARGETS)
    if not importlib.util.find_spec("atheris"):
        raise typer.BadParameter("atheris is not installed; `make fuzz-coverage` installs it")
    CRASHES.mkdir(parents=True, exist_ok=True)
    if again:
        if not target:
            raise typer.BadParameter("--again needs the input's --target")
        log = CRASHES / "again.log"
        status = start(target, [str(again)], log)
        typer.echo(log.read_text(errors="replace")[-_TAIL:])
        raise typer.Exit(bool(status))
    failed = [name for name in names if not led(name, seconds)]
    typer.echo(f"failed: {', '.join(failed)}" if failed else "no input failed")
    raise typer.Exit(bool(failed))


if __name__ == "__main__":
    typer.run(main)
