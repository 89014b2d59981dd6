# SPDX-License-Identifier: MIT
"""The record: what is unique, the life of a credential, claims, clocks."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from onemo_tools.factory import database
from onemo_tools.factory.claims import Claims, Clone, ModuleIdentity, NoneLeft, Taken
from onemo_tools.factory.records import Conflict, Records, RecordsError
from onemo_tools.factory.rework import want_new_key
from onemo_tools.factory.tables import Base, Credential
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

_serials = count(1)


def begin(records: Records, unit_id: int, **options: Any) -> Credential:
    number = next(_serials)
    said = {"serial": f"{number:x}", "key_fingerprint": f"{number:064x}", **options}
    return records.begin_credential(
        unit_id, key_digests=("0" * 32,), algorithm="p-256", issuer="c" * 64, **said
    )


def sign(records: Records, credential: Credential) -> Credential:
    now = records.now()
    return records.add_certificate(
        credential.id, f"PEM of {credential.serial}", not_before=now, not_after=now
    )


def module(number: int) -> ModuleIdentity:
    return ModuleIdentity(f"86123405{number:07d}", f"898604A019227{number:07d}", "ML307R")


@pytest.fixture
def batch_id(records: Records) -> int:
    return records.plan("batch", 3, "meter-{number:04d}", "M{number}").id


@pytest.fixture
def unit_id(records: Records, batch_id: int) -> int:
    unit = records.unit("meter-0001")
    assert unit is not None
    return unit.id


def test_migrations_make_the_tables_that_the_models_describe(records: Records) -> None:
    with records.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_a_credential_is_pending_then_active_then_superseded(
    records: Records, unit_id: int
) -> None:
    first = sign(records, begin(records, unit_id))
    assert records.activate(first.id, peer="meter-0001").state == "active"
    assert records.activate(first.id).state == "active"  # twice is harmless
    second = sign(records, begin(records, unit_id))
    found = records.by_serial(second.serial)
    assert found is not None and found.state == "pending"
    records.activate(second.id)
    assert [one.state for one in records.credentials(unit_id)] == ["superseded", "active"]
    assert records.revoke(second.id, "stolen").state == "revoked"
    assert records.credential(unit_id, "active") is None


def test_a_second_pending_credential_makes_the_first_one_void(
    records: Records, unit_id: int
) -> None:
    first, second = begin(records, unit_id), begin(records, unit_id)
    assert [one.state for one in records.credentials(unit_id)] == ["void", "pending"]
    with pytest.raises(Conflict, match="is void, not pending"):
        sign(records, first)
    with pytest.raises(Conflict, match="no certificate"):
        records.activate(second.id)
    assert records.void(second.id, "no module").reason == "no module"


@pytest.mark.parametrize("column", ["serial", "key_fingerprint"])
def test_no_two_credentials_with_one_serial_or_key(
    records: Records, unit_id: int, column: str
) -> None:
    first = begin(records, unit_id)
    other = records.unit("meter-0002")
    assert other is not None
    with pytest.raises(Conflict, match=r"(?i)unique"):
        begin(records, other.id, **{column: getattr(first, column)})
    assert records.credentials(other.id) == []


def test_names_of_another_batch_are_not_taken_twice(records: Records, batch_id: int) -> None:
    with pytest.raises(Conflict):
        records.plan("other", 1, "meter-{number:04d}", "other-{number}")
    assert records.plan("batch", 2, "meter-{number:04d}", "M{number}").units == 3  # never smaller


def test_a_batch_can_be_made_larger(records: Records, batch_id: int) -> None:
    assert records.plan("batch", 2500, "meter-{number:04d}", "M{number}").id == batch_id
    assert records.unit("meter-2500") is not None


def test_events_are_refused_to_be_changed_or_removed(records: Records, unit_id: int) -> None:
    for statement in ("UPDATE event SET kind = 'x'", "DELETE FROM event"):
        with (
            pytest.raises(DatabaseError, match="events are never changed"),
            records.engine.begin() as connection,
        ):
            connection.execute(text(statement))


def test_a_station_is_open_once(
    records: Records, open_records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onemo_tools.factory.records._OCCUPY_S", 0.3)
    with pytest.raises(RecordsError, match="a station station-1 is running"):
        open_records("station-1")
    with pytest.raises(RecordsError, match="letters, digits"):
        open_records("../x")


def test_a_clock_before_the_newest_record_is_told(open_records: Any) -> None:
    ahead = open_records("ahead", now=lambda: datetime.now(UTC) + timedelta(days=2))
    ahead.note("looked")
    behind = open_records("behind")
    with pytest.raises(Conflict, match="set the clock"):
        behind.check_clock()
    ahead.check_clock()


def test_claims_are_of_one_slot_until_their_lease_ends(records: Records, batch_id: int) -> None:
    claims = Claims(records, batch_id)
    held = [claims.take(slot) for slot in "abc"]
    assert [claim.device_name for claim in held] == ["meter-0001", "meter-0002", "meter-0003"]
    with pytest.raises(NoneLeft):
        claims.take("d")
    claims.release(held[1])
    short = Claims(records, batch_id, lease=timedelta(seconds=-1))
    lost = short.take("d")
    assert lost.device_name == "meter-0002"
    assert claims.take("e").device_name == "meter-0002"
    with pytest.raises(Conflict):
        claims.extend(lost)
    with pytest.raises(Conflict, match="another station's"):
        begin(records, lost.unit_id, lease=lost.token)


def test_a_station_that_starts_again_frees_what_it_had(open_records: Any) -> None:
    first = open_records("s")
    batch_id = first.plan("b", 1, "d{number}", "l{number}").id
    Claims(first, batch_id).take("a")
    first.close()
    assert Claims(open_records("s"), batch_id).take("a").device_name == "d1"


def test_a_known_board_gets_its_own_unit_back(records: Records, batch_id: int) -> None:
    claims = Claims(records, batch_id)
    first = claims.bind(claims.take("a"), "b0a2d1", module(1))
    claims.release(first)
    claim = claims.take("b")
    assert claim.device_name == "meter-0002"
    again = claims.bind(claim, "b0a2d1", module(1))
    assert (again.device_name, again.slot) == ("meter-0001", "b")
    assert claims.take("c").device_name == "meter-0002"  # it was given up


def test_clones_are_refused_and_change_nothing(records: Records, batch_id: int) -> None:
    claims = Claims(records, batch_id)
    first = claims.bind(claims.take("a"), "b0a2d1", module(1))
    second = claims.take("b")
    with pytest.raises(Taken, match="two boards of that id"):
        claims.bind(second, "b0a2d1", module(2))
    with pytest.raises(Clone, match=r"IMEI .* is in meter-0001"):
        claims.bind(second, "ffffff", module(1))
    claims.release(first)
    with pytest.raises(Clone, match="another module"):
        claims.bind(second, "b0a2d1", module(2))
    assert records.unit("ffffff") is None
    bound = claims.bind(second, "ffffff", module(2))
    assert bound.device_name == "meter-0002"


def test_a_unit_that_is_in_a_slot_is_not_reworked(records: Records, batch_id: int) -> None:
    claims = Claims(records, batch_id)
    claim = claims.bind(claims.take("a"), "b0a2d1", module(1))
    with pytest.raises(Conflict, match="is in slot a of station station-1 now"):
        want_new_key(records, claim.unit_id, "erased")
    Claims(records, batch_id, lease=timedelta(seconds=-1)).extend(claim)  # its station died
    want_new_key(records, claim.unit_id, "erased")
    assert records.unit_by_id(claim.unit_id).new_key
    other = records.unit("meter-0002")
    assert other is not None
    with pytest.raises(Conflict, match="has no board yet"):
        want_new_key(records, other.id, "erased")


def test_another_sim_is_recorded_and_no_clone(records: Records, batch_id: int) -> None:
    claims = Claims(records, batch_id)
    claim = claims.bind(claims.take("a"), "b0a2d1", module(1))
    changed = ModuleIdentity(module(1).imei, "89860000000000000000", "ML307R")
    claim = claims.bind(claim, "b0a2d1", changed)
    fitted = records.fitting(claim.unit_id)
    assert fitted is not None and fitted.iccid == changed.iccid


def test_a_network_share_is_refused() -> None:
    mounts = "/dev/sda1 / ext4 rw 0 0\nnas:/x /srv/line\\040one nfs4 rw 0 0\n"
    database.check_local(Path("/srv/records.db"), mounts)
    with pytest.raises(RecordsError, match=r"network share \(nfs4"):
        database.check_local(Path("/srv/line one/a/records.db"), mounts)


def test_records_of_other_databases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="not supported"):
        database.url_of("mysql://x/y", tmp_path)
    assert database.url_of("postgresql://u@h/d", tmp_path).drivername == "postgresql+psycopg"
    url = database.url_of("empty.db", tmp_path)
    with pytest.raises(RecordsError, match="empty"):
        Records.open(url, "s")
