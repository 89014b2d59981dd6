# SPDX-License-Identifier: MIT
"""What the commands have in common: options, and errors in a sentence."""

import importlib.util
import json
import platform
from pathlib import Path

import typer

from onemo_tools.cli import exits
from onemo_tools.deploy.ports import unnumbered

_for_programs = False  # --json was given: errors are JSON as well


def note_json(wanted: bool) -> bool:
    """Remembers --json; as the option's callback."""
    global _for_programs
    _for_programs = wanted
    return wanted


BOARD = typer.Option("--board", help="The board's port, /dev/ttyUSB0 for example.")
AS_JSON = typer.Option("--json", help="One JSON object, for a machine.", callback=note_json)

NO_LINT = typer.Option("--no-lint", help="Goes on whatever `certs lint` says of the files.")


def _name(option: str) -> str:
    return "board" if option == "port" else option


# --port means --board, as it does in mpremote's words and as it did here.
BOARD_OR_PORT = {"token_normalize_func": _name}


def fail(
    command: str, error: Exception | str, status: int | None = None, said: str | None = None
) -> typer.Exit:
    """Says what went wrong in a sentence, and to programs (--json) as an object on standard
    output; to be raised. `status`: else by the error, see exits.MEANING. `said`: else its text."""
    said = said or (error if isinstance(error, str) else unnumbered(error))
    end = exits.ending(error, status)
    typer.echo(f"{command}: {said}", err=True)
    if _for_programs:
        told = {"kind": end.kind, "message": said, "status": end.status, "code": end.code}
        typer.echo(json.dumps({"error": told}))
    return typer.Exit(end.status)


# What only some have: extra -> modules that it needs, what it is for.
_EXTRAS = {
    "board": (("micropython_run", "littlefs"), "the virtual board"),
    "demo": (("micropython_run", "littlefs", "amqtt"), "the demo"),
    "factory": (("sqlalchemy", "alembic"), "the production line"),
    "size": (("micropython_run",), "measuring the heap"),
}


def need_extra(command: str, name: str) -> None:
    """Fails, in a sentence, unless the parts of an extra are there."""
    modules, what = _EXTRAS[name]
    if name == "factory":  # runs wherever Python does
        if any(importlib.util.find_spec(module) is None for module in modules):
            remedy = 'is an extra of this package: install "onemo-tools[factory]"'
            raise fail(command, f"{what} {remedy}", exits.MISSING)
        return
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise fail(
            command,
            f"{what} runs on x86-64 Linux only, for MicroPython is built for it there; this is "
            f"{system} on {machine}. `onemo simulate` runs here, and real boards work",
            exits.MISSING,
        )
    if [module for module in modules if importlib.util.find_spec(module) is None]:
        extra = "demo" if name == "demo" else "board"
        raise fail(
            command,
            f'{what} is an extra of this package: install "onemo-tools[{extra}]"',
            exits.MISSING,
        )


def need_file(command: str, path: Path, what: str, status: int | None = None) -> None:
    """Fails unless it is one. `what`: is to be given."""
    if path.is_dir():
        raise fail(command, f"{path} is a folder: give {what}", status)
    if not path.exists():
        raise fail(command, f"there is no {path}: give {what}", status)


def need_folder(command: str, path: Path, what: str) -> None:
    """Fails unless it is one."""
    if not path.exists():
        raise fail(command, f"there is no {path}: give {what}")
    if not path.is_dir():
        raise fail(command, f"{path} is a file: give {what}")
