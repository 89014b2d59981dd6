# SPDX-License-Identifier: MIT
"""The hash of an event: each has in it the hash of the one before, of the same station."""

import hashlib
import json
from datetime import UTC, datetime

START = "0" * 64  # what comes before a station's first event


def event_hash(
    previous: str,
    station: str,
    number: int,
    at: datetime,
    kind: str,
    run_id: int | None,
    unit_id: int | None,
    data: str,
) -> str:
    """SHA-256 over every column of an event, in hex. `at` to the microsecond, in UTC."""
    said = [previous, station, number, stamp(at), kind, run_id, unit_id, data]
    text = json.dumps(said, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def stamp(at: datetime) -> str:
    """A time as the chain and the exports write it: UTC, microseconds, of one length."""
    plain = at.astimezone(UTC).replace(tzinfo=None)
    return f"{plain.isoformat(timespec='microseconds')}Z"


def data_text(data: dict[str, object]) -> str:
    """What an event says beside its columns, as it is stored and hashed."""
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
