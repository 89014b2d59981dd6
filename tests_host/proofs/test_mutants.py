# SPDX-License-Identifier: MIT
"""What `make mutants` reads and counts; that its lists name what there is."""

import json
import os
import signal
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from onemo_tools.proofs import mutants, mutants_listed, mutants_plugin
from onemo_tools.proofs.mutants_equivalent import EQUIVALENT

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
    apart = [*FOUND.values(), *mutants.APART]
    assert mutants.rate(Counter(apart)) == 50.0
    assert mutants.rate(Counter()) == 0.0


def test_counts_by_module():
    found = FOUND | {"onemo.at_syntax.x_field__mutmut_2": "reworded"}
    columns = [list(column.cells) for column in mutants.table(found).columns]
    assert list(zip(*columns, strict=True)) == [
        ("at_channel", "1", "1", "1", "0", "3", "0", "0", "0", "0", "66.7"),
        ("at_syntax", "0", "0", "0", "1", "1", "1", "0", "0", "0", "0.0"),
        ("all", "1", "1", "1", "1", "4", "1", "0", "0", "0", "50.0"),
    ]


class Done:
    """What `mutmut` says."""

    def __init__(self, stdout):
        self.stdout = stdout


@pytest.fixture
def at_hand(monkeypatch):
    """Instead of mutmut's: these mutants, and what became of them."""

    def use(made, results="", status=0):
        ran = []
        monkeypatch.setattr(mutants, "stage", lambda name: None)
        monkeypatch.setattr(mutants, "listed", lambda: made)
        monkeypatch.setattr(mutants, "run", lambda jobs, names: ran.append(names) or status)
        monkeypatch.setattr(mutants, "mutmut", lambda *arguments: Done(results))
        return ran

    return use


def left(floor=50.0, module="", **settings):
    """The exit status."""
    with pytest.raises(typer.Exit) as caught:
        mutants.main(floor, 1, "", module, settings.pop("sample", 0), settings.pop("seed", 0))
    return int(caught.value.exit_code)


MADE = {name: mutants.Mutant(["- old", "+ new"]) for name in FOUND}


@pytest.mark.parametrize(
    ("floor", "status", "made", "ends"),
    [(0, 0, MADE, 0), (51, 0, MADE, 1), (66, 0, MADE, 1), (0, 0, {}, 1), (0, 1, MADE, 2)],
)
def test_too_few_killed_or_none_tried_is_a_failure(at_hand, capsys, floor, status, made, ends):
    at_hand(made, RESULTS, status)
    assert left(floor) == ends
    said = capsys.readouterr().out
    if made and not status:
        assert (
            "at_channel.Channel._next 1, survived:\n- old\n+ new\n"
            "at_syntax.field 1, no tests:\n- old\n+ new\n" in said
        )
        assert "poll" not in said
        assert f"50.0 % killed, {floor} % wanted" in said
        assert ("too few in at_syntax\n" in said) is (floor > 0)


def test_what_is_apart_is_not_tried_and_not_counted(at_hand, capsys, monkeypatch):
    names = list(FOUND)
    made = MADE | {names[2]: mutants.Mutant(["- old", "+ new"], "reworded")}
    entry = ("at_syntax.field", "old -> new")
    gone = ("at_syntax.field", "older -> newer")
    others = ("tls.context_of", "old -> new")  # of a module that is not at hand
    monkeypatch.setattr(mutants, "EQUIVALENT", dict.fromkeys((entry, gone, others), "why"))
    ran = at_hand(made, RESULTS)
    assert left(100) == 0
    assert ran == [names[:2]]
    said = capsys.readouterr().out
    assert "no such mutant: at_syntax.field: older -> newer" in said
    assert "tls.context_of" not in said
    assert "100.0 % killed" in said


def test_a_sample_is_the_same_for_a_seed(at_hand):
    made = {f"onemo.tls.x_f__mutmut_{n}": mutants.Mutant(["- a", f"+ {n}"]) for n in range(99)}
    ran = at_hand(made)
    for seed in (1, 1, 2):
        left(0, "tls", sample=20, seed=seed)
    assert ran[0] == ran[1] != ran[2]
    assert [len(set(names)) for names in ran] == [20, 20, 20]


def test_slices_one_after_the_other(at_hand):
    ran = at_hand(MADE, RESULTS)
    left(0, "tls,aio")
    left(0, "all")
    assert len(ran) == 2 + len(mutants.SLICES)


def test_each_entry_of_the_equivalent_names_a_function_and_says_why():
    for (where, change), why in EQUIVALENT.items():
        module, *path = where.split(".")
        text = (ROOT / "lib" / "onemo" / f"{module}.py").read_text()
        assert f"def {path[-1]}(" in text, where
        assert " -> " in change and len(why) > 10


# What mutmut would make

MUTATED = """
def x_ask__mutmut_orig(modem, text):
    modem.waits = None
    modem.found = None
    unload("tls")
    if text == "not a word more":
        raise ValueError("the %s is missing: " "give one" % text)
    return modem.found is None

class Channel:
    def xǁChannelǁpoll__mutmut_orig(self):
        return self.command(b"+X", "a b")
"""


def mutated(old, new, function="x_ask"):
    """A module as mutmut writes it, with one mutant more."""
    start = MUTATED.index(f"{function}__mutmut_orig")
    start = MUTATED.rindex("def ", 0, start)
    end = MUTATED.find("class", start) if function == "x_ask" else len(MUTATED)
    original = MUTATED[start:end]
    assert old in original
    mutant = original.replace(old, new).replace("__mutmut_orig", "__mutmut_1")
    indent = "" if function == "x_ask" else "    "
    return MUTATED[:end] + indent + mutant + MUTATED[end:]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ('"the %s is missing: "', '"XXthe %s is missing: XX"', "reworded"),
        ('"give one"', '"GIVE ONE"', "reworded"),
        ('"the %s is missing: " "give one" % text', "None", ""),
        ('"give one" % text', '"give one" / text', ""),
        ('"not a word more"', '"NOT A WORD MORE"', ""),  # it is compared
        ('"tls"', "None", "unloading"),
        ("waits = None", 'waits = ""', "falsy"),
        ("found = None", 'found = ""', ""),  # for it is asked whether it is None
    ],
)
def test_kinds_of_mutants(old, new, kind):
    library = MUTATED.replace("__mutmut_orig", "")
    found = mutants_listed.listed("onemo.tls", mutated(old, new), library)
    assert list(found) == ["onemo.tls.x_ask__mutmut_1"]
    assert found["onemo.tls.x_ask__mutmut_1"]["kind"] == kind
    mutant = mutants.Mutant(**found["onemo.tls.x_ask__mutmut_1"])
    assert [line[:2] for line in mutant.lines] == ["- ", "+ "]
    assert old in mutant.lines[0] and new in mutant.lines[1]
    assert mutant.change == f"{mutant.lines[0][2:]} -> {mutant.lines[1][2:]}"


@pytest.mark.parametrize(("old", "new"), [('b"+X"', 'b"+x"'), ('"a b"', '"A B"')])
def test_what_goes_over_the_line_or_is_no_sentence_is_tried(old, new):
    found = mutants_listed.listed("onemo.tls", mutated(old, new, "xǁChannelǁpoll"))
    assert [mutant["kind"] for mutant in found.values()] == [""]


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
        mutants.main(50, 1, "", "tls,nix")
    with pytest.raises(ValueError, match="only_mutate"):
        mutants.sliced("[tool]", "tls")


# Its plugin of pytest


def test_the_quickest_tests_come_first(monkeypatch, tmp_path):
    items = [SimpleNamespace(nodeid=name) for name in ("slow", "new", "quick")]
    monkeypatch.chdir(tmp_path)
    mutants_plugin.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["slow", "new", "quick"]
    monkeypatch.setattr(mutants_plugin, "seconds", {})
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


def test_processor_time_is_limited_for_what_was_measured(monkeypatch):
    timers = []
    monkeypatch.setattr(signal, "setitimer", lambda which, seconds: timers.append(seconds))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(mutants_plugin, "seconds", {"slow": 2.0, "quick": 0.1})
    for name in ("new", "quick", "slow"):
        steps = mutants_plugin.pytest_runtest_protocol(SimpleNamespace(nodeid=name))
        next(steps)
        with pytest.raises(StopIteration):
            steps.send(True)
    assert timers == [0, mutants_plugin.LEAST, 0, 20.0, 0]
