# SPDX-License-Identifier: MIT
"""The line on a wall: a static page, written anew every 2 s, that any browser shows by itself.

No server, no script: the page reloads itself. It is replaced as a whole, so that none sees half.
"""

import html
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from onemo_tools.factory.line import PASS, RETRY, STOP, WORKING, Row

EVERY_S = 2.0

_COLOURS = {PASS: "#0a7d28", STOP: "#b00020", RETRY: "#a15c00", WORKING: "#0b5cad"}
_STYLE = """
body { font: 2.2vw sans-serif; margin: 2vw; background: #fff; color: #111 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .6vw 1vw; border-bottom: 1px solid #ccc }
.word { font-weight: bold; font-size: 3vw }
progress { width: 14vw; height: 2vw }
"""


def render(rows: Iterable[Row], title: str, now: datetime | None = None) -> str:
    """The page as HTML."""
    now = now or datetime.now(UTC)
    lines = [_row(row) for row in rows]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{EVERY_S:g}"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        "<table><tr><th>slot<th>device<th>step<th><th><th>do</tr>"
        f"{''.join(lines)}</table><p>{now:%Y-%m-%d %H:%M:%S} UTC</html>\n"
    )


def _row(row: Row) -> str:
    colour = _COLOURS.get(row.word, "#555")
    name = html.escape(row.device_name)
    label = f" <small>{html.escape(row.label)}</small>" if row.label else ""
    return (
        f"<tr><td>{html.escape(row.slot)}<td>{name}{label}<td>{row.step}"
        f'<td><progress value="{row.part:.2f}"></progress>'
        f'<td class="word" style="color:{colour}">{row.word}<td>{html.escape(row.todo)}</tr>'
    )


def write(file: Path, text: str) -> None:
    """Replaces the page."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, file)
