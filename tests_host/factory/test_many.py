# SPDX-License-Identifier: MIT
"""Stations that are killed, boards that change places, stations that want the same boards."""

import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from onemo_tools.factory import database, status
from onemo_tools.factory.audit import audit
from onemo_tools.factory.line import PASS, Line
from onemo_tools.factory.records import Records
from onemo_tools.proofs import line_rig
from onemo_tools.proofs.line_kills import Sweep, files_with, key_windows, sweep
from onemo_tools.proofs.line_rig import FastBoard, LineRig
from onemo_tools.servers.postgresql import Postgresql

from .lines import Works


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="onemo-"))  # short: ports are sockets in it
    yield made
    shutil.rmtree(made)


def test_stations_that_are_killed_lose_no_identity(folder: Path) -> None:
    """A sample of `make factory`'s sweep: at commits, from the first to the last."""
    with LineRig(folder) as rig:
        made = Sweep(folder, rig, "records.db", boards=1)
        for moment in (("before", 7), ("after", 8), ("before", 10)):
            assert made.one_pass(kill_at_commit=moment)
        made.finish_lot(1)
        count = made.check()
    assert count.faults == [] and count.second_pass_bytes == 0 and count.signed >= 1


def test_recording_behind_writing_loses_some(folder: Path) -> None:
    """The same, of a line that records last: what the sweep is there to find."""
    with LineRig(folder) as rig:
        made = Sweep(folder, rig, "records.db", boards=1, recording_last=True)
        made.one_pass(kill_at_commit=("before", 8))
        made.finish_lot(1)
        count = made.check()
    assert any(fault.startswith("signed, and in no record") for fault in count.faults)
    assert any(fault.startswith("written, and in no record") for fault in count.faults)


def owner(board: FastBoard, names: dict[str, str]) -> bool:
    """Whether all that was ever written into a board's module is its own."""
    for pem in board.store.history:
        if b"CERTIFICATE" in pem:
            found = x509.load_pem_x509_certificate(pem)
            name = found.subject.rfc4514_string().removeprefix("CN=")
            if name.startswith("device-") and names.get(name) != board.board_id:
                return False
    return True


def swapping(works: Works, boards: list[FastBoard], times: int, seed: int) -> int:
    """Boards change places while a station serves them: how often they did, at a moment when one
    was being served."""
    chance, swaps = random.Random(seed), 0
    real = line_rig.FastBoard.run
    lock = threading.Lock()

    def run(self: FastBoard, code: str, *args: Any) -> Any:
        nonlocal swaps
        with lock:
            now = swaps < times and "import json" not in code and chance.random() < 0.25
            if now:
                swaps += 1
                one, other = chance.sample([board.port for board in boards], 2)
                works.rig.swap(one, other)
        return real(self, code, *args)

    line_rig.FastBoard.run = run  # type: ignore
    try:
        for _ in range(60):
            works.serve(*boards)
            if swaps >= times:
                break
    finally:
        line_rig.FastBoard.run = real  # type: ignore
    return swaps


def check_swapped(works: Works, boards: list[FastBoard]) -> None:
    rows, _ = works.serve(*boards)
    assert [row.word for row in rows] == [PASS] * len(boards), rows
    with Records.look(database.url_of("records.db", works.file.parent)) as records:
        units = [records.unit(board.board_id) for board in boards]
        names = {unit.device_name: str(unit.board_id) for unit in units if unit is not None}
        assert audit(records).findings == []
    assert len(names) == len(boards) and all(owner(board, names) for board in boards)
    keys = Counter(pem for board in boards for pem in set(board.store.history) if b"KEY" in pem)
    assert set(keys.values()) == {1}


def test_ports_that_are_swapped_put_no_key_into_another_unit(folder: Path) -> None:
    with LineRig(folder) as rig:
        works = Works(folder, rig)
        boards = [works.board() for _ in range(3)]
        assert swapping(works, boards, 6, seed=1) == 6
        check_swapped(works, boards)


@pytest.mark.postgresql
def test_a_hundred_swaps(folder: Path) -> None:
    with LineRig(folder) as rig:
        works = Works(folder, rig)
        boards = [works.board() for _ in range(8)]
        assert swapping(works, boards, 100, seed=2) == 100
        check_swapped(works, boards)


@pytest.mark.postgresql
@pytest.mark.timeout(900)
def test_four_stations_want_the_same_fifty_boards(folder: Path, postgresql: Postgresql) -> None:
    """Each station has all 50 boards in its slots, in an order of its own, ten at a time, until
    each has passed there: every board is served by one of them, and had by the others."""
    url = postgresql.make("four").render_as_string()
    with LineRig(folder) as rig, ExitStack() as stack:
        works = Works(folder, rig, url)
        boards = [works.board() for _ in range(50)]
        stations = []
        for number in range(4):
            order = random.Random(number).sample(boards, len(boards))
            name = f"station-{number}"
            made = stack.enter_context(works.station(order, station=name))
            stations.append(made)

        def serve(made: Any) -> None:
            left = made.slots
            while left:
                line = Line(left[:10], made.records)
                line.run(once=True)
                done.extend(line.outcomes)
                passed = {row.slot for row in line.rows() if row.word == PASS}
                left = [*left[10:], *(pair for pair in left[:10] if pair[0].name not in passed)]

        done: list[Any] = []
        threads = [threading.Thread(target=serve, args=(made,)) for made in stations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        new = [outcome for outcome in done if not outcome.adopted]
        assert Counter(outcome.board_id for outcome in new) == Counter(
            board.board_id for board in boards
        )
        assert [board.store.writes for board in boards] == [3] * 50
        [batch] = status.batches(stations[0].records)
        assert batch.bound == 50 and batch.credentials["active"] == 50
        assert batch.credentials.keys() == {"active"}
        assert audit(stations[0].records).findings == []


@pytest.mark.postgresql
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_sweep_with_kills(folder: Path, kind: str) -> None:
    count = sweep(folder, kind, kills=25, seed=7)
    assert count.faults == [] and count.boundaries > 15, count


def test_a_window_of_a_key_is_found_wherever_it_lies(tmp_path: Path) -> None:
    key = b"-----BEGIN EC PRIVATE KEY-----\n" + b"A1b2" * 16 + b"\n-----END EC PRIVATE KEY-----\n"
    (tmp_path / "clean").write_bytes(b"A1b2" * 4 + b"\0" * 100)
    assert files_with(tmp_path, key_windows([key])) == []
    (tmp_path / "journal").write_bytes(b"\1" * 4099 + b"A1b2" * 16)
    assert [path.name for path in files_with(tmp_path, key_windows([key]))] == ["journal"]
