# SPDX-License-Identifier: MIT
"""What is handed to others, and whether the record is what was written."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from onemo_tools.cli.main import app
from onemo_tools.factory import chain, exports
from onemo_tools.factory.audit import audit
from onemo_tools.factory.authority import Authority
from onemo_tools.factory.claims import Claims, ModuleIdentity
from onemo_tools.factory.exports import ExportError, parse_column
from onemo_tools.factory.keys import DeviceKey
from onemo_tools.factory.records import Records, serial_text
from onemo_tools.factory.tables import Event
from onemo_tools.proofs.line_kills import PASSPHRASE, new_line
from sqlalchemy import delete, func, insert, select, text, update
from typer.testing import CliRunner

from .lines import Works, authority_of

UNITS = 6


def fill(records: Records, signer: Authority, count: int, first: int = 0) -> None:
    """Identities in a record, without boards."""
    batch = records.plan("first", 100, "meter-{number:04d}", "M{number:04d}")
    claims = Claims(records, batch.id)
    for number in range(first, first + count):
        module = ModuleIdentity(f"86123405{number:07d}", f"8986040000000{number:07d}", "ML307R")
        claim = claims.bind(claims.take("a"), f"b0a2d{number:05d}", module)
        with DeviceKey.make("p-256") as key:
            serial, dates = 1000 + number, signer.validity(records.now(), 10)
            made = records.begin_credential(
                claim.unit_id,
                serial=serial_text(serial),
                key_fingerprint=key.fingerprint,
                key_digests=key.digests,
                algorithm=key.algorithm,
                issuer=signer.fingerprint,
                lease=claim.token,
            )
            pem = signer.sign_device(claim.device_name, key.public, serial, dates)
        records.add_certificate(
            made.id, pem.decode(), not_before=dates.not_before, not_after=dates.not_after
        )
        records.activate(made.id)
        claims.release(claim)


@pytest.fixture
def filled(records: Records, tmp_path: Path) -> Records:
    fill(records, authority_of(new_line(tmp_path / "line", "records.db", "p-256")), UNITS)
    return records


def exported(records: Records, form: str, *columns: str) -> str:
    out = io.StringIO()
    chosen = [parse_column(said) for said in columns]
    count, digest = exports.export(records, form, out, "first", chosen)
    assert count == UNITS and len(digest) == 64
    assert "PRIVATE" not in out.getvalue()
    return out.getvalue()


def test_csv_has_the_columns_that_one_asks_for(filled: Records, monkeypatch: Any) -> None:
    monkeypatch.setattr(exports, "_ROWS", 4)  # more than one portion
    rows = list(csv.reader(io.StringIO(exported(filled, "csv", "Name=device_name", "imei"))))
    assert rows[0] == ["Name", "imei"] and rows[3] == ["meter-0003", "861234050000002"]
    assert len(rows) == UNITS + 1
    usual = list(csv.DictReader(io.StringIO(exported(filled, "csv"))))
    assert usual[0]["label"] == "M0001" and usual[0]["serial"] == "3e8"
    with pytest.raises(ExportError, match="there are device_name"):
        parse_column("Key=private_key")
    with pytest.raises(ExportError, match="no batch"):
        exports.export(filled, "csv", io.StringIO(), "second", [])
    with pytest.raises(ExportError, match="csv, aws, azure"):
        exports.export(filled, "pdf", io.StringIO(), None, [])


def test_clouds_get_lines_of_json(filled: Records) -> None:
    for line in exported(filled, "aws").splitlines():
        said = json.loads(line)
        assert set(said) == {"ThingName", "SerialNumber", "CertificatePem"}
        certificate = x509.load_pem_x509_certificate(said["CertificatePem"].encode())
        assert certificate.subject.rfc4514_string() == f"CN={said['ThingName']}"
    [first, *_] = exported(filled, "azure").splitlines()
    said = json.loads(first)
    credential = filled.by_serial("3e8")
    assert credential is not None and credential.certificate is not None
    certificate = x509.load_pem_x509_certificate(credential.certificate.encode())
    thumbprints = said["authentication"]["x509Thumbprint"]
    assert said["id"] == "meter-0001"
    assert (
        thumbprints["primaryThumbprint"] == certificate.fingerprint(hashes.SHA256()).hex().upper()
    )


def test_a_record_as_it_was_written_has_no_findings(filled: Records) -> None:
    report = audit(filled)
    assert report.findings == [] and report.credentials == UNITS
    assert report.events == 1 + UNITS * 5


def tamper(records: Records, chance: random.Random) -> str:
    """Changes the table of events in one way, as one does who may do anything to it."""
    with records.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            for what in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS event_no_{what}"))
        else:
            connection.execute(text("ALTER TABLE event DISABLE TRIGGER ALL"))
        last = connection.execute(select(func.max(Event.number))).scalar_one()
        number = chance.randint(1, last)
        here = Event.number == number
        [row] = connection.execute(select(Event).where(here)).mappings()
        way = chance.choice(["at", "kind", "data", "unit", "run", "hash", "number", "gone"])
        way = chance.choice([way, "tail", "added", "swapped", "repaired"])
        if way == "gone":
            connection.execute(delete(Event).where(here))
        elif way == "tail":
            connection.execute(delete(Event).where(Event.number >= number))
        elif way == "added":
            connection.execute(insert(Event).values({**row, "number": last + 1}))
        elif way == "swapped":
            other = number % last + 1
            connection.execute(update(Event).where(here).values(number=-1))
            connection.execute(update(Event).where(Event.number == other).values(number=number))
            connection.execute(update(Event).where(Event.number == -1).values(number=other))
        elif way == "repaired":  # with a hash that fits the change
            changed = {**row, "data": row["data"].replace("}", ',"x":1}', 1)}
            before = connection.execute(
                select(Event.hash).where(Event.number == number - 1)
            ).scalar_one_or_none()
            changed["hash"] = chain.event_hash(
                before or chain.START,
                "station-1",
                number,
                row["at"],
                row["kind"],
                row["run_id"],
                row["unit_id"],
                changed["data"],
            )
            connection.execute(update(Event).where(here).values(changed))
        else:
            values: dict[str, object] = {
                "at": {"at": row["at"].replace(microsecond=(row["at"].microsecond + 1) % 10**6)},
                "kind": {"kind": row["kind"] + "x"},
                "data": {"data": row["data"][:-1] + " }"},
                "unit": {"unit_id": None if row["unit_id"] else 1},
                "run": {"run_id": None if row["run_id"] else 1},
                "hash": {"hash": row["hash"][::-1]},
                "number": {"number": last + 5},
            }[way]
            connection.execute(update(Event).where(here).values(values))
    return f"{way} of event {number}"


def test_a_hundred_random_tampers_are_found(filled: Records) -> None:
    filled.start_run(None)
    with filled.engine.begin() as connection:
        whole = connection.execute(select(Event)).mappings().all()
    chance = random.Random(20)
    for _ in range(100):
        what = tamper(filled, chance)
        assert audit(filled).findings, what
        with filled.engine.begin() as connection:
            connection.execute(delete(Event))
            connection.execute(insert(Event), [dict(row) for row in whole])
    assert audit(filled).findings == []


def test_tables_that_were_changed_are_found(filled: Records) -> None:
    for table, column, value, where, code in (
        ("credential", "state", "'void'", "serial = '3ea'", "credential-state"),
        ("credential", "key_fingerprint", "'ff'", "serial = '3ea'", "certificate-key"),
        ("unit", "device_name", "'x'", "number = 3", "certificate-name"),
        ("station", "events", "7", "id = 1", "chain-end"),
        ("credential", "serial", "'9999'", "serial = '3ea'", "certificate-serial"),
    ):
        with filled.engine.begin() as connection:
            before = connection.execute(text(f"SELECT {column} FROM {table} WHERE {where}"))
            old = before.scalar_one()
            connection.execute(text(f"UPDATE {table} SET {column} = {value} WHERE {where}"))
        assert code in [finding.code for finding in audit(filled).findings], code
        with filled.engine.begin() as connection:
            back = text(f"UPDATE {table} SET {column} = :old WHERE {where}")
            connection.execute(back, {"old": old})


def test_the_command_shows_changes_and_ends_with_7(works: Works, monkeypatch: Any) -> None:
    monkeypatch.setenv("ONEMO_CA_PASSPHRASE", PASSPHRASE)
    board = works.board()
    works.serve(board)
    runner, line = CliRunner(), str(works.file)

    def run(*words: str, status: int = 0) -> str:
        done = runner.invoke(app, ["factory", *words])
        assert done.exit_code == status, done.output
        return done.output

    begun = works.folder / "new"
    assert "LINE.toml" in run("new", str(begun)) and (begun / "ca.key").exists()
    run("new", str(begun), status=1)  # nothing is replaced
    run("run", str(begun / "LINE.toml"), "--once", status=2)  # there are no slots
    assert "1 of 10000 units have a board; 1 active" in run("status", line)
    found = json.loads(run("status", line, board.board_id, "--json"))
    assert found["credentials"][0]["state"] == "active"
    listed = works.folder / "list.csv"
    said = json.loads(
        run("export", line, "-o", str(listed), "--column", "D=device_name", "--json")
    )
    assert said["rows"] == 1 and listed.read_bytes() == b"D\r\ndevice-000001\r\n"
    assert "0 findings" in run("audit", line)
    assert "superseded" not in run("rework", line, board.board_id, "--new-key", "--because", "x")
    run("rework", line, "nobody", "--scrap", status=1)
    run("rework", line, board.board_id, status=2)
    with works.station([board]) as made, made.records.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER event_no_update"))
        connection.execute(text("UPDATE event SET kind = 'x' WHERE number = 2"))
    assert "event-changed: station station-1, event 2" in run("audit", line, status=7)
