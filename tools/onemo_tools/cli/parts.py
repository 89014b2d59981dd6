# SPDX-License-Identifier: MIT
"""What the commands have in common: options, and errors in a sentence."""

from pathlib import Path

import typer

from onemo_tools.deploy.ports import unnumbered

BOARD = typer.Option("--board", help="The board's port, /dev/ttyUSB0 for example.")
AS_JSON = typer.Option("--json", help="One JSON object, for a machine.")

NO_LINT = typer.Option("--no-lint", help="Goes on whatever `certs lint` says of the files.")


def _name(option: str) -> str:
    return "board" if option == "port" else option


# --port means --board, as it does in mpremote's words and as it did here.
BOARD_OR_PORT = {"token_normalize_func": _name}


def fail(command: str, error: Exception | str, status: int = 1) -> typer.Exit:
    """Says what went wrong in a sentence; to be raised. `status`: 2 where the command line makes
    no sense whatever is there."""
    said = error if isinstance(error, str) else unnumbered(error)
    typer.echo(f"{command}: {said}", err=True)
    return typer.Exit(status)


def need_file(command: str, path: Path, what: str, status: int = 1) -> None:
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
