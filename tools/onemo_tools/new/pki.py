# SPDX-License-Identifier: MIT
"""`onemo pki`: a CA, a server and a device, for development and tests."""

import os
from pathlib import Path
from typing import Annotated

import typer

from onemo_tools.cli.parts import fail
from onemo_tools.servers.pki import Authority

NOTE = """These certificates are for development and tests only.

ca.pem               the CA that signed both; its key was not kept, nobody can sign more
server.pem, .key     the server's; the names and addresses that it is valid for: {names}
client.pem, .key     the device's

They are valid for a year. Make a product's in the factory, each device's key on the device or in a
secure place, and sign them with a CA whose key is in no repository.
"""


def pki(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that is made.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="The server's name or address; may be repeated, the first is its CN."),
    ] = None,
    device: Annotated[str, typer.Option(help="The device's name (CN).")] = "device-0001",
    ec: Annotated[bool, typer.Option("--ec", help="P-256 keys instead of RSA-2048.")] = False,
) -> None:
    """Makes a CA, a server's and a device's certificate: for development and tests only."""
    try:
        made = files(host or ["broker.example"], device, "ec" if ec else "rsa")
        write(folder, made)
    except OSError as error:
        raise fail("pki", error) from None
    for name in made:
        typer.echo(f"{folder / name}")
    typer.echo("for development and tests only: README.txt says why", err=True)


def files(hosts: list[str], device: str, algorithm: str = "rsa") -> dict[str, bytes]:
    """Name -> content. The server's certificate is good for localhost and 127.0.0.1 as well."""
    authority = Authority("onemo development CA", algorithm=algorithm)
    names = list(dict.fromkeys([*hosts, "localhost", "127.0.0.1"]))
    server = authority.issue(hosts[0], server=True, sans=names, algorithm=algorithm)
    client = authority.issue(device, algorithm=algorithm)
    return {
        "ca.pem": authority.pem,
        "server.pem": server.chain,
        "server.key": server.key,
        "client.pem": client.chain,
        "client.key": client.key,
        "README.txt": NOTE.format(names=", ".join(names)).encode(),
    }


def write(folder: Path, made: dict[str, bytes]) -> None:
    """Files in a folder that is made, or has none of them; keys are for their owner only.
    FileExistsError before anything is written."""
    for name in made:
        if (folder / name).exists() or (folder / name).is_symlink():
            raise FileExistsError(f"{folder / name} is there already: give an empty folder")
    for name, content in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if name.endswith(".key") else 0o644
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
