# SPDX-License-Identifier: MIT
"""`onemo doctor`."""

import json
import locale
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from onemo_tools.cli import exits
from onemo_tools.cli.parts import AS_JSON, fail, need_file
from onemo_tools.doctor import words
from onemo_tools.doctor.doctor import Row, examine

_STYLES = {"ok": "green", "note": "cyan", "warn": "yellow", "bad": "bold red", "skip": "dim"}


def doctor(
    serial: Annotated[
        str | None, typer.Option("--serial", help="A serial port of this PC, wired to the module.")
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", help="A board's port; its config.json names the UART.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Speed of --serial in bit/s.")] = 115200,
    config: Annotated[
        Path | None, typer.Option(help="With --serial: the config.json to compare with.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="en or zh; else as the system's locale says.")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Looks at everything between here and the server, and says what to do.

    Port, board, wires, module, SIM, network, clock, certificates, DNS, TCP, TLS. Takes at most
    60 s. What runs on a board is interrupted; the module's network and TLS context are set up as
    config.json says.

    Exit status 0 without errors, 1 with some."""
    if (serial is None) == (board is None):
        raise fail("doctor", "say where to look: --serial PORT or --board PORT", exits.USAGE)
    language = lang or language_of_locale()
    if language not in words.LANGUAGES:
        raise fail("doctor", f"--lang is one of en, zh, not {lang!r}", exits.USAGE)
    if config is not None:
        need_file("doctor", config, "a config.json")
    console = Console(stderr=True)
    rows = []
    with console.status("") as status:
        for row in examine(serial, board, baud, config):
            rows.append(row)
            status.update(words.ROWS[row.row][words.LANGUAGES.index(language)] + " ...")
    if as_json:
        typer.echo(json.dumps([_told(row, language) for row in rows]))
    else:
        _show(rows, language)
    if any(row.state == "bad" for row in rows):
        raise typer.Exit(exits.FAILED)


def language_of_locale() -> str:
    """ "zh" where the user's locale is Chinese, else "en"."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((one for one in names if one), "") or locale.getlocale()[0] or ""
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


def _sentences(row: Row, language: str) -> tuple[str, str]:
    facts = dict(row.facts)
    if "after" in facts:
        facts["after"] = words.ROWS[facts["after"]][words.LANGUAGES.index(language)]
    return words.sentences(row.code, facts, language)


def _told(row: Row, language: str) -> dict[str, object]:
    found, remedy = _sentences(row, language)
    return row.as_dict() | {"found": found, "remedy": remedy}


def _show(rows: list[Row], language: str) -> None:
    at = words.LANGUAGES.index(language)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in words.HEADINGS[at]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        found, remedy = _sentences(row, language)
        state = Text(words.STATES[row.state][at], _STYLES[row.state])
        table.add_row(state, words.ROWS[row.row][at], Text(found), Text(remedy))
    errors = sum(row.state == "bad" for row in rows)
    warnings = sum(row.state == "warn" for row in rows)
    console = Console()
    console.print(table)
    console.print(words.SUMMARY[at].format(errors=errors, warnings=warnings), highlight=False)
