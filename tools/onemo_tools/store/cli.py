# SPDX-License-Identifier: MIT
"""`onemo certs ls|write|read|rm|check`: the module's store of certificates and keys.

With `--serial` this PC talks to the module itself, through a USB-UART; with `--board` a board
does, through its own UART, with the library that is on it. The driver is lib/onemo either way.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from onemo_board.errors import MpremoteError

from onemo_tools.certlint.checks import File, lint
from onemo_tools.certlint.cli import lint_command, stop_on_errors
from onemo_tools.certlint.loading import scanner_says
from onemo_tools.cli import exits
from onemo_tools.cli.parts import AS_JSON, BOARD_OR_PORT, NO_LINT, fail, need_file
from onemo_tools.deploy.ports import unnumbered
from onemo_tools.store.board import OnBoard
from onemo_tools.store.serial import OnSerial

app = typer.Typer(
    help="Certificates and keys in the module: list, write, read, remove, check.",
    no_args_is_help=True,
    context_settings=BOARD_OR_PORT,
)

app.command("lint")(lint_command)

KINDS = {"cert": 1, "key": 2, "psk": 3}  # MSSLLIST's types
_IN_THE_SHELL = (
    ("certs.list()", "`onemo certs ls`"),
    ("certs.remove", "`onemo certs rm`"),
    ("as kind KEY", "with --kind key"),
    ("as kind CERT", "with --kind cert"),
)
_NONE = {"cert": "no certificates", "key": "no keys", "psk": "no PSKs"}
_ERRORS = (OSError, ValueError, MpremoteError)

Serial = Annotated[
    str | None, typer.Option("--serial", help="A serial port of this PC, wired to the module.")
]
Board = Annotated[
    str | None, typer.Option("--board", help="A board's port; its config.json names the UART.")
]
Baud = Annotated[int, typer.Option(help="Speed of --serial in bit/s.")]
Name = Annotated[str, typer.Argument(help="The name in the module.")]
Kind = Annotated[str, typer.Option(help="cert, key or psk.")]
Json = Annotated[bool, AS_JSON]

Store = OnSerial | OnBoard


@contextmanager
def _store(serial: str | None, board: str | None, baud: int) -> Iterator[Store]:
    """The store, wherever it is; whatever goes wrong with it ends the command in a sentence."""
    if serial is None and board is None:
        raise fail("certs", "say where the module is: --serial PORT or --board PORT", 2)
    if serial is not None and board is not None:
        raise fail("certs", "--serial PORT or --board PORT, not both: there is one module", 2)
    try:
        store: Store = OnSerial(serial, baud) if serial is not None else OnBoard(board or "")
        with store:
            yield store
    except _ERRORS as error:
        raise fail("certs", error, said=in_the_shell(unnumbered(error))) from None


def in_the_shell(text: str) -> str:
    """A remedy in the driver's words, in this command's."""
    for there, here in _IN_THE_SHELL:
        text = text.replace(there, here)
    return text


def _kind(text: str, known: tuple[str, ...] = ("cert", "key", "psk")) -> int:
    if text not in known:
        raise fail("certs", f"--kind is one of {', '.join(known)}, not {text!r}", 2)
    return KINDS[text]


def _tell(as_json: bool, value: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(value) if as_json else text)


@app.command("ls")
def list_(
    serial: Serial = None,
    board: Board = None,
    baud: Baud = 115200,
    kind: Annotated[str | None, typer.Option(help="cert, key or psk; else all.")] = None,
    as_json: Json = False,
) -> None:
    """Lists what the module holds: kind, size, name."""
    kinds = [kind] if kind is not None else ["cert", "key", "psk"]
    for name in kinds:
        _kind(name)
    with _store(serial, board, baud) as store:
        found = [
            {"kind": name, "size": size, "name": item}
            for name in kinds
            for item, size in store.list(KINDS[name])
        ]
    if as_json:
        typer.echo(json.dumps(found))
        return
    if not found:  # not to standard output: there is nothing to be read there
        typer.echo(_NONE.get(kind or "", "no certificates or keys"), err=True)
    for item in found:
        typer.echo(f"{item['kind']:<5} {item['size']:>5} {item['name']}")


@app.command()
def write(
    name: Name,
    file: Annotated[Path, typer.Argument(help="A PEM file of this PC.")],
    serial: Serial = None,
    board: Board = None,
    baud: Baud = 115200,
    kind: Kind = "cert",
    force: Annotated[bool, typer.Option("--force", help="Even if it is there already.")] = False,
    no_lint: Annotated[bool, NO_LINT] = False,
    as_json: Json = False,
) -> None:
    """Writes a certificate or key and checks it there; nothing if it is there already.

    The file is linted first (`certs lint`): an error, such as an expired certificate, ends it."""
    number = _kind(kind, ("cert", "key"))
    need_file("certs", file, "a PEM file", exits.REFUSED)
    if not no_lint:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise fail("certs", error) from None
        if not scanner_says(data, kind):  # else the driver says it
            stop_on_errors("certs", lint([File(str(file), data, kind)]))
    with _store(serial, board, baud) as store:
        try:
            written = store.write(name, file, number, force)
        except ValueError as error:
            if "PEM refused" not in str(error):
                raise
            said = in_the_shell(f"{file}, which is to be {error}")
            raise fail("certs", error, exits.REFUSED, said) from None
    said = "written and confirmed by the module" if written else "unchanged"
    _tell(as_json, {"name": name, "written": written}, f"{name} {said}")


@app.command()
def read(
    name: Name,
    serial: Serial = None,
    board: Board = None,
    baud: Baud = 115200,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else standard output.")
    ] = None,
) -> None:
    """Reads a certificate back, as the module holds it. Keys cannot be read."""
    with _store(serial, board, baud) as store, tempfile.TemporaryFile() as content:
        store.read(name, content)
        content.seek(0)
        if output is None:
            sys.stdout.buffer.write(content.read())
            sys.stdout.flush()
        else:
            output.write_bytes(content.read())


@app.command()
def rm(
    name: Name,
    serial: Serial = None,
    board: Board = None,
    baud: Baud = 115200,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="No error if it is not.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Removes a certificate or key."""
    with _store(serial, board, baud) as store:
        there = store.remove(name, missing_ok)
    _tell(
        as_json,
        {"name": name, "removed": there},
        f"{name} {'removed' if there else 'was not there'}",
    )


@app.command()
def check(
    name: Name,
    file: Annotated[
        Path | None, typer.Argument(help="A file to compare with; else the digest is shown.")
    ] = None,
    serial: Serial = None,
    board: Board = None,
    baud: Baud = 115200,
    as_json: Json = False,
) -> None:
    """The module's MD5 of an object; with a file, exit status 7 unless the file has the same."""
    if file is not None:
        need_file("certs", file, "the file to compare with", exits.REFUSED)
    with _store(serial, board, baud) as store:
        digest = store.digest(name)
        wanted = None if file is None else store.digests_of(file)
    same = None if wanted is None else digest in wanted
    said = {None: digest, True: f"{name} is {file}", False: f"{name} is not {file}: {digest}"}
    _tell(as_json, {"name": name, "md5": digest, "same": same}, said[same])
    if same is False:
        raise typer.Exit(exits.DIFFERS)
