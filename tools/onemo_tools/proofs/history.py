# SPDX-License-Identifier: MIT
"""Field histories: `make history`.

What devices meet in the field (a SIM that is late, a denied registration, another APN, a module
that is busy, wedged, asleep or gone, a broker that vanishes, noise, a deaf UART, a board that
loses power) befalls the real main.py at a simulated module, for 30 virtual days a history, in an
order that is drawn from its seed. Each history is looked through:

    online      again within 15 minutes of the world being well, within 60 minutes of a fault that
                only a restart mends
    lost        a line of telemetry that main.py took for acknowledged, and the broker never had
    twice       a line that the broker had twice without DUP

The exit status is 1 if there is any of that. A history is found again by its number:
`--only 7`.
"""

from __future__ import annotations

import builtins
import json
import os
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import Pool
from pathlib import Path
from typing import Annotated, Any

import typer
from onemo_simulator import Fault
from onemo_simulator.module import UNSET
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .history_device import COMMANDS, ROOT, TELEMETRY, Broker, Device, Reset, machine_of
from .marked import write_part

PART = "history"  # of the README
HISTORIES, DAYS = 40, 30.0
WELL_S, RESTART_S = 900.0, 3600.0
HOUR, DAY = 3600.0, 86400.0
LINE_S = 600  # from line to line
KEEPALIVE_S = 900
STEPS = ("context", "radio", "module", "uart", "power", "board")
_APN = "iot.private"
_FIRST_ID = 32768  # line 0's, were there one
_KEEP = 200  # entries of the module's log
_BUSY = (b"+CME ERROR: 14", b"+CME ERROR: 3", b"ERROR")
_ASKED = (
    *(b"AT+CPIN?", b"AT+CFUN?", b"AT+CEREG?", b"AT+CGATT?", b"AT+MIPCALL?", b"AT+CGDCONT?"),
    *(b"AT+CGMM", b"ATE0", b"AT+CMEE=1", b"AT+MIPSTATE=", b"AT+MIPRD="),
)
_CHATTER = (
    b"+CEREG: 1",
    b"+CTZV: 26/11/26,03:14:22,+32",
    b"+MLPMEXIT: 1",
    b"+CMT: ,23\r\nOK",
    b"+CGEV: ME PDN ACT 1",
    b"\xe0\xfe",
)


class Witness(Broker):
    """The broker, which notes each line of telemetry: (boot of the board, line, DUP)."""

    def __init__(self) -> None:
        super().__init__()
        self.boot = 0
        self.had: list[tuple[int, int, bool]] = []
        self.damaged = 0  # lines that noise on the UART changed: nothing there shows it
        self.last_at = 0.0
        self.on_line: Callable[[], None] = lambda: None

    def _answer(self, conn: Any, first: int, body: bytes) -> None:
        self.packets.clear()
        super()._answer(conn, first, body)
        if first >> 4 == 3 and self.published:
            topic, message = self.published.pop()
            # main.py's lines are told by their packet ids, whatever noise made of the rest.
            (number,) = struct.unpack_from("!H", body, 2 + len(topic.encode()))
            if number < _FIRST_ID:
                return
            line = number - _FIRST_ID
            if topic != TELEMETRY or _line_of(message) != line:
                self.damaged += 1
            self.had.append((self.boot, line, bool(first & 8)))
            self.on_line()


def _line_of(message: bytes) -> int | None:
    try:
        return int(json.loads(message)["line"])
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Event:
    """What befalls a device. `begin` changes the world; it returns what makes it well again, or
    None where it is well at once. `lasts`: seconds, at least and at most, until then."""

    name: str
    begin: Callable[[World], Callable[[], None] | None]
    lasts: tuple[float, float] = (0.0, 0.0)
    needs_restart: bool = False


@dataclass
class Report:
    """What a history came to."""

    number: int
    events: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lines: int = 0
    again: int = 0  # lines that came once more, as duplicates
    damaged: int = 0  # lines that came as noise on the UART had left them
    offline_s: float = 0.0
    worst_s: float = 0.0  # from a world that is well to the next line
    worst_restart_s: float = 0.0
    flash_writes: int = 0
    board_resets: int = 0  # by the ladder, and by loss of power
    steps: Counter[str] = field(default_factory=Counter)
    days: float = 0.0
    took_s: float = 0.0


class World:
    """A device and what befalls it, by the seed of its history."""

    def __init__(self, number: int, days: float, every_s: float, folder: Path) -> None:
        self.rng = random.Random(f"history {number}")
        self.report = Report(number, days=days)
        self.broker = Witness()
        rng = self.rng
        quirks: dict[str, Any] = {"apn": _APN, "factory_apn": rng.choice((_APN, "cmnet"))}
        self.sleeps = rng.random() < 0.3
        if self.sleeps:
            quirks |= {"sleep_after": 10.0, "sleep_lost": rng.choice((1, 2, 3))}
        self.pin = rng.choice(("", "", "4321"))
        self.device = Device(folder, self.broker, pin=self.pin, **quirks)
        self.module, self.line = self.device.module, self.device.rig.line
        self._config()
        self.every_s = every_s
        self.end = days * DAY
        self.next_at = HOUR
        self.heal: list[tuple[float, Callable[[], None] | None]] = []
        self.due: tuple[float, float, str, bool] | None = None  # well at, deadline, what, restart
        self.broker.on_line = self._line
        self._last_line = 0.0

    def _config(self) -> None:
        config = self.device.config
        config["module"] = {"apn": _APN, "sim_pin": self.pin or None}
        if self.sleeps:
            config["module"]["sleep"] = True
        config["endpoint"] |= {"every_s": LINE_S, "keepalive_s": KEEPALIVE_S}
        config["watchdog_s"] = 120
        config["power"] = {"power_key": 4, "inverted": ["power_key"]}
        self.device.wires = {4: "power_key"}
        self.device.transistors = (4,)

    @property
    def now(self) -> float:
        """The virtual clock's time."""
        return self.device.rig.clock.now()

    # What happens

    def look(self) -> None:
        """Whatever is due by now; called at each step of time."""
        now = self.now
        if self.heal and self.heal[0][0] <= now:
            _, well = self.heal.pop(0)
            if well:
                well()
        if self.due and now > self.due[1]:
            well_at, _, what, _ = self.due
            self._fail(f"{what}: not online {now - well_at:.0f} s after the world was well")
            self.due = None
        if now >= self.next_at and not self.heal and not self.due:
            self._strike()
        watchdog = self.device.bites_after
        if watchdog and self.device.fed and now - self.device.fed[-1] > watchdog:
            self._fail("the watchdog reset the board")
            self.device.reset()

    def _strike(self) -> None:
        rng = self.rng
        chosen = self.choose()
        self.next_at = self.now + 60 + rng.expovariate(1 / self.every_s)
        well_at = self.now
        for event in chosen:
            lasts = rng.uniform(*event.lasts)
            self.report.events[event.name] += 1
            well_at = max(well_at, self.now + lasts)
            well = event.begin(self)
            self.heal.append((self.now + lasts, well))
        self.heal.sort(key=lambda item: item[0])
        restart = any(event.needs_restart for event in chosen)
        what = " and ".join(event.name for event in chosen)
        limit = RESTART_S if restart else WELL_S
        self.due = (well_at, well_at + limit, f"{what} at {self.now / DAY:.3f} d", restart)
        for event in chosen:
            if event is POWER_CUT:
                raise Reset

    def choose(self) -> list[Event]:
        """What happens next: one event, seldom two."""
        return self.rng.sample(EVENTS, 2 if self.rng.random() < 0.15 else 1)

    def _line(self) -> None:
        now = self.now
        report = self.report
        report.lines += 1
        report.offline_s += max(0.0, now - self._last_line - LINE_S - 60)
        self._last_line = now
        if self.due and now >= self.due[0]:
            waited = now - self.due[0]
            if self.due[3]:
                report.worst_restart_s = max(report.worst_restart_s, waited)
            else:
                report.worst_s = max(report.worst_s, waited)
            self.due = None
        del self.module.log[:-_KEEP]
        del self.module.commands[:-_KEEP]
        del self.device.network.connections[:-5]
        del self.device.fed[:-5]

    def _fail(self, text: str) -> None:
        self.report.failures.append(f"history {self.report.number}: {text}")

    # All of it

    def run(self) -> Report:
        """30 days, or as many as there are."""
        device, report = self.device, self.report
        device.each = self.look
        began = time.monotonic()
        printed: list[str] = []
        while self.now < self.end:
            self.broker.boot += 1
            booted = self.now
            lines = device.boot(lambda _: self.now >= self.end, 1e9, stays=True)
            device.fed.clear()
            printed += lines
            self._compare(lines)
            if self.now < self.end:
                report.board_resets += 1
                device.rig.clock.advance(2)
                if self.now - booted < 5:
                    self._fail(f"main.py ended at once: {lines[-3:]}")
                    break
        for line in printed:
            for step, told in _STEPS_TOLD.items():
                report.steps[step] += line.startswith("recovery: no progress: " + told)
        report.damaged = self.broker.damaged
        report.took_s = time.monotonic() - began
        return report

    def _compare(self, lines: list[str]) -> None:
        # What main.py took for acknowledged in this boot against what the broker had.
        boot = self.broker.boot
        acknowledged = [
            json.loads(line.removeprefix("published "))["line"]
            for line in lines
            if line.startswith("published ")
        ]
        had = [(line, dup) for number, line, dup in self.broker.had if number == boot]
        seen: set[int] = set()
        for line, dup in had:
            if line in seen:
                self.report.again += 1
                if not dup:
                    self._fail(f"line {line} of boot {boot} came twice without DUP")
            seen.add(line)
        for line in acknowledged:
            if line not in seen:
                self._fail(f"line {line} of boot {boot} was lost")
        if acknowledged != list(range(1, len(acknowledged) + 1)):
            self._fail(f"lines of boot {boot} are not in order: {acknowledged[:20]}")


_STEPS_TOLD = {
    "context": "the PDP context",
    "radio": "the radio",
    "module": "the module was rebooted",
    "uart": "the UART",
    "power": "the module was restarted by its pins",
    "board": "the board",
}


# The events. Each is a case of the field, or more: see the comments.


def _broker_gone(world: World) -> Callable[[], None]:
    world.device.network.leave("broker.example", 8883)
    if world.broker.conn:
        world.broker.conn.end(world.rng.choice((1, 2)))

    def back() -> None:
        world.device.network.listen("broker.example", 8883, world.broker)

    return back


def _vanish(world: World) -> None:
    # NAT that forgets, a broker that loses power.
    if world.broker.conn:
        world.broker.conn.vanish()


def _silent_broker(world: World) -> Callable[[], None]:
    world.broker.deaf = True
    return lambda: setattr(world.broker, "deaf", False)


def _no_acknowledgements(world: World) -> Callable[[], None]:
    world.broker.acknowledges = False
    return lambda: setattr(world.broker, "acknowledges", True)


def _commands(world: World) -> None:
    # c19: what no handler likes.
    if world.broker.conn and not world.broker.conn.closed:
        for message in (b"\xff\xfe", b"x" * 9000, b""):
            world.broker.send(COMMANDS, message, world.rng.randrange(1, 65536))


def _reboot(world: World) -> None:
    world.module.reboot()


def _silent_reboot(world: World) -> None:
    world.module.reboot(silent=True)


def _power_cycle(world: World) -> None:
    world.module.power_cycle()


def _pdp_gone(world: World) -> None:
    world.module.modem.hang_up()


def _detached(world: World) -> None:
    # c10
    world.module.modem.attached = False
    world.module.modem.hang_up()


def _radio_off(world: World) -> None:
    # c10: CFUN=4 left over
    modem = world.module.modem
    modem.cfun = world.rng.choice((0, 4))
    modem.registered = False
    modem.hang_up()


def _denied(world: World) -> Callable[[], None]:
    # c10, a SIM without money: a person, or time, mends it
    quirks, modem = world.module.quirks, world.module.modem
    quirks.registration = 3
    modem.registered = False
    modem.hang_up()

    def well() -> None:
        quirks.registration = world.rng.choice((1, 5))
        modem.register()

    return well


def _out_of_coverage(world: World) -> Callable[[], None]:
    quirks, modem = world.module.quirks, world.module.modem
    before = quirks.registration
    quirks.registration = 2
    modem.registered = False
    modem.hang_up()

    def well() -> None:
        quirks.registration = before if before in (1, 5) else 1
        modem.register()

    return well


def _late_sim(world: World) -> Callable[[], None]:
    # c18
    quirks = world.module.quirks
    quirks.sim_delay = world.rng.uniform(3, 28)
    quirks.sim_late = world.rng.choice(("not-ready", "10", "13", "14"))
    world.module.reboot()
    return lambda: setattr(quirks, "sim_delay", 0.0)


def _dialling_fails(world: World) -> None:
    # c10: 571 once or more
    world.module.quirks.dial_failures = world.rng.randint(1, 4)
    world.module.modem.failed_dials = 0
    world.module.modem.hang_up()


def _other_apn(world: World) -> None:
    # c01: somebody set another, and the module dialled by itself with it
    modem = world.module.modem
    modem.define(1, b"IPV4V6", b"cmnet")
    world.module.reboot()


def _busy(world: World) -> None:
    # c07, c14
    for command in world.rng.sample(_ASKED, 4):
        world.module.reply(command, world.rng.choice(_BUSY), world.rng.randint(1, 2))
    _pdp_gone(world)


def _chatter(world: World) -> None:
    # c06, c11, c12
    for _ in range(6):
        command = world.rng.choice((*_ASKED, b"AT+CSQ", b"AT+MSSL", b"AT+MIPOPEN"))
        world.module.chatter(command, world.rng.choice(_CHATTER), world.rng.randint(1, 3))
    if world.rng.random() < 0.5:
        _pdp_gone(world)


def _wedged(world: World) -> None:
    # c08
    world.module.wedge(world.rng.choice(("pdp", "cfun", "reboot", "power")))
    if world.broker.conn:
        world.broker.conn.end(2)


def _deaf_uart(world: World) -> None:
    # c20
    world.device.rig.uart.deafen()


def _clock_unset(world: World) -> Callable[[], None]:
    # the certificate's dates cannot be judged
    quirks, module = world.module.quirks, world.module
    quirks.date, quirks.ntp = "unset", False
    module.set_date(UNSET)
    module.power_cycle()

    def well() -> None:
        quirks.date, quirks.ntp = None, True

    return well


def _mode_left_over(world: World) -> None:
    # c17: ATV0 or ATQ1
    if world.rng.random() < 0.5:
        world.module.verbose = False
    else:
        world.module.quiet = True


def _noise(world: World) -> None:
    rng, line = world.rng, world.line
    counts = line.counts
    for _ in range(rng.randint(1, 6)):
        way = rng.choice("<>")
        kind = rng.choice(("drop", "corrupt", "duplicate", "insert", "stall"))
        data = rng.randbytes(rng.randint(1, 4))
        at = counts[way] + rng.randrange(400)
        line.add(Fault(kind, way, at, mask=1 << rng.randrange(8), data=data, seconds=2.0))


def _severed(world: World) -> Callable[[], None] | None:
    # A loose contact
    seconds = world.rng.uniform(5, 300)
    for way, at in world.line.counts.items():
        world.line.add(Fault("sever", way, at, seconds=seconds))
    return None


def _host_power_cut(world: World) -> None:
    """The board starts anew; the module does not. _strike raises it, once all else has begun."""


POWER_CUT = Event("board loses power", _host_power_cut)
EVENTS = (
    POWER_CUT,
    Event("broker away", _broker_gone, (60, 2 * HOUR)),
    Event("connection vanishes", _vanish),
    Event("broker says nothing", _silent_broker, (60, HOUR)),
    Event("no acknowledgements", _no_acknowledgements, (60, HOUR)),
    Event("commands that no handler likes", _commands),
    Event("module reboots", _reboot),
    Event("module reboots without a word", _silent_reboot),
    Event("module loses power", _power_cycle),
    Event("PDP context gone", _pdp_gone),
    Event("detached", _detached),
    Event("radio off", _radio_off),
    Event("registration denied", _denied, (60, 3 * HOUR)),
    Event("no coverage", _out_of_coverage, (60, 3 * HOUR)),
    Event("SIM late", _late_sim, (35, 35)),
    Event("dialling fails", _dialling_fails),
    Event("another APN", _other_apn),
    Event("busy", _busy),
    Event("chatter", _chatter),
    Event("wedged", _wedged, needs_restart=True),
    Event("UART deaf", _deaf_uart, needs_restart=True),
    Event("clock unset", _clock_unset, (60, 2 * HOUR)),
    Event("mode left over", _mode_left_over),
    Event("noise", _noise),
    Event("line severed", _severed, (300, 300)),
)


@contextmanager
def _board(world: World, folder: Path) -> Iterator[None]:
    """The machine module, the working directory and the files of a board; its writes counted."""
    real_open, here, path = builtins.open, Path.cwd(), list(sys.path)
    machine = sys.modules.get("machine")

    def counted(file: Any, mode: str = "r", *args: Any, **settings: Any) -> Any:
        if set(mode) & set("wa+x") and str(file) != "config.json":
            world.report.flash_writes += 1
        return real_open(file, mode, *args, **settings)

    os.chdir(folder)
    sys.path.insert(0, str(ROOT))
    sys.modules.pop("mqtt", None)
    sys.modules["machine"] = machine_of(world.device)  # type: ignore[assignment]
    builtins.open = counted
    try:
        yield
    finally:
        builtins.open = real_open
        os.chdir(here)
        sys.path[:] = path
        sys.modules.pop("machine")
        if machine:
            sys.modules["machine"] = machine
        world.device.rig.close()


def history(number: int, days: float = DAYS, every_s: float = 8 * HOUR) -> Report:
    """One history. `every_s`: from event to event, on the average."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = World(number, days, every_s, folder)
        with _board(world, folder):
            return world.run()


def _job(task: tuple[int, float, float]) -> Report:
    return history(*task)


def summary(reports: list[Report]) -> list[tuple[str, str]]:
    """What all of them came to: words and figures, for the table here and in the README."""
    days = sum(report.days for report in reports)
    events = sum(sum(report.events.values()) for report in reports)
    steps: Counter[str] = Counter()
    for report in reports:
        steps.update(report.steps)
    lost = [text for report in reports for text in report.failures if "was lost" in text]
    offline = sum(report.offline_s for report in reports) / HOUR
    writes = sum(report.flash_writes for report in reports)
    return [
        ("histories, virtual days", f"{len(reports)}, {days:.0f}"),
        ("events", f"{events:,}"),
        ("lines acknowledged", f"{sum(report.lines for report in reports):,}"),
        ("of these lost", f"{len(lost):,}"),
        ("sent once more, as duplicates", f"{sum(report.again for report in reports):,}"),
        ("changed by noise on the UART", f"{sum(report.damaged for report in reports):,}"),
        ("hours offline a day, outages of the world included", f"{offline / days:.2f}"),
        (
            "longest way back, once the world was well",
            f"{max(report.worst_s for report in reports) / 60:.1f} min",
        ),
        (
            "longest after a fault that only a restart mends",
            f"{max(report.worst_restart_s for report in reports) / 60:.1f} min",
        ),
        ("writes to flash a day", f"{writes / days:.2f}"),
        ("steps taken", ", ".join(f"{step} {steps[step]:,}" for step in STEPS)),
    ]


def markdown(reports: list[Report]) -> str:
    """The README's table."""
    return "\n".join(["| | |", "|---|---:|", *(f"| {a} | {b} |" for a, b in summary(reports))])


def main(
    histories: Annotated[int, typer.Option(help="How many.")] = HISTORIES,
    days: Annotated[float, typer.Option(help="Virtual days of each.")] = DAYS,
    hours: Annotated[float, typer.Option(help="Hours from event to event, on the average.")] = 8.0,
    jobs: Annotated[int, typer.Option(help="At the same time.")] = os.cpu_count() or 1,
    only: Annotated[int | None, typer.Option(help="The history of this number.")] = None,
    readme: Annotated[Path | None, typer.Option(exists=True, help="put the table there")] = None,
) -> None:
    """Field histories: weeks of what devices meet, and whether main.py comes back each time."""
    console = Console()
    numbers = range(histories) if only is None else [only]
    tasks = [(number, days, hours * HOUR) for number in numbers]
    reports = []
    with Pool(min(jobs, len(tasks))) as pool:
        done = pool.imap_unordered(_job, tasks)
        for report in track(done, "Histories", total=len(tasks), console=console):
            reports.append(report)
    table = Table("history", "events", "lines", "offline h", "back min", "restart min", "s")
    for report in sorted(reports, key=lambda one: one.number):
        table.add_row(
            str(report.number),
            str(sum(report.events.values())),
            str(report.lines),
            f"{report.offline_s / HOUR:.1f}",
            f"{report.worst_s / 60:.1f}",
            f"{report.worst_restart_s / 60:.1f}",
            f"{report.took_s:.0f}",
        )
    console.print(table)
    totals = Table("all of them", "")
    for row in summary(reports):
        totals.add_row(*row)
    console.print(totals)
    if readme:
        write_part(readme, PART, markdown(reports))
    failures = [text for report in reports for text in report.failures]
    for text in failures:
        console.print(text, style="red")
    raise typer.Exit(1 if failures else 0)


if __name__ == "__main__":
    typer.run(main)
