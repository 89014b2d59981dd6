# SPDX-License-Identifier: MIT
"""How far a batch is, and who works on it."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select

from onemo_tools.factory.chain import stamp
from onemo_tools.factory.records import Records
from onemo_tools.factory.tables import Batch, Credential, Fitting, Run, Station, Unit


@dataclass(frozen=True)
class BatchStatus:
    name: str
    units: int
    bound: int
    scrapped: int
    credentials: dict[str, int]  # state -> how many


def batches(records: Records) -> list[BatchStatus]:
    """Every batch, by counts."""
    with records.reading() as session:
        units: dict[tuple[int, str], int] = {
            (batch_id, state): count
            for batch_id, state, count in session.execute(
                select(Unit.batch_id, Unit.state, func.count()).group_by(Unit.batch_id, Unit.state)
            )
        }
        states: dict[int, dict[str, int]] = {}
        for batch_id, state, count in session.execute(
            select(Unit.batch_id, Credential.state, func.count())
            .join(Unit, Unit.id == Credential.unit_id)
            .group_by(Unit.batch_id, Credential.state)
        ):
            states.setdefault(batch_id, {})[state] = count
        return [
            BatchStatus(
                batch.name,
                batch.units,
                units.get((batch.id, "bound"), 0),
                units.get((batch.id, "scrapped"), 0),
                states.get(batch.id, {}),
            )
            for batch in session.execute(select(Batch).order_by(Batch.id)).scalars()
        ]


def stations(records: Records) -> list[dict[str, Any]]:
    """Every station: when it was last heard, what it has claimed, its newest run."""
    found = []
    with records.reading() as session:
        for station in session.execute(select(Station).order_by(Station.name)).scalars():
            claimed = session.execute(
                select(Unit.device_name, Unit.lease_slot)
                .where(Unit.lease_token.is_not(None), Unit.lease_station == station.name)
                .order_by(Unit.lease_slot)
            ).all()
            run = session.execute(
                select(Run).where(Run.station_id == station.id).order_by(Run.id.desc()).limit(1)
            ).scalar_one_or_none()
            found.append(
                {
                    "name": station.name,
                    "last": station.last_at and stamp(station.last_at),
                    "events": station.events,
                    "running": run is not None and run.ended_at is None,
                    "claimed": {slot: name for name, slot in claimed},
                }
            )
    return found


def unit(records: Records, said: str) -> dict[str, Any] | None:
    """All that is known of the unit of that device name, label or board id."""
    found = records.unit(said)
    if found is None:
        return None
    with records.reading() as session:
        fittings = session.execute(
            select(Fitting).where(Fitting.unit_id == found.id).order_by(Fitting.id)
        ).scalars()
        modules = [
            {
                "imei": one.imei,
                "iccid": one.iccid,
                "since": stamp(one.since),
                "until": one.until and stamp(one.until),
            }
            for one in fittings
        ]
    credentials = [
        {
            "serial": one.serial,
            "state": one.state,
            "not_after": one.not_after and stamp(one.not_after),
            "reason": one.reason,
        }
        for one in records.credentials(found.id)
    ]
    return {
        "device_name": found.device_name,
        "label": found.label,
        "board_id": found.board_id,
        "state": found.state,
        "new_key": found.new_key,
        "modules": modules,
        "credentials": credentials,
    }


def as_objects(found: list[BatchStatus]) -> list[dict[str, Any]]:
    return [asdict(one) for one in found]
