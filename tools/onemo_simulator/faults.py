# SPDX-License-Identifier: MIT
"""Faults between host and module, each at an exact byte, each replayable.

    clock = VirtualClock()
    module = Module("ML307R", clock=clock)
    line = FaultyLine(module, [Fault("corrupt", ">", 1234, mask=0x10)])
    uart = SimulatedUart(line)      # your driver talks to this

Positions count the bytes of one direction as their sender sent them, from 0, since the
`FaultyLine` was made: ">" from the host to the module, "<" from the module to the host. First run
without faults: `line.counts` then tells how many positions each direction has.

    rng = random.Random(7)
    fault = random_fault(rng, line.counts)
    print(fault)                    # e.g. "insert < 88 data=ff00"
    Fault.parse("insert < 88 data=ff00")

What each kind does when byte `position` is about to pass:

    drop       `count` bytes are lost
    corrupt    its bits `mask` are flipped
    duplicate  it comes `count` times more
    insert     `data` comes before it
    stall      it and all behind it are late by `seconds`
    cut        as stall, by a moment: a read ends here, the rest comes in another
    sever      everything in this direction is lost for `seconds`
    reboot     the module starts anew; what it had not sent yet is lost
    damage     `mask` is flipped in a byte of the stored object `name` (any, when "")
    full       the store has no more room
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, fields

from .clock import Clock
from .module import Module
from .uart import Buffer

TO_MODULE, TO_HOST = ">", "<"
KINDS = (
    "drop",
    "corrupt",
    "duplicate",
    "insert",
    "stall",
    "cut",
    "sever",
    "reboot",
    "damage",
    "full",
)
CUT_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; the module's docstring says what each kind does."""

    kind: str
    direction: str
    position: int
    count: int = 1
    mask: int = 0x01
    data: bytes = b"\xff"
    seconds: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind!r}; known: {', '.join(KINDS)}")
        if self.direction not in (TO_MODULE, TO_HOST):
            raise ValueError(f"direction is '>' or '<', not {self.direction!r}")
        if self.position < 0 or self.count < 1 or not 0 < self.mask < 256 or self.seconds < 0:
            raise ValueError(f"position, count, mask or seconds out of range: {self!r}")

    def __str__(self) -> str:
        """`kind direction position`, then whatever is not the default; `parse` reads it."""
        parts = [self.kind, self.direction, str(self.position)]
        for field in fields(self)[3:]:
            value = getattr(self, field.name)
            if value != field.default:
                text = value.hex() if isinstance(value, bytes) else str(value)
                parts.append(f"{field.name}={text}")
        return " ".join(parts)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault that `str` wrote. ValueError when the text is none."""
        try:
            kind, direction, position, *rest = text.split(" ")
            pairs = dict(part.split("=", 1) for part in rest)
            return cls(
                kind,
                direction,
                int(position),
                count=int(pairs.pop("count", 1)),
                mask=int(pairs.pop("mask", 1)),
                data=bytes.fromhex(pairs.pop("data", "ff")),
                seconds=float(pairs.pop("seconds", 1.0)),
                **pairs,
            )
        except (ValueError, TypeError) as error:
            raise ValueError(f"not a fault: {text!r} ({error})") from None


def random_fault(
    rng: random.Random, counts: dict[str, int], kinds: Iterable[str] = KINDS[:8]
) -> Fault:
    """A fault at a random byte. `counts`: how many bytes each direction has."""
    kind = rng.choice(list(kinds))
    direction = rng.choices(list(counts), weights=list(counts.values()))[0]
    return Fault(
        kind,
        direction,
        rng.randrange(counts[direction]),
        mask=1 << rng.randrange(8),
        data=rng.randbytes(rng.randint(1, 4)),
        seconds=rng.choice((0.05, 0.5, 5.0, 30.0)),
    )


def random_cuts(rng: random.Random, counts: dict[str, int], pieces: int) -> list[Fault]:
    """Cuts at random places, so that each direction comes in at most `pieces` pieces."""
    return [
        Fault("cut", direction, position)
        for direction, count in counts.items()
        for position in sorted(rng.sample(range(count), min(pieces - 1, count)))
    ]


def damage_store(module: Module, name: str = "", mask: int = 0x01, seed: int = 0) -> str:
    """Flip `mask` in one byte of a stored object; its name. "" and nothing when none is stored."""
    names = [found for _, found in module.store.objects if not name or found == name]
    if not names:
        return ""
    rng = random.Random(seed)
    victim = rng.choice(names)
    size = next(len(d) for (_, n), d in module.store.objects.items() if n == victim)
    module.store.damage(victim, rng.randrange(size), mask)
    return victim


def fill_store(module: Module) -> None:
    """No more room: the next write fails (764, or what `store_full_code` says)."""
    module.store.capacity = module.store.used()


class _Way:
    """One direction: bytes in, faults applied, bytes out when they are due."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: fault.position, reverse=True)
        self.position = 0
        self.held: list[tuple[float, bytes]] = []  # due at, bytes
        self._late_until = 0.0
        self._lost_until = 0.0
        self._losing = 0  # bytes that are still to be dropped

    @property
    def plain(self) -> bool:
        """Nothing to do any more."""
        return not (self.faults or self.held or self._losing or self._lost_until)

    def due(self, now: float, limit: int | None) -> bytes:
        """What is due, up to `limit` bytes."""
        got = bytearray()
        while self.held and self.held[0][0] <= now:
            moment, data = self.held.pop(0)
            room = len(data) if limit is None else limit - len(got)
            got += data[:room]
            if room < len(data):
                self.held.insert(0, (moment, data[room:]))
                break
        return bytes(got)

    def next_event(self, now: float) -> list[float]:
        """When held bytes are due."""
        return [max(now, self.held[0][0])] if self.held else []

    def _pass(self, now: float, data: bytes) -> None:
        if data and now >= self._lost_until:
            self._lost_until = 0.0
            self.held.append((max(now, self._late_until), data))

    def push(self, line: FaultyLine, data: bytes) -> None:
        """Bytes from the sender."""
        now = line.clock.now()
        while data:
            if self._losing:
                count = min(self._losing, len(data))
                self._losing -= count
                self.position += count
                data = data[count:]
                continue
            fault = self.faults[-1] if self.faults else None
            if fault is None or fault.position >= self.position + len(data):
                self.position += len(data)
                self._pass(now, data)
                return
            count = max(0, fault.position - self.position)
            self.position += count
            self._pass(now, data[:count])
            data = data[count:]
            self.faults.pop()
            line.struck.append(fault)
            data = self._strike(line, fault, data, now)

    def _strike(self, line: FaultyLine, fault: Fault, data: bytes, now: float) -> bytes:
        kind = fault.kind
        if kind == "drop":
            self._losing = fault.count
        elif kind == "corrupt":
            return bytes((data[0] ^ fault.mask,)) + data[1:]
        elif kind == "duplicate":
            self._pass(now, data[:1] * fault.count)
        elif kind == "insert":
            self._pass(now, fault.data)
        elif kind in ("stall", "cut"):
            seconds = fault.seconds if kind == "stall" else CUT_SECONDS
            self._late_until = max(self._late_until, now) + seconds
        elif kind == "sever":
            self._lost_until = now + fault.seconds
        elif kind == "reboot":
            line.deliver()
            line.module.reboot(lose_output=True)
            if fault.direction == TO_HOST:
                self.position += len(data)
                return b""
        elif kind == "damage":
            damage_store(line.module, fault.name, fault.mask, fault.position)
        else:
            fill_store(line.module)
        return data


class FaultyLine:
    """A module behind a faulty line: `feed`, `take`, `next_event` as a `Module` has them.

    `struck`: the faults that have happened. `counts`: bytes of each direction so far.
    """

    def __init__(self, module: Module, faults: Iterable[Fault] = ()) -> None:
        faults = list(faults)
        self.module = module
        self.clock: Clock = module.clock
        self.struck: list[Fault] = []
        self._to_module = _Way([f for f in faults if f.direction == TO_MODULE])
        self._to_host = _Way([f for f in faults if f.direction == TO_HOST])

    @property
    def counts(self) -> dict[str, int]:
        """Bytes that each direction's sender has sent."""
        return {TO_MODULE: self._to_module.position, TO_HOST: self._to_host.position}

    @property
    def baud(self) -> int:
        """The module's speed."""
        return self.module.baud

    @property
    def pending(self) -> int:
        """Bytes that `take` would give now, about."""
        now = self.clock.now()
        held = sum(len(data) for moment, data in self._to_host.held if moment <= now)
        return held + self.module.pending

    @property
    def emitted_at(self) -> float:
        """When the oldest byte for the host was ready."""
        held = self._to_host.held
        return held[0][0] if held else self.module.emitted_at

    def add(self, fault: Fault) -> None:
        """One more fault; its position is yet to come."""
        way = self._to_module if fault.direction == TO_MODULE else self._to_host
        way.faults.append(fault)
        way.faults.sort(key=lambda known: known.position, reverse=True)

    def deliver(self) -> None:
        """Give the module what is due."""
        if self._to_module.held:
            data = self._to_module.due(self.clock.now(), None)
            if data:
                self.module.feed(data)

    def feed(self, data: Buffer) -> None:
        """Bytes from the host."""
        if self._to_module.plain:
            self._to_module.position += len(data)
            self.module.feed(data)
            return
        self.deliver()
        self._to_module.push(self, bytes(data))
        self.deliver()

    def take(self, limit: int | None = None) -> bytes:
        """Bytes for the host, at most `limit`."""
        if self._to_module.held:
            self.deliver()
        way = self._to_host
        if way.plain:
            data = self.module.take(limit)
            way.position += len(data)
            return data
        got = way.due(self.clock.now(), limit)
        room = None if limit is None else limit - len(got)
        way.push(self, self.module.take(room))
        room = None if limit is None else limit - len(got)
        return got + way.due(self.clock.now(), room)

    def next_event(self) -> float | None:
        """When something happens by itself."""
        event = self.module.next_event()
        if not (self._to_module.held or self._to_host.held):
            return event
        now = self.clock.now()
        moments = self._to_module.next_event(now) + self._to_host.next_event(now)
        if event is not None:
            moments.append(event)
        return min(moments) if moments else None
