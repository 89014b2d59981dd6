# SPDX-License-Identifier: MIT
"""`onemo probe` and `onemo probe-server`."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from onemo_board.errors import MpremoteError
from onemo_simulator.profile_file import from_dict
from onemo_simulator.serve import Signalled

from onemo_tools.cli import exits
from onemo_tools.cli.parts import fail, need_file
from onemo_tools.deploy.ports import unnumbered
from onemo_tools.probe import report
from onemo_tools.probe.port import BoardPort, SerialPort
from onemo_tools.probe.probe import PREFIX, Plan, Probe, Server, profile_of
from onemo_tools.probe.server import PORTS, ProbeServer, fetch_ca
from onemo_tools.probe.talk import NoModule, ProbeError

SERVER_PORT = 18830
_SERVER = re.compile(r"(.+):(\d{1,5})")
_WHAT = {
    "write": (
        f"writes some objects called {PREFIX}…, changes options of one ssl_id and one connect_id "
        "that nobody uses, and takes all of it back"
    ),
    "psk": (
        "writes one pre-shared key, which a module whose AT+MSSLRM takes no PSK ids keeps for good"
    ),
    "connect": "opens some fifteen connections to the server, and sets the clock by AT+MNTP",
    "reboot": (
        "ends the PDP context and restarts the module: connections of others end, their options "
        "are put back as they were"
    ),
}


def probe(
    serial: Annotated[
        str | None, typer.Option("--serial", help="A serial port of this PC, wired to the module.")
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", help="A board's port; its config.json names the UART.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Speed of --serial in bit/s.")] = 115200,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Asks what changes nothing, and no more.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Writes without asking.")] = False,
    no_reboot: Annotated[
        bool, typer.Option("--no-reboot", help="Does not restart the module.")
    ] = False,
    psk: Annotated[
        bool,
        typer.Option("--psk", help="Tries pre-shared keys as well: see what it says of them."),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option("--server", help="HOST:PORT of an `onemo probe-server`, for the module."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", help="The server's CA; else it is fetched from the server."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The profile's file; else MODEL.profile.json."),
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--report", help="A file for the report; else standard output.")
    ] = None,
) -> None:
    """Asks a real module what nobody but its vendor knows, and writes a profile of it, which
    `onemo simulate --profile` and tests use, and a report without identifiers."""
    if (serial is None) == (board is None):
        raise fail("probe", "say where the module is: either --serial PORT or --board PORT", 2)
    for path in (output, text):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise fail("probe", f"{path} cannot be a file: give a name in a folder that is", 2)
    where = None if server is None else _server(server, ca)
    plan = Plan(write=not read_only, reboot=not no_reboot, psk=psk, server=where)
    done: list[str] = []
    former = signal.signal(signal.SIGTERM, _ended)
    try:
        with SerialPort(serial, baud) if serial is not None else BoardPort(board or "") as port:
            asking = Probe(port, plan, say=_say, allow=_asker(plan, yes, done))
            found = asking.run()
        data = profile_of(found)
        from_dict(data)  # what is written can be read
    except NoModule as error:
        raise fail("probe", error, exits.SILENT) from None
    except ProbeError as error:
        raise fail("probe", error) from None
    except KeyboardInterrupt:
        raise typer.Exit(exits.INTERRUPTED) from None
    except (OSError, ValueError, MpremoteError) as error:
        raise fail("probe", error) from None
    finally:
        signal.signal(signal.SIGTERM, former)
    _write(data, done, output, text)
    if found.observed.get("left behind"):
        raise typer.Exit(1)


def _ended(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt  # so that the probe cleans up


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _asker(plan: Plan, yes: bool, done: list[str]) -> Callable[[str], bool]:
    """Asks for all groups at once, when the first one that changes anything is due."""
    allowed: dict[str, bool] = {}
    done.append("read")

    def allow(group: str) -> bool:
        if not allowed:
            for name in plan.groups()[1:]:
                allowed[name] = yes or _confirm(name, allowed)
        if allowed[group]:
            done.append(group)
        return allowed[group]

    return allow


def _confirm(group: str, before: dict[str, bool]) -> bool:
    if before.get("write") is False:
        return False
    try:
        return typer.confirm(f"The probe now {_WHAT[group]}. Go on?", default=False, err=True)
    except typer.Abort:  # nobody is there to answer
        typer.echo("\nno answer, so nothing is written: --yes answers for you", err=True)
        return False


def _server(text: str, ca: Path | None) -> Server:
    match = _SERVER.fullmatch(text)
    if match is None or not 1 <= int(match.group(2)) <= 65535 - PORTS:
        raise fail("probe", f"--server is HOST:PORT, not {text!r}", 2)
    host, port = match.group(1), int(match.group(2))
    if re.search(r'[",\\\s]', host):
        raise fail("probe", f"--server is HOST:PORT, and no host is called {host!r}", 2)
    if ca is not None:
        need_file("probe", ca, "the server's CA", 2)
        return Server(host, port, ca.read_bytes())
    try:
        return Server(host, port, fetch_ca(host, port))
    except (OSError, ValueError) as error:
        raise fail(
            "probe",
            f"the server's CA cannot be fetched from {host}:{port}: {unnumbered(error)}; start "
            "`onemo probe-server` there, or give its CA's file with --ca",
        ) from None


def _write(data: dict[str, Any], done: list[str], output: Path | None, text: Path | None) -> None:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", data["submodels"][0])
    path = output or Path(f"{name}.profile.json")
    told = report.text(data, done)
    try:
        path.write_text(as_json(data), encoding="utf-8")
        if text is not None:
            text.write_text(told, encoding="utf-8")
    except OSError as error:
        raise fail("probe", f"{path} cannot be written: {unnumbered(error)}") from None
    if text is None:
        typer.echo(told, nl=False)
    typer.echo(f"profile written to {path}", err=True)


def as_json(data: dict[str, Any]) -> str:
    """A profile's file: an entry a line, those of objects as well."""
    lines = []
    for name, value in data.items():
        shown = json.dumps(value)
        if isinstance(value, dict) and value:
            inner = [f"  {json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()]
            shown = "{\n" + ",\n".join(inner) + "\n }"
        lines.append(f" {json.dumps(name)}: {shown}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def probe_server(
    name: Annotated[
        str, typer.Argument(help="This machine's name or address, as the module reaches it.")
    ],
    port: Annotated[int, typer.Option(help=f"The first of {PORTS} ports in a row.")] = SERVER_PORT,
    bind: Annotated[str, typer.Option(help="Address to listen at.")] = "0.0.0.0",
    ca_file: Annotated[
        Path | None, typer.Option("--ca-out", help="Writes its CA's certificate there.")
    ] = None,
) -> None:
    """A server for `onemo probe --server NAME:PORT`: TLS with this name and with a wrong one,
    plain TCP, and a port that never answers a handshake. It takes no secrets and keeps nothing."""
    if not 1 <= port <= 65535 - PORTS:
        raise fail("probe-server", f"--port is 1 to {65535 - PORTS}, not {port}", 2)
    stop = Signalled()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.set)
    try:
        with ProbeServer(name, port, bind) as serving:
            if ca_file is not None:
                ca_file.write_bytes(serving.ca)
            typer.echo(
                f"{name}: right name at {port}, wrong name at {port + 1}, plain at {port + 2}, "
                f"silent at {port + 3}; Ctrl-C ends it"
            )
            while not stop.wait(0.5):
                pass
    except (OSError, ValueError) as error:
        raise fail("probe-server", error) from None
