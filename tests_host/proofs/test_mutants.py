# SPDX-License-Identifier: MIT
"""What `make mutants` reads and counts; that its lists name what there is."""

import json
import os
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from onemo_tools.proofs import mutants, mutants_plugin

ROOT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
FOUND = {
    "onemo.at_channel.xǁChannelǁpoll__mutmut_1": "killed",
    "onemo.at_channel.xǁChannelǁpoll__mutmut_2": "timeout",
    "onemo.at_channel.xǁChannelǁ_next__mutmut_1": "survived",
    "onemo.at_syntax.x_field__mutmut_1": "no tests",
}
RESULTS = "".join(f"    {name}: {verdict}\n" for name, verdict in FOUND.items())


def test_verdicts_are_read():
    assert mutants.verdicts(RESULTS) == FOUND
    assert mutants.verdicts("") == {}


def test_names_for_people():
    assert [mutants.readable(name) for name in FOUND] == [
        "at_channel.Channel.poll 1",
        "at_channel.Channel.poll 2",
        "at_channel.Channel._next 1",
        "at_syntax.field 1",
    ]
    assert [mutants.module_of(name) for name in FOUND] == ["at_channel"] * 3 + ["at_syntax"]


def test_what_ran_for_ever_was_noticed_and_what_no_test_runs_was_not():
    assert mutants.rate(Counter(FOUND.values())) == 50.0
    assert mutants.rate(Counter()) == 0.0


def test_counts_by_module():
    columns = [list(column.cells) for column in mutants.table(FOUND).columns]
    assert list(zip(*columns, strict=True)) == [
        ("at_channel", "1", "1", "1", "0", "3", "66.7"),
        ("at_syntax", "0", "0", "0", "1", "1", "0.0"),
        ("all", "1", "1", "1", "1", "4", "50.0"),
    ]


class Done:
    """What `mutmut` says."""

    def __init__(self, stdout):
        self.stdout = stdout


@pytest.mark.parametrize(
    ("floor", "status", "results", "left"),
    [(50, 0, RESULTS, 0), (51, 0, RESULTS, 1), (0, 0, "", 1), (0, 1, RESULTS, 2)],
)
def test_too_few_killed_or_none_tried_is_a_failure(
    monkeypatch, capsys, floor, status, results, left
):
    def mutmut(command, *names):
        if command == "results":
            return Done(results)
        return Done(f"# {names[0]}: survived\n--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new\n")

    monkeypatch.setattr(mutants, "stage", lambda name: None)
    monkeypatch.setattr(mutants, "run", lambda jobs, names: status)
    monkeypatch.setattr(mutants, "mutmut", mutmut)
    with pytest.raises(typer.Exit) as caught:
        mutants.main(floor, 1, "", "")
    assert int(caught.value.exit_code) == left
    said = capsys.readouterr().out
    if results and not status:
        assert (
            "at_channel.Channel._next 1, survived:\n-old\n+new\nat_syntax.field 1, survived:"
            in said
        )
        assert "poll" not in said
        assert f"50.0 % killed, {floor} % wanted" in said


def test_the_copy_is_whole_and_the_working_copy_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "STAGE", tmp_path / "stage")
    for _ in range(2):  # a second time over the first
        mutants.stage()
    for path in CONFIG["only_mutate"]:
        source = ROOT / "lib" / Path(path).relative_to("src")
        assert (mutants.STAGE / path).read_bytes() == source.read_bytes()
    for name in (*CONFIG["also_copy"], *CONFIG["pytest_add_cli_args_test_selection"]):
        assert (mutants.STAGE / name).exists()
    assert not (mutants.STAGE / "lib").exists()  # or the tests would find that


@pytest.mark.parametrize("name", mutants.SLICES)
def test_a_slice_is_one_module_and_its_tests(name):
    text = mutants.sliced((ROOT / "pyproject.toml").read_text(), name)
    config = tomllib.loads(text)["tool"]["mutmut"]
    assert config["only_mutate"] == [f"src/onemo/{name}.py"]
    assert (ROOT / "lib" / "onemo" / f"{name}.py").exists()
    assert f"src/onemo/{name}.py" not in CONFIG["only_mutate"]  # the core is another run
    for path in config["pytest_add_cli_args_test_selection"]:
        assert (ROOT / path).exists()
    assert config["also_copy"] == CONFIG["also_copy"]


def test_no_such_slice():
    with pytest.raises(typer.BadParameter, match="there is no 'nix'"):
        mutants.main(50, 1, "", "nix")
    with pytest.raises(ValueError, match="only_mutate"):
        mutants.sliced("[tool]", "tls")


# Its plugin of pytest


def test_the_quickest_tests_come_first(monkeypatch, tmp_path):
    items = [SimpleNamespace(nodeid=name) for name in ("slow", "new", "quick")]
    monkeypatch.chdir(tmp_path)
    mutants_plugin.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["slow", "new", "quick"]
    durations = {"duration_by_test": {"slow": 2.0, "quick": 0.1}}
    (tmp_path / "mutmut-stats.json").write_text(json.dumps(durations))
    mutants_plugin.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["new", "quick", "slow"]


@pytest.mark.parametrize(("said", "left"), [("Timeout (>10.0s) from", [36]), ("assert 1", [])])
def test_a_test_that_runs_for_ever_is_told_apart(monkeypatch, said, left):
    exits = []
    monkeypatch.setattr(os, "_exit", exits.append)
    call = SimpleNamespace(excinfo=SimpleNamespace(value=Exception(said)))
    mutants_plugin.pytest_exception_interact(call)
    assert exits == left
