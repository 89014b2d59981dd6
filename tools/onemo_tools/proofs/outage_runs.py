# SPDX-License-Identifier: MIT
"""Rotations and first provisionings, cut off at every step.

A run does one job (`SCENARIOS`) on a simulated module. At chosen steps the host loses power, the
module reboots, or both. Then a new driver, which knows nothing but its configuration and the
journal, starts, calls `sync`, and must find exactly one whole identity in use, one that the server
accepts; then it does the job.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from onemo.errors import CommandError, ModemError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .outage import FOREIGN, JOURNAL, KINDS, Cut, Device, Outage, pem, profile, stored

_TRIES = 4  # of a job, by a driver that lives on


@dataclass
class Scenario:
    """A job. `refused`: the server lets the new identity not in. `again`: it is the second
    rotation while the application's configuration is still the first one. `first`: there is no
    rotation, the module is empty (but for what `stale` says is there with other content)."""

    refused: bool = False
    again: bool = False
    first: bool = False
    stale: bool = False
    saves: bool = False  # the application's configuration is the new one as soon as it is in force
    module: dict[str, Any] = field(default_factory=dict)


SCENARIOS = {
    "rotate": Scenario(),
    "rotate and save": Scenario(saves=True),
    "rotate, refused": Scenario(refused=True),
    "rotate again": Scenario(again=True),
    "rotate again, refused": Scenario(again=True, refused=True),
    "rotate, inline": Scenario(
        module={"model": "MN316-S", "mipcfg_ssl": True, "newline_storage": "lf"}
    ),
    "sync": Scenario(first=True),
    "sync over stale content": Scenario(first=True, stale=True),
}


class Run:
    """One scenario on one device."""

    def __init__(self, name: str, folder: Path, outages: Iterable[Outage] = ()) -> None:
        self.scenario = scenario = SCENARIOS[name]
        outages = list(outages)
        self.cut = any(outage.kind != "module" for outage in outages)
        self.journal = str(folder / JOURNAL)
        self.device = Device(folder, outages, **scenario.module)
        made = {tag: profile(tag, folder) for tag in ("A", "B", "C")}
        self.config = made["A"]
        self.old = made["B"] if scenario.again else made["A"]
        self.new = made["C"] if scenario.again else made["B"]
        store = self.device.rig.module.store
        store.objects[FOREIGN] = b"foreign"
        if scenario.stale:
            for key in stored(self.config):
                store.objects[key] = pem(b"CERTIFICATE", "Z", 2)
        self.device.server.accept(self.old, *([] if scenario.refused else [self.new]))
        self.done = False

    def prepare(self) -> None:
        """Up to where outages may come."""
        modem = self.device.power_on()
        modem.start()
        modem.attach()
        if not self.scenario.first:
            modem.sync(self.config, journal=self.journal)
            if self.scenario.again:
                modem.rotate(self.old, lambda modem: None, journal=self.journal)
        self.device.armed = True

    def job(self) -> None:
        """What is to be done, by a driver that has started."""
        if self.scenario.first:
            self.device.modem.sync(self.config, journal=self.journal)
        elif self.scenario.refused:
            try:
                self.device.modem.rotate(self.new, journal=self.journal)
            except CommandError as error:
                if error.code not in (752, 754):
                    raise
            else:
                raise AssertionError("an identity that the server refuses is called good")
        else:
            self.device.modem.rotate(self.new, journal=self.journal)
            if self.scenario.saves:
                self.config = self.new
        self.done = True

    def start(self) -> None:
        """After an outage: what every start of an application does, and what must be so then."""
        modem = self.device.modem
        modem.start()
        modem.attach()
        modem.sync(self.config, journal=self.journal)
        self.device.identity(self.config) if self.scenario.first else self.device.identity(
            self.old, self.new
        )

    def restart(self) -> None:
        """What an error that asks for it needs first."""
        self.device.modem.reboot()
        self.start()

    def go(self) -> None:
        """The job, with outages, to its end. Raises what must not happen."""
        device = self.device
        try:
            self.prepare()
            begin = self.job
            for _ in range(20):
                try:
                    self.live(begin)
                    break
                except Cut:
                    device.rig.clock.advance(random.Random(device.steps).choice((0.05, 2.0, 60.0)))
                    device.power_on()
                    begin = self.start
            device.armed = False
            found = device.identity(self.old, self.new)
            wanted = 0 if self.scenario.first or self.scenario.refused else 1
            assert found == wanted, f"identity {found} is in use at the end"
            self.settled(found)
            if (
                not self.cut
            ):  # half a command, then a new driver's first one, look like a violation
                assert device.rig.module.violations == [], device.rig.module.violations
        finally:
            device.close()

    def settled(self, found: int) -> None:
        """The journal tells the next start the same; nothing of a rotation is under way."""
        device = self.device
        for config in (self.config, (self.old, self.new)[found]):
            device.power_on()
            device.modem.start()
            assert device.modem.sync(config, journal=self.journal) == []
            assert device.identity(self.old, self.new) == found
        left = [name for name in os.listdir(device.folder) if name.startswith(JOURNAL)]
        assert left in ([], [JOURNAL]), left
        assert device.modem.identity(self.journal)["under_way"] is None

    def live(self, begin: Callable[[], None]) -> None:
        """One driver's life: errors of the library are answered by doing it again."""
        for attempt in range(_TRIES):
            try:
                begin()
                if not self.done:
                    self.job()
                return
            except ModemError as error:
                if attempt == _TRIES - 1:
                    raise
                asks = isinstance(error, CommandError) and "reboot" in str(error)
                begin = self.restart if asks else self.start


def steps(name: str, folder: Path) -> int:
    """How many steps a scenario has without an outage."""
    run = Run(name, folder)
    run.go()
    return run.device.steps


@dataclass
class Tally:
    """What a sweep counted."""

    runs: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.runs += other.runs
        self.failures += other.failures


def every(count: int) -> Iterator[tuple[Outage, ...]]:
    """Each kind of outage at each step, then a second one that strikes what comes after it."""
    for step in range(count):
        for kind in KINDS:
            rng = random.Random(f"{step} {kind}")
            yield (Outage(step, kind),)
            second = Outage(step + 1 + rng.randrange(count), rng.choice(KINDS))
            yield (Outage(step, kind), second)


def sweep(name: str, chosen: Iterable[tuple[Outage, ...]], folder: Path) -> Tally:
    """Runs each; failures are told as what replays them and what happened."""
    tally = Tally()
    for number, outages in enumerate(chosen):
        place = folder / f"run-{os.getpid()}-{number}"
        place.mkdir()
        try:
            Run(name, place, outages).go()
        except Exception as caught:
            told = " ".join(map(str, outages))
            tally.failures.append(f"{name}: {told}: {type(caught).__name__}: {caught}")
        tally.runs[name] += 1
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
    return tally


def _part(task: tuple[str, int, int, int]) -> Tally:
    name, count, index, parts = task
    chosen = list(every(count))[index::parts]
    with tempfile.TemporaryDirectory() as folder:
        return sweep(name, chosen, Path(folder))


def report(console: Console, jobs: int) -> int:
    """Sweeps every scenario whole and prints the counts; how many runs failed."""
    parts = 12
    tasks = []
    for name in SCENARIOS:
        with tempfile.TemporaryDirectory() as folder:
            count = steps(name, Path(folder))
        tasks += [(name, count, index, parts) for index in range(parts)]
    tally = Tally()
    with Pool(jobs) as pool:
        done = pool.imap_unordered(_part, tasks)
        for part in track(done, "in process", len(tasks), console=console):
            tally.add(part)
    table = Table(title="in process: host cut off, module rebooted, or both, at every step")
    table.add_column("job")
    table.add_column("runs", justify="right")
    for name, runs in tally.runs.items():
        table.add_row(name, str(runs))
    console.print(table)
    for failure in tally.failures:
        console.print(failure, markup=False)
    console.print(f"{tally.runs.total()} runs, {len(tally.failures)} failed")
    return len(tally.failures)
