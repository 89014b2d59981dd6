# SPDX-License-Identifier: MIT
"""What `make mutants` reads and counts; that its lists name what there is."""

import json
import os
import signal
import subprocess
import sys
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
RESULTS = {"verdicts": FOUND}


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


@pytest.fixture
def at_hand(monkeypatch):
    """Instead of mutmut's: these mutants, and what became of them."""

    def use(made, results=None):
        ran = []
        found = results or {"verdicts": dict.fromkeys(made, "killed")}
        monkeypatch.setattr(mutants, "stage", lambda name: None)
        monkeypatch.setattr(mutants, "listed", lambda: made)
        monkeypatch.setattr(mutants, "run", lambda jobs, names: ran.append(names) or found)
        return ran

    return use


def left(floor=50.0, module="", **settings):
    """The exit status."""
    with pytest.raises(typer.Exit) as caught:
        mutants.main(floor, 1, "", module, settings.pop("sample", 0), settings.pop("seed", 0))
    return int(caught.value.exit_code)


MADE = {name: mutants.Mutant(["- old", "+ new"]) for name in FOUND}


@pytest.mark.parametrize(
    ("floor", "made", "ends"),
    [(0, MADE, 0), (51, MADE, 1), (66, MADE, 1), (0, {}, 1)],
)
def test_too_few_killed_or_none_tried_is_a_failure(at_hand, capsys, floor, made, ends):
    at_hand(made, RESULTS)
    assert left(floor) == ends
    said = capsys.readouterr().out
    if made:
        assert (
            "at_channel.Channel._next 1, survived:\n- old\n+ new\n"
            "at_syntax.field 1, no tests:\n- old\n+ new\n" in said
        )
        assert "poll" not in said
        assert f"50.0 % killed, {floor} % wanted" in said
        assert ("too few in at_syntax\n" in said) is (floor > 0)


def test_tests_that_fail_without_a_mutant_say_so(at_hand, capsys):
    at_hand(MADE, {"failed": [("tests_host/test_x.py::test_y", "assert 1 == 2")]})
    assert left(0) == 2
    assert "test_y fails without any mutant:\nassert 1 == 2" in capsys.readouterr().out


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


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("if ch.value(0) == 1: -> if ch.value(None) == 1:", True),
        ("f(ch.text(1), ch.text(0)) -> f(ch.text(1), ch.text(None))", True),
        ('ch.field_equals(0, b"x") -> ch.field_equals(None, b"x")', True),
        ("if ch.value(0) == 0: -> if ch.value(0) == None:", False),
        ("ch.value(0) -> ch.value(1)", False),
        ("ch.value(01) -> ch.value(None1)", False),
        ("ch.number(0) -> ch.number(None)", False),
        ("if line.find(name) >= 0: -> if line.rfind(name) >= 0:", True),
        ("if a.find(b) < 0 or c.find(b) < 0: -> if a.find(b) < 0 or c.rfind(b) < 0:", True),
        ("at = line.find(name) -> at = line.rfind(name)", False),
        ("if line.find(name) > 0: -> if line.rfind(name) > 0:", False),
        ('int.from_bytes(der[1:3], "big") -> int.from_bytes(der[1:3], )', True),
        ('int.from_bytes(der[1:3], "little") -> int.from_bytes(der[1:3], )', False),
    ],
)
def test_what_changes_nothing_wherever_it_stands(change, same):
    assert mutants.same_anywhere(change) is same


# What mutmut would make

MUTATED = """
def x_ask__mutmut_orig(modem, text):
    modem.waits = None
    modem.found = None
    told = kept = said = None
    told = False
    kept = False
    said = False
    while kept is None or not (told and text):
        told = told or kept
        kept = [text or said]
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
        ("told = False", "told = None", "falsy"),
        ("kept = False", "kept = None", ""),  # it is compared
        ("said = False", "said = None", ""),  # it is handed on
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
    assert (mutants.STAGE / "config.json").exists()
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

LIBRARY = """
import os

def answer(number):
    mutant = os.environ["MUTANT_UNDER_TEST"]
    if mutant == "stats":
        from mutmut.state import state
        state()._stats.add("lib.x_answer")
    if mutant == "lib.x_answer__mutmut_2":
        return number
    if mutant == "lib.x_answer__mutmut_3":
        while True:
            pass
    if mutant == "lib.x_answer__mutmut_4":
        raise SystemExit(0)
    return 42
"""
TESTS = """
import time
import lib

def test_slow():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert lib.answer(7) == 42

def test_quick():
    assert lib.answer(42) == 42

def test_of_nothing():
    pass
"""
STATE = """
class State:
    _stats = set()

held = State()

def state():
    return held
"""
CONFIGURATION = """
def config():
    pass
"""
TRAMPOLINE = """
import os

def set_mutant_under_test(name):
    os.environ["MUTANT_UNDER_TEST"] = name
"""


@pytest.fixture
def tried(tmp_path):
    """Tries mutants of a library of one function, with what stands in for mutmut; {mutant: what
    became of it}."""

    def go(*numbers, tests=TESTS, jobs=2, module="lib.x_answer"):
        for path, text in (
            ("lib.py", LIBRARY),
            ("test_lib.py", tests),
            ("mutmut/__init__.py", ""),
            ("mutmut/state.py", STATE),
            ("mutmut/configuration.py", CONFIGURATION),
            ("mutmut/mutation/__init__.py", ""),
            ("mutmut/mutation/trampoline.py", TRAMPOLINE),
        ):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        work = tmp_path / "work.json"
        names = [f"{module}__mutmut_{number}" for number in numbers]
        work.write_text(json.dumps({"mutants": names, "jobs": jobs}))
        path = os.pathsep.join(map(str, (tmp_path, ROOT / "tools")))
        plugins = [
            part
            for name in ("onemo_tools.proofs.mutants_plugin", "no:xdist", "no:cacheprovider")
            for part in ("-p", name)
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *plugins, "--rootdir=.", "test_lib.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, mutants_plugin.WORK: str(work)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not [name for name in os.listdir(tmp_path) if name.startswith("work.json.")]
        file = work.with_suffix(".verdicts")
        assert file.exists(), done.stdout + done.stderr
        found = json.loads(file.read_text())
        if "failed" in found:
            return found["failed"]
        return [found["verdicts"][name] for name in names]

    return go


def test_what_becomes_of_mutants(tried):
    assert tried(1, 2, 3, 4, jobs=3) == ["survived", "killed", "timeout", "killed"]


def test_what_no_test_reaches(tried):
    assert tried(1, 2, module="lib.x_other") == ["no tests"] * 2


def test_tests_that_fail_anyway(tried):
    [(test, why)] = tried(1, tests=TESTS.replace("== 42", "== 43", 1))
    assert test == "test_lib.py::test_slow"
    assert "assert 42 == 43" in why


def test_who_killed_is_asked_first_then_the_quickest(monkeypatch, tmp_path):
    asked = []
    items = [SimpleNamespace(nodeid=name) for name in ("slow", "new", "quick", "other")]
    tests = {"slow": (2.0, ["f"]), "new": (1.0, ["f"]), "quick": (0.1, ["f"]), "other": (0, ["g"])}

    def child(work, file):
        asked.append(work(None))
        file.write_text("slow")
        return len(asked)

    monkeypatch.setattr(mutants_plugin, "child", child)
    monkeypatch.setattr(
        mutants_plugin, "attempt", lambda session, name, items, told: [i.nodeid for i in items]
    )
    monkeypatch.setattr(os, "waitpid", lambda *_: (len(asked), 1 << 8))
    trials = mutants_plugin.Trials(SimpleNamespace(items=items), tests, tmp_path / "work.json")
    for name in ("f__mutmut_1", "f__mutmut_2"):
        trials.begin(name)
        trials.wait(0)
    assert asked == [["quick", "new", "slow"], ["slow", "quick", "new"]]
    assert trials.verdicts == {"f__mutmut_1": "killed", "f__mutmut_2": "killed"}


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


@pytest.mark.parametrize(("said", "left"), [("Timeout (>10.0s) from", [36]), ("assert 1", [])])
def test_a_test_that_waits_for_ever_is_told_apart(monkeypatch, said, left):
    exits = []
    monkeypatch.setattr(os, "_exit", exits.append)
    call = SimpleNamespace(excinfo=SimpleNamespace(value=Exception(said)))
    mutants_plugin.pytest_exception_interact(call)
    assert exits == []
    monkeypatch.setenv(mutants_plugin.WORK, "work.json")
    mutants_plugin.pytest_exception_interact(call)
    assert exits == left
