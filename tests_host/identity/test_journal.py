# SPDX-License-Identifier: MIT
"""The journal's files by themselves: what a power cut may leave, and what is made of it."""

import json
import os

import pytest
from onemo import provisioning_journal
from onemo.provisioning_journal import Journal

NONE: dict[str, list[dict]] = {"objects": [], "contexts": []}
DONE = {"state": "done", "new": NONE}


@pytest.fixture
def journal(tmp_path):
    it = Journal(str(tmp_path / "j"))
    it.path = tmp_path / "j"
    it.next = tmp_path / "j.new"
    it.open = tmp_path / "j.open"
    return it


def states(tmp_path):
    """The files that there are."""
    return sorted(path.name for path in tmp_path.iterdir())


def test_an_entry_is_replaced_by_renaming_once_it_is_on_the_medium(journal, monkeypatch, tmp_path):
    seen = []

    def fsync(number):
        seen.append((os.fstat(number).st_size, states(tmp_path)))

    monkeypatch.setattr(os, "fsync", fsync)
    journal.write(DONE)
    assert seen == [(len(json.dumps(DONE)), ["j.new"])]
    assert states(tmp_path) == ["j"]
    assert journal.read()["state"] == "done"


def test_a_board_without_fsync_does_without(journal, monkeypatch):
    monkeypatch.delattr(os, "fsync")
    journal.write(DONE)
    assert journal.read()["new"] == NONE


def test_between_removing_and_renaming_the_new_one_counts(journal, tmp_path):
    journal.next.write_text(json.dumps(DONE))
    assert journal.read()["state"] == "done"
    assert states(tmp_path) == ["j.new"]
    journal.remove()
    assert journal.read() is None and states(tmp_path) == []
    journal.remove()


def test_the_rest_of_a_new_one_is_none(journal, tmp_path):
    journal.next.write_text('{"state": "do')
    assert journal.read() is None
    assert states(tmp_path) == ["j.new"]  # it is no fault: the power was cut as it was written
    journal.write(DONE)
    assert journal.read()["state"] == "done"


def test_one_that_cannot_be_read_gives_way_to_the_new_one(journal, monkeypatch):
    journal.path.write_text(json.dumps(DONE))
    journal.next.write_text(json.dumps(DONE))
    load = json.load
    asked = []

    def broken(file):
        asked.append(file.name)
        if len(asked) == 1:
            raise OSError(5)
        return load(file)

    monkeypatch.setattr(provisioning_journal.json, "load", broken)
    assert journal.read()["state"] == "done"
    assert asked == [str(journal.path), str(journal.next)]


@pytest.mark.parametrize("told", [True, False])
def test_a_journal_that_is_none_is_set_aside_even_where_nobody_is_told(journal, tmp_path, told):
    events = []

    class Modem:
        def tell(self, kind, text):
            events.append((kind, text))

    journal.path.write_text("[]")
    assert journal.read(Modem() if told else None) is None
    assert states(tmp_path) == ["j.bad"]
    assert [kind for kind, _ in events] == ["journal"] * told
    for _, text in events:
        assert text.startswith(f"{journal.path} is no journal of a rotation (")
        assert text.endswith(
            f"set aside as {journal.path}.bad, and nothing is removed because of it"
        )


@pytest.mark.parametrize("entry", [None, DONE])
def test_where_nothing_is_under_way_nothing_is_written(journal, tmp_path, entry):
    journal.finish(entry)
    assert states(tmp_path) == []


def test_the_name_of_an_upload_is_remembered_until_its_end(journal, tmp_path):
    assert journal.open_series() is None
    journal.begin_series("ca.pem")
    assert journal.open_series() == "ca.pem" == Journal(str(tmp_path / "j")).open_series()
    assert states(tmp_path) == ["j.open"]
    journal.end_series()
    journal.end_series()
    assert journal.open_series() is None and states(tmp_path) == []


@pytest.mark.parametrize("text", ["", '"ca', "7", "null", '"a\\"b"', '""', "[]"])
def test_what_is_no_name_is_none(journal, text):
    journal.open.write_text(text)
    assert journal.open_series() is None
