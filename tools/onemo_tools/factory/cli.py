# SPDX-License-Identifier: MIT
"""`onemo factory`: identities for many boards, on a line."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from onemo_tools.cli import exits
from onemo_tools.cli.parts import AS_JSON, fail, need_extra, need_file

app = typer.Typer(
    help="A production line: a key and a certificate for each board, and a record of all.",
    no_args_is_help=True,
)

LineFile = Annotated[Path, typer.Argument(metavar="LINE.toml", help="The line's settings.")]
Json = Annotated[bool, AS_JSON]
SlotOption = Annotated[
    list[str] | None,
    typer.Option("--slot", metavar="NAME=PATH", help="A slot and its port; may be repeated."),
]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that is made.")],
    name: Annotated[str, typer.Option(help="The CA's name (CN).")] = "onemo line CA",
) -> None:
    """Makes a LINE.toml to begin with, and a CA whose key is encrypted.

    The passphrase is asked for, or in ONEMO_CA_PASSPHRASE. A CA of your own takes its place."""
    need_extra("factory", "factory")
    from onemo_tools.factory import starting, station

    def ask(what: str) -> str:
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True))

    try:
        secret = station.environment_or(ask)
        passphrase = secret("ONEMO_CA_PASSPHRASE", "Passphrase of the CA's new key")
        for file in starting.write(folder, name, passphrase.encode()):
            typer.echo(str(file))
    except (OSError, ValueError) as error:
        raise fail("factory", error) from None


@app.command()
def run(
    line: LineFile,
    slot: SlotOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Each board that is there now, then an end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Serves boards until Ctrl-C: each gets its identity, or is found to have it."""
    need_extra("factory", "factory")
    from onemo_tools.factory import station
    from onemo_tools.factory.running import serve

    settings = _settings(line, slot)
    if not settings.slots:
        raise fail("factory", "no slots: name them in LINE.toml, or by --slot NAME=PATH", 2)
    station.no_core_dumps()
    secret = station.environment_or(
        lambda what: str(typer.prompt(what, hide_input=True, err=True))
    )
    try:
        with station.station(settings, secret) as made:
            _, failed = serve(made, once, as_json, sys.stdout)
    except (OSError, ValueError) as error:
        raise fail("factory", error) from None
    raise typer.Exit(exits.FAILED if failed and once else exits.DONE)


def _settings(line: Path, slots: list[str] | None) -> Any:
    """LINE.toml with the slots of the command line."""
    from dataclasses import replace

    from onemo_tools.factory import settings as settings_

    need_file("factory", line, "the line's settings, see docs/factory.md", exits.USAGE)
    try:
        found = settings_.load(line)
        named = dict(found.slots)
        for text in slots or []:
            name, equals, port = text.partition("=")
            if not equals or not port:
                raise settings_.SettingsError(f"--slot is NAME=PATH, not {text!r}")
            settings_.check_slot(name)
            named[name] = port
        ports = list(named.values())
        if len(set(ports)) < len(ports):
            raise settings_.SettingsError("two slots have the same port")
        return replace(found, slots=named)
    except (OSError, ValueError) as error:
        raise fail("factory", error) from None
