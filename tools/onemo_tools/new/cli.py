# SPDX-License-Identifier: MIT
"""`onemo new DIR`: a product's folder."""

import json
from pathlib import Path
from typing import Annotated, Any

import onemo
import typer

from onemo_tools.cli.parts import fail
from onemo_tools.deploy.deployment import ROOT_FILES
from onemo_tools.deploy.packages import ROOT
from onemo_tools.new import pki

_TEMPLATE = Path(__file__).parent / "template"
_SCHEMA = "config.schema.json"
UARTS: dict[str, dict[str, int]] = {
    "esp32": {"id": 1, "baud": 115200, "tx": 17, "rx": 18},
    "rp2": {"id": 1, "baud": 115200, "tx": 4, "rx": 5},
    "stm32": {"id": 2, "baud": 115200},
}


def new(
    folder: Annotated[Path, typer.Argument(help="A folder that is made, or an empty one.")],
    host: Annotated[str, typer.Option(help="The server that it reports to.")] = "broker.example",
    port: Annotated[int, typer.Option(help="The server's port.", min=1, max=65535)] = 8883,
    device: Annotated[str, typer.Option(help="The device's name.")] = "device-0001",
    port_like: Annotated[
        str, typer.Option(help=f"The board's MicroPython: one of {', '.join(UARTS)}.")
    ] = "esp32",
) -> None:
    """Makes a product's folder: program, settings, certificates to develop with, types for the
    editor, a test on simulated hardware. `onemo deploy` works from it."""
    if port_like not in UARTS:
        raise fail("new", f"--port-like is one of {', '.join(UARTS)}, not {port_like!r}", 2)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise fail("new", f"{folder} is there already: give an empty folder, or a new name")
    try:
        made = files(folder.resolve().name, host, port, device, port_like)
        pki.write(folder, made)
    except OSError as error:
        raise fail("new", error) from None
    typer.echo((folder / "README.md").read_text(encoding="utf-8"), nl=False)


def files(name: str, host: str, port: int, device: str, port_like: str) -> dict[str, bytes]:
    """Path in the folder -> content."""
    config: dict[str, Any] = {"$schema": f"../{_SCHEMA}"}
    config |= json.loads((ROOT / "config.json").read_bytes())
    config["uart"] = UARTS[port_like]
    config["endpoint"] |= {"host": host, "port": port}
    made = {f"board/{file}": (ROOT / file).read_bytes() for file in ROOT_FILES}
    made["board/config.json"] = (json.dumps(config, indent=2) + "\n").encode()
    for file, content in pki.files([host], device).items():
        if file.startswith("client") or file == "ca.pem":
            made[f"board/certs/{file}"] = content
        if not file.startswith("client"):
            made[f"pki/{file}"] = content
    made[_SCHEMA] = (ROOT / "docs" / _SCHEMA).read_bytes()
    words = {"{{name}}": name, "{{board}}": port_like, "{{version}}": onemo.__version__}
    for source in sorted(_TEMPLATE.rglob("*.in")):
        text = source.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        made[source.relative_to(_TEMPLATE).as_posix().removesuffix(".in")] = text.encode()
    for source in sorted((ROOT / "lib" / "onemo").iterdir()):
        if source.suffix in (".py", ".pyi", ".typed"):
            made[f"typings/onemo/{source.name}"] = source.read_bytes()
    return made
