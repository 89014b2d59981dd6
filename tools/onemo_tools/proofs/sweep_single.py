# SPDX-License-Identifier: MIT
"""Every single fault at every byte of a whole conversation: `make faults`.

A run starts the driver, provisions a CA, a certificate and a key, configures TLS, connects,
exchanges, closes; one fault strikes at one byte. It must end in one of two ways: all is right, as
the module's own state shows, or the driver raised one of its own errors within its deadline, and
the same object then does the job (after `modem.reboot()` where the error asked for it). Anything
else - a hang, wrong content called right, plaintext, another exception - is a failure.
"""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool
from typing import Annotated

import typer
from onemo import AUTH_MUTUAL, CERT, KEY
from onemo.errors import ModemError
from onemo_simulator import EchoPeer, Fault, LoopNetwork
from rich.console import Console
from rich.progress import track
from rich.table import Table

from .outage import pem
from .rig import Rig

KINDS = ("drop", "corrupt", "duplicate", "insert", "stall", "reboot")
ENDINGS = {
    "clean": "right, as if nothing had been",
    "unnoticed": "in step, application data changed",
    "recovered": "in an error; the same object then did the job",
    "rebooted": "in an error; it did so after modem.reboot()",
}
HOST, PORT = "broker.example", 8883
DEADLINE_S = 900.0  # virtual; the sum of all deadlines of a conversation is far below
SENT = b"telemetry " * 20


def _pem(label: bytes, letter: bytes, lines: int) -> bytes:
    return pem(label, letter.decode(), lines)


OBJECTS = (
    ("ca.pem", CERT, _pem(b"CERTIFICATE", b"A", 5)),
    ("client.pem", CERT, _pem(b"CERTIFICATE", b"B", 4)),
    ("client.key", KEY, _pem(b"PRIVATE KEY", b"C", 3)),
)
NAMES = ("ca.pem", "client.pem", "client.key")


class Hang(Exception):
    """The driver let its deadline pass."""


class Wrong(Exception):
    """The driver called right what is not."""


@dataclass
class Result:
    """How a run ended: "clean", "unnoticed" (data only), "recovered" by way of `error`, or
    "rebooted" as a second error asked."""

    ending: str
    error: str = ""
    seconds: float = 0.0


class Conversation:
    """One rig and the job on it."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.network = LoopNetwork()
        self.network.listen(HOST, PORT, EchoPeer())
        self.rig = Rig(
            network=self.network,
            faults=[fault] if fault else [],
            driver={"packet": 256, "buffer": 64},
            boot_delay=1.0,
        )
        self.modem = self.rig.modem
        self.boots = 0  # of the module, when it was connected
        clock = self.rig.clock
        advance_to = clock.advance_to

        def bounded(moment: float) -> None:
            if moment > DEADLINE_S:
                raise Hang(f"still waiting after {DEADLINE_S:.0f} s")
            advance_to(moment)

        clock.advance_to = bounded  # type: ignore[method-assign]

    def run(self) -> bytes:
        """The job; what came back over the connection."""
        modem = self.modem
        modem.start()
        modem.attach()
        for name, kind, content in OBJECTS:
            modem.certs.write(name, io.BytesIO(content), kind)
        ca, cert, key = NAMES
        modem.tls(1).configure(AUTH_MUTUAL, ca=ca, cert=cert, key=key)
        with modem.connect(HOST, PORT, modem.tls(1)) as stream:
            self.boots = self.rig.module.boots
            stream.write(SENT)
            return bytes(stream.read(len(SENT)))

    def check(self, answer: bytes) -> bool:
        """Whether all is right in the module; False where only application data differs."""
        module = self.rig.module
        for name, kind, content in OBJECTS:
            held = module.store.objects.get((kind, name))
            if held != content:
                raise Wrong(f"{name} is {held!r:.60}")
        contexts = module.contexts
        for option, value in (
            ("auth", AUTH_MUTUAL),
            ("version", 3),
            ("ciphersuite", 0),
            ("session", 1),
            ("ignorestamp", 0),
            ("ignoreverify", 0),
            ("negotime", 45),
        ):
            if contexts.value(1, option) != value:
                raise Wrong(f"{option} is {contexts.value(1, option)}")
        if tuple(contexts.names(1)) != NAMES:
            raise Wrong(f"names are {contexts.names(1)}")
        last = self.network.connections[-1]
        if last.tls is None:
            raise Wrong("plaintext")
        if len(answer) != len(SENT):
            raise Wrong(f"{len(answer)} bytes came back of {len(SENT)}")
        return answer == SENT and bytes(last.sent) == SENT


def strike(fault: Fault | None) -> Result:
    """One run. Raises what must not happen."""
    conversation = Conversation(fault)
    rig = conversation.rig
    try:
        error = ending = ""
        try:
            answer = conversation.run()
        except ModemError as caught:
            error = type(caught).__name__
            ending = "recovered"
            if fault and fault.kind == "stall":
                rig.clock.advance(fault.seconds)  # nobody can be right while the line is dead
            try:
                answer = conversation.run()
            except ModemError as second:
                if "reboot" not in str(second):
                    raise
                ending = "rebooted"
                conversation.modem.reboot()
                answer = conversation.run()
        if rig.module.boots != conversation.boots:
            answer = conversation.run()  # it rebooted after the job: the settings went with it
        right = conversation.check(answer)
        return Result(ending or ("clean" if right else "unnoticed"), error, rig.clock.now())
    finally:
        rig.close()


def lengths() -> dict[str, int]:
    """Bytes each way in a conversation without a fault."""
    conversation = Conversation()
    try:
        conversation.check(conversation.run())
        return conversation.rig.line.counts
    finally:
        conversation.rig.close()


def faults(counts: dict[str, int], kinds: Iterable[str] = KINDS) -> Iterator[Fault]:
    """Every fault at every byte, both ways; what varies within a kind follows from where."""
    for direction, count in counts.items():
        for position in range(count):
            rng = random.Random(position)
            for kind in kinds:
                yield Fault(
                    kind,
                    direction,
                    position,
                    mask=1 << rng.randrange(8),
                    data=rng.choice((b"\xff", b"\r\n", b"OK\r\n", b"A", b"\x00\x1a", b">", b'"')),
                    seconds=rng.choice((0.3, 3.0, 40.0)),
                )


@dataclass
class Tally:
    """What a sweep counted."""

    endings: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """The counts of another part."""
        self.endings += other.endings
        self.errors += other.errors
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.failures += other.failures


def sweep(chosen: Iterable[Fault], on_run: Callable[[], None] | None = None) -> Tally:
    """Runs each fault; failures are told as the fault (to replay it) and what happened."""
    tally = Tally()
    for fault in chosen:
        try:
            result = strike(fault)
        except Exception as caught:
            tally.failures.append(f"{fault}: {type(caught).__name__}: {caught}")
        else:
            tally.endings[result.ending] += 1
            if result.error:
                tally.errors[result.error] += 1
            tally.slowest_s = max(tally.slowest_s, result.seconds)
        if on_run:
            on_run()
    return tally


def _part(task: tuple[dict[str, int], int, int]) -> Tally:
    counts, index, parts = task
    return sweep(list(faults(counts))[index::parts])


def main(
    replay: Annotated[str, typer.Option(help="one fault, as a failure printed it")] = "",
    jobs: Annotated[int, typer.Option(help="processes")] = os.cpu_count() or 1,
) -> None:
    """Sweeps every fault over every byte and prints the counts; exit status 1 on any failure."""
    console = Console()
    if replay:
        console.print(strike(Fault.parse(replay)))
        return
    counts = lengths()
    parts = 100
    tally = Tally()
    tasks = [(counts, index, parts) for index in range(parts)]
    with Pool(jobs) as pool:
        for part in track(pool.imap_unordered(_part, tasks), "faults", parts, console=console):
            tally.add(part)
    table = Table(title=f"{sum(counts.values())} bytes x {len(KINDS)} faults")
    table.add_column("the run ended")
    table.add_column("runs", justify="right")
    for ending, runs in tally.endings.most_common():
        table.add_row(ENDINGS[ending], str(runs))
    table.add_row("in failure", str(len(tally.failures)))
    console.print(table)
    told = ", ".join(f"{name} {runs}" for name, runs in tally.errors.most_common())
    console.print(f"errors on the way: {told}")
    console.print(f"longest run, by the module's clock: {tally.slowest_s:.0f} s")
    for failure in tally.failures:
        console.print(failure, markup=False)
    raise typer.Exit(bool(tally.failures))


if __name__ == "__main__":
    typer.run(main)
