# SPDX-License-Identifier: MIT
"""Sleep, the pins, boots that nobody hears of, and what the clock says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

NOON = datetime(2026, 8, 28, 4, 30, 0, tzinfo=UTC)


# --- sleep ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_sleeping_module_misses_the_first_bytes(make_host, lost):
    host = make_host("ML307X", sleepmode="factory", sleep_after=10.0, sleep_lost=lost)
    assert host.lines("AT+CSQ")[-1] == b"OK"
    host.wait(9)
    assert host.lines("AT+CSQ")[-1] == b"OK"
    host.wait(11)
    assert host.module.sleep.asleep
    assert host.lines("AT+CSQ") == [b"ERROR"]
    assert host.module.commands[-1] == b"AT+CSQ"[lost:]
    assert host.lines("AT+CSQ")[-1] == b"OK"


def test_at_until_ok_wakes_it(make_host):
    host = make_host(sleepmode=2, sleep_after=10.0, sleep_lost=3)
    host.wait(60)
    answers = [host.command("AT", 0.3) for _ in range(3)]
    assert answers[0] == b"" and answers[1:] == [b"\r\nOK\r\n"] * 2


@pytest.mark.parametrize(
    ("quirks", "command"),
    [
        ({"sleepmode": 0}, None),
        ({"sleepmode": 2, "sleep_after": None}, None),
        ({"sleepmode": 2}, 'AT+MLPMCFG="sleepmode",0'),
    ],
)
def test_a_module_that_does_not_sleep(make_host, quirks, command):
    host = make_host(**{"sleep_after": 10.0, **quirks})
    if command:
        assert host.code(command) == 0
    host.wait(600)
    assert host.lines("AT+CSQ")[-1] == b"OK"


@pytest.mark.parametrize("permanent", [True, False])
def test_sleepmode_over_a_reboot(make_host, permanent):
    host = make_host("ML307M", sleepmode="factory")
    assert host.code(f'AT+MLPMCFG="sleepmode",0,{permanent:d}') == 0
    assert host.lines('AT+MLPMCFG="sleepmode"')[0] == b'+MLPMCFG: "sleepmode",0'
    host.module.reboot()
    host.wait(5)
    host.command("ATE0")
    kept = 0 if permanent else 2
    assert host.lines('AT+MLPMCFG="sleepmode"')[0] == b'+MLPMCFG: "sleepmode",%d' % kept


def test_only_dtr_wakes_it(make_host):
    host = make_host(sleepmode=2, sleep_after=10.0, wake_by="dtr", wake_time=0.1)
    host.module.pins.dtr(True)
    host.wait(11)
    assert [host.command("AT") for _ in range(3)] == [b"", b"", b""]
    host.module.pins.dtr(False)
    assert host.command("AT", 0.05) == b""  # too soon
    host.wait(0.1)
    assert host.command("AT") == b"\r\nOK\r\n"
    host.wait(600)
    assert host.command("AT") == b"\r\nOK\r\n"  # low: stays awake
    host.module.pins.dtr(True)
    host.wait(11)
    assert host.command("AT") == b""


def test_bytes_wake_it_as_well_unless_dtr_is_low(make_host):
    host = make_host(sleepmode=2, sleep_after=10.0)
    host.module.pins.dtr(False)
    host.wait(60)
    assert host.command("AT") == b"\r\nOK\r\n"


def test_it_tells_of_its_sleep_and_wakes_with_junk(make_host):
    host = make_host(sleepmode=2, sleep_after=10.0, wake_junk=b"\xe0")
    assert host.code('AT+MLPMCFG="sleepind",2') == 0
    assert b"+MLPMENTER: 1" in host.wait(11)
    answer = host.command("AT")
    assert answer.startswith(b"\xe0") and b"+MLPMEXIT: 1" in answer


def test_a_long_command_is_not_slept_through(make_host):
    host = make_host(sleepmode=2, sleep_after=10.0)
    host.module.delay(b"AT+CSQ", 30.0)
    host.module.feed(b"AT+CSQ\r")
    host.wait(20)
    assert host.module.sleep.asleep is False
    assert b"+CSQ: 24,99" in host.wait(15)


# --- pins -----------------------------------------------------------------------------------


def press(host, pin, seconds):
    getattr(host.module.pins, pin)(False)
    got = host.wait(seconds)
    getattr(host.module.pins, pin)(True)
    return got


@pytest.mark.parametrize(("seconds", "on"), [(0.5, False), (1.9, False), (2.3, True), (3.0, True)])
def test_the_power_key_switches_on(make_host, seconds, on):
    host = make_host(off=True)
    assert host.module.pins.status is False
    got = press(host, "power_key", seconds) + host.wait(5)
    assert host.module.pins.status is on
    assert (b"+MATREADY" in got) is on
    assert (host.command("ATE0") != b"") is on


@pytest.mark.parametrize(("seconds", "off"), [(1.0, False), (3.0, False), (4.0, True)])
def test_the_power_key_switches_off(make_host, seconds, off):
    host = make_host()
    press(host, "power_key", seconds)
    assert host.module.pins.status is not off
    assert (host.command("AT") == b"") is off
    if off:
        press(host, "power_key", 2.3)
        assert b"+MATREADY" in host.wait(5)


def test_one_press_does_one_thing(make_host):
    host = make_host(off=True)
    press(host, "power_key", 30)
    assert host.module.pins.status is True


@pytest.mark.parametrize("seconds, boots", [(0.05, 0), (0.1, 1), (0.5, 1)])
def test_the_reset_pin(make_host, seconds, boots):
    host = make_host()
    press(host, "reset", seconds)
    host.wait(5)
    assert host.module.boots == boots
    assert host.command("ATE0") != b""


def test_a_module_held_in_reset_is_deaf(make_host):
    host = make_host()
    host.module.pins.reset(False)
    host.wait(1)
    assert host.command("AT", 10) == b""
    host.module.pins.reset(True)
    assert host.wait(5) == b"\r\n+MATREADY\r\n"


def test_power_without_the_power_key(make_host):
    host = make_host(starts_by_itself=False)
    host.module.power_cycle()
    host.wait(10)
    assert host.module.pins.status is False and host.command("AT") == b""
    press(host, "power_key", 2.3)
    assert b"+MATREADY" in host.wait(5)


# --- boots ----------------------------------------------------------------------------------


def test_a_reboot_that_nobody_hears_of(host):
    host.code('AT+MSSLCFG="auth",1,1')
    host.module.reboot(silent=True)
    assert host.wait(10) == b""
    assert host.module.boots == 1
    host.command("ATE0")
    assert host.lines('AT+MSSLCFG="auth",1')[0] == b'+MSSLCFG: "auth",1,0'
    host.module.reboot()
    assert host.wait(10) == b"\r\n+MATREADY\r\n"


def test_matready_waits_for_the_host(make_host):
    host = make_host(matready_waits=True)
    host.module.reboot()
    assert host.wait(60) == b""
    answer = host.command("ATE0")
    assert answer.startswith(b"\r\n+MATREADY\r\n") and answer.endswith(b"\r\nOK\r\n")
    assert host.command("AT") == b"\r\nOK\r\n"


# --- the clock ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "quirks", "shown"),
    [
        ("ML307R", {}, b'+CCLK: "26/08/28,12:30:00+32"'),
        ("ML307C", {}, b'+CCLK: "26/08/28,04:30:00+32"'),
        ("ML307C", {"cclk": "local"}, b'+CCLK: "26/08/28,12:30:00+32"'),
        ("ML307R", {"cclk": "utc-fields"}, b'+CCLK: "26/08/28,04:30:00+32"'),
        ("ML307R", {"cclk": "utc"}, b'+CCLK: "26/08/28,04:30:00+00"'),
        ("ML307R", {"zone": 4}, b'+CCLK: "26/08/28,05:30:00+04"'),
        ("ML307R", {"zone": -14}, b'+CCLK: "26/08/28,01:00:00-14"'),
        ("ML307R", {"zone": 22, "cclk": "utc-fields"}, b'+CCLK: "26/08/28,04:30:00+22"'),
    ],
)
def test_what_the_clock_says(make_host, model, quirks, shown):
    host = make_host(model, date=NOON, **quirks)
    host.module.set_date(NOON)
    assert host.lines("AT+CCLK?", 0.1)[0] == shown


@pytest.mark.parametrize("model", ["ML307C", "ML307R"])
def test_network_time_is_local_everywhere(make_host, model):
    host = make_host(model, date=NOON)
    assert b'+MNTP: 0,"26/08/28,12:30:0' in host.command("AT+MNTP", 1)


@pytest.mark.parametrize("syncs", [True, False])
def test_network_time_sets_the_clock_or_only_tells(make_host, syncs):
    host = make_host("ML307R", date=NOON, ntp_syncs=syncs)
    host.module.set_date(NOON.replace(year=2025))
    assert b'+MNTP: 0,"26/08/28,12:30:0' in host.command("AT+MNTP", 1)
    year = b"26" if syncs else b"25"
    assert host.lines("AT+CCLK?", 0.1)[0].startswith(b'+CCLK: "%s/08/28,12:30:0' % year)


def test_a_clock_set_with_a_zone_of_its_own(make_host):
    host = make_host("ML307C", date="unset")
    assert host.code('AT+CCLK="26/08/28,04:30:00+00"') == 0
    assert host.module.date().replace(second=0, microsecond=0) == NOON
