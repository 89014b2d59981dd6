# SPDX-License-Identifier: MIT
"""`onemo factory`: identities for many boards, on a line."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@app.command()
def status(
    line: LineFile,
    unit: Annotated[
        str | None, typer.Argument(help="A device name, label or board id: all of that one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How far each batch is, which station has what; or all that is known of one unit."""
    from onemo_tools.factory import status as status_

    with _records(line) as records:
        if unit is not None:
            found = status_.unit(records, unit)
            if found is None:
                raise fail("factory", f"there is no unit {unit}: give a name, label or board id")
            typer.echo(json.dumps(found) if as_json else _told(found))
            return
        batches, stations = status_.batches(records), status_.stations(records)
    if as_json:
        said = {"batches": status_.as_objects(batches), "stations": stations}
        typer.echo(json.dumps(said))
        return
    for batch in batches:
        states = ", ".join(
            f"{count} {state}" for state, count in sorted(batch.credentials.items())
        )
        typer.echo(
            f"batch {batch.name}: {batch.bound} of {batch.units} units have a board; {states}"
        )
    for station in stations:
        claimed = ", ".join(f"{slot}: {name}" for slot, name in station["claimed"].items())
        word = "running" if station["running"] else "ended"
        typer.echo(f"station {station['name']}: {word}, last event {station['last']} {claimed}")


@app.command()
def rework(
    line: LineFile,
    unit: Annotated[str, typer.Argument(help="A device name, label or board id.")],
    module_out: Annotated[
        bool, typer.Option("--module-out", help="Its module was taken out: revokes what it has.")
    ] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="The next pass gives it another key.")
    ] = False,
    scrap: Annotated[
        bool, typer.Option("--scrap", help="It is no more: revokes, refuses its board.")
    ] = False,
    because: Annotated[str, typer.Option(help="The reason, for the record.")] = "rework",
    as_json: Json = False,
) -> None:
    """Says what became of a unit, before the line serves it again."""
    from onemo_tools.factory import rework as rework_

    if module_out + new_key + scrap != 1:
        raise fail("factory", "say one of --module-out, --new-key and --scrap", exits.USAGE)
    work = (
        rework_.take_module_out
        if module_out
        else rework_.want_new_key
        if new_key
        else rework_.scrap
    )
    with _records(line, "rework") as records:
        found = records.unit(unit)
        if found is None:
            raise fail("factory", f"there is no unit {unit}: give a name, label or board id")
        said = work(records, found.id, because)
    typer.echo(
        json.dumps({"unit": found.device_name, "done": said}) if as_json else "\n".join(said)
    )


@app.command()
def export(
    line: LineFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="csv, aws or azure.")] = "csv",
    batch: Annotated[str | None, typer.Option(help="A batch's name; else all.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="HEADING=SOURCE", help="A column of the CSV; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Writes the active identities, without keys, for a cloud or a spreadsheet."""
    from onemo_tools.factory import exports

    with _records(line, "export") as records:
        columns = [exports.parse_column(text) for text in column or []]
        rows, digest = exports.to_file(records, form, output, batch, columns)
    said = {"file": str(output), "format": form, "rows": rows, "sha256": digest}
    typer.echo(json.dumps(said) if as_json else f"{output}: {rows} identities, SHA-256 {digest}")


@app.command()
def audit(
    line: LineFile,
    events_only: Annotated[
        bool, typer.Option("--events-only", help="The chains of events, not each certificate.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Whether the record is what was written: exit status 7 if anything was changed."""
    from dataclasses import asdict

    from onemo_tools.factory.audit import audit as look

    with _records(line) as records:
        report = look(records, certificates=not events_only)
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        for finding in report.findings:
            typer.echo(f"{finding.code}: {finding.where}: {finding.text}")
        for name, head in report.heads.items():
            typer.echo(f"station {name}: newest event {head}")
        counts = f"{report.events} events, {report.credentials} certificates"
        typer.echo(f"{counts}, {len(report.findings)} findings")
    if report.findings:
        raise typer.Exit(exits.DIFFERS)


@contextmanager
def _records(line: Path, work: str | None = None) -> Iterator[Any]:
    """The record that LINE.toml names, beside its stations: to be read, or to be written to by
    `work`, which has a chain of events of its own. What fails is a sentence."""
    need_extra("factory", "factory")
    from onemo_tools.factory import database
    from onemo_tools.factory.records import Records

    settings = _settings(line, None)
    try:
        url = database.url_of(settings.records, settings.folder)
        if work is None:
            records = Records.look(url)
        else:
            records = Records.open(url, f"{settings.station[:48]}.{work}")
        with records:
            yield records
    except (OSError, ValueError) as error:
        raise fail("factory", error) from None


def _told(found: dict[str, Any]) -> str:
    lines = [f"{name}: {value}" for name, value in found.items() if not isinstance(value, list)]
    for name in ("modules", "credentials"):
        for one in found[name]:
            words = ", ".join(f"{key} {value}" for key, value in one.items() if value is not None)
            lines.append(f"{name[:-1]}: {words}")
    return "\n".join(lines)


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
