# SPDX-License-Identifier: MIT
"""Lists of active identities for whoever has to know them. No form of any has a key in it.

csv     columns of one's choice
aws     newline-delimited JSON for AWS IoT's bulk registration: a line has a template's parameters
azure   newline-delimited JSON for Azure IoT Hub's device import, with thumbprints (SHA-256)

Rows are written as they come from the database, so memory does not grow with their number.
"""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from sqlalchemy import select
from sqlalchemy.orm import Session

from onemo_tools.factory.chain import stamp
from onemo_tools.factory.records import Records
from onemo_tools.factory.tables import ACTIVE, Batch, Credential, Export, Fitting, Unit

FORMS = ("csv", "aws", "azure")
_ROWS = 1000


@dataclass(frozen=True)
class Identity:
    """A row of an export."""

    unit: Unit
    credential: Credential
    fitting: Fitting | None
    batch: str

    def module(self, column: str) -> str | None:
        """What is known of the module that is in it."""
        return None if self.fitting is None else getattr(self.fitting, column)

    def moment(self, column: str) -> str | None:
        """A time of the certificate's."""
        at = getattr(self.credential, column)
        return None if at is None else stamp(at)


_COLUMNS: dict[str, Callable[[Identity], str | None]] = {
    "device_name": lambda row: row.unit.device_name,
    "label": lambda row: row.unit.label,
    "board_id": lambda row: row.unit.board_id,
    "batch": lambda row: row.batch,
    "imei": lambda row: row.module("imei"),
    "iccid": lambda row: row.module("iccid"),
    "model": lambda row: row.module("model"),
    "serial": lambda row: row.credential.serial,
    "key_fingerprint": lambda row: row.credential.key_fingerprint,
    "algorithm": lambda row: row.credential.algorithm,
    "not_before": lambda row: row.moment("not_before"),
    "not_after": lambda row: row.moment("not_after"),
    "activated_at": lambda row: row.moment("activated_at"),
    "certificate": lambda row: row.credential.certificate,
    "sha1": lambda row: _thumbprint(row.credential.certificate, hashes.SHA1()),
    "sha256": lambda row: _thumbprint(row.credential.certificate, hashes.SHA256()),
}
USUAL = ("device_name", "label", "board_id", "imei", "iccid", "serial", "not_after", "sha256")


class ExportError(ValueError):
    """Something is asked for that there is not."""


@dataclass(frozen=True)
class Column:
    """A column of a CSV: its heading, and what is under it."""

    heading: str
    source: str


def parse_column(text: str) -> Column:
    """`Heading=device_name`, or `device_name` alone. ExportError."""
    heading, equals, source = text.rpartition("=")
    if source not in _COLUMNS:
        raise ExportError(f"column {text!r}: there are {', '.join(_COLUMNS)}")
    return Column(heading if equals else source, source)


def export(
    records: Records, form: str, out: TextIO, batch: str | None, columns: list[Column]
) -> tuple[int, str]:
    """Writes all active identities (of a batch); how many, and the SHA-256 of what was written.
    The record notes both. ExportError."""
    if form not in FORMS:
        raise ExportError(f"form {form!r}: {', '.join(FORMS)}")
    if columns and form != "csv":
        raise ExportError("columns are for csv: the other forms have their platform's")
    hashing = _Hashing(out)
    write = {"csv": _write_csv, "aws": _write_aws, "azure": _write_azure}[form]
    with records.reading() as session:
        batch_id = None
        if batch is not None:
            batch_id = session.execute(
                select(Batch.id).where(Batch.name == batch)
            ).scalar_one_or_none()
            if batch_id is None:
                raise ExportError(f"there is no batch {batch!r}")
        count = write(hashing, _active(session, batch_id), columns)
    digest = hashing.digest()
    with records.writing() as session:
        made = Export(
            batch_id=batch_id, form=form, made_at=records.now(), rows=count, sha256=digest
        )
        session.add(made)
        session.flush()
        records.add_event(
            session, "exported", None, form=form, batch=batch, rows=count, sha256=digest
        )
    return count, digest


def to_file(
    records: Records, form: str, file: Path, batch: str | None, columns: list[Column]
) -> tuple[int, str]:
    """As `export`, into a file that is there as a whole or not at all."""
    new = file.with_name(f".{file.name}.new")
    try:
        with new.open("w", encoding="utf-8", newline="") as out:
            done = export(records, form, out, batch, columns)
            out.flush()
            os.fsync(out.fileno())
        os.replace(new, file)
        return done
    finally:
        new.unlink(missing_ok=True)


class _Hashing:
    """A file that knows the SHA-256 of what was written into it."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._hash = out, hashlib.sha256()

    def write(self, text: str) -> int:
        self._hash.update(text.encode("utf-8"))
        return self._out.write(text)

    def digest(self) -> str:
        return self._hash.hexdigest()


def _active(session: Session, batch_id: int | None) -> Iterator[Identity]:
    """By the unit's number, a thousand rows at a time, each by its index: no long sort, and no
    cursor that has to stay open."""
    last = 0
    while True:
        query = (
            select(Unit, Credential, Fitting, Batch.name)
            .join(Batch, Batch.id == Unit.batch_id)
            .join(Credential, (Credential.unit_id == Unit.id) & (Credential.state == ACTIVE))
            .outerjoin(Fitting, (Fitting.unit_id == Unit.id) & Fitting.until.is_(None))
            .where(Unit.id > last)
            .order_by(Unit.id)
            .limit(_ROWS)
        )
        if batch_id is not None:
            query = query.where(Unit.batch_id == batch_id)
        rows = session.execute(query).all()
        for row in rows:
            yield Identity(*row)
        if len(rows) < _ROWS:
            return
        last = rows[-1][0].id
        session.expunge_all()


def _write_csv(out: _Hashing, rows: Iterator[Identity], columns: list[Column]) -> int:
    chosen = columns or [Column(name, name) for name in USUAL]
    table = csv.writer(out)
    table.writerow([column.heading for column in chosen])
    count = 0
    for row in rows:
        table.writerow([_COLUMNS[column.source](row) or "" for column in chosen])
        count += 1
    return count


def _write_aws(out: _Hashing, rows: Iterator[Identity], _: list[Column]) -> int:
    count = 0
    for row in rows:
        said = {
            "ThingName": row.unit.device_name,
            "SerialNumber": row.unit.label,
            "CertificatePem": row.credential.certificate,
        }
        out.write(json.dumps(said) + "\n")
        count += 1
    return count


def _write_azure(out: _Hashing, rows: Iterator[Identity], _: list[Column]) -> int:
    count = 0
    for row in rows:
        thumbprint = _thumbprint(row.credential.certificate, hashes.SHA256())
        said = {
            "id": row.unit.device_name,
            "importMode": "createOrUpdate",
            "status": "enabled",
            "authentication": {
                "type": "selfSigned",
                "x509Thumbprint": {
                    "primaryThumbprint": thumbprint,
                    "secondaryThumbprint": thumbprint,
                },
            },
        }
        out.write(json.dumps(said) + "\n")
        count += 1
    return count


def _thumbprint(pem: str | None, algorithm: hashes.HashAlgorithm) -> str:
    certificate = x509.load_pem_x509_certificate((pem or "").encode("ascii"))
    return certificate.fingerprint(algorithm).hex().upper()
