# SPDX-License-Identifier: MIT
"""An adversarial sweep with a result oracle: `make faults`.

Each run is a short script of a product (sweep_scenarios.py) on a driver and a simulated module,
struck by one fault, or two: a bit, byte or line that was not so on the UART, a delay, a reboot
heard or unheard, an interruption. What the driver tells at each step is compared with the module's
own state at that moment (sweep_world.py), and at the end its store, its peers and what the driver
said are looked through. A run ends

    right          as if nothing had been
    typed error    the driver raised one of its errors, and the next try did the job
    undetectable   data or a number were damaged that nothing else tells: beyond any driver
    wrong          anything else; the exit status is 1 then

A run is found again by its scenario and number, such as `--only remove/17`: the faults follow from
the conversation without a fault, in an order that is drawn once.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .marked import write_part
from .sweep_faults import KINDS, LATE_S, LINES, TO_HOST, TO_MODULE, Strike
from .sweep_objects import root
from .sweep_scenarios import ALL, BY_NAME
from .sweep_world import BEYOND, ERROR, RIGHT, WRONG, Scenario, Verdict, World, run

TOTAL = 204_700
OUTCOMES = (RIGHT, ERROR, BEYOND, WRONG)
PART = "faults"  # of the README
_PART = 150  # runs a task
_PAIR = 5  # every so many runs there are two faults
_RARE = 5  # faults of bytes between two of another kind
_SHOWN = 40  # failures that are printed


@cache
def singles(name: str) -> list[Strike]:
    """Every fault of a scenario, in the order in which its runs take them."""
    scenario = BY_NAME[name]
    world, verdict = run(scenario)
    if verdict.outcome != RIGHT:
        raise AssertionError(f"{name} without a fault: {verdict}")
    rng = random.Random(name)
    common = list(_on_bytes(world))
    rare = [Strike("nap", "", at) for at in range(world.pauses)]
    if scenario.asyncio_front:
        rare += [Strike("cancel", "", at) for at in range(world.waits)]
    else:
        rare += [Strike("stop", "", at) for at in range(world.waits)]
        rare += [Strike("halt", "", at, n) for at in range(world.uart.writes) for n in (0, 50, 99)]
    rng.shuffle(common)
    rng.shuffle(rare)
    found = []
    while common or rare:  # a rare one every so often, while there are some
        found += common[-_RARE:] + rare[-1:]
        del common[-_RARE:], rare[-1:]
    return found


def _on_bytes(world: World) -> Iterator[Strike]:
    payload, said = world.uart.payload, world.uart.said
    for way, count in world.uart.counts.items():
        for at in range(count):
            # A packet's bytes are alike: a bit of each is enough.
            alike = way == TO_MODULE and at < len(payload) and payload[at]
            for bit in (at % 8,) if alike else range(8):
                yield Strike("flip", way, at, 1 << bit)
            for kind in ("drop", "double", "cr", "reboot", "mute"):
                yield Strike(kind, way, at)
            if at % 2 == 0:
                yield Strike("late", way, at, at // 2 % len(LATE_S))
            if way == TO_HOST:
                begins = at == 0 or said[at - 1 : at] == b"\n"
                for number in range(len(LINES)) if begins else (at % len(LINES),):
                    yield Strike("line", way, at, number)


def strikes_of(name: str, number: int) -> tuple[Strike, ...]:
    """The faults of a run."""
    every = singles(name)
    turn, part = divmod(number, _PAIR)
    index = turn * (_PAIR - 1) + part
    if part < _PAIR - 1 and index < len(every):
        return (every[index],)
    rng = random.Random(f"{name} {number}")
    first, second = rng.randrange(len(every)), rng.randrange(len(every))
    return every[first], every[second]


def one(name: str, number: int, log: bool = False) -> tuple[World, Verdict, tuple[Strike, ...]]:
    """Run `number` of a scenario."""
    strikes = strikes_of(name, number)
    scenario: Scenario = BY_NAME[name]
    variant = random.Random(number).randrange(len(scenario.variants))
    return (*run(scenario, strikes, variant, log), strikes)


@dataclass
class Tally:
    """What a sweep counted. `failures`: (run, its faults, why it is wrong)."""

    runs: Counter[tuple[str, str]] = field(default_factory=Counter)  # kind of fault, outcome
    scenarios: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)  # scenario, kind of wrong
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """The counts of another part."""
        self.runs += other.runs
        self.scenarios += other.scenarios
        self.reasons += other.reasons
        self.failures += other.failures


def sweep(name: str, numbers: range) -> Tally:
    """These runs of a scenario."""
    gc.disable()  # a tenth of the time, and a part leaves little
    tally = _count(name, numbers)
    gc.enable()
    gc.collect()
    return tally


def _count(name: str, numbers: range) -> Tally:
    tally = Tally()
    for number in numbers:
        world, verdict, strikes = one(name, number)
        kind = strikes[0].kind if len(strikes) == 1 else "two"
        if not world.uart.struck:
            kind = "none"
        tally.runs[kind, verdict.outcome] += 1
        tally.scenarios[name, verdict.outcome] += 1
        if verdict.outcome == WRONG:
            tally.reasons[name, verdict.why.partition(":")[0]] += 1
            told = ", ".join(map(str, strikes))
            tally.failures.append((f"{name}/{number}", told, verdict.why))
    return tally


def parts(total: int, names: list[str], size: int = _PART) -> Iterator[tuple[str, range]]:
    """Tasks: each scenario has as many runs, spread over the first of `TOTAL`'s."""
    share = total // len(names)
    stride = max(1, TOTAL // len(ALL) // max(1, share))
    for first in range(0, share, size):
        for name in names:
            yield name, range(first * stride, min(share, first + size) * stride, stride)


def _part(task: tuple[str, range]) -> Tally:
    gc.disable()  # the process ends with its part, and all that it leaves
    return _count(*task)


def rows(counts: Counter[tuple[str, str]], order: list[str]) -> list[list[str]]:
    """Lines of a table: group, its runs by outcome, all of them."""
    found = []
    for group in [*[name for name in order if any(key[0] == name for key in counts)], "all"]:
        seen = [
            sum(n for (name, ending), n in counts.items() if ending == outcome and name == group)
            if group != "all"
            else sum(n for (_, ending), n in counts.items() if ending == outcome)
            for outcome in OUTCOMES
        ]
        found.append([group, *[f"{n:,}" for n in (*seen, sum(seen))]])
    return found


def markdown(tally: Tally) -> str:
    """The README's table."""
    lines = [
        "| fault | " + " | ".join((*OUTCOMES, "runs")) + " |",
        "|---" * (len(OUTCOMES) + 2) + "|",
    ]
    for group, *cells in rows(tally.runs, list(KINDS)):
        lines.append(f"| {KINDS.get(group, group)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def show(tally: Tally, console: Console, began: float) -> None:
    """Prints the counts, and failures by kind, the first of each."""
    for title, counts, order in (
        ("fault", tally.runs, list(KINDS)),
        ("scenario", tally.scenarios, list(BY_NAME)),
    ):
        table = Table()
        for column in (title, *OUTCOMES, "runs"):
            table.add_column(column, justify="left" if column == title else "right")
        for group, *cells in rows(counts, order):
            table.add_row(KINDS.get(group, group) if title == "fault" else group, *cells)
        console.print(table)
    for (name, reason), count in sorted(tally.reasons.items(), key=lambda item: -item[1]):
        console.print(f"wrong: {count} x {reason} in {name}")
    seen: Counter[tuple[str, str]] = Counter()
    for number, told, why in sorted(tally.failures, key=lambda failure: failure[1].count(",")):
        key = (number.partition("/")[0], why.partition(":")[0])
        seen[key] += 1
        if seen[key] <= 2 and seen.total() <= 20 * _SHOWN:
            console.print(f"--only {number}  [{told}]  {why}", markup=False, soft_wrap=True)
    console.print(f"{time.monotonic() - began:.0f} s")


def replay(only: str, console: Console) -> Verdict:
    """One run, with its conversation."""
    name, _, number = only.partition("/")
    if name not in BY_NAME or not number.isdigit():
        raise typer.BadParameter(f"{only!r} is no run; try {next(iter(BY_NAME))}/17")
    world, verdict, strikes = one(name, int(number), log=True)
    for moment, way, data in world.uart.log or ():
        shown = data.decode(errors="replace") if way == "!" else repr(data)[1:]
        console.print(f"{moment:9.3f} {way} {shown}", markup=False, soft_wrap=True)
    console.print(f"faults: {', '.join(map(str, strikes))}", markup=False)
    console.print(f"{verdict.outcome}: {verdict.why}", markup=False, soft_wrap=True)
    return verdict


def main(
    total: Annotated[int, typer.Option(min=len(ALL), help="runs")] = TOTAL,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = os.cpu_count() or 1,
    scenario: Annotated[str, typer.Option(help=f"one of {', '.join(BY_NAME)}")] = "",
    only: Annotated[str, typer.Option(help="one run, such as remove/17, with all of it")] = "",
    readme: Annotated[Path | None, typer.Option(exists=True, help="put the table there")] = None,
    classic: Annotated[
        bool, typer.Option(help="every single fault at every byte of one long conversation")
    ] = False,
) -> None:
    """Sweeps faults over every scenario and prints the counts; exit status 1 if a run is wrong."""
    console = Console()
    if classic:
        from . import sweep_single

        sweep_single.main("", jobs)
        return
    if only:
        raise typer.Exit(replay(only, console).outcome == WRONG)
    if scenario and scenario not in BY_NAME:
        raise typer.BadParameter(f"there is no {scenario!r}; there are {', '.join(BY_NAME)}")
    began = time.monotonic()
    tally = Tally()
    names = [scenario] if scenario else list(BY_NAME)
    root()
    for name in names:
        singles(name)  # once, for all processes
    tasks = list(parts(total, names))
    # Its processes are copies of this one, perhaps made while another thread held a lock: SIGTERM
    # ends them at once, whatever this one would do first.
    ends = (signal.SIGTERM, signal.SIG_DFL)
    with get_context("fork").Pool(jobs, signal.signal, ends, maxtasksperchild=1) as pool:
        done = pool.imap_unordered(_part, tasks)
        for part in track(done, "runs", len(tasks), console=console):
            tally.add(part)
    show(tally, console, began)
    if readme:
        write_part(readme, PART, markdown(tally))
    raise typer.Exit(bool(tally.failures))


if __name__ == "__main__":
    typer.run(main)
