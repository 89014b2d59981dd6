# SPDX-License-Identifier: MIT
"""Mutation testing: `make mutants` breaks the driver's core in one small way at a time and sees
whether a test notices.

mutmut works on a copy under build/mutants (pyproject.toml says which modules and which tests); the
working copy is read only. Printed are the counts of each module and the difference that each
surviving mutant makes; the exit status is 1 where fewer were killed than `--floor` says. A mutant
that makes a test run for ever counts as killed: the tests end it, as they would end in CI.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[3]
STAGE = ROOT / "build" / "mutants"
FLOOR = 95.0  # per cent
MEMORY = 3 << 30  # bytes of address space a process may take: some mutants fill what there is

KILLED = ("killed", "timeout")


def stage() -> None:
    """A copy of all that the tests need; lib becomes src, as mutmut knows it."""
    shutil.rmtree(STAGE, ignore_errors=True)
    no_caches = shutil.ignore_patterns("__pycache__")
    for source, copy in (("lib", "src"), ("tests_host", "tests_host"), ("tools", "tools")):
        shutil.copytree(ROOT / source, STAGE / copy, ignore=no_caches)
    shutil.copy2(ROOT / "pyproject.toml", STAGE)


def mutmut(*arguments: str) -> subprocess.CompletedProcess[str]:
    """mutmut on the copy; its output is kept."""
    return subprocess.run(
        [Path(sys.executable).with_name("mutmut"), *arguments],
        cwd=STAGE,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def environment() -> dict[str, str]:
    """Ours, but with the copy's tools: the driver itself is found by mutmut."""
    return {**os.environ, "PYTHONPATH": str(STAGE / "tools"), "PYTHONHASHSEED": "0"}


def run(jobs: int, names: list[str]) -> int:
    """Lets every mutant be tried; mutmut's exit status, which is 0 even if some survived."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(jobs)]
    return subprocess.run(
        [*command, *names],
        cwd=STAGE,
        env=environment(),
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    ).returncode


def verdicts(results: str) -> dict[str, str]:
    """Of what `mutmut results` prints: mutant, and what became of it."""
    found = {}
    for line in results.splitlines():
        name, colon, verdict = line.strip().rpartition(": ")
        if colon:
            found[name] = verdict
    return found


def change(name: str) -> str:
    """A mutant's name and the lines that it changes."""
    shown = mutmut("show", name).stdout.splitlines()
    lines = [line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join([f"{readable(name)}, {shown[0].rpartition(': ')[2]}:", *lines])


def readable(name: str) -> str:
    """onemo.at_channel.xǁChannelǁpoll__mutmut_3 as channel.Channel.poll 3."""
    path, _, number = name.removeprefix("onemo.").partition("__mutmut_")
    group, _, function = path.partition(".x")
    return f"{group}.{function.removeprefix('_').strip('ǁ').replace('ǁ', '.')} {number}"


def module(name: str) -> str:
    """Which module a mutant is of: onemo.at_channel.xǁChannelǁpoll__mutmut_3 is of channel."""
    return name.split(".")[-2]


def rate(counts: Counter[str]) -> float:
    """Killed, in per cent."""
    return 100 * sum(counts[verdict] for verdict in KILLED) / max(1, counts.total())


def table(found: dict[str, str]) -> Table:
    """Counts by module."""
    drawn = Table(title="mutants")
    for column in ("module", "killed", "timeout", "survived", "other", "all", "per cent"):
        drawn.add_column(column, justify="left" if column == "module" else "right")
    by_module: dict[str, Counter[str]] = {}
    for name, verdict in found.items():
        for group in (module(name), "all"):
            by_module.setdefault(group, Counter())[verdict] += 1
    for group in sorted(by_module, key=lambda group: (group == "all", group)):
        counts = by_module[group]
        seen = [counts[verdict] for verdict in (*KILLED, "survived")]
        other = counts.total() - sum(seen)
        cells = [*seen, other, counts.total()]
        drawn.add_row(group, *map(str, cells), f"{rate(counts):.1f}")
    return drawn


def main(
    floor: Annotated[float, typer.Option(help="per cent that have to be killed")] = FLOOR,
    jobs: Annotated[int, typer.Option(help="processes")] = os.cpu_count() or 1,
    only: Annotated[str, typer.Option(help="mutants to try, such as 'onemo.at_syntax.*'")] = "",
) -> None:
    """Tries every mutant and prints what the tests did not notice."""
    began = time.monotonic()
    console = Console()
    stage()
    if run(jobs, [only] if only else []):
        console.print("mutmut could not do it: its reasons stand above")
        raise typer.Exit(2)
    found = verdicts(mutmut("results", "--all", "true").stdout)
    if only:
        found = {name: verdict for name, verdict in found.items() if verdict != "not checked"}
    alive = [name for name, verdict in found.items() if verdict not in KILLED]
    with ThreadPool(jobs) as pool:
        for text in pool.imap(change, alive):
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print(table(found))
    killed = rate(Counter(found.values()))
    minutes = (time.monotonic() - began) / 60
    console.print(f"{killed:.1f} % killed, {floor:g} % wanted; {minutes:.0f} minutes")
    raise typer.Exit(not found or killed < floor)


if __name__ == "__main__":
    typer.run(main)
