# SPDX-License-Identifier: MIT
"""The first tables, and what keeps events from being changed."""

import sqlalchemy as sa
from alembic import op
from onemo_tools.factory.tables import Moment

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = Moment(timezone=True)

_SQLITE = """
CREATE TRIGGER event_no_{what} BEFORE {what} ON event
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END
"""
_POSTGRESQL = """
CREATE FUNCTION event_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'events are never changed'; END $$;
CREATE TRIGGER event_stays BEFORE UPDATE OR DELETE ON event
FOR EACH ROW EXECUTE FUNCTION event_stays();
CREATE TRIGGER event_stays_all BEFORE TRUNCATE ON event EXECUTE FUNCTION event_stays();
"""


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch"),
        sa.UniqueConstraint("name", name="uq_batch_name"),
    )
    op.create_table(
        "station",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("last_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_station"),
        sa.UniqueConstraint("name", name="uq_station_name"),
    )
    op.create_index("ix_station_last_at", "station", ["last_at"], unique=False)
    op.create_table(
        "export",
        sa.Column("id", ID, nullable=False),
        sa.Column("batch_id", ID, nullable=True),
        sa.Column("form", sa.String(length=32), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_export_batch_id"),
        sa.PrimaryKeyConstraint("id", name="pk_export"),
    )
    op.create_table(
        "run",
        sa.Column("id", ID, nullable=False),
        sa.Column("station_id", ID, nullable=False),
        sa.Column("batch_id", ID, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_run_batch_id"),
        sa.ForeignKeyConstraint(["station_id"], ["station.id"], name="fk_run_station_id"),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_table(
        "unit",
        sa.Column("id", ID, nullable=False),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device_name", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("board_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("new_key", sa.Boolean(), nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_station", sa.String(length=64), nullable=True),
        sa.Column("lease_slot", sa.String(length=64), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.CheckConstraint("(state = 'planned') = (board_id IS NULL)", name="ck_unit_board"),
        sa.CheckConstraint("state IN ('planned', 'bound', 'scrapped')", name="ck_unit_state"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_unit_batch_id"),
        sa.PrimaryKeyConstraint("id", name="pk_unit"),
        sa.UniqueConstraint("batch_id", "number", name="uq_unit_batch_id_number"),
        sa.UniqueConstraint("board_id", name="uq_unit_board_id"),
        sa.UniqueConstraint("device_name", name="uq_unit_device_name"),
        sa.UniqueConstraint("label", name="uq_unit_label"),
    )
    op.create_index(
        "ix_unit_free",
        "unit",
        ["batch_id", "number"],
        unique=False,
        sqlite_where=sa.text("board_id IS NULL"),
        postgresql_where=sa.text("board_id IS NULL"),
    )
    op.create_index(
        "ix_unit_leased",
        "unit",
        ["lease_station"],
        unique=False,
        sqlite_where=sa.text("lease_token IS NOT NULL"),
        postgresql_where=sa.text("lease_token IS NOT NULL"),
    )
    op.create_table(
        "credential",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("key_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("key_digests", sa.String(length=80), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("certificate_digests", sa.String(length=80), nullable=True),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("not_after", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("activated_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "state <> 'active' OR certificate IS NOT NULL", name="ck_credential_signed"
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'superseded', 'void', 'revoked')",
            name="ck_credential_state",
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_credential_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_credential"),
        sa.UniqueConstraint("key_fingerprint", name="uq_credential_key_fingerprint"),
        sa.UniqueConstraint("serial", name="uq_credential_serial"),
    )
    op.create_index("ix_credential_unit_id", "credential", ["unit_id"], unique=False)
    op.create_index(
        "uq_credential_active",
        "credential",
        ["unit_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        "uq_credential_pending",
        "credential",
        ["unit_id"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "event",
        sa.Column("station_id", ID, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("unit_id", ID, nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_event_run_id"),
        sa.ForeignKeyConstraint(["station_id"], ["station.id"], name="fk_event_station_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_event_unit_id"),
        sa.PrimaryKeyConstraint("station_id", "number", name="pk_event"),
    )
    op.create_index("ix_event_unit_id", "event", ["unit_id"], unique=False)
    op.create_table(
        "fitting",
        sa.Column("id", ID, nullable=False),
        sa.Column("unit_id", ID, nullable=False),
        sa.Column("imei", sa.String(length=20), nullable=False),
        sa.Column("iccid", sa.String(length=24), nullable=True),
        sa.Column("model", sa.String(length=32), nullable=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name="fk_fitting_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_fitting"),
    )
    op.create_index("ix_fitting_unit_id", "fitting", ["unit_id"], unique=False)
    op.create_index(
        "uq_fitting_imei_now",
        "fitting",
        ["imei"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index(
        "uq_fitting_unit_now",
        "fitting",
        ["unit_id"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for what in ("update", "delete"):
            op.execute(_SQLITE.format(what=what))
    else:
        op.execute(_POSTGRESQL)
