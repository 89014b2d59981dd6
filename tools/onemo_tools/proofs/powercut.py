# SPDX-License-Identifier: MIT
"""Power cuts: `make powercut`.

First every step of every job in one process (outage_runs.py), then a virtual board, which is real
MicroPython with a flash of its own, at a simulated module that makes real TLS connections. The
board goes from one identity to another and back; it is cut off after each command, in the middle
of writes to its flash, and at random moments, the module reboots, or both. After each start
exactly one whole identity must be in the module, and a TLS server that demands client certificates
must accept it.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from onemo_board import VirtualBoard
from onemo_board.images import write_files
from onemo_simulator import Line, Module, SystemNetwork
from rich.console import Console
from rich.progress import track
from rich.table import Table

from onemo_tools.deploy import deployment
from onemo_tools.servers import pki
from onemo_tools.servers.endpoint import Endpoint, Seen, echo_lines

from . import outage_runs

ROOT = Path(__file__).resolve().parents[3]
HOST = "broker.example"
KINDS = ("command", "flash", "random", "module", "both")
CUTS = 240
_READY_S = 60.0
_BLOCK_S = 20.0
_PIN = "4"
_NEVER = 1 << 40  # flash writes

# What runs on the board: each change of the pin makes it go over to the other identity.
_MAIN = """
import json, time
from machine import UART, Pin
from onemo import Modem
from onemo.errors import CommandError, ModemError

with open("profiles.json") as file:
    profiles = json.load(file)
config, endpoint = profiles["A"], profiles["endpoint"]

def accepted():
    with modem.connect(endpoint["host"], endpoint["port"], modem.tls(1), 20000) as stream:
        stream.write("ping\\n")
        if stream.readline() != b"ping\\n":
            raise ModemError("no answer")
    return modem.tls(1).read()["ca"][3]

def again(what):
    for i in range(5):
        try:
            return what()
        except ModemError as error:
            print("failed:", error)
            failed = error
            if isinstance(error, CommandError) and "reboot" in str(error):
                modem.reboot()
    raise failed

def begin():
    modem.start()
    modem.attach()
    modem.sync(config)
    return accepted()

def change():
    modem.attach()
    modem.rotate(profiles["B" if used == "A" else "A"], endpoint)
    return accepted()

def cautious():
    try:
        return change()
    except ModemError as error:
        print("failed:", error)
        return again(begin)

pin = Pin(4, Pin.IN)
modem = Modem(UART(1, 115200, rxbuf=2048, timeout=0))
used = again(begin)
while True:
    level = pin.value()
    print("ready", used)
    while pin.value() == level:
        time.sleep_ms(1)
    used = cautious()
"""


@dataclass(frozen=True)
class Cut:
    """`kind` and where: at which command, flash write or millisecond of a rotation."""

    kind: str
    at: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.at}"


class StoppingModule(Module):
    """Says, and waits, where it has been told to. `stop_at`: so many commands from now on."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.stop_at: int | None = None
        self.reboots = False
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        super().__init__(*args, **settings)

    def plan(self, cut: Cut) -> None:
        """Stop (or reboot) for this cut."""
        self.reboots = cut.kind == "module"
        self.stopped.clear()
        self.go_on.clear()
        self.stop_at = cut.at

    def _execute(self, body: bytes | None) -> None:
        if self.stop_at is None:
            super()._execute(body)
            return
        self.stop_at -= 1
        if self.stop_at >= 0:
            super()._execute(body)
            return
        self.stop_at = None
        self.stopped.set()
        if self.reboots:
            self._schedule(0.0, partial(self.reboot, lose_output=True))
            return
        self.go_on.wait(_BLOCK_S)  # nobody hears the answer
        super()._execute(body)


class Bench:
    """Board, module and TLS server, ready to be cut off."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        start = self._stack.enter_context
        folder = Path(start(tempfile.TemporaryDirectory(prefix="onemo-powercut-")))
        authority = pki.Authority("onemo power cuts", algorithm="ec")
        server = authority.issue(HOST, server=True, algorithm="ec")
        self.endpoint = start(Endpoint(echo_lines, identity=server, client_ca=authority.pem))
        self.module = StoppingModule(
            "ML307R",
            network=SystemNetwork({HOST: "127.0.0.1"}),
            boot_delay=0.2,
            register_delay=0.05,
            store_delay=0.002,
        )
        self.line = start(Line(self.module, "socketpair"))
        files = deployment.library(ROOT)
        self.stores: dict[str, dict[tuple[int, str], bytes]] = {}
        profiles: dict[str, Any] = {
            "endpoint": {"host": HOST, "port": self.endpoint.port, "ssl_id": 1}
        }
        for tag in "AB":
            profiles[tag] = self._identity(tag, authority, files)
        files["profiles.json"] = json.dumps(profiles).encode()
        files["main.py"] = _MAIN.encode()
        write_files(folder / "flash.img", files)
        self.level = 0
        self.board = start(
            VirtualBoard(
                folder / "flash.img",
                uarts={1: self.line.board_fd},
                overrun=False,
                line_time=False,
                heap="512K",
            )
        )
        self.used = self._ready(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _identity(
        self, tag: str, authority: pki.Authority, files: dict[str, bytes]
    ) -> dict[str, Any]:
        leaf = authority.issue(f"device-{tag}", algorithm="ec")
        pems = [(1, f"ca-{tag}.pem", authority.pem), (1, f"client-{tag}.pem", leaf.certificate)]
        pems.append((2, f"client-{tag}.key", leaf.key))
        self.stores[tag] = {(kind, name): pem for kind, name, pem in pems}
        objects = []
        for kind, name, pem in pems:
            files[f"certs/{name}"] = pem
            source = f"/certs/{name}"
            objects.append({"name": name, "kind": ("cert", "key")[kind - 1], "source": source})
        context: dict[str, Any] = {"ssl_id": 1, "auth": "mutual"}
        context |= {"ca": pems[0][1], "cert": pems[1][1], "key": pems[2][1]}
        return {"objects": objects, "contexts": [context]}

    def _ready(self, mark: int) -> str:
        """Waits for the board; which identity it says it uses, after a look at that."""
        served = len(self.endpoint.connections)
        found = self.board.output.wait_for(rb"ready (\w)|Traceback", _READY_S, since=mark)
        if not found.group(1):
            time.sleep(0.2)
            raise AssertionError(self.board.output.since(mark)[-800:])
        tag = found.group(1).decode()
        with self.line.locked() as module:
            objects = dict(module.store.objects)
            series = module.store.series
            names = list(module.contexts.names(1))
        assert objects == self.stores[tag], f"{tag} is said to be in use, there is {list(objects)}"
        assert series is None, "a packet series is open"
        assert names == [name for _, name in self.stores[tag]], f"the context uses {names}"
        last = self._served(served)
        assert last.peer == f"device-{tag}", f"the server accepted {last.peer}, not {tag}"
        return tag

    def _served(self, before: int) -> Seen:
        # The connection that the board has just had.
        self.endpoint.wait(before, timeout=20)
        good = [seen for seen in self.endpoint.connections if seen.received]
        assert good, "the server has seen nobody"
        return good[-1]

    def rotate(self) -> None:
        """Tells the board to go over to the other identity."""
        self.level ^= 1
        self.board.set_pin(_PIN, self.level)

    def measure(self) -> dict[str, int]:
        """Commands, flash writes and milliseconds of a rotation that nothing cuts off."""
        with self.line.locked() as module:
            commands = len(module.commands)
        writes = self.board.flash_writes
        began = time.monotonic()
        mark = self.board.output.mark()
        self.rotate()
        used = self._ready(mark)
        assert used != self.used, "the rotation did not happen"
        self.used = used
        with self.line.locked() as module:
            commands = len(module.commands) - commands
        return {
            "commands": commands,
            "writes": self.board.flash_writes - writes,
            "ms": int((time.monotonic() - began) * 1000),
        }

    def strike(self, cut: Cut) -> str:
        """One rotation, cut off; whether the old or the new identity was in use after that."""
        board = self.board
        mark = board.output.mark()
        old = self.used
        if cut.kind == "flash":
            board.power_cut(after_writes=cut.at)
        elif cut.kind != "random":
            with self.line.locked() as module:
                module.plan(cut)  # type: ignore[attr-defined]
        self.rotate()
        off = self._wait(cut, mark)
        if off:
            if cut.kind == "both":
                with self.line.locked() as module:
                    module.reboot(lose_output=True)
            mark = board.output.mark()
            board.power_on()
        self.used = self._ready(mark)
        with self.line.locked() as module:
            module.stop_at = None  # type: ignore[attr-defined]
        if cut.kind == "flash" and not off:
            board.power_cut(after_writes=_NEVER)  # there were not so many: none is cut off later
        return "old" if self.used == old else "new"

    def _wait(self, cut: Cut, mark: int) -> bool:
        """Waits for the moment and cuts; False where the board lives on."""
        if cut.kind == "random":
            time.sleep(cut.at / 1000)
        elif cut.kind == "flash":
            deadline = time.monotonic() + _READY_S
            while self.board.is_on and time.monotonic() < deadline:
                if "ready" in self.board.output.since(mark):
                    return False
                time.sleep(0.005)
            return not self.board.is_on
        else:
            assert self.module.stopped.wait(_READY_S), f"{cut}: the module got no such command"
            if cut.kind == "module":
                return False
        self.board.power_cut()
        self.module.go_on.set()
        return True


def cuts(size: dict[str, int], count: int, seed: int = 1) -> list[Cut]:
    """`count` cuts, or more: after every command of a rotation, in every write to the flash, and
    the other kinds at random places."""
    rng = random.Random(seed)
    chosen = [Cut("command", at) for at in range(size["commands"])]
    chosen += [Cut("flash", at) for at in range(size["writes"])]
    limits = {"random": size["ms"], "module": size["commands"], "both": size["commands"]}
    while len(chosen) < count:
        for kind, limit in limits.items():
            chosen.append(Cut(kind, rng.randrange(limit)))
    rng.shuffle(chosen)
    return chosen


@dataclass
class Tally:
    """How cuts ended."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def on_board(chosen: Iterable[Cut], bench: Bench, tally: Tally) -> None:
    """Strikes with each; stops at the first failure, for what follows would not tell much."""
    for cut in chosen:
        try:
            tally.ends[cut.kind, bench.strike(cut)] += 1
        except (Exception, AssertionError) as caught:
            tally.failures.append(f"{cut}: {type(caught).__name__}: {caught}")
            return


def _on_boards(console: Console, count: int, seed: int) -> int:
    tally = Tally()
    with Bench() as bench:
        sizes = [bench.measure() for _ in range(3)]
        size = {name: max(one[name] for one in sizes) for name in sizes[0]}
        chosen = cuts(size, count, seed)
        on_board(track(chosen, "virtual board", console=console), bench, tally)
    table = Table(title="virtual board: what was in use after the next start")
    for column in ("cut off", "old", "new"):
        table.add_column(column)
    for kind in KINDS:
        table.add_row(kind, *(str(tally.ends[kind, end]) for end in ("old", "new")))
    console.print(table)
    for failure in tally.failures:
        console.print(failure, markup=False)
    console.print(f"{tally.ends.total()} cuts of a rotation: {size}")
    return len(tally.failures) + (tally.ends.total() < len(chosen))


def main(
    count: Annotated[int, typer.Option(help="cuts on the virtual board, at least")] = CUTS,
    seed: Annotated[int, typer.Option(help="of the random places")] = 1,
    jobs: Annotated[int, typer.Option(help="processes")] = os.cpu_count() or 1,
    board_only: Annotated[bool, typer.Option(help="not the runs in process")] = False,
) -> None:
    """Cuts rotations off everywhere and prints how they ended; exit status 1 on any failure."""
    console = Console()
    failed = 0 if board_only else outage_runs.report(console, jobs)
    failed += _on_boards(console, count, seed)
    raise typer.Exit(bool(failed))


if __name__ == "__main__":
    typer.run(main)
