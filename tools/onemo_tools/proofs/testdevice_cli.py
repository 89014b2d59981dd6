# SPDX-License-Identifier: MIT
"""`onemo test-device`."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from onemo_board.errors import MpremoteError

from onemo_tools.cli.parts import AS_JSON, BOARD, fail, need_file
from onemo_tools.deploy import ports
from onemo_tools.deploy.deployment import DeployError
from onemo_tools.deploy.packages import ROOT
from onemo_tools.proofs import testdevice


def test_device(
    board: Annotated[str, BOARD],
    config: Annotated[
        Path, typer.Option(help='A config.json; its "uart" says where the wires are.')
    ] = ROOT / "config.json",
    real_module: Annotated[
        bool,
        typer.Option("--real-module", help="The tests that need a module at the UART, instead."),
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="One file of tests_device, test_uart say.")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Runs the device tests on a board. Wire TX to RX, or give --real-module."""
    need_file("test-device", config, "a config.json")
    try:
        found = json.loads(config.read_text())
        ports.check(board)
        say = (lambda line: None) if as_json else _say
        results = testdevice.run(board, found, real_module=real_module, only=only, say=say)
    except (testdevice.DeviceTestError, DeployError, MpremoteError, OSError) as error:
        raise fail("test-device", error) from None
    except ValueError as error:
        raise fail("test-device", f"{config} is no JSON: {error}") from None
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(results)))
    else:
        typer.echo(f"{len(results.ran)} tests ran, {len(results.failed)} failed")
    if results.failed:
        raise typer.Exit(1)


def _say(line: str) -> None:
    if not line.startswith('{"'):
        typer.echo(line)
