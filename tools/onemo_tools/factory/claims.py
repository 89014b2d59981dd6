# SPDX-License-Identifier: MIT
"""Which slot has which unit: claims, by leases that end by themselves where a station dies.

claim = claims.take("left")                       # the next planned unit, for ten minutes
claim = claims.bind(claim, board_id, module)      # now the unit of that board, old or new
...                                               # all that is recorded names claim.token
claims.release(claim)
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from onemo_tools.factory.records import Conflict, Records
from onemo_tools.factory.tables import BOUND, SCRAPPED, Fitting, Unit

LEASE = timedelta(minutes=10)
_TRIES = 3  # two stations may bind one board at once: the second one looks again


class NoneLeft(Conflict):
    """Every unit of the batch has its board."""

    kind = "batch-full"


class Taken(Conflict):
    """Another slot has the board's unit now: it was moved, or there are two of that id."""

    kind = "taken"


class Clone(Conflict):
    """A board id or an IMEI that the record knows to be elsewhere."""

    kind = "clone"


@dataclass(frozen=True)
class ModuleIdentity:
    """What a module says of itself."""

    imei: str
    iccid: str | None
    model: str | None


@dataclass(frozen=True)
class Claim:
    """A unit that one slot has, until the lease ends. `token` tells it from any later claim."""

    unit_id: int
    token: str
    slot: str
    device_name: str
    label: str
    board_id: str | None
    new_key: bool


class Claims:
    """The claims of one station in one batch."""

    def __init__(self, records: Records, batch_id: int, lease: timedelta = LEASE) -> None:
        self._records = records
        self._batch_id = batch_id
        self._lease = lease

    def take(self, slot: str) -> Claim:
        """Claims the next planned unit that has no board yet. NoneLeft: there is none, then only
        boards that the record knows can be served (see `take_known`)."""
        with self._records.writing() as session:
            unit = self._next(session)
            if unit is None:
                raise NoneLeft(
                    "every unit of the batch has its board: raise `units` in LINE.toml, or begin "
                    "another batch"
                )
            return self._hold(session, unit, secrets.token_hex(16), slot)

    def bind(
        self, claim: Claim | None, board_id: str, module: ModuleIdentity, slot: str = ""
    ) -> Claim:
        """The claim of the unit that `board_id` is: of the one in the record, where there is one,
        else of the claimed one, which it becomes. Without a claim only a known board will do.
        Taken, Clone, NoneLeft, Conflict: nothing was changed."""
        for _ in range(_TRIES - 1):
            try:
                return self._bind(claim, board_id, module, slot)
            except (Clone, Taken, NoneLeft):
                raise
            except Conflict:
                continue  # another station was quicker: look what it did
        return self._bind(claim, board_id, module, slot)

    def extend(self, claim: Claim) -> None:
        """Another lease from now on. Conflict if the claim is over already."""
        with self._records.writing() as session:
            unit = session.get(Unit, claim.unit_id, with_for_update=True)
            if unit is None or unit.lease_token != claim.token:
                raise Conflict(f"{claim.device_name}: the claim is over")
            unit.lease_until = self._clock(session) + self._lease

    def release(self, claim: Claim) -> None:
        """Gives the unit up. A claim that is over already is none of ours: nothing happens."""
        with self._records.writing() as session:
            unit = session.get(Unit, claim.unit_id, with_for_update=True)
            if unit is not None and unit.lease_token == claim.token:
                _let_go(unit)

    def _next(self, session: Session) -> Unit | None:
        # By ix_unit_free; the few that are leased are passed over, locked ones without a wait.
        now = self._clock(session)
        return session.execute(
            select(Unit)
            .where(
                Unit.batch_id == self._batch_id,
                Unit.board_id.is_(None),
                or_(Unit.lease_token.is_(None), Unit.lease_until < now),
            )
            .order_by(Unit.number)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar_one_or_none()

    def _bind(
        self, claim: Claim | None, board_id: str, module: ModuleIdentity, slot: str
    ) -> Claim:
        with self._records.writing() as session:
            claimed = None
            if claim is not None:
                claimed = session.get(Unit, claim.unit_id, with_for_update=True)
                if claimed is None or claimed.lease_token != claim.token:
                    raise Taken(f"{claim.device_name}: the claim is over")
            unit = session.execute(
                select(Unit).where(Unit.board_id == board_id).with_for_update()
            ).scalar_one_or_none()
            if unit is None:
                if claimed is None:
                    raise NoneLeft(
                        f"board {board_id} is new, and every unit of the batch has its board: "
                        "raise `units` in LINE.toml, or begin another batch"
                    )
                if claimed.board_id is not None:
                    raise Clone(f"{claimed.device_name} has board {claimed.board_id}")
                unit = claimed
                unit.board_id, unit.state = board_id, BOUND
                session.flush()
                self._records.add_event(session, "board-bound", unit.id, board=board_id)
            elif claimed is None or unit.id != claimed.id:
                self._check_free(session, unit, board_id)
                if claimed is not None:
                    _let_go(claimed)
            self._fit(session, unit, module)
            token = claim.token if claim is not None else secrets.token_hex(16)
            return self._hold(session, unit, token, claim.slot if claim is not None else slot)

    def _check_free(self, session: Session, unit: Unit, board_id: str) -> None:
        if unit.batch_id != self._batch_id:
            raise Conflict(
                f"board {board_id} is {unit.device_name}, which is of another batch: serve it "
                "with that batch's LINE.toml"
            )
        if unit.state == SCRAPPED:
            raise Clone(f"board {board_id} is {unit.device_name}, which is scrapped")
        if (
            unit.lease_token is not None
            and unit.lease_until is not None
            and unit.lease_until >= self._clock(session)
        ):
            raise Taken(
                f"board {board_id} is {unit.device_name}, which slot {unit.lease_slot} of station "
                f"{unit.lease_station} has now: are there two boards of that id?"
            )

    def _fit(self, session: Session, unit: Unit, module: ModuleIdentity) -> None:
        """Records that the module is in the unit. Clone if it is known to be elsewhere, or the
        unit to have another."""
        elsewhere = session.execute(
            select(Fitting).where(Fitting.imei == module.imei, Fitting.until.is_(None))
        ).scalar_one_or_none()
        if elsewhere is not None and elsewhere.unit_id != unit.id:
            other = session.get_one(Unit, elsewhere.unit_id)
            raise Clone(
                f"IMEI {module.imei} is in {other.device_name} (label {other.label}, board "
                f"{other.board_id}): if the module was moved, say so by "
                f"`onemo factory rework LINE.toml {other.device_name} --module-out`"
            )
        fitted = session.execute(
            select(Fitting).where(Fitting.unit_id == unit.id, Fitting.until.is_(None))
        ).scalar_one_or_none()
        now = self._records.now()
        if fitted is not None:
            if fitted.imei != module.imei:
                raise Clone(
                    f"board {unit.board_id} is {unit.device_name}, whose module is IMEI "
                    f"{fitted.imei}; this one is {module.imei}: a copy of the board id, or "
                    "another module; if it was replaced, say so by "
                    f"`onemo factory rework LINE.toml {unit.device_name} --module-out`"
                )
            if fitted.iccid == module.iccid:
                return
            fitted.until = now
            session.flush()
        session.add(
            Fitting(
                unit_id=unit.id,
                imei=module.imei,
                iccid=module.iccid,
                model=module.model,
                since=now,
            )
        )
        session.flush()
        self._records.add_event(
            session, "module-fitted", unit.id, imei=module.imei, iccid=module.iccid
        )

    def _hold(self, session: Session, unit: Unit, token: str, slot: str) -> Claim:
        unit.lease_token, unit.lease_slot = token, slot
        unit.lease_station = self._records.station
        unit.lease_until = self._clock(session) + self._lease
        return Claim(
            unit.id, token, slot, unit.device_name, unit.label, unit.board_id, unit.new_key
        )

    def _clock(self, session: Session) -> datetime:
        """The clock that leases are judged by: the database's, where stations share one."""
        if session.get_bind().dialect.name == "postgresql":
            now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
            return now
        return self._records.now()


def _let_go(unit: Unit) -> None:
    unit.lease_token = unit.lease_station = unit.lease_slot = unit.lease_until = None
