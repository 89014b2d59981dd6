# SPDX-License-Identifier: MIT
"""The ladder with the blocking front: each step by itself, what it skips, and its pauses."""

import sys
from types import SimpleNamespace

import pytest
from onemo.supervisor import STEPS, Supervisor

RETRY = {"first_s": 2, "most_s": 300}


class Reset(BaseException):
    """machine.reset()."""


@pytest.fixture
def ladders(rigs, tmp_path, monkeypatch):
    """Makes rigs with a supervisor of these steps, one failure a step; `rig.told`."""
    monkeypatch.chdir(tmp_path)

    def reset():
        raise Reset

    monkeypatch.setitem(sys.modules, "machine", SimpleNamespace(reset=reset))

    def make(*steps, recovery=None, reopens=True, **quirks):
        rig = rigs(strict=False, **quirks)
        rig.told = []
        rig.modem.on_event(lambda kind, text: rig.told.append(text))

        def reopen(baud):
            rig.uart.init()
            return rig.uart

        rules = {"after": 1, "tries": 1, "step_s": 1, "rest_s": 60, "steps": list(steps or STEPS)}
        rules |= recovery or {}
        rig.supervisor = Supervisor(rig.modem, rules, RETRY, reopen if reopens else None)

        def fail():
            rig.clock.advance(5)
            return rig.supervisor.failed()

        rig.fail = fail
        return rig

    return make


def test_a_deaf_uart_hears_again(ladders):
    rig = ladders("uart")
    rig.uart.deafen()
    assert rig.fail() == "uart"
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize(
    ("step", "command"), [("context", b"AT+MIPCALL=0,1"), ("radio", b"CFUN=0")]
)
def test_what_is_done_by_commands(ladders, step, command):
    rig = ladders(step)
    assert rig.modem.attach()
    assert rig.fail() == step
    assert any(command in sent for sent in rig.module.commands)
    assert rig.modem.attach() == ["10.11.12.13"]


@pytest.mark.parametrize("refusal", [b"ERROR", b"+CME ERROR: 572"])
def test_a_model_that_refuses_it_is_no_end(ladders, refusal):
    rig = ladders("context", "module")
    rig.module.reply(b"AT+MIPCALL=0,1", refusal)
    assert rig.fail() == "context"
    boots = rig.module.boots
    assert rig.fail() == "module"
    assert rig.module.boots == boots + 1


def test_a_module_that_does_not_answer_is_not_asked_three_times(ladders):
    rig = ladders()
    rig.module.power_off()
    began = rig.clock.now()
    assert rig.fail() == "uart"  # behind context, and past radio and module
    assert rig.clock.now() - began < 80
    assert rig.supervisor.counts == {"context": 1, "uart": 1}
    with pytest.raises(Reset):  # no pins are wired
        rig.fail()


def test_what_the_board_does_not_have_is_passed_over(ladders):
    rig = ladders("uart", "power", "module", reopens=False)
    assert rig.fail() == "module"
    assert rig.supervisor.counts == {"module": 1}
    rig = ladders("uart", "power", reopens=False)
    assert rig.fail() is None
    assert rig.supervisor.counts == {"module": 1}  # from the file


def test_budgets_and_pauses(ladders):
    rig = ladders("context", "radio", recovery={"after": 3, "tries": 2, "step_s": 60})
    taken = [(rig.fail(), round(rig.clock.now())) for _ in range(40)]
    steps = [(step, moment) for step, moment in taken if step]
    assert [step for step, _ in steps] == ["context", "radio"] * (len(steps) // 2)
    assert taken[2][0] == "context" and [step for step, _ in taken[:2]] == [None, None]
    first, second, third = (moment for _, moment in steps[:3])
    assert 60 <= second - first < 75
    assert 60 <= third - second < 80


def test_progress_begins_at_the_bottom_and_counts_stay(ladders, tmp_path):
    rig = ladders("context", "radio", "module")
    assert [rig.fail(), rig.fail()] == ["context", "radio"]
    assert (tmp_path / "onemo.recovery").read_text() == "2 0 context=1 radio=1"
    rig.supervisor.progress()
    assert (tmp_path / "onemo.recovery").read_text() == "0 0 context=1 radio=1"
    assert rig.supervisor.writes == 3
    rig.supervisor.progress()
    assert rig.supervisor.writes == 3
    again = Supervisor(rig.modem, {"after": 1}, RETRY)
    assert again.counts == {"context": 1, "radio": 1}
    assert again.failed() == "context"


def test_a_ladder_without_a_place_for_its_file_works_all_the_same(ladders, tmp_path):
    rig = ladders("context")
    (tmp_path / "onemo.recovery.new").mkdir()
    assert rig.fail() == "context"
    assert any("cannot be written" in text for text in rig.told)


def test_pauses_double_up_to_the_most(ladders):
    rig = ladders(recovery={"after": 99})
    found = []
    for _ in range(12):
        rig.fail()
        found.append(rig.supervisor.pause_s())
    for pause, whole in zip(found, (2, 4, 8, 16, 32, 64, 128, 256, 300, 300), strict=False):
        assert whole / 2 <= pause <= whole


@pytest.mark.parametrize("seconds", [0, 0.5, 299, 300, 301, 604800, 31536000])
def test_a_long_pause_is_made_of_short_ones(ladders, seconds):
    rig = ladders()
    slices = list(rig.supervisor.slices(seconds))
    assert sum(slices) == pytest.approx(seconds)
    assert all(0 < pause <= 300 for pause in slices)
