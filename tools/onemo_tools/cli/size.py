# SPDX-License-Identifier: MIT
"""`onemo size`."""

from typing import Annotated

import typer

from onemo_tools.bench import size as meter
from onemo_tools.cli.parts import AS_JSON, fail, need_extra
from onemo_tools.deploy.mpy import CompileError


def size(as_json: Annotated[bool, AS_JSON] = False) -> None:
    """What the library costs: bytes of flash and of heap, module by module, and sums."""
    need_extra("size", "size")
    try:
        report = meter.measure()
    except (CompileError, meter.SizeError, ValueError) as error:
        raise fail("size", error) from None
    typer.echo(meter.as_json(report) if as_json else meter.as_text(report))
