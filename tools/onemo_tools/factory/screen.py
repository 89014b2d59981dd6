# SPDX-License-Identifier: MIT
"""The line in a terminal of 80×24: a row a slot, words that need no colour.

Without a terminal each change of a slot's word is a line; with --json it is an object.
"""

import contextlib
import json
import threading
from collections.abc import Iterable
from dataclasses import asdict
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from onemo_tools.factory.line import PASS, RETRY, STOP, WORKING, Row

COLOURS = {PASS: "bold green", STOP: "bold red", RETRY: "bold yellow", WORKING: "cyan"}
_BAR = 10


def table(rows: Iterable[Row], title: str) -> Table:
    """80 columns at most: slot, device name, step, bar, word, what to do."""
    made = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left")
    made.add_column("slot", width=8, no_wrap=True)
    made.add_column("device", width=16, no_wrap=True)
    made.add_column("step", width=7, no_wrap=True)
    made.add_column("", width=_BAR, no_wrap=True)
    made.add_column("", width=5, no_wrap=True)
    made.add_column("do", width=27, overflow="fold")  # a label is never cut short
    for row in rows:
        made.add_row(
            escape(row.slot),
            escape(row.device_name),
            row.step,
            bar(row.part),
            row.word,
            escape(row.todo),
            style=COLOURS.get(row.word),
        )
    return made


def bar(part: float) -> str:
    """Ten characters, as many of them full as are done."""
    full = min(_BAR, int(part * _BAR))
    return "#" * full + "." * (_BAR - full)


def details(rows: Iterable[Row]) -> list[str]:
    """What went wrong, a line a slot."""
    return [f"{row.slot}: {row.detail}" for row in rows if row.word in (STOP, RETRY)]


class Lines:
    """A line of text, or an object, whenever a slot's word changes. Slots call it from threads of
    their own; that nobody reads any more is no reason for one to stop."""

    def __init__(self, out: TextIO, as_json: bool) -> None:
        self._out, self._as_json = out, as_json
        self._words: dict[str, str] = {}
        self._lock = threading.Lock()

    def show(self, row: Row) -> None:
        if self._words.get(row.slot) == row.word:
            return
        self._words[row.slot] = row.word
        if self._as_json:
            text = json.dumps({"event": "slot", **asdict(row)})
        else:
            text = f"{row.slot} {row.word} {row.device_name} {row.detail or row.todo}".rstrip()
        with self._lock, contextlib.suppress(OSError):
            self._out.write(text + "\n")
            self._out.flush()


def console(out: TextIO) -> Console:
    """Of `out` itself: what others do to sys.stdout meanwhile does not touch it."""
    return Console(file=out)
