# SPDX-License-Identifier: MIT
"""The tables of the record. No column holds a private key, nor any part of one: a credential has
the fingerprint of the public key, and the digests by which a module tells that it holds the key.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PENDING, ACTIVE, SUPERSEDED, VOID, REVOKED = "pending", "active", "superseded", "void", "revoked"
CREDENTIAL_STATES = (PENDING, ACTIVE, SUPERSEDED, VOID, REVOKED)

PLANNED, BOUND, SCRAPPED = "planned", "bound", "scrapped"
UNIT_STATES = (PLANNED, BOUND, SCRAPPED)

_NAMES = {  # of constraints, so that migrations can name them on both databases
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime]):
    """A time with its zone, always UTC: SQLite keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        zoned: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return zoned.astimezone(UTC)


_Id = BigInteger().with_variant(Integer, "sqlite")


def _words(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)


class Batch(Base):
    """Units that are made under one order: names, labels and the CA that signs them."""

    __tablename__ = "batch"
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    units: Mapped[int] = mapped_column(Integer)  # planned
    created_at: Mapped[datetime] = mapped_column(Moment)


class Unit(Base):
    """One device: planned with its name and label, bound to a board when it is first seen."""

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("batch_id", "number"),
        CheckConstraint(_words("state", UNIT_STATES), name="state"),
        CheckConstraint("(state = 'planned') = (board_id IS NULL)", name="board"),
        Index(
            "ix_unit_free",
            "batch_id",
            "number",
            sqlite_where=text("board_id IS NULL"),
            postgresql_where=text("board_id IS NULL"),
        ),
        Index(
            "ix_unit_leased",
            "lease_station",
            sqlite_where=text("lease_token IS NOT NULL"),
            postgresql_where=text("lease_token IS NOT NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    number: Mapped[int] = mapped_column(Integer)  # in the batch, from 1
    device_name: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(64), unique=True)
    board_id: Mapped[str | None] = mapped_column(String(64), unique=True)  # hex
    state: Mapped[str] = mapped_column(String(16), default=PLANNED)
    new_key: Mapped[bool] = mapped_column(
        default=False
    )  # the next run makes one, whatever is there
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_station: Mapped[str | None] = mapped_column(String(64))
    lease_slot: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None] = mapped_column(Moment)


class Fitting(Base):
    """A module in a unit, from `since` on; `until` it was taken out."""

    __tablename__ = "fitting"
    __table_args__ = (
        Index(
            "uq_fitting_imei_now",
            "imei",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
        Index(
            "uq_fitting_unit_now",
            "unit_id",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
        Index("ix_fitting_unit_id", "unit_id"),
    )
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    imei: Mapped[str] = mapped_column(String(20))
    iccid: Mapped[str | None] = mapped_column(String(24))
    model: Mapped[str | None] = mapped_column(String(32))
    since: Mapped[datetime] = mapped_column(Moment)
    until: Mapped[datetime | None] = mapped_column(Moment)


class Credential(Base):
    """A key pair of a unit and its certificate, without the private key.

    pending     recorded; signed once `certificate` is there; perhaps written, not yet proven
    active      proven by a handshake: the unit's one identity
    superseded  another one is active since
    void        never proven, and no one has its key any more
    revoked     not to be accepted, whatever its dates say
    """

    __tablename__ = "credential"
    __table_args__ = (
        CheckConstraint(_words("state", CREDENTIAL_STATES), name="state"),
        CheckConstraint("state <> 'active' OR certificate IS NOT NULL", name="signed"),
        *(
            Index(
                f"uq_credential_{state}",
                "unit_id",
                unique=True,
                sqlite_where=text(f"state = '{state}'"),
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in (PENDING, ACTIVE)
        ),
        Index("ix_credential_unit_id", "unit_id"),
    )
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    state: Mapped[str] = mapped_column(String(16))
    serial: Mapped[str] = mapped_column(String(40), unique=True)  # hex, lower case, no leading 0
    key_fingerprint: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the SPKI
    key_digests: Mapped[str] = mapped_column(String(80))  # MD5s that a module may show, by spaces
    algorithm: Mapped[str] = mapped_column(String(16))  # rsa-2048, p-256
    issuer: Mapped[str] = mapped_column(String(64))  # SHA-256 of the CA's certificate
    certificate: Mapped[str | None] = mapped_column(Text)  # PEM, without the chain
    certificate_digests: Mapped[str | None] = mapped_column(String(80))  # as key_digests
    not_before: Mapped[datetime | None] = mapped_column(Moment)
    not_after: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    activated_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(String(200))  # of its end


class Station(Base):
    """Who writes records: a station of the line, the renewal service. It has a chain of events,
    whose newest hash is kept here, so that a missing tail is noticed."""

    __tablename__ = "station"
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    events: Mapped[int] = mapped_column(BigInteger, default=0)
    head: Mapped[str] = mapped_column(String(64))
    last_at: Mapped[datetime | None] = mapped_column(Moment, index=True)  # the newest event's


class Run(Base):
    """One start of the line at one station."""

    __tablename__ = "run"
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("station.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    started_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    passed: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)


class Export(Base):
    """A list of identities that was handed to someone: what was in it, by digest."""

    __tablename__ = "export"
    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    form: Mapped[str] = mapped_column(String(32))
    made_at: Mapped[datetime] = mapped_column(Moment)
    rows: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))


class Event(Base):
    """What happened, in words for machines. Never changed, never removed: the database refuses
    it, and the chain of hashes tells if someone did it all the same."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_unit_id", "unit_id"),)
    station_id: Mapped[int] = mapped_column(ForeignKey("station.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment)
    kind: Mapped[str] = mapped_column(String(40))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    data: Mapped[str] = mapped_column(Text)  # JSON with sorted keys
    hash: Mapped[str] = mapped_column(String(64))
