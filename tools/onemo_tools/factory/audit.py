# SPDX-License-Identifier: MIT
"""Whether the record is what was written: the chains of events, and that tables and events agree.

All is read in one pass over each table, a few thousand rows at a time, in one transaction: what
stations write meanwhile is not seen.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from onemo_tools.factory import chain
from onemo_tools.factory.keys import fingerprint
from onemo_tools.factory.records import Records, serial_text
from onemo_tools.factory.tables import Credential, Event, Station, Unit

_ROWS = 2000


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written. code: a stable word."""

    code: str
    where: str
    text: str


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    events: int
    credentials: int
    heads: dict[str, str]  # station -> hash of its newest event, to be kept elsewhere
    findings: list[Finding]


def audit(records: Records, *, certificates: bool = True) -> Report:
    """Looks at everything. certificates: False for the chains of events alone."""
    with records.reading() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        report = Report(0, 0, {}, [])
        for station in session.execute(select(Station).order_by(Station.id)).scalars().all():
            report.heads[station.name] = station.head
            for finding in _chain(session, station, report):
                report.findings.append(finding)
        report.findings += _strangers(session)
        if certificates:
            report.findings += _credentials(session, report)
        return report


def _chain(session: Session, station: Station, report: Report) -> Iterator[Finding]:
    """A station's events from the first to the last; after one that is wrong it goes on from what
    that one says, so that each change is told once."""
    previous, number, where = chain.START, 0, f"station {station.name}"
    columns = (Event.number, Event.at, Event.kind, Event.run_id, Event.unit_id, Event.data)
    events = session.execute(
        select(*columns, Event.hash)
        .where(Event.station_id == station.id)
        .order_by(Event.number)
        .execution_options(yield_per=_ROWS)
    )
    for found, at, kind, run_id, unit_id, data, digest in events:
        report.events += 1
        number += 1
        place = f"{where}, event {found}"
        if found != number:
            yield Finding("event-missing", place, f"events {number} to {found - 1} are gone")
            number = found
        expected = chain.event_hash(previous, station.name, found, at, kind, run_id, unit_id, data)
        if expected != digest:
            yield Finding("event-changed", place, f"{kind} of {chain.stamp(at)}")
        previous = digest
    if (number, previous) != (station.events, station.head):
        yield Finding(
            "chain-end",
            where,
            f"ends with event {number}, and was written up to event {station.events}",
        )


def _strangers(session: Session) -> list[Finding]:
    """Events of stations that there are not."""
    found = session.execute(
        select(Event.station_id, func.count())
        .where(Event.station_id.not_in(select(Station.id)))
        .group_by(Event.station_id)
    ).all()
    return [
        Finding("event-stranger", f"station {number}", f"{count} events of a station unknown")
        for number, count in found
    ]


def _credentials(session: Session, report: Report) -> Iterator[Finding]:
    """Each credential against its certificate and against the last that an event told of it."""
    told: dict[int, tuple[str, str, str]] = {}  # of the units at hand: credential -> kind, …
    rows = session.execute(
        select(Credential, Unit.device_name)
        .join(Unit, Unit.id == Credential.unit_id)
        .order_by(Credential.id)
        .execution_options(yield_per=_ROWS)
    )
    for part in rows.partitions(_ROWS):
        told = _told(session, [found.unit_id for found, _ in part])
        for found, name in part:
            report.credentials += 1
            where = f"{name}, certificate {found.serial}"
            if found.certificate is not None:
                yield from _certificate(found, name, where)
            kind, certificate, key = told.get(found.id, ("", "", ""))
            state = "pending" if kind in ("begun", "signed") else kind
            if state != found.state:
                yield Finding(
                    "credential-state", where, f"is {found.state}; events say {state or 'nothing'}"
                )
            if key != found.key_fingerprint or certificate != _digest(found):
                yield Finding("credential-changed", where, "differs from what events say of it")
            session.expunge(found)


def _told(session: Session, units: list[int]) -> dict[int, tuple[str, str, str]]:
    """What events say of the credentials of some units: the last kind, the certificate's SHA-256,
    the key's fingerprint."""
    told: dict[int, tuple[str, str, str]] = {}
    events = session.execute(
        select(Event.kind, Event.data)
        .where(Event.unit_id.in_(set(units)))
        .where(Event.kind.like("c%"))
        .order_by(Event.at, Event.station_id, Event.number)
    )
    for kind, data in events:
        said = json.loads(data)
        number = said.get("credential")
        if number is None:
            continue
        _, certificate, key = told.get(number, ("", "", ""))
        told[number] = (
            kind.rpartition("-")[2],
            said.get("sha256", certificate),
            said.get("key", key),
        )
    return told


def _digest(found: Credential) -> str:
    return (
        "" if found.certificate is None else hashlib.sha256(found.certificate.encode()).hexdigest()
    )


def _certificate(found: Credential, name: str, where: str) -> Iterator[Finding]:
    try:
        certificate = x509.load_pem_x509_certificate((found.certificate or "").encode("ascii"))
    except ValueError:
        yield Finding("certificate-broken", where, "is no certificate")
        return
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if [one.value for one in names] != [name]:
        yield Finding("certificate-name", where, f"is for {certificate.subject.rfc4514_string()}")
    if serial_text(certificate.serial_number) != found.serial:
        yield Finding("certificate-serial", where, "has another serial number than the record")
    if fingerprint(certificate.public_key()) != found.key_fingerprint:  # type: ignore[arg-type]
        yield Finding("certificate-key", where, "has another key than the record")
