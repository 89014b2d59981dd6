# SPDX-License-Identifier: MIT
"""`onemo renew`: the maker's service for certificates that are to be renewed."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from onemo_tools.cli import exits
from onemo_tools.cli.parts import AS_JSON, fail, need_extra, need_file

app = typer.Typer(
    help="Renewal of certificates over the air: the maker's service, docs/renewal.md.",
    no_args_is_help=True,
)


@app.command()
def serve(
    line: Annotated[
        Path, typer.Argument(metavar="LINE.toml", help="The line's settings: records and CA.")
    ],
    certificate: Annotated[Path, typer.Option(help="The service's certificate and chain, PEM.")],
    key: Annotated[Path, typer.Option(help="Its key, PEM.")],
    listen: Annotated[str, typer.Option(help="ADDRESS:PORT")] = "0.0.0.0:8886",
    grace_listen: Annotated[
        str, typer.Option(help="ADDRESS:PORT for devices whose certificate has expired.")
    ] = "0.0.0.0:8887",
    grace_days: Annotated[
        int, typer.Option(min=0, help="How long after its end a certificate is renewed.")
    ] = 730,
    days: Annotated[
        int | None, typer.Option(min=1, help="Of a new certificate; else as LINE.toml says.")
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option(help="Another CA whose devices are let in, PEM; may be repeated."),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Identities under way at a time.")] = 32,
    name: Annotated[str, typer.Option(help="Under which it writes the record.")] = "renewal",
) -> None:
    """Renews certificates until Ctrl-C, on the record of the production line.

    The passphrase of the CA's key is asked for, or in ONEMO_CA_PASSPHRASE."""
    need_extra("renew", "factory")
    from onemo_tools.factory import database, settings, station
    from onemo_tools.factory.records import Records
    from onemo_tools.renew.listener import Listeners, ServerIdentity
    from onemo_tools.renew.service import Service

    need_file("renew", line, "the line's settings, see docs/factory.md", exits.USAGE)
    place, grace_place = _place("--listen", listen), _place("--grace-listen", grace_listen)
    station.no_core_dumps()
    secret = station.environment_or(
        lambda what: str(typer.prompt(what, hide_input=True, err=True))
    )
    try:
        found = settings.load(line)
        authority = station.open_authority(found, secret)
        trusted = authority.pem + b"".join(path.read_bytes() for path in trust or [])
        identity = ServerIdentity(certificate, key, trusted)
        url = database.url_of(found.records, found.folder)
        with Records.open(url, name, make=True) as records:
            records.check_clock()
            service = Service(
                records,
                authority,
                days=days or found.certificate.days,
                organization=found.certificate.organization,
                grace=timedelta(days=grace_days),
                at_once=at_once,
                tell=typer.echo,
            )
            asyncio.run(_serve(Listeners(service, identity, place, grace_place, typer.echo)))
    except (OSError, ValueError) as error:
        raise fail("renew", error) from None


async def _serve(listeners: Any) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with listeners:
        typer.echo(
            f"renews at port {listeners.port}, and at port {listeners.grace_port} what has expired"
        )
        await ended.wait()


def _place(option: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) <= 65535):
        raise fail("renew", f"{option} is {text!r}: ADDRESS:PORT", exits.USAGE)
    return host, int(port)


@app.command()
def herd(
    devices: Annotated[int, typer.Option(min=1, help="How many there are.")] = 1_000_000,
    at_once: Annotated[int, typer.Option(min=1, help="Identities under way at a time.")] = 32,
    within_s: Annotated[
        int, typer.Option(min=0, help="Of config.json: the spread of those that start together.")
    ] = 1800,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """How many devices come to the service at once: one generation of certificates, simulated."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from onemo_tools.renew.herd import SCENARIOS, simulate

    reports = {one.name: simulate(one, devices, at_once, within_s) for one in SCENARIOS}
    if as_json:
        typer.echo(json.dumps({name: asdict(report) for name, report in reports.items()}))
        return
    table = Table(title=f"{devices:,} certificates of 365 days, {at_once} renewals at a time")
    table.add_column("certificates")
    for column in ("peak/s", "peak/min", "mean", "busy", "tries", "left", "lost"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, report in reports.items():
        table.add_row(
            name,
            f"{report.peak_second:,}",
            f"{report.peak_minute:,}",
            f"{report.mean_minute:,.1f}",
            f"{report.refused:,}",
            f"{report.tries_max:,}",
            f"{report.least_left_days:,.0f} d",
            f"{report.lost:,}",
        )
    Console().print(table)
