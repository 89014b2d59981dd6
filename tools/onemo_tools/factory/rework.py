# SPDX-License-Identifier: MIT
"""Units that come back: what a person says of one before the line serves it again."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from onemo_tools.factory.records import Conflict, Records
from onemo_tools.factory.tables import (
    ACTIVE,
    PENDING,
    PLANNED,
    REVOKED,
    SCRAPPED,
    VOID,
    Credential,
    Fitting,
    Unit,
)


def take_module_out(records: Records, unit_id: int, reason: str) -> list[str]:
    """The module is not in this unit any more. What it holds is revoked, for it still has the key;
    the unit, and the module, get another at the next pass. Conflict if none was in it."""
    with records.writing() as session:
        unit = _locked(records, session, unit_id)
        fitted = session.execute(
            select(Fitting).where(Fitting.unit_id == unit_id, Fitting.until.is_(None))
        ).scalar_one_or_none()
        if fitted is None:
            raise Conflict(f"{unit.device_name} has no module")
        fitted.until = records.now()
        session.flush()
        records.add_event(session, "module-out", unit_id, imei=fitted.imei, reason=reason)
        ended = _end_all(records, session, unit_id, f"module taken out: {reason}")
        return [f"{unit.device_name}: module {fitted.imei} is out", *ended]


def want_new_key(records: Records, unit_id: int, reason: str) -> list[str]:
    """The next pass makes another key, whatever the module holds; the identity in force stays so
    until the new one is proven, and is superseded then."""
    with records.writing() as session:
        unit = _locked(records, session, unit_id)
        unit.new_key = True
        records.add_event(session, "new-key-wanted", unit_id, reason=reason)
        return [f"{unit.device_name}: gets another key at the next pass"]


def scrap(records: Records, unit_id: int, reason: str) -> list[str]:
    """The unit is no more: its identity is revoked, its board is refused, its module is free."""
    with records.writing() as session:
        unit = _locked(records, session, unit_id)
        unit.state = SCRAPPED
        for fitted in session.execute(
            select(Fitting).where(Fitting.unit_id == unit_id, Fitting.until.is_(None))
        ).scalars():
            fitted.until = records.now()
        session.flush()
        records.add_event(session, "scrapped", unit_id, reason=reason)
        ended = _end_all(records, session, unit_id, f"scrapped: {reason}")
        return [f"{unit.device_name}: scrapped", *ended]


def _locked(records: Records, session: Session, unit_id: int) -> Unit:
    unit = session.get_one(Unit, unit_id, with_for_update=True)
    if unit.state == PLANNED:
        raise Conflict(f"{unit.device_name} has no board yet")
    if unit.state == SCRAPPED:
        raise Conflict(f"{unit.device_name} is scrapped")
    if unit.lease_until is not None and unit.lease_until >= records.now():
        raise Conflict(
            f"{unit.device_name} is in slot {unit.lease_slot} of station {unit.lease_station} now"
        )
    return unit


def _end_all(records: Records, session: Session, unit_id: int, reason: str) -> list[str]:
    """Revokes what is active, and makes void what is pending."""
    said = []
    for state, end in ((ACTIVE, REVOKED), (PENDING, VOID)):
        found = session.execute(
            select(Credential).where(Credential.unit_id == unit_id, Credential.state == state)
        ).scalar_one_or_none()
        if found is not None:
            records.end_credential(session, found, end, reason)
            said.append(f"certificate {found.serial} is {end}")
    return said
