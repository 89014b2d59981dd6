# SPDX-License-Identifier: MIT
"""Records to try: in SQLite, and in PostgreSQL for the tests that are marked so."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from onemo_tools.factory import database
from onemo_tools.factory.records import Records
from onemo_tools.proofs.line_rig import LineRig
from onemo_tools.servers.postgresql import Postgresql

from .lines import Works

Opener = Callable[..., Records]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A server of PostgreSQL for all tests that need one."""
    with Postgresql(fsync=False) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Of an empty database."""
    if request.param == "sqlite":
        return database.url_of("records.db", tmp_path)
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.make(f"d{uuid.uuid4().hex}")


@pytest.fixture
def open_records(url: Any) -> Iterator[Opener]:
    """Opens the record as another station; all are closed at the end."""
    opened = []

    def opener(station: str = "station-1", **options: Any) -> Records:
        records = Records.open(url, station, make=True, **options)
        opened.append(records)
        return records

    yield opener
    for records in opened:
        records.close()


@pytest.fixture
def records(open_records: Opener) -> Records:
    return open_records()


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    """A line's files and a place for boards."""
    with LineRig(tmp_path) as rig:
        yield Works(tmp_path, rig)
