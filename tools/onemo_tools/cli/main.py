# SPDX-License-Identifier: MIT
"""The `onemo` command."""

import signal
from typing import NoReturn

import typer
from onemo_board.cli import main as board
from onemo_simulator.__main__ import main as simulate

from onemo_tools.cli.parts import BOARD_OR_PORT
from onemo_tools.cli.size import size
from onemo_tools.cli.trace import main as trace
from onemo_tools.deploy.cli import deploy
from onemo_tools.probe.cli import probe, probe_server
from onemo_tools.proofs.testdevice_cli import test_device
from onemo_tools.store import cli as certs_cli

app = typer.Typer(
    name="onemo",
    help="Tools around the onemo library: see `onemo COMMAND --help`.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("simulate")(simulate)
app.command("board")(board)
app.command("deploy", context_settings=BOARD_OR_PORT)(deploy)
app.command("test-device", context_settings=BOARD_OR_PORT)(test_device)
app.command("size")(size)
app.command("probe")(probe)
app.command("probe-server")(probe_server)
app.command("trace")(trace)
app.add_typer(certs_cli.app, name="certs")


@app.command()
def demo() -> None:
    """The whole job, on loopback and simulated hardware: certificates into a module, TLS out of
    it. Exit status 0 only when all of it happened."""
    from onemo_tools.demo import play

    signal.signal(signal.SIGTERM, _ended)
    try:
        happened = play()
    except KeyboardInterrupt:
        typer.echo("demo: interrupted, everything that it started has ended", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(0 if happened else 1)


def _ended(number: int, frame: object) -> NoReturn:
    # As Ctrl-C: what was started is ended on the way out.
    raise KeyboardInterrupt
