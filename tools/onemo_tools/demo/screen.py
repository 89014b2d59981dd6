# SPDX-License-Identifier: MIT
"""What the person watching sees: colours and bars on a terminal, plain lines elsewhere."""

import textwrap
from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.rule import Rule
from rich.table import Table

WIDTH = 80  # columns, unless the terminal has fewer
_INDENT = 8  # columns, of what follows a line's first word


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(highlight=False)
        if not console.is_terminal:
            console = Console(file=console.file, highlight=False, width=WIDTH)
        self._width = min(WIDTH, console.width)
        self.console = console
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._quarters: dict[str, int] = {}

    def act(self, title: str) -> None:
        """A heading."""
        self.console.print()
        rule = Rule(title, align="left", style="cyan", characters="-")
        self.console.print(rule, width=self._width)

    def say(self, text: str, style: str | None = None) -> None:
        """A line, or several: words stay whole."""
        lines = textwrap.wrap(
            text,
            self._width,
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines or [""]:
            self.console.print(line, style=style, markup=False, soft_wrap=True)

    def board(self, line: str) -> None:
        """A line that the board printed."""
        self.say(f"board   {line}", "dim")

    def wire(self, command: bytes) -> None:
        """A command that the module got."""
        self.say(f"module  {command.decode('ascii', 'replace')}", "dim")

    def proved(self, text: str) -> None:
        """Something that was checked and holds."""
        self.say(f"ok      {text}", "green")

    def failed(self, text: str) -> None:
        self.say(f"FAILED  {text}", "bold red")

    def table(self, rows: Iterable[Iterable[str]]) -> None:
        table = Table(box=None, pad_edge=False, show_header=False)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    # Progress of an upload

    def progress(self, name: str, done: int, total: int) -> None:
        """So many bytes of `name` are on their way."""
        if not self.console.is_terminal:
            quarter = 4 * done // total
            if quarter > self._quarters.get(name, 0):
                self._quarters[name] = quarter
                bar = "#" * (6 * quarter)
                self.say(f"{name:<12}[{bar:<24}] {done}/{total} bytes")
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description:<12}"),
                BarColumn(),
                DownloadColumn(),
                console=self.console,
            )
            self._progress.start()
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done)
        if done >= total:  # what comes next is its confirmation, which belongs below
            self.end_progress()

    def end_progress(self) -> None:
        """The bars stay as they are; later ones are new."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = None
        self._bars.clear()
        self._quarters.clear()
