# SPDX-License-Identifier: MIT
"""The `onemo` command."""

import signal
from typing import Annotated, NoReturn

import onemo
import typer
from onemo_board.cli import main as board
from onemo_simulator.__main__ import main as simulate

from onemo_tools.cli import exits
from onemo_tools.cli.parts import BOARD_OR_PORT, need_extra, note_json
from onemo_tools.cli.size import size
from onemo_tools.cli.trace import main as trace
from onemo_tools.deploy.cli import deploy
from onemo_tools.doctor.cli import doctor
from onemo_tools.factory import cli as factory_cli
from onemo_tools.new.cli import new
from onemo_tools.new.pki import pki
from onemo_tools.probe.cli import probe, probe_server
from onemo_tools.proofs.testdevice_cli import test_device
from onemo_tools.renew import cli as renew_cli
from onemo_tools.store import cli as certs_cli

_STATUSES = "\n".join(f"    {number:<4} {text}" for number, text in exits.MEANING.items())
_HELP = f"""Tools around the onemo library: see `onemo COMMAND --help`.

\b
Exit status:
{_STATUSES}

With --json an error is an object on standard output as well: kind, message, status, code."""

app = typer.Typer(
    name="onemo",
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("simulate")(simulate)
app.command("board")(board)
app.command("deploy", context_settings=BOARD_OR_PORT)(deploy)
app.command("doctor")(doctor)
app.command("new")(new)
app.command("pki")(pki)
app.command("test-device", context_settings=BOARD_OR_PORT)(test_device)
app.command("size")(size)
app.command("probe")(probe)
app.command("probe-server")(probe_server)
app.command("trace")(trace)
app.add_typer(certs_cli.app, name="certs")
app.add_typer(factory_cli.app, name="factory")
app.add_typer(renew_cli.app, name="renew")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"onemo {onemo.__version__}")
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool,
        typer.Option("--version", help="The version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    note_json(False)  # until the command's own option says otherwise


@app.command()
def demo() -> None:
    """The whole job, on loopback and simulated hardware: certificates into a module, TLS out of
    it. Exit status 0 only when all of it happened."""
    need_extra("demo", "demo")
    from onemo_tools.demo import play

    signal.signal(signal.SIGTERM, _ended)
    try:
        happened = play()
    except KeyboardInterrupt:
        typer.echo("demo: interrupted, everything that it started has ended", err=True)
        raise typer.Exit(exits.INTERRUPTED) from None
    raise typer.Exit(exits.DONE if happened else exits.FAILED)


def _ended(number: int, frame: object) -> NoReturn:
    # As Ctrl-C: what was started is ended on the way out.
    raise KeyboardInterrupt


def run() -> None:
    """The installed command."""
    app(prog_name="onemo")
