# SPDX-License-Identifier: MIT
"""python -m onemo_simulator --model ML307R --port pty|tcp:PORT [--baud N] [--profile FILE]"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .profile_file import load
from .serve import DEFAULT_PORT, identity_quirks, parse_host, serve_until_signalled


def _check_profile(path: str) -> None:
    try:
        load(path)
    except OSError as error:
        typer.echo(f"simulate: {path} cannot be read: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def main(
    model: Annotated[str, typer.Option(help="Series or sub-model.")] = "ML307R",
    port: Annotated[str, typer.Option(help="pty or tcp:PORT; port 0: any.")] = DEFAULT_PORT,
    baud: Annotated[int | None, typer.Option(help="Pace the line to this speed.")] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="NAME=ADDRESS, looked at before DNS.")
    ] = None,
    echo: Annotated[
        bool | None, typer.Option(help="Command echo after power-up; else the profile's.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="JSON file of a series, instead of --model.")
    ] = None,
    clock_unset: Annotated[
        bool, typer.Option("--clock-unset", help="Its clock says 2070.")
    ] = False,
    imei: Annotated[str | None, typer.Option(help="The module's, 15 digits.")] = None,
    iccid: Annotated[str | None, typer.Option(help="Its SIM's, 19 or 20 digits.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help='A fault on the line, "drop > 120" or "corrupt < 40 mask=4" say: kind, '
            "direction, byte, and what faults.py lists; may be repeated."
        ),
    ] = None,
) -> None:
    """A simulated OneMO module to talk to from a terminal program, until Ctrl-C."""
    quirks: dict[str, Any] = {"date": "unset"} if clock_unset else {}
    if echo is not None:
        quirks["echo"] = echo
    if profile is not None:
        _check_profile(profile)
    try:
        hosts = dict(map(parse_host, host or []))
        quirks.update(identity_quirks(imei, iccid))
        serve_until_signalled(
            model, port, baud, hosts, faults=fault or (), profile=profile, **quirks
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        typer.echo(f"simulate: {port} cannot be opened: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None


def run() -> None:
    """The command `onemo-simulator`."""
    typer.run(main)


if __name__ == "__main__":
    run()
