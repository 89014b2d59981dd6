"""What comes from outside never raises what is not documented: a seeded sample of `make fuzz`."""

import random

import pytest
import watched
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo_tools import fuzz, fuzz_targets
from onemo_tools.fuzz_targets import TARGETS

SAMPLE = 60_000


@pytest.fixture(autouse=True)
def _unwatched():
    # What conftest.py keeps of every driver and error is no leak of theirs.
    watched.watch.on = False
    yield
    watched.watch.on = True


@pytest.mark.parametrize("task", list(fuzz.parts(SAMPLE)), ids=lambda task: f"{task[0]}-{task[1]}")
def test_a_sample(task):
    tally = fuzz.run(*task)
    assert tally.failures == []
    assert tally.inputs == {task[0]: task[2]}


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers())
def test_any_bytes(name, data, seed):
    TARGETS[name][0](data, random.Random(seed))


def test_inputs_differ_and_can_be_found_again():
    made = [fuzz_targets.generate(random.Random(f"x {number}")) for number in range(500)]
    assert made == [fuzz_targets.generate(random.Random(f"x {number}")) for number in range(500)]
    assert len(set(made)) > 400
    assert any(len(data) > 1000 for data in made)


def test_the_parts_make_up_the_total():
    for total in (1000, fuzz.TOTAL):
        assert abs(sum(count for _, _, count in fuzz.parts(total)) - total) < len(TARGETS)
    assert fuzz.TOTAL >= 1_000_000


def test_a_wrong_exception_is_found(monkeypatch):
    def broken(data, rng):
        if b"ERROR" in data:
            raise KeyError("no")

    monkeypatch.setitem(TARGETS, "models", (broken, 1.0))
    tally = fuzz.run("models", 0, 200)
    assert tally.failures
    number = int(tally.failures[0].split()[1].rstrip(":"))
    with pytest.raises(KeyError):
        fuzz.one("models", number)


def test_memory_that_is_kept_is_found(monkeypatch):
    kept = []
    monkeypatch.setitem(TARGETS, "models", (lambda data, rng: kept.append(bytearray(1000)), 1.0))
    assert any("memory" in failure for failure in fuzz.run("models", 0, 300).failures)


def test_a_hang_is_found(monkeypatch):
    monkeypatch.setattr(fuzz_targets, "_POLLS", 3)
    assert any("Hang" in failure for failure in fuzz.run("channel", 0, 200).failures)
