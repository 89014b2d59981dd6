# SPDX-License-Identifier: MIT
"""What comes from outside never raises what is not documented: a seeded sample of `make fuzz`."""

import random
from pathlib import Path

import pytest
import typer
import watched
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo_tools.proofs import fuzz, fuzz_coverage, fuzz_targets
from onemo_tools.proofs.fuzz_targets import TARGETS
from typer.testing import CliRunner

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


# Counts that are none


def refused(*arguments, main=fuzz.main):
    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 2
    return " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--total", -5), "Invalid value for '--total'"),
        (("--total", 99), "100"),
        (("--total", "many"), "Invalid value for '--total'"),
        (("--jobs", 0), "Invalid value for '--jobs'"),
        (("--target", "pem", "--first", -1), "Invalid value for '--first'"),
        (("--target", "pem", "--count", 0), "Invalid value for '--count'"),
        (("--target", "pem", "--count", "1.5"), "Invalid value for '--count'"),
        (("--target", "nix"), "there is no target 'nix'; there are channel,"),
        (("--count", 5), "name it by --target"),
        (("--first", 5), "name it by --target"),
    ],
)
def test_garbage_is_refused_with_a_reason(arguments, says):
    assert says in refused(*arguments)


# Led by coverage


def test_its_garbage_too():
    for arguments, says in (
        (("--seconds", 0), "Invalid value for '--seconds'"),
        (("--target", "nix"), "there is no target 'nix'"),
        (("--again", "/nowhere"), "does not exist"),
    ):
        assert says in refused(*arguments, main=fuzz_coverage.main)


def test_choices_and_data_are_two_things():
    one, rng = fuzz_coverage.split(b"\1\2\3\4data")
    other, same = fuzz_coverage.split(b"\1\2\3\4more")
    assert (one, other) == (b"data", b"more")
    assert rng.random() == same.random()
    assert fuzz_coverage.split(b"")[0] == b""


def test_it_begins_with_real_inputs(tmp_path):
    fuzz_coverage.seeds("channel", tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == fuzz_coverage.SEEDS
    assert fuzz_coverage.split(files[7].read_bytes())[0] != b""
    assert any(b"+CME ERROR" in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("status", "inputs", "well"), [(0, 5000, True), (77, 5000, False), (0, 0, False)]
)
def test_what_failed_or_did_nothing_is_told(monkeypatch, tmp_path, capsys, status, inputs, well):
    def start(name, arguments, log):
        assert name == "pem"
        assert len(list(Path(arguments[-1]).iterdir())) == fuzz_coverage.SEEDS
        log.write_text(f"Traceback\nstat::number_of_executed_units: {inputs}\nstat::x: 1\n")
        return status

    monkeypatch.setattr(fuzz_coverage, "CRASHES", tmp_path)
    monkeypatch.setattr(fuzz_coverage, "start", start)
    assert fuzz_coverage.led("pem", 1) is well
    said = capsys.readouterr().out
    assert f"pem: {inputs} inputs" in said
    assert ("Traceback" in said) is not well
