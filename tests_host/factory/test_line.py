# SPDX-License-Identifier: MIT
"""Boards on a line: the order of the steps, what is refused, what is told."""

import contextlib
import io
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from onemo_tools.factory import database, page, screen, settings, station, status
from onemo_tools.factory.board import KEY, Board, NotRead, WrongUnit
from onemo_tools.factory.line import PASS, RETRY, STOP, Line, Row
from onemo_tools.factory.records import Records, RecordsError
from onemo_tools.factory.rework import scrap, take_module_out, want_new_key
from onemo_tools.factory.settings import SettingsError
from onemo_tools.proofs.line_kills import files_with, key_windows
from onemo_tools.proofs.line_rig import FastBoard, FastSession
from onemo_tools.servers.pki import Authority

from .lines import Works


def words(rows: list[Row]) -> list[str]:
    return [row.word for row in rows]


def records_of(works: Works) -> Records:
    return Records.open(database.url_of("records.db", works.file.parent), "looking")


def writes(*boards: FastBoard) -> list[int]:
    return [board.store.writes for board in boards]


def test_boards_get_identities_and_keep_them(works: Works) -> None:
    boards = [works.board() for _ in range(3)]
    rows, written = works.serve(*boards)
    assert words(rows) == [PASS] * 3, rows
    assert written > 3000 and len({row.device_name for row in rows}) == 3
    before = writes(*boards)
    again, written = works.serve(*boards)
    assert words(again) == [PASS] * 3 and written == 0 and writes(*boards) == before
    assert [row.device_name for row in again] == [row.device_name for row in rows]
    assert {row.detail for row in again} == {"had its identity"}
    keys = [board.store.keys["client.key"] for board in boards]
    assert len(set(keys)) == 3
    assert files_with(works.folder, key_windows(keys)) == []


def test_what_is_recorded_comes_before_what_is_written(works: Works, monkeypatch: Any) -> None:
    """The order is everything: pending before signed, signed before written, proven before
    active."""
    board = works.board()
    seen: list[tuple[str, int]] = []
    with works.station([board]) as made:
        for name in ("begin_credential", "add_certificate", "activate"):
            real = getattr(made.records, name)

            def noting(*args: Any, _real: Any = real, _name: str = name, **said: Any) -> Any:
                seen.append((_name, board.store.writes))
                return _real(*args, **said)

            monkeypatch.setattr(made.records, name, noting)
        Line(made.slots, made.records).run(once=True)
    assert seen == [("begin_credential", 0), ("add_certificate", 0), ("activate", 3)]


def test_a_cloned_imei_stops_red_with_nothing_written(works: Works) -> None:
    first = works.board()
    works.serve(first)
    clone = works.board(imei=first.imei)
    rows, written = works.serve(clone)
    assert words(rows) == [STOP] and rows[0].kind == "clone" and "IMEI" in rows[0].detail
    assert written == 0 and writes(clone) == [0]


def test_a_cloned_board_id_stops_red_with_nothing_written(works: Works) -> None:
    first = works.board()
    works.serve(first)
    clone = works.board(first.board_id)
    rows, _ = works.serve(clone)
    assert words(rows) == [STOP] and rows[0].kind == "clone" and writes(clone) == [0]


def test_two_boards_of_one_id_at_once_get_one_identity_at_most(works: Works) -> None:
    one, other = works.board("b0a2d77777"), works.board("b0a2d77777")
    rows, _ = works.serve(one, other)
    assert sorted(words(rows)) == [PASS, STOP]
    assert sorted(writes(one, other)) == [0, 3]


def test_a_port_whose_board_was_not_read_is_not_written_to(works: Works) -> None:
    board = works.board()
    with FastSession(board.port) as session:
        unread = Board(session)
        with pytest.raises(NotRead):
            unread.write("client.key", b"anything", KEY)
    assert writes(board) == [0]


def test_a_board_that_came_meanwhile_gets_nothing(works: Works) -> None:
    first, second = works.board(), works.board()
    with FastSession(first.port) as session:
        board = Board(session)
        board.identify()
        works.rig.swap(first.port, second.port)
        with pytest.raises((WrongUnit, OSError)):
            board.write("client.key", b"-----BEGIN RSA PRIVATE KEY-----\n", KEY)
    assert writes(first, second) == [0, 0]


def test_a_module_that_came_meanwhile_gets_nothing(works: Works) -> None:
    first = works.board()
    with FastSession(first.port) as session:
        board = Board(session)
        board.identify()
        first.module.quirks.imei = "861234059999999"
        with pytest.raises(WrongUnit, match="another module"):
            board.write("client.key", b"-----BEGIN RSA PRIVATE KEY-----\n", KEY)
    assert writes(first) == [0]


def test_an_erased_module_is_told_and_reworked(works: Works) -> None:
    board = works.board()
    works.serve(board)
    board.store.clear()
    rows, written = works.serve(board)
    assert words(rows) == [STOP] and rows[0].kind == "identity-lost" and written == 0
    with records_of(works) as records:
        unit = records.unit(board.board_id)
        assert unit is not None
        want_new_key(records, unit.id, "erased")
    rows, _ = works.serve(board)
    assert words(rows) == [PASS]
    with records_of(works) as records:
        assert [one.state for one in records.credentials(unit.id)] == ["superseded", "active"]


def test_a_module_that_was_replaced_revokes_what_the_old_one_has(works: Works) -> None:
    board = works.board()
    works.serve(board)
    board.module.quirks.imei = "861234058888888"
    board.store.clear()
    assert words(works.serve(board)[0]) == [STOP]
    with records_of(works) as records:
        unit = records.unit(board.board_id)
        assert unit is not None
        take_module_out(records, unit.id, "broken")
    rows, _ = works.serve(board)
    assert words(rows) == [PASS] and rows[0].device_name == unit.device_name
    with records_of(works) as records:
        told = status.unit(records, unit.label)
        assert told is not None
        assert [one["state"] for one in told["credentials"]] == ["revoked", "active"]
        assert len(told["modules"]) == 2
        scrap(records, unit.id, "run over")
    assert words(works.serve(board)[0]) == [STOP]


def test_a_server_that_is_another_proves_nothing(works: Works, monkeypatch: Any) -> None:
    board = works.board()
    with works.station([board]) as made:
        monkeypatch.setattr(made.slots[0][0]._server, "seen", lambda nonce: None)
        line = Line(made.slots, made.records)
        line.run(once=True)
        assert words(line.rows()) == [RETRY] and line.rows()[0].kind == "not-proven"
    before = writes(board)
    rows, written = works.serve(board)  # written already, and in the record: proven now
    assert words(rows) == [PASS] and written == 0 and writes(board) == before


def test_a_clock_that_went_back_signs_nothing(works: Works, monkeypatch: Any) -> None:
    board = works.board()
    with works.station([board]) as made:
        past = datetime.now(UTC) - timedelta(days=1)
        monkeypatch.setattr(made.records, "_now", lambda: past)
        line = Line(made.slots, made.records)
        line.run(once=True)
        assert words(line.rows()) == [STOP], line.rows()
        assert "set the clock" in line.rows()[0].detail
    assert writes(board) == [0]


def test_a_record_that_fails_stops_the_board_and_not_the_line(
    works: Works, monkeypatch: Any
) -> None:
    board = works.board()
    with works.station([board]) as made:

        def broken() -> Any:
            raise RecordsError("records: the server has gone away")

        monkeypatch.setattr(made.records, "writing", broken)
        line = Line(made.slots, made.records)
        line.run(once=True)
        monkeypatch.undo()
        assert words(line.rows()) == [STOP] and "gone away" in line.rows()[0].detail
    assert writes(board) == [0]


def test_a_full_batch_still_knows_its_boards(works: Works) -> None:
    text = works.file.read_text().replace("units = 10000", "units = 1")
    works.file.write_text(text)
    board = works.board()
    assert words(works.serve(board)[0]) == [PASS]
    assert words(works.serve(board)[0]) == [PASS]
    rows, _ = works.serve(works.board())
    assert words(rows) == [STOP] and rows[0].kind == "batch-full"


def test_every_row_fits_a_terminal_of_80_columns() -> None:
    row = Row("left", "/dev/x", PASS, "compare", 0.55, "device-000001", "000001")
    long = Row("a-name-of-16-chr", "p", STOP, "write", 1.0, "d" * 64, "l", "t" * 70, "x")
    out = io.StringIO()
    console = screen.console(out)
    console.width = 80
    console.print(screen.table([row, long] * 4, "batch at station"))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) <= 22
    assert "PASS" in lines[2] and "#####....." in lines[2] and "STOP" in lines[3]
    assert "\x1b" not in out.getvalue()  # words do without colour


def test_the_page_is_replaced_as_a_whole(tmp_path: Path) -> None:
    row = Row("left", "p", STOP, "read", 0.2, "<b>", "l", "set it aside")
    page.write(tmp_path / "line.html", page.render([row], "a & b"))
    text = (tmp_path / "line.html").read_text()
    assert "&lt;b&gt;" in text and 'content="2"' in text and "STOP" in text
    assert [path.name for path in tmp_path.iterdir()] == ["line.html"]


def test_without_a_terminal_each_word_is_a_line() -> None:
    out = io.StringIO()
    lines = screen.Lines(out, as_json=True)
    for step in ("open", "read"):
        lines.show(Row("left", "p", "WORK", step))
    lines.show(Row("left", "p", PASS, "done", 1.0, "device-1", "L1"))
    said = [json.loads(text) for text in out.getvalue().splitlines()]
    assert [one["word"] for one in said] == ["WORK", "PASS"] and said[1]["label"] == "L1"


def test_lines_of_many_slots_stay_whole_and_a_reader_may_go(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+", encoding="utf-8", buffering=1) as out:
        lines = screen.Lines(out, as_json=True)

        def show(name: str) -> None:
            for number in range(50):
                lines.show(Row(name, "p", str(number)))

        threads = [threading.Thread(target=show, args=(f"s{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out.seek(0)
        assert len([json.loads(text) for text in out]) == 400
    reading, writing = os.pipe()
    os.close(reading)
    gone = os.fdopen(writing, "w", encoding="utf-8")
    screen.Lines(gone, as_json=False).show(Row("left", "p", PASS))
    with contextlib.suppress(OSError):
        gone.close()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("units = 10000", "units = 0", r"batch.units is 0: 1 to"),
        ("units = 10000", "", r"batch.units is missing"),
        ("units = 10000", "units = 5\nunit = 4", r"batch.unit is not known"),
        ("{number:06d}", "x", r"without \{number\}"),
        ("{number:06d}", "{serial}", r"\{number\} and \{batch\} are known"),
        ('"p-256"', '"rsa-512"', r"rsa-2048 or p-256"),
        ('key = "ca.key"', "", r"either key"),
        ('key = "client.key"', 'key = "ca.pem"', r"names of their own"),
        ('station = "station-1"', 'station = "a b"', r"station is 'a b'"),
        ("[slots]", "[slots", r"LINE.toml: "),
    ],
)
def test_what_is_wrong_in_line_toml_is_named(works: Works, old: str, new: str, said: str) -> None:
    text = works.file.read_text()
    text = text.replace('certificate = "server.pem"\nkey = "server.key"', "")
    assert old in text
    works.file.write_text(text.replace(old, new))
    with pytest.raises(SettingsError, match=said):
        settings.load(works.file)


def test_modules_have_to_trust_the_lines_own_server(works: Works) -> None:
    other = works.file.parent / "other.pem"
    other.write_bytes(Authority("another CA").pem)
    text = works.file.read_text().replace('# ca_file = "server-ca.pem"', 'ca_file = "other.pem"')
    text = text.replace('certificate = "server.pem"\nkey = "server.key"', "")
    works.file.write_text(text)
    with (
        pytest.raises(station.AuthorityError, match="would not trust the line's"),
        works.station([works.board()]),
    ):
        pass
