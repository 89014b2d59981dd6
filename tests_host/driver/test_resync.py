# SPDX-License-Identifier: MIT
"""Recovery as the module hears it: which bytes, when, and for how long."""

import pytest
from onemo.errors import ModemReset, Timeout
from rigs import overheard

QUERY = b"AT+CMEE?\r"
ESCAPE = b"+++"
SETTINGS = b"ATE0\rAT+CMEE=1\r"
FILLER = 8192  # the longest packet that a module may wait for
FILLED_MS = 3711  # that long takes it at 115200 bit/s, and its final result is waited for
RESULT = (b"AT+CSQ\r", [b"+CSQ: 24,99"])


def told(heard):
    """The same with filler as a number."""
    return [(ms, len(data) if set(data) == {13} else data) for ms, data in heard]


def near(expected):
    return [(pytest.approx(ms, abs=40), data) for ms, data in expected]


def row(start, *data, every=500):
    return [(start + every * number, each) for number, each in enumerate(data)]


@pytest.mark.parametrize(
    ("timeout_ms", "sent", "end"),
    [
        # too short for the silence around "+++"
        (3000, [*row(0, QUERY, QUERY, QUERY), (1500, FILLER)], 1500 + FILLED_MS),
        (4000, [*row(0, QUERY, QUERY, QUERY), (1500, FILLER)], 1500 + FILLED_MS),
        (
            4001,
            [(0, QUERY), (1100, ESCAPE), *row(2200, QUERY, QUERY), (3200, FILLER)],
            3200 + FILLED_MS,
        ),
        # filler comes again with each eighth probe
        (
            21000,
            [
                *[(0, QUERY), (1100, ESCAPE), *row(2200, QUERY, QUERY), (3200, FILLER)],
                *[*row(6911, *[QUERY] * 7), (10411, FILLER)],
                *[*row(14122, *[QUERY] * 7), (17622, FILLER)],
            ],
            17622 + FILLED_MS,
        ),
        # with time enough the module's own timeout of a MIPSEND is waited out first
        (
            21001,
            [
                *[(0, QUERY), (1100, ESCAPE), *row(12700, QUERY, QUERY), (13700, FILLER)],
                *[*row(17412, *[QUERY] * 7), (20912, FILLER)],
            ],
            20912 + FILLED_MS,
        ),
    ],
)
def test_a_silent_module_is_looked_for(rigs, timeout_ms, sent, end):
    rig = rigs(started=False, off=True)
    heard = overheard(rig)
    with pytest.raises(Timeout, match=rf"within {timeout_ms} ms: .*at 115200 bit/s"):
        rig.modem.start(timeout_ms=timeout_ms)
    assert told(heard) == near(sent)
    assert rig.clock.now() * 1000 == pytest.approx(end, abs=40)


def test_who_refuses_gets_no_escape_and_no_waiting(rigs):
    # It takes commands, so nothing goes to a peer; only filler might help.
    rig = rigs(started=False, strict=False)
    rig.module.reply(b"AT+CMEE?", b"ERROR", times=100)
    heard = overheard(rig)
    with pytest.raises(Timeout, match=r"within 30000 ms in what came"):
        rig.modem.start(timeout_ms=30000)
    assert told(heard)[:3] == near([(0, QUERY + QUERY), (501, QUERY), (1002, FILLER)])
    assert told(heard)[3:11] == near([*row(4713, *[QUERY] * 7), (8213, FILLER)])
    assert not [data for _, data in heard if ESCAPE in data]


def lost_answer(rig):
    """A command whose answer never comes; what is overheard since."""
    heard = overheard(rig)
    rig.module.reply(b"AT+CSQ", None)
    with pytest.raises(Timeout):
        rig.modem.command("+CSQ", timeout_ms=1000)
    heard.clear()
    return heard


def test_a_module_that_lost_nothing_is_asked_once(rig):
    heard = lost_answer(rig)
    assert rig.modem.command("+CSQ") == RESULT[1]
    # The command itself comes as soon as nothing more has come for 50 ms.
    assert told(heard) == near([(1058, QUERY), (1110, RESULT[0])])


@pytest.mark.parametrize("level", [0, 2])
def test_settings_that_are_not_as_they_were_are_made_again(rig, level):
    heard = lost_answer(rig)
    rig.module.reply(b"AT+CMEE?", b"OK", lines=[b"+CMEE: %d" % level])
    assert rig.modem.command("+CSQ") == RESULT[1]
    assert told(heard) == near([(1058, QUERY), (1110, SETTINGS + RESULT[0])])


def test_a_reboot_that_shows_behind_the_answer_counts(rig):
    heard = lost_answer(rig)
    rig.module.reply(b"AT+CMEE?", b"+CMEE: 1\r\n\r\nOK\r\n\r\n+MATREADY")
    boots = rig.modem.boot_count
    assert rig.modem.command("+CSQ") == RESULT[1]
    assert b"".join(data for _, data in heard).endswith(SETTINGS + RESULT[0])
    assert rig.modem.boot_count == boots + 1


@pytest.mark.parametrize("times", [1, 2, 3])
def test_reboots_in_a_recovery(rig, times):
    heard = lost_answer(rig)
    rig.module.reply(b"AT+CMEE?", b"OK", lines=[b"+CMEE: 0"])
    rig.module.reply(b"ATE0", b"+MATREADY", times=times)
    if times < 3:
        assert rig.modem.command("+CSQ") == RESULT[1]
    else:
        with pytest.raises(ModemReset):
            rig.modem.command("+CSQ")
    sent = b"".join(data for _, data in heard)
    assert sent.count(b"ATE0\r") == min(3, times + 1)
    assert rig.modem.command("+CSQ") == RESULT[1]


@pytest.mark.parametrize(("silent", "filled"), [(1, False), (2, True)])
def test_a_module_that_has_rebooted_is_in_no_data_mode_at_first(rig, silent, filled):
    heard = lost_answer(rig)
    rig.module.reply(b"AT+CMEE?", b"+MATREADY")
    rig.module.reply(b"AT+CMEE?", None, times=silent)
    assert rig.modem.command("+CSQ") == RESULT[1]
    assert (b"\r\r\r" in b"".join(data for _, data in heard)) is filled


@pytest.mark.parametrize("setting", [b"ATE0", b"AT+CMEE=1"])
def test_a_setting_that_is_refused_for_a_moment_is_made_all_the_same(rig, setting):
    heard = lost_answer(rig)
    rig.module.reply(b"AT+CMEE?", b"OK", lines=[b"+CMEE: 0"])
    rig.module.reply(setting, b"ERROR")
    assert rig.modem.command("+CSQ") == RESULT[1]
    assert b"".join(data for _, data in heard).count(setting + b"\r") == 2


def test_late_answers_to_other_probes_are_waited_for(rigs):
    # Both probes are answered after 900 ms. As long as the second had waited, and a second, the
    # line has to be quiet before anything else is sent.
    rig = rigs(strict=False)
    heard = lost_answer(rig)
    rig.module.delay(b"AT+CMEE?", 0.9)
    assert rig.modem.command("+CSQ") == RESULT[1]
    began = heard[0][0]
    expected = [(began, QUERY), (began + 500, QUERY), (began + 900 + 1500, RESULT[0])]
    assert told(heard) == near(expected)


def test_no_answer_is_waited_for_longer_than_three_seconds(rig):
    heard = lost_answer(rig)
    rig.module.reply(b"AT+CMEE?", None, times=6)
    assert rig.modem.command("+CSQ") == RESULT[1]
    sent = told(heard)
    assert [data for _, data in sent] == [*[QUERY] * 3, FILLER, *[QUERY] * 4, RESULT[0]]
    assert sent[-1][0] - sent[-2][0] == pytest.approx(3000, abs=20)


@pytest.mark.parametrize("verbose", [True, False])
def test_a_module_whose_final_results_cannot_be_read(rig, verbose):
    heard = lost_answer(rig)
    if verbose:
        rig.module.quiet = True
    else:
        rig.module.verbose = False
    assert rig.modem.command("+CSQ") == RESULT[1]
    setting = b"ATQ0\r" if verbose else b"ATV1\r"
    assert setting in b"".join(data for _, data in heard)
    assert rig.module.verbose and not rig.module.quiet
