"""Rotations and first provisionings, cut off at every point, in one process on a virtual clock.

A run does one job (`SCENARIOS`) on a simulated module. At chosen steps the host loses power, the
module reboots, or both. A step is a write to the UART, or one to the journal's file. Then a new
driver, which knows nothing but its configuration and the journal, starts, calls `sync`, and must
find exactly one whole identity in use, one that the server accepts; then it does the job.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onemo import journal
from onemo.errors import CommandError, ModemError, ModemReset

from .rig import Rig, VirtualModem
from .simulator import EchoPeer, LoopNetwork
from .simulator.network import TlsRequest

HOST, PORT = "broker.example", 8883
KINDS = ("host", "half", "module", "both")
JOURNAL = "onemo.rotate"
FOREIGN = (1, "foreign.pem")
_TRIES = 4  # of a job, by a driver that lives on


class Cut(BaseException):
    """The host has no power any more."""


@dataclass(frozen=True)
class Outage:
    """At step `step` (from 0) of a run: "host" loses power, before it; "half" loses it half-way
    through it; "module" reboots; "both"."""

    step: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}@{self.step}"

    @classmethod
    def parse(cls, text: str) -> Outage:
        """What `str` wrote."""
        kind, step = text.split("@")
        return cls(int(step), kind)


def pem(label: bytes, letter: str, lines: int) -> bytes:
    """Something that passes for a PEM, of one letter."""
    body = (letter.encode() * 64 + b"\n") * lines
    return b"-----BEGIN " + label + b"-----\n" + body + b"-----END " + label + b"-----\n"


def profile(tag: str, folder: Path, letters: str = "") -> dict[str, Any]:
    """An identity named after `tag`, its files in `folder`; CA, certificate and key are made of
    one of `letters` each."""
    objects = []
    names = (f"ca-{tag}.pem", f"client-{tag}.pem", f"client-{tag}.key")
    for name, letter, lines in zip(names, letters or tag * 3, (5, 4, 3), strict=True):
        kind = "key" if name.endswith(".key") else "cert"
        label = b"PRIVATE KEY" if kind == "key" else b"CERTIFICATE"
        (folder / name).write_bytes(pem(label, letter, lines))
        objects.append({"name": name, "kind": kind, "source": str(folder / name)})
    ca, cert, key = names
    context = {"ssl_id": 1, "auth": "mutual", "ca": ca, "cert": cert, "key": key}
    return {
        "objects": objects,
        "contexts": [context],
        "endpoint": {"host": HOST, "port": PORT, "ssl_id": 1},
    }


def stored(identity: dict[str, Any]) -> dict[tuple[int, str], bytes]:
    """What the module's store holds of an identity."""
    return {
        (2 if item["kind"] == "key" else 1, item["name"]): Path(item["source"]).read_bytes()
        for item in identity["objects"]
    }


class Server(EchoPeer):
    """Accepts whole identities only, and of these only those in `accepted`."""

    def __init__(self) -> None:
        self.accepted: list[tuple[bytes, ...]] = []

    def accept(self, *identities: dict[str, Any]) -> None:
        self.accepted = [tuple(stored(identity).values()) for identity in identities]

    def verdict(self, tls: TlsRequest) -> int:
        """752 for a wrong CA, 754 for a client that is not let in."""
        if tls.auth != 2 or tls.ca not in [ca for ca, _, _ in self.accepted]:
            return 752
        return 0 if (tls.ca, tls.cert, tls.key) in self.accepted else 754


class _File:
    """A file whose every write is a step."""

    def __init__(self, file: Any, device: Device) -> None:
        self._file = file
        self._device = device

    def write(self, text: str) -> int:
        self._device.step(lambda: self._file.write(text[: len(text) // 2]))
        return int(self._file.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class _Os:
    """`os`, whose renames and removals are steps."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def rename(self, old: str, new: str) -> None:
        self._device.step()
        os.rename(old, new)

    def remove(self, path: str) -> None:
        self._device.step()
        os.remove(path)


class Device:
    """Host and module. `outages` strike at their steps once `armed`; steps are counted from
    there."""

    def __init__(self, folder: Path, outages: Iterable[Outage] = (), **module: Any) -> None:
        self.folder = folder
        self.server = Server()
        network = LoopNetwork()
        network.listen(HOST, PORT, self.server)
        self.rig = Rig(network=network, boot_delay=1.0, **module)
        self.outages = sorted(outages, key=lambda outage: outage.step, reverse=True)
        self.steps = 0
        self.struck = 0
        self.armed = False
        self._dead = False
        self.modem: VirtualModem = self.rig.modem
        self._write = self.rig.uart.write
        self.rig.uart.write = self._uart_write  # type: ignore[method-assign]
        journal.os = _Os(self)  # type: ignore[assignment]
        journal.open = self._open  # type: ignore[attr-defined]

    def close(self) -> None:
        self.rig.close()
        journal.os = os
        del journal.open  # type: ignore[attr-defined]

    def power_on(self) -> VirtualModem:
        """The host starts; `modem` is its new driver."""
        self._dead = False
        self.modem = self.rig.new_driver(packet=256, buffer=64)
        return self.modem

    # Steps

    def step(self, half: Callable[[], object] = lambda: None) -> None:
        """Something is about to happen that an outage may come before; `half` does half of it."""
        if self._dead:
            raise Cut
        if not self.armed:
            return
        number = self.steps
        self.steps += 1
        if not self.outages or self.outages[-1].step > number:
            return
        kind = self.outages.pop().kind
        self.struck += 1
        if kind == "half":
            half()
        if kind in ("module", "both"):
            self.rig.module.reboot(lose_output=True)
        if kind != "module":
            self._dead = True
            raise Cut

    def _uart_write(self, buf: Any, *window: int) -> int | None:
        start = window[0] if len(window) == 2 else 0
        size = window[-1] if window else len(buf)
        if size:
            self.step(lambda: self._write(buf, start, max(1, size // 2)))
        return self._write(buf, *window)

    def _open(self, path: str, mode: str = "r") -> Any:
        file = open(path, mode)
        return _File(file, self) if "w" in mode else file

    # What must be so

    def identity(self, *identities: dict[str, Any]) -> int:
        """Index of the one that is in use. AssertionError unless it is exactly one, whole, alone,
        and accepted by the server."""
        module = self.rig.module
        objects = dict(module.store.objects)
        assert objects.pop(FOREIGN, b"foreign") == b"foreign", "a foreign object was changed"
        wholes = [stored(identity) for identity in identities]
        assert objects in wholes, f"not one whole identity alone: {sorted(objects)}"
        assert module.store.series is None, "a packet series is open"
        found = wholes.index(objects)
        try:
            self._talk()
        except ModemReset:  # a reboot that nothing has noticed yet
            self._talk()
        context = identities[found]["contexts"][0]
        names = tuple(context[name] for name in ("ca", "cert", "key"))
        assert module.contexts.names(1) == names, f"in use: {module.contexts.names(1)}"
        assert module.contexts.value(1, "auth") == 2
        return found

    def _talk(self) -> None:
        self.modem.attach()
        with self.modem.connect(HOST, PORT, self.modem.tls(1)) as stream:
            stream.write(b"ping")
            assert stream.read(4) == b"ping"


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
            if not self.cut:  # half a command, then a new driver's first one, look like a breach
                assert device.rig.module.breaches == [], device.rig.module.breaches
        finally:
            device.close()

    def settled(self, found: int) -> None:
        """The journal tells the next start the same, and goes once nothing depends on it."""
        device = self.device
        for config in (self.config, (self.old, self.new)[found]):
            device.power_on()
            device.modem.start()
            assert device.modem.sync(config, journal=self.journal) == []
            assert device.identity(self.old, self.new) == found
        assert not [name for name in os.listdir(device.folder) if name.startswith(JOURNAL)]

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
                if "reboot" in str(error):
                    self.device.modem.reboot()
                begin = self.start


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
