# SPDX-License-Identifier: MIT
"""The record of one maker's devices, as a station (or the renewal service) writes it.

    with Records.open(url, "station-1") as records:
        records.begin_credential(unit.id, serial=…, …)  # pending, before anything is signed
        records.add_certificate(credential.id, pem, …)  # before anything is written to a module
        records.activate(credential.id)  # after a handshake; the one before is superseded

Each method is one transaction, with the events that tell of it; when it returns, it is on the
disk. What it returns are copies: changing them changes nothing. No method takes a private key.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from onemo_tools.factory import chain, database
from onemo_tools.factory.database import RecordsError
from onemo_tools.factory.keys import digests_of
from onemo_tools.factory.tables import (
    ACTIVE,
    PENDING,
    PLANNED,
    REVOKED,
    SCRAPPED,
    SUPERSEDED,
    VOID,
    Batch,
    Credential,
    Event,
    Fitting,
    Run,
    Station,
    Unit,
)

CLOCK_TOLERANCE = timedelta(seconds=5)  # between stations that a time server keeps together
_OCCUPY_S = 10.0  # a killed station's connection may outlive it for a moment
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PLANNED_AT_ONCE = 1000


class Conflict(RecordsError):
    """The record says otherwise than what is asked for; nothing was changed."""

    kind = "conflict"


class Records:
    """A record, opened by one station. Threads may share it."""

    def __init__(self, engine: Engine, station: str, now: Callable[[], datetime]) -> None:
        self.engine = engine
        self.station = station
        self._now = now
        self.run_id: int | None = None
        self._station_id = 0
        self._stack = ExitStack()

    @classmethod
    def open(
        cls,
        url: URL,
        station: str,
        *,
        make: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """Opens a record as `station`, whose name nobody else may have open. make: makes the
        tables, or brings them up to date. RecordsError."""
        if not _NAME.fullmatch(station):
            raise RecordsError(
                f"station {station!r}: letters, digits, '.', '_', '-', 64 at most, a letter or "
                "digit first"
            )
        engine = database.open_engine(url)
        records = cls(engine, station, now)
        records._stack.callback(engine.dispose)
        try:
            if make:
                database.make_tables(engine)
            else:
                database.check_tables(engine)
            records._occupy()
            records._register()
        except BaseException:
            records.close()
            raise
        return records

    @classmethod
    def look(cls, url: URL) -> Self:
        """Opens a record to read it only. RecordsError."""
        engine = database.open_engine(url)
        records = cls(engine, "", lambda: datetime.now(UTC))
        records._stack.callback(engine.dispose)
        try:
            database.check_tables(engine)
        except BaseException:
            records.close()
            raise
        return records

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def now(self) -> datetime:
        """This station's clock."""
        return self._now()

    # -- transactions ---------------------------------------------------------------------
    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction; committed, and on the disk, at its end."""
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except IntegrityError as error:
            raise Conflict(f"records: {_short(error)}") from None
        except DBAPIError as error:
            raise RecordsError(f"records: {_short(error)}") from None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads, and keeps no one from writing."""
        engine = self.engine.execution_options(reads_only=True)
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except DBAPIError as error:
            raise RecordsError(f"records: {_short(error)}") from None

    def add_event(
        self, session: Session, kind: str, unit_id: int | None = None, **data: object
    ) -> None:
        """Appends to this station's chain, inside a transaction. `data`: what JSON can hold, and
        no secret."""
        station = session.execute(
            select(Station).where(Station.id == self._station_id).with_for_update()
        ).scalar_one()
        number, at, text = station.events + 1, self._now(), chain.data_text(data)
        digest = chain.event_hash(
            station.head, station.name, number, at, kind, self.run_id, unit_id, text
        )
        session.add(
            Event(
                station_id=station.id,
                number=number,
                at=at,
                kind=kind,
                run_id=self.run_id,
                unit_id=unit_id,
                data=text,
                hash=digest,
            )
        )
        station.events, station.head = number, digest
        station.last_at = max(at, station.last_at or at)  # a clock that goes back is noticed
        session.flush()

    def note(self, kind: str, unit_id: int | None = None, **data: object) -> None:
        """Appends an event that changes nothing else."""
        with self.writing() as session:
            self.add_event(session, kind, unit_id, **data)

    # -- the station ----------------------------------------------------------------------
    def _occupy(self) -> None:
        """Keeps the station's name for this process. The lock ends with it, whatever ends it."""
        patience = 0.0 if self.engine.dialect.name == "sqlite" else _OCCUPY_S
        deadline = time.monotonic() + patience
        while not self._try_lock():
            if time.monotonic() > deadline:
                raise RecordsError(
                    f"records: a station {self.station} is running: end it, or give this one "
                    "another name"
                )
            time.sleep(0.1)

    def _try_lock(self) -> bool:
        if self.engine.dialect.name == "sqlite":
            try:
                import fcntl
            except ImportError:
                raise RecordsError("records: a line runs on Linux and macOS") from None
            file = Path(f"{self.engine.url.database}.{self.station}.lock")
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            self._stack.callback(os.close, descriptor)
            return True
        connection: Connection = self.engine.connect()
        digest = hashlib.sha256(f"onemo station {self.station}".encode()).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        taken = connection.execute(select(func.pg_try_advisory_lock(number))).scalar_one()
        connection.commit()  # the lock is the connection's, not the transaction's
        if not taken:
            connection.close()
            return False
        self._stack.callback(connection.invalidate)
        return True

    def _register(self) -> None:
        """Makes the station known, and frees what it had claimed when it was ended."""
        with self.writing() as session:
            found = session.execute(
                select(Station).where(Station.name == self.station)
            ).scalar_one_or_none()
            if found is None:
                found = Station(name=self.station, events=0, head=chain.START)
                session.add(found)
                session.flush()
            self._station_id = found.id
            session.execute(
                update(Unit)
                .where(Unit.lease_token.is_not(None), Unit.lease_station == self.station)
                .values(lease_token=None, lease_station=None, lease_slot=None, lease_until=None)
            )

    def newest(self) -> datetime | None:
        """When the newest event of any station happened, by that station's clock."""
        with self.reading() as session:
            return session.execute(select(func.max(Station.last_at))).scalar_one()

    def check_clock(self) -> None:
        """Conflict if this station's clock is before the newest record."""
        newest, now = self.newest(), self._now()
        if newest is not None and now + CLOCK_TOLERANCE < newest:
            raise Conflict(
                f"the clock of this station says {chain.stamp(now)}, and the newest record is of "
                f"{chain.stamp(newest)}: set the clock (a time server keeps it right)"
            )

    def start_run(self, batch_id: int | None, **data: object) -> int:
        """Begins a run; the events from now on are its."""
        with self.writing() as session:
            run = Run(station_id=self._station_id, batch_id=batch_id, started_at=self._now())
            session.add(run)
            session.flush()
            self.run_id = run.id
            self.add_event(session, "run-started", None, batch=batch_id, **data)
            return run.id

    def end_run(self, passed: int, failed: int) -> None:
        """Ends the run."""
        with self.writing() as session:
            if self.run_id is not None:
                run = session.get_one(Run, self.run_id)
                run.ended_at, run.passed, run.failed = self._now(), passed, failed
            self.add_event(session, "run-ended", None, passed=passed, failed=failed)
        self.run_id = None

    # -- batches and units ----------------------------------------------------------------
    def plan(self, name: str, count: int, device_name: str, label: str) -> Batch:
        """The batch of that name with `count` units, made or made larger; never smaller.
        device_name, label: patterns with {number} and {batch}. Conflict if a name is taken."""
        with self.writing() as session:
            batch = session.execute(
                select(Batch).where(Batch.name == name).with_for_update()
            ).scalar_one_or_none()
            if batch is None:
                batch = Batch(name=name, units=0, created_at=self._now())
                session.add(batch)
                session.flush()
            if count > batch.units:
                first = batch.units + 1
                for start in range(first, count + 1, _PLANNED_AT_ONCE):
                    numbers = range(start, min(start + _PLANNED_AT_ONCE, count + 1))
                    session.execute(
                        insert(Unit),
                        [
                            {
                                "batch_id": batch.id,
                                "number": number,
                                "device_name": device_name.format(number=number, batch=name),
                                "label": label.format(number=number, batch=name),
                                "state": PLANNED,
                                "new_key": False,
                            }
                            for number in numbers
                        ],
                    )
                batch.units = count
                self.add_event(session, "planned", None, batch=name, first=first, last=count)
            return batch

    def unit(self, said: str) -> Unit | None:
        """The unit of that device name, label or board id."""
        with self.reading() as session:
            for column in (Unit.device_name, Unit.label, Unit.board_id):
                found = session.execute(select(Unit).where(column == said)).scalar_one_or_none()
                if found is not None:
                    return found
            return None

    def unit_by_id(self, unit_id: int) -> Unit:
        with self.reading() as session:
            return session.get_one(Unit, unit_id)

    def fitting(self, unit_id: int) -> Fitting | None:
        """The module that is in the unit now."""
        with self.reading() as session:
            return session.execute(
                select(Fitting).where(Fitting.unit_id == unit_id, Fitting.until.is_(None))
            ).scalar_one_or_none()

    # -- the life of a credential ---------------------------------------------------------
    def credentials(self, unit_id: int) -> list[Credential]:
        """All of a unit's, the oldest first."""
        with self.reading() as session:
            return list(
                session.execute(
                    select(Credential).where(Credential.unit_id == unit_id).order_by(Credential.id)
                ).scalars()
            )

    def credential(self, unit_id: int, state: str) -> Credential | None:
        """The unit's active or pending one."""
        if state not in (ACTIVE, PENDING):
            raise ValueError(f"a unit has one credential that is active or pending, not {state}")
        with self.reading() as session:
            return session.execute(
                select(Credential).where(Credential.unit_id == unit_id, Credential.state == state)
            ).scalar_one_or_none()

    def by_serial(self, serial: str) -> Credential | None:
        """The credential of a certificate's serial number (hex, see `serial_text`)."""
        with self.reading() as session:
            return session.execute(
                select(Credential).where(Credential.serial == serial)
            ).scalar_one_or_none()

    def begin_credential(
        self,
        unit_id: int,
        *,
        serial: str,
        key_fingerprint: str,
        key_digests: tuple[str, ...],
        algorithm: str,
        issuer: str,
        lease: str | None = None,
    ) -> Credential:
        """A pending credential: to be called before its certificate is signed. One that was
        pending is void from then on, for its key is nowhere. key_digests: the MD5s that a module
        may show for the key. Conflict if serial or key are in the record already, or if `lease`
        (of the unit) is over."""
        with self.writing() as session:
            unit = self._locked(session, unit_id, lease)
            if unit.state == SCRAPPED:
                raise Conflict(f"{unit.device_name} is scrapped")
            pending = _in_state(session, unit_id, PENDING)
            if pending is not None:
                self.end_credential(session, pending, VOID, "unfinished, another one was begun")
            made = Credential(
                unit_id=unit_id,
                state=PENDING,
                serial=serial,
                key_fingerprint=key_fingerprint,
                key_digests=" ".join(key_digests),
                algorithm=algorithm,
                issuer=issuer,
                created_at=self._now(),
            )
            session.add(made)
            session.flush()
            self.add_event(
                session,
                "credential-begun",
                unit_id,
                credential=made.id,
                serial=serial,
                key=key_fingerprint,
                algorithm=algorithm,
                issuer=issuer,
            )
            return made

    def add_certificate(
        self,
        credential_id: int,
        pem: str,
        *,
        not_before: datetime,
        not_after: datetime,
        digests: tuple[str, ...] | None = None,
        lease: str | None = None,
    ) -> Credential:
        """The signed certificate (PEM, without the chain) of a pending credential: to be called
        before it is written to a module. digests: the MD5s that a module may show for what is
        written, the chain included; else of the certificate alone. Conflict."""
        with self.writing() as session:
            found = session.get_one(Credential, credential_id)
            self._locked(session, found.unit_id, lease)
            session.refresh(found)
            _require(found, PENDING)
            if found.certificate is not None:
                raise Conflict(f"credential {found.serial} has a certificate already")
            found.certificate = pem
            found.certificate_digests = " ".join(digests or digests_of(pem.encode("ascii")))
            found.not_before, found.not_after = not_before, not_after
            self.add_event(
                session,
                "certificate-signed",
                found.unit_id,
                credential=found.id,
                serial=found.serial,
                sha256=hashlib.sha256(pem.encode()).hexdigest(),
                not_after=chain.stamp(not_after),
            )
            return found

    def activate(
        self, credential_id: int, *, lease: str | None = None, **proof: object
    ) -> Credential:
        """The pending credential was proven: it is the unit's identity from now on, and the one
        that was is superseded, in the same transaction. proof: goes into the event. One that is
        active already stays so. Conflict."""
        with self.writing() as session:
            found = session.get_one(Credential, credential_id)
            unit = self._locked(session, found.unit_id, lease)
            session.refresh(found)
            if found.state == ACTIVE:
                return found
            _require(found, PENDING)
            if found.certificate is None:
                raise Conflict(f"credential {found.serial} has no certificate")
            before = _in_state(session, found.unit_id, ACTIVE)
            if before is not None:
                self.end_credential(session, before, SUPERSEDED, f"by {found.serial}")
                session.flush()
            found.state, found.activated_at = ACTIVE, self._now()
            unit.new_key = False
            self.add_event(
                session,
                "credential-active",
                found.unit_id,
                credential=found.id,
                serial=found.serial,
                **proof,
            )
            return found

    def void(self, credential_id: int, reason: str, *, lease: str | None = None) -> Credential:
        """A pending credential that will never be proven. Conflict if it is not pending."""
        with self.writing() as session:
            found = session.get_one(Credential, credential_id)
            self._locked(session, found.unit_id, lease)
            session.refresh(found)
            _require(found, PENDING)
            self.end_credential(session, found, VOID, reason)
            return found

    def revoke(self, credential_id: int, reason: str) -> Credential:
        """Not to be accepted any more, whatever state it is in. Revoking twice is harmless."""
        with self.writing() as session:
            found = session.get_one(Credential, credential_id)
            self._locked(session, found.unit_id, None)
            session.refresh(found)
            if found.state != REVOKED:
                self.end_credential(session, found, REVOKED, reason)
            return found

    def end_credential(self, session: Session, found: Credential, state: str, reason: str) -> None:
        """Ends a credential inside a transaction, with the event that tells it."""
        found.state, found.ended_at, found.reason = state, self._now(), reason[:200]
        session.flush()
        self.add_event(
            session,
            f"credential-{state}",
            found.unit_id,
            credential=found.id,
            serial=found.serial,
            reason=reason,
        )

    def _locked(self, session: Session, unit_id: int, lease: str | None) -> Unit:
        """The unit, which no other transaction changes until this one ends. Conflict if `lease`
        is given and is not the unit's any more."""
        unit = session.execute(
            select(Unit).where(Unit.id == unit_id).with_for_update()
        ).scalar_one_or_none()
        if unit is None:
            raise Conflict(f"there is no unit {unit_id}")
        if lease is not None and unit.lease_token != lease:
            raise Conflict(
                f"{unit.device_name} is another station's by now: the claim was too old"
            )
        return unit


def serial_text(serial: int) -> str:
    """A certificate's serial number as the record has it."""
    return f"{serial:x}"


def _in_state(session: Session, unit_id: int, state: str) -> Credential | None:
    return session.execute(
        select(Credential).where(Credential.unit_id == unit_id, Credential.state == state)
    ).scalar_one_or_none()


def _require(found: Credential, state: str) -> None:
    if found.state != state:
        raise Conflict(f"credential {found.serial} is {found.state}, not {state}")


def _short(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())
