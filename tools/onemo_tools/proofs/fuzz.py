# SPDX-License-Identifier: MIT
"""Fuzzing: `make fuzz` feeds a million inputs and more to all that reads what comes from outside.

Each target takes bytes and may raise what its docstring names (the library's own errors, and
ValueError where a user's data is judged), nothing else; it ends; memory does not grow. Inputs are
mutations of real ones and pieces of a grammar, from a seed, so that each is found again by its
number: `--target channel --first 4711 --count 1`. fuzz_coverage.py lets coverage choose instead.
"""

from __future__ import annotations

import contextlib
import gc
import os
import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .fuzz_targets import TARGETS, generate

TOTAL = 1_050_000
LEAST = 100  # so that every target has its share
_PART = 2_500  # inputs a task
_GROWTH = 64 * 1024  # bytes that a target may keep


@dataclass
class Tally:
    """What was fed, and what went wrong."""

    inputs: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """The counts of another part."""
        for name, count in other.inputs.items():
            self.inputs[name] = self.inputs.get(name, 0) + count
        self.failures += other.failures


def one(name: str, number: int) -> None:
    """Input `number` of a target."""
    rng = random.Random(f"{name} {number}")
    TARGETS[name][0](generate(rng), rng)


def run(name: str, first: int, count: int) -> Tally:
    """Inputs first ... first + count - 1; at the end no memory may be left."""
    tally = Tally({name: count})
    for number in range(first, first + min(count, 20)):  # what is loaded on first use
        with contextlib.suppress(Exception):
            one(name, number)
    for number in range(first, first + count):
        try:
            one(name, number)
        except Exception as error:
            tally.failures.append(f"{name} {number}: {type(error).__name__}: {error}")
    grown = growth(name, first, min(count, 300))
    if grown > _GROWTH:
        tally.failures.append(f"{name} {first}: kept {grown} bytes of memory")
    return tally


def growth(name: str, first: int, count: int) -> int:
    """Bytes that so many inputs leave behind."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(first, first + count):
            with contextlib.suppress(Exception):
                one(name, number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def parts(total: int) -> Iterator[tuple[str, int, int]]:
    """Tasks: target, first input, count."""
    for name, (_, share) in TARGETS.items():
        wanted = int(total * share)
        for first in range(0, wanted, _PART):
            yield name, first, min(_PART, wanted - first)


def _part(task: tuple[str, int, int]) -> Tally:
    return run(*task)


def checked_target(name: str) -> str:
    """`name`, if there is such a target."""
    if name not in TARGETS:
        raise typer.BadParameter(f"there is no target {name!r}; there are {', '.join(TARGETS)}")
    return name


def main(
    total: Annotated[int, typer.Option(min=LEAST, help="inputs")] = TOTAL,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = os.cpu_count() or 1,
    target: Annotated[str, typer.Option(help=f"one of {', '.join(TARGETS)}")] = "",
    first: Annotated[int, typer.Option(min=0, help="input to begin with, of one target")] = 0,
    count: Annotated[int | None, typer.Option(min=1, help="inputs of one target")] = None,
) -> None:
    """Feeds inputs to every target and prints the counts; exit status 1 on any failure."""
    console = Console()
    if not target and (first or count is not None):
        raise typer.BadParameter("--first and --count are of one target: name it by --target")
    tally = Tally()
    if target:
        tally = run(checked_target(target), first, count or 1)
    else:
        tasks = list(parts(total))
        with Pool(jobs) as pool:
            done = pool.imap_unordered(_part, tasks)
            for part in track(done, "inputs", len(tasks), console=console):
                tally.add(part)
    table = Table(title="inputs")
    table.add_column("target")
    table.add_column("inputs", justify="right")
    for name, inputs in sorted(tally.inputs.items()):
        table.add_row(name, str(inputs))
    table.add_row("all", str(sum(tally.inputs.values())))
    console.print(table)
    console.print(f"{len(tally.failures)} failures")
    for failure in tally.failures[:50]:
        console.print(failure, markup=False)
    raise typer.Exit(bool(tally.failures))


if __name__ == "__main__":
    typer.run(main)
