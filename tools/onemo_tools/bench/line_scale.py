# SPDX-License-Identifier: MIT
"""A record of a million units in PostgreSQL: claim, adopt, export and audit, measured.

    python -m onemo_tools.bench.line_scale [--units 1000000] [--events 10] [--small 1000]

Fills two databases of a server of its own, one small and one large, by COPY: units with boards,
modules and active certificates, and a chain of events a station; a thousand units of each are
still free. Every certificate is the same one, for a million take longer to sign than all else
here; so the audit is of the events.
"""

import argparse
import json
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import text
from sqlalchemy.engine import URL

from onemo_tools.factory import chain, exports
from onemo_tools.factory.audit import audit
from onemo_tools.factory.authority import Authority, make_authority
from onemo_tools.factory.claims import Claims, ModuleIdentity
from onemo_tools.factory.keys import DeviceKey
from onemo_tools.factory.records import Records
from onemo_tools.servers.postgresql import Postgresql

_FREE = 1000
_STATIONS = 20
_CLAIMS = 200
_MOST_MS = 5.0  # a claim at the database
_MOST_TIMES = 2.0  # large against small
_AT_DATABASE = "claim at the database, ms"

_CLAIM = """
SELECT id FROM unit WHERE batch_id = 1 AND board_id IS NULL
AND (lease_token IS NULL OR lease_until < clock_timestamp())
ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
"""


def fill(url: URL, units: int, events: int) -> None:
    """A record with `units` units, so many events each."""
    with Records.open(url, "bench", make=True) as records:
        batch = records.plan("batch", 1, "d{number:08d}", "l{number:08d}")
        began = datetime.now(UTC) - timedelta(days=30)
        pem = _certificate()
        raw: Any = records.engine.raw_connection()
        try:
            with raw.cursor() as cursor:
                _copy_units(cursor, batch.id, units)
                _copy_others(cursor, units, began, pem)
                _copy_events(cursor, units, events, began)
                cursor.execute("UPDATE batch SET units = %s", (units + 1 + _FREE,))
                for table in ("unit", "fitting", "credential", "station"):
                    cursor.execute(
                        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) "
                        f"FROM {table}"
                    )
            raw.commit()
        finally:
            raw.close()
        with records.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
            plain.execute(text("VACUUM ANALYZE"))


def _copy(cursor: Any, table: str, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _copy_units(cursor: Any, batch_id: int, units: int) -> None:
    def rows() -> Iterator[tuple[Any, ...]]:
        for number in range(2, units + 2 + _FREE):
            bound = number <= units + 1
            yield (
                number,
                batch_id,
                number,
                f"d{number:08d}",
                f"l{number:08d}",
                f"b0a2{number:08x}" if bound else None,
                "bound" if bound else "planned",
                False,
            )

    columns = "id, batch_id, number, device_name, label, board_id, state, new_key"
    _copy(cursor, "unit", columns, rows())


def _copy_others(cursor: Any, units: int, began: datetime, pem: str) -> None:
    numbers = range(2, units + 2)
    _copy(
        cursor,
        "fitting",
        "unit_id, imei, iccid, model, since",
        ((n, f"86{n:013d}", f"8986{n:016d}", "ML307R", began) for n in numbers),
    )
    _copy(
        cursor,
        "credential",
        "unit_id, state, serial, key_fingerprint, key_digests, algorithm, issuer, certificate, "
        "certificate_digests, not_before, not_after, created_at, activated_at",
        (
            (
                *(n, "active", f"{n:x}", f"{n:064x}", "0" * 32, "p-256", "c" * 64, pem),
                *("1" * 32, began, began + timedelta(days=3650), began, began),
            )
            for n in numbers
        ),
    )


def _copy_events(cursor: Any, units: int, events: int, began: datetime) -> None:
    stations = min(_STATIONS, units)
    share = units // stations
    step = timedelta(milliseconds=1)

    def rows(number: int, said: list[Any]) -> Iterator[tuple[Any, ...]]:
        name, head, at = f"station-{number}", chain.START, began
        count = 0
        for unit in range(2 + number * share, 2 + (number + 1) * share):
            for kind in range(events):
                count, at = count + 1, at + step
                data = chain.data_text({"credential": unit, "serial": f"{unit:x}", "step": kind})
                head = chain.event_hash(head, name, count, at, "step", None, unit, data)
                yield (number + 100, count, at, "step", unit, data, head)
        said[:] = [count, head, at]

    for number in range(stations):
        said: list[Any] = []
        cursor.execute(
            "INSERT INTO station (id, name, events, head) VALUES (%s, %s, 0, %s)",
            (number + 100, f"station-{number}", chain.START),
        )
        columns = "station_id, number, at, kind, unit_id, data, hash"
        _copy(cursor, "event", columns, rows(number, said))
        cursor.execute(
            "UPDATE station SET events = %s, head = %s, last_at = %s WHERE id = %s",
            (*said, number + 100),
        )


def _certificate() -> str:
    pem, private = make_authority("CA", datetime.now(UTC))
    signer = Authority([x509.load_pem_x509_certificate(pem)], private)
    with DeviceKey.make("p-256") as key:
        dates = signer.validity(datetime.now(UTC), 3650)
        return signer.sign_device("d", key.public, 1, dates).decode()


def measure(url: URL, units: int, folder: Path) -> Iterator[tuple[str, float]]:
    """What things take, each as soon as it is measured: ms, rows/s, MB."""
    with Records.open(url, "bench") as records:
        yield _AT_DATABASE, statistics.median(_explained(records) for _ in range(_CLAIMS))
        claims = Claims(records, 1)
        yield (
            "claim and release, ms",
            _median(lambda number: claims.release(claims.take(f"s{number}"))),
        )
        step = max(1, units // _CLAIMS)

        def adopt(number: int) -> None:
            n = 2 + number * step % units
            module = ModuleIdentity(f"86{n:013d}", f"8986{n:016d}", "ML307R")
            claims.release(claims.bind(None, f"b0a2{n:08x}", module, "s"))
            records.credential(n, "active")

        yield "adopt, ms", _median(adopt)
        before = _rss_mb()
        began = time.monotonic()
        rows, _ = exports.to_file(records, "csv", folder / "list.csv", None, [])
        yield "export, rows/s", rows / (time.monotonic() - began)
        yield "export, MB of memory more", _rss_mb() - before
        before = _rss_mb()
        began = time.monotonic()
        report = audit(records, certificates=False)
        yield "audit, events/s", report.events / (time.monotonic() - began)
        yield "audit, MB of memory more", _rss_mb() - before
        if report.findings:
            raise RuntimeError(f"the audit finds {report.findings[:3]}")


def _explained(records: Records) -> float:
    """What the server says that the claim's query took, by index or not at all."""
    with records.engine.begin() as connection:
        query = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {_CLAIM}")
        [[plan]] = connection.execute(query).fetchall()
        said = plan if isinstance(plan, list) else json.loads(plan)
        if "Seq Scan" in json.dumps(said):
            raise RuntimeError("a claim reads the whole table")
        return float(said[0]["Execution Time"])


def _median(work: Callable[[int], object]) -> float:
    times = []
    for number in range(_CLAIMS):
        began = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10, help="a unit")
    parser.add_argument("--small", type=int, default=1000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="onemo-scale-"))
    settings = ("shared_buffers=512MB", "maintenance_work_mem=256MB", "max_wal_size=4GB")
    results: dict[tuple[str, str], float] = {}
    try:
        with Postgresql(settings=settings) as server:
            for name, units in (("small", given.small), ("large", given.units)):
                began = time.monotonic()
                url = server.make(name)
                fill(url, units, given.events)
                print(
                    f"{units} units, {units * given.events} events: filled in "
                    f"{time.monotonic() - began:.0f} s",
                    flush=True,
                )
                for what, value in measure(url, units, folder):
                    results[name, what] = value
                    print(f"  {what}: {value:.2f}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    small, large = (results[name, _AT_DATABASE] for name in ("small", "large"))
    print(f"a claim takes {large / small:.2f} × that of {given.small} units")
    # where both take microseconds, their ratio says nothing
    sys.exit(0 if large <= _MOST_MS and (large / small <= _MOST_TIMES or large < 0.1) else 1)


if __name__ == "__main__":
    main()
