# SPDX-License-Identifier: MIT
"""The ladder with the blocking front: each step by itself, what it skips, and its pauses."""

import asyncio
import itertools
import sys
from types import SimpleNamespace

import pytest
from onemo.supervisor import STEPS, Supervisor, Watchdog

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
        rig.modem.on_event(lambda kind, text: rig.told.append(f"{kind}: {text}"))

        def reopen(baud):
            rig.uart.init()
            return rig.uart

        rules = {"after": 1, "tries": 1, "pause_s": 1, "rest_s": 60, "steps": list(steps or STEPS)}
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
    rig = ladders("context", "radio", recovery={"after": 3, "tries": 2, "pause_s": 60})
    taken = [(rig.fail(), round(rig.clock.now())) for _ in range(40)]
    steps = [(step, moment) for step, moment in taken if step]
    assert [step for step, _ in steps] == ["context", "radio"] * (len(steps) // 2)
    assert taken[2][0] == "context" and [step for step, _ in taken[:2]] == [None, None]
    first, second, third = (moment for _, moment in steps[:3])
    assert 60 <= second - first < 75
    assert 60 <= third - second < 80


@pytest.mark.parametrize("recovery", [{}, {"after": None, "steps": None}])
def test_what_is_not_said_is_the_default(ladders, recovery):
    rig = ladders()
    supervisor = Supervisor(rig.modem, recovery, RETRY)
    taken = []
    for _ in range(8):
        rig.clock.advance(120)
        taken.append(supervisor.failed())
    assert taken == [None, None, "context", None, "radio", None, "module", None]
    with pytest.raises(ValueError, match=r"recovery\.aftr is not known"):
        Supervisor(rig.modem, {"aftr": 1}, RETRY)


@pytest.mark.parametrize("recovery", [None, {"steps": []}])
def test_without_a_ladder_nothing_is_done(ladders, recovery, tmp_path):
    rig = ladders()
    (tmp_path / "onemo.recovery").write_text("2 1 context=4")
    supervisor = Supervisor(rig.modem, recovery, RETRY)
    assert supervisor.counts == {"context": 4}
    rig.module.commands.clear()
    for _ in range(20):
        rig.clock.advance(3600)
        assert supervisor.failed() is None
    assert rig.module.commands == [] and supervisor.writes == 0 and rig.told == []


def test_what_the_configuration_does_wrong_is_no_steps_business(ladders):
    rig = ladders("context", recovery={"after": 2})
    assert [rig.supervisor.failed(ValueError("x")) for _ in range(5)] == [None] * 5
    assert rig.supervisor.failed(OSError("x")) == "context"


def test_behind_the_last_step_the_ladder_rests(ladders):
    rig = ladders("context", recovery={"after": 2, "rest_s": 60})
    moments = [round(rig.clock.now()) for _ in range(40) if rig.fail()]
    assert len(moments) > 2
    for before, after in itertools.pairwise(moments):
        assert 60 <= after - before <= 66
    assert rig.supervisor.counts["context"] == len(moments)


def test_failures_of_the_same_moment_are_no_rest(ladders):
    rig = ladders("context", "radio", recovery={"pause_s": 60})
    assert rig.fail() == "context"
    assert [rig.supervisor.failed() for _ in range(3)] == [None] * 3


def test_days_without_a_failure_are_a_rest(ladders):
    rig = ladders("context", recovery={"rest_s": 80000})
    assert rig.fail() == "context"
    assert rig.fail() is None
    rig.clock.advance(8 * 86400)  # more than half of what ticks count
    assert rig.fail() == "context"


@pytest.mark.parametrize("error", [OSError("no such port"), ValueError("no such speed")])
def test_a_step_that_fails_is_told_and_the_next_one_taken(ladders, error):
    rig = ladders("uart", "module")

    def reopen(baud):
        assert baud == 115200
        raise error

    rig.supervisor._reopen = reopen
    assert rig.fail() == "module"
    assert rig.told[:3] == [
        "recovery: no progress: the UART was opened anew",
        f"recovery: that failed: {error}",
        "recovery: no progress: the module was rebooted (AT+MREBOOT)",
    ]


def test_a_module_that_answers_no_command_is_restarted_by_its_pins(ladders):
    rig = ladders("module", "context", "power", "uart")

    def restart_op(channel):
        assert channel is rig.modem.channel
        rig.module.power_cycle()
        yield

    rig.modem.power = SimpleNamespace(
        can_restart=lambda: True, restart_op=restart_op, rest=lambda channel: None
    )
    rig.module.power_off()
    assert rig.fail() == "power"
    assert rig.supervisor.counts == {"module": 1, "power": 1}
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    rig.modem.power.can_restart = lambda: False
    assert [rig.fail() for _ in range(4)] == ["uart", None, None, None]


def test_the_radio_is_off_for_a_while(ladders):
    rig = ladders("radio")
    off_ms = []
    began = None

    def level():
        nonlocal began
        if rig.module.commands[-1] == b"AT+CFUN=0":
            began = began or rig.clock.now()
        elif began and rig.module.commands[-1] == b"AT+CFUN=1":
            off_ms.append(1000 * (rig.clock.now() - began))
            began = None

    wait = rig.modem.wait
    rig.modem.wait = lambda: (wait(), level())
    assert rig.fail() == "radio"
    assert 2000 <= off_ms[0] < 2300


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


@pytest.mark.parametrize(
    ("text", "step", "counts"),
    [
        ("1 0 context=2 radio=1", "radio", {"context": 2, "radio": 2}),
        ("1 3 context=2 other=1 radio=x", "radio", {"context": 2, "radio": 1}),
        ("1", "radio", {"radio": 1}),
        ("3 0 context=1", "context", {"context": 2}),  # of a longer ladder
        ("99 0", "context", {"context": 1}),
        ("-9 0", "context", {"context": 1}),
        ("x 1", "context", {"context": 1}),
    ],
)
def test_where_the_ladder_stands_is_on_file(ladders, tmp_path, text, step, counts):
    (tmp_path / "onemo.recovery").write_text(text)
    rig = ladders("context", "radio", "module")
    assert rig.fail() == step
    assert rig.supervisor.counts == counts


def test_what_was_rested_before_a_reset_is_not_known(ladders, tmp_path):
    (tmp_path / "onemo.recovery").write_text("1 0")
    rig = ladders("context", "radio", recovery={"pause_s": 6})
    assert [rig.fail(), rig.fail()] == [None, "radio"]  # 5 s each


def test_progress_forgets_failures(ladders):
    rig = ladders("context", recovery={"after": 2})
    assert rig.fail() is None
    rig.supervisor.progress()
    assert [rig.fail(), rig.fail()] == [None, "context"]


def test_another_file(ladders, tmp_path):
    rig = ladders()
    supervisor = Supervisor(rig.modem, {"after": 1}, RETRY, file="other")
    supervisor.failed()
    assert (tmp_path / "other").read_text() == "1 0 context=1"
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_ladder_without_a_place_for_its_file_works_all_the_same(ladders, tmp_path):
    rig = ladders("context")
    (tmp_path / "onemo.recovery.new").mkdir()
    assert rig.fail() == "context"
    assert any(
        text.startswith("recovery: onemo.recovery cannot be written: ") for text in rig.told
    )


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


# The watchdog


class Dog:
    """A watchdog that counts its meals."""

    meals = 0

    def __init__(self, period_s):
        self.period_s = period_s

    def feed(self):
        self.meals += 1


@pytest.mark.parametrize("sign", ["alive", "progress", "failed", "slices"])
@pytest.mark.parametrize(("period_s", "more"), [(100, 8), (299.9, 3)])
def test_a_watchdog_is_fed_as_long_as_there_are_signs_of_life(
    ladders, monkeypatch, period_s, more, sign
):
    rig = ladders()
    dog = Dog(period_s)

    async def sleep(seconds):
        assert seconds == period_s
        if dog.meals == 2:
            given = getattr(rig.supervisor, sign)(*[1] * (sign == "slices"))
            assert sign != "slices" or list(given) == [1]

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(rig.supervisor.feed(dog))
    assert dog.meals == 2 + more  # 900 s from the last sign on, this period is the first of them


@pytest.mark.parametrize(
    ("most_ms", "seconds", "taken_ms", "error"),
    [
        (8388, 60, 7500, ValueError),
        (8388, 8, 8000, OverflowError),
        (None, 300, 300000, ValueError),
        (1000, 1, 1000, ValueError),
        (999, 1, 500, ValueError),
        (400, 1, 0, ValueError),
    ],
)
def test_a_watchdog_has_what_the_port_allows(monkeypatch, most_ms, seconds, taken_ms, error):
    meals = []

    class Wdt:
        def __init__(self, timeout):
            if most_ms and timeout > most_ms:
                raise error
            self.timeout = timeout

        def feed(self):
            meals.append(self.timeout)

    monkeypatch.setitem(sys.modules, "machine", SimpleNamespace(WDT=Wdt))
    if not taken_ms:
        with pytest.raises(error):
            Watchdog(seconds)
        return
    dog = Watchdog(seconds)
    dog.feed()
    assert meals == [taken_ms] == [dog.timeout_ms]
    assert dog.period_s == taken_ms / 4000
