# SPDX-License-Identifier: MIT
"""Slots side by side: each in a thread of its own, one board after the other.

A board is served once: its slot then waits until the port is gone (the board was taken out) and
there again. What a slot shows is a `Row`, a copy for whoever draws it.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from onemo_tools.cli.exits import ending
from onemo_tools.deploy.ports import unnumbered
from onemo_tools.factory.authority import AuthorityError
from onemo_tools.factory.claims import Claim, Clone, NoneLeft, Taken
from onemo_tools.factory.records import Conflict, Records, RecordsError
from onemo_tools.factory.slot import STEPS, Lost, Outcome, Slot

WAITING, WORKING, PASS, STOP, RETRY = "WAIT", "WORK", "PASS", "STOP", "RETRY"

_LOOK_S = 0.2  # how often a slot looks whether its port is there
_SETTLE_S = 0.3  # a port that has just come may go again
_ADVICE = (
    # what went wrong, what the person at the line does
    (Clone, STOP, "set aside: cloned? moved?"),
    (Taken, STOP, "set aside: its id twice"),
    (Lost, STOP, "set aside: identity lost"),
    (NoneLeft, STOP, "batch full: take it out"),
    (Conflict, STOP, "call the engineer: record"),
    (RecordsError, STOP, "call the engineer: record"),
    (AuthorityError, STOP, "call the engineer: CA"),
)


@dataclass(frozen=True)
class Row:
    """What a slot shows."""

    slot: str
    port: str
    word: str = WAITING
    step: str = ""
    part: float = 0.0  # of the whole, 0..1
    device_name: str = ""
    label: str = ""
    todo: str = "put a board in"
    detail: str = ""
    kind: str = ""  # of the error, in a word
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0


class Line:
    """The slots of one station. `on_change`: called with a slot's new row, in its thread."""

    def __init__(
        self,
        slots: list[tuple[Slot, str]],
        records: Records,
        on_change: Callable[[Row], None] = lambda row: None,
        is_there: Callable[[str], bool] | None = None,
    ) -> None:
        self._slots = slots
        self._records = records
        self._on_change = on_change
        self._is_there = is_there or _port_is_there
        self._rows = {slot.name: Row(slot.name, port) for slot, port in slots}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.outcomes: list[Outcome] = []

    def rows(self) -> list[Row]:
        """What the slots show now."""
        with self._lock:
            return list(self._rows.values())

    def stop(self) -> None:
        """No new boards; those that are being served are finished."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def run(self, once: bool = False) -> None:
        """Serves until `stop`, or with `once` each board that is there now."""
        threads = [
            threading.Thread(target=self._serve, args=(slot, port, once), name=slot.name)
            for slot, port in self._slots
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _serve(self, slot: Slot, port: str, once: bool) -> None:
        while not self._stopping.is_set():
            if self._is_there(port):
                self._serve_one(slot, port)
                if once:
                    return
                self._wait(port, there=False)
                if self._stopping.is_set():
                    return  # what came of the board stays to be seen
                self._show(slot.name, word=WAITING, step="", part=0.0, device_name="", label="")
                self._show(slot.name, todo="put a board in", detail="", kind="")
            elif once:
                self._show(slot.name, todo="no board: is it plugged in?")
                return
            else:
                self._wait(port, there=True)
                time.sleep(_SETTLE_S)

    def _wait(self, port: str, there: bool) -> None:
        while self._is_there(port) is not there and not self._stopping.wait(_LOOK_S):
            pass

    def _serve_one(self, slot: Slot, port: str) -> None:
        began = time.monotonic()
        self._show(slot.name, word=WORKING, todo="wait", detail="", kind="")

        def tell(step: str, part: float) -> None:
            whole = (STEPS.index(step) + part) / (len(STEPS) - 1)
            self._show(slot.name, step=step, part=min(1.0, whole))

        def on_claim(claim: Claim) -> None:
            self._show(slot.name, device_name=claim.device_name, label=claim.label)

        try:
            outcome = slot.serve(port, tell, on_claim)
        except Exception as error:
            self._failed(slot.name, error, time.monotonic() - began)
        else:
            self.outcomes.append(outcome)
            row = self._rows[slot.name]
            self._show(
                slot.name,
                word=PASS,
                todo=f"label {outcome.claim.label}",
                detail="had its identity" if outcome.adopted else "new identity",
                passed=row.passed + 1,
                seconds=time.monotonic() - began,
            )

    def _failed(self, name: str, error: Exception, seconds: float) -> None:
        word, todo = RETRY, "take out, put in again"
        for kind, its_word, advice in _ADVICE:
            if isinstance(error, kind):
                word, todo = its_word, advice
                break
        row = self._rows[name]
        text, end = unnumbered(error), ending(error)
        with contextlib.suppress(RecordsError):  # whose fault it may be
            unit = self._records.unit(row.device_name) if row.device_name else None
            self._records.note(
                "refused" if word == STOP else "failed",
                None if unit is None else unit.id,
                slot=name,
                step=row.step,
                fault=end.kind,
                text=text[:500],
            )
        self._show(
            name,
            word=word,
            todo=todo,
            detail=text,
            kind=end.kind,
            failed=row.failed + 1,
            seconds=seconds,
        )

    def _show(self, name: str, **changes: object) -> None:
        with self._lock:
            row = replace(self._rows[name], **changes)  # type: ignore[arg-type]
            self._rows[name] = row
        self._on_change(row)


def _port_is_there(port: str) -> bool:
    """Whether something is plugged in at a path; what is no path, such as COM3, always is."""
    return "/" not in port or "://" in port or os.path.exists(port)
