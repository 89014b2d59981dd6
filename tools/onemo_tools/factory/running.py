# SPDX-License-Identifier: MIT
"""A run: slots at work, what a person sees of it, and its orderly end."""

import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from onemo_tools.factory import page, screen
from onemo_tools.factory.line import Line, Row
from onemo_tools.factory.station import Station

_DRAW_S = 0.25


def serve(station: Station, once: bool, as_json: bool, out: TextIO) -> tuple[int, int]:
    """Serves boards until Ctrl-C or SIGTERM, with `once` those that are there; (passed, failed).
    The first signal lets boards be finished that are under way."""
    title = f"{station.settings.batch.name} at {station.settings.station}"
    drawn = out.isatty() and not as_json
    lines = screen.Lines(out, as_json)
    line = Line(station.slots, station.records, on_change=_nothing if drawn else lines.show)
    ended = threading.Event()
    worker = threading.Thread(target=_run, args=(line, once, ended), name="line")
    restore = _on_signals(line.stop)
    try:
        worker.start()
        if drawn:
            _draw(line, title, out, station, ended)
        else:
            _write_pages(line, title, station, ended)
        worker.join()
    finally:
        restore()
        line.stop()
    rows = line.rows()
    _write_page(station, rows, title)
    passed, failed = sum(row.passed for row in rows), sum(row.failed for row in rows)
    station.records.end_run(passed, failed)
    if as_json:
        print(json.dumps({"event": "end", "passed": passed, "failed": failed}), file=out)
    else:
        print(f"{passed} passed, {failed} failed", file=out)
    return passed, failed


def _run(line: Line, once: bool, ended: threading.Event) -> None:
    try:
        line.run(once)
    finally:
        ended.set()


def _draw(line: Line, title: str, out: TextIO, station: Station, ended: threading.Event) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    written = 0.0
    with Live(
        console=screen.console(out),
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        while True:
            over = ended.wait(_DRAW_S)
            rows = line.rows()
            below = [Text(text) for text in screen.details(rows)]
            head = f"{title}   (finishing)" if line.stopping else title
            live.update(Group(screen.table(rows, head), *below), refresh=True)
            if time.monotonic() > written + page.EVERY_S:
                written = time.monotonic()
                _write_page(station, rows, title)
            if over:
                return


def _write_pages(line: Line, title: str, station: Station, ended: threading.Event) -> None:
    _write_page(station, line.rows(), title)
    while not ended.wait(page.EVERY_S):
        _write_page(station, line.rows(), title)


def _write_page(station: Station, rows: list[Row], title: str) -> None:
    if station.settings.page is not None:
        page.write(station.settings.page, page.render(rows, title))


def _on_signals(stop: Callable[[], None]) -> Callable[[], None]:
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda *_: stop())

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def _nothing(row: Row) -> None:
    pass
