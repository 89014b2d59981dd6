# SPDX-License-Identifier: MIT
"""The time of day, and what depends on it."""

import calendar
import sys
import types
from datetime import datetime, timedelta, timezone

import pytest
from onemo.clock import parse_clock as _utc
from onemo.errors import ClockError
from onemo_simulator import VerifyingPeer

from .conftest import HOST, network

UTC = timezone.utc  # noqa: UP017


def as_seconds(time):
    return calendar.timegm(time)


@pytest.mark.parametrize("zone", [32, -48, 0, 56, 23])
def test_every_day_is_told_in_utc(zone):
    when = datetime(2027, 12, 25, 23, 59, 58, tzinfo=UTC)
    for _ in range(900):
        when += timedelta(hours=11, minutes=7, seconds=13)
        local = when + timedelta(minutes=15 * zone)
        said = f"{local:%y/%m/%d,%H:%M:%S}{zone:+03d}"
        assert _utc(said) == tuple(when.timetuple()[:8])


@pytest.mark.parametrize(
    "said", [None, "", "70/01/01,00:00:00+32", "80/01/06,00:00:00", "26/13/01,00:00:00", "x"]
)
def test_a_clock_that_is_not_set_tells_nothing(said):
    assert _utc(said or "") is None


@pytest.mark.parametrize("model", ["ML307R", "MN316"])
@pytest.mark.parametrize("date", [None, "unset"])
def test_the_boards_clock_is_set(rigs, monkeypatch, model, date):
    told = []
    machine = types.ModuleType("machine")
    machine.RTC = lambda: types.SimpleNamespace(datetime=told.append)
    monkeypatch.setitem(sys.modules, "machine", machine)
    rig = rigs(model, date=date)
    time = rig.modem.clock()
    assert abs(as_seconds(time) - rig.module.network_date().timestamp()) <= 2
    year, month, day, weekday, hour, minute, second, rest = told[0]
    assert (year, month, day, hour, minute, second) == time[:6]
    assert (weekday, rest) == (time[6] + 1, 0)


def test_a_network_that_tells_no_time_is_an_error_in_time(rigs):
    rig = rigs(date="unset", ntp=False)
    before = rig.clock.now()
    with pytest.raises(ClockError, match="70/01/01"):
        rig.modem.clock(timeout_ms=20000)
    assert 19 < rig.clock.now() - before < 27


def test_no_verified_connection_before_the_clock_is_set(rigs, manual_ca):
    net = network()
    net.listen(HOST, 443, VerifyingPeer(manual_ca))
    rig = rigs(network=net, date="unset")
    rig.module.store.objects[1, "ca.pem"] = manual_ca
    tls = rig.modem.tls(1)
    tls.configure(ca="ca.pem")
    for _ in range(2):
        with pytest.raises(ClockError, match="clock"):
            rig.modem.connect(HOST, 443, tls=tls)
    assert rig.network.connections == []
    rig.modem.clock()
    assert rig.modem.connect(HOST, 443, tls=tls).write(b"x") == 1
    assert tls.read()["ignorestamp"] is False


def test_who_asks_for_it_connects_without_dates(rigs, manual_ca):
    net = network()
    net.listen(HOST, 443, VerifyingPeer(manual_ca))
    rig = rigs(network=net, date="unset")
    rig.module.store.objects[1, "ca.pem"] = manual_ca
    tls = rig.modem.tls(1)
    tls.configure(ca="ca.pem", ignorestamp=True)
    assert rig.modem.connect(HOST, 443, tls=tls).write(b"x") == 1


# The forms in which modules have it, and whether they are believed


FORMS = ["local", "utc-fields", "utc"]


def near(rig, time):
    """Whether a time is the network's, by a few seconds."""
    return abs(as_seconds(time) - rig.module.network_date().timestamp()) <= 3


@pytest.mark.parametrize("model", ["ML307R", "ML307C", "ML307X", "MN316", "MN318", "MR880A"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("zone", [32, -20, 0])
@pytest.mark.parametrize("date", [None, "unset"])
def test_every_form_is_told_in_utc(rigs, model, form, zone, date):
    rig = rigs(model, cclk=form, zone=zone, date=date)
    assert near(rig, rig.modem.clock())
    asked = sum(command == b"AT+MNTP" for command in rig.module.commands)
    assert asked == 1
    rig.clock.advance(7200)
    assert near(rig, rig.modem.clock())  # and it is asked once a boot
    assert sum(command == b"AT+MNTP" for command in rig.module.commands) == 1
    rig.modem.reboot()
    rig.modem.attach()
    assert near(rig, rig.modem.clock())
    assert sum(command == b"AT+MNTP" for command in rig.module.commands) == 2


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_at_every_hour_of_the_day(rigs, hour):
    # 8 hours early is yesterday, before 8.
    date = datetime(2026, 8, 28, hour, 30, tzinfo=UTC)
    for form in FORMS:
        rig = rigs("ML307C", cclk=form, date=date)
        time = rig.modem.clock()
        assert time[:5] == (2026, 8, 28, hour, 30)


def test_a_known_model_is_believed_without_a_server_and_that_is_told(rigs):
    rig = rigs(ntp=False)
    told = []
    rig.modem.on_event(lambda kind, text: told.append((kind, text)))
    before = rig.clock.now()
    assert near(rig, rig.modem.clock())
    assert rig.clock.now() - before < 11
    assert [kind for kind, _ in told] == ["clock"]
    assert "no time server answers" in told[0][1]
    before = rig.clock.now()
    assert near(rig, rig.modem.clock())  # not asked again in this boot
    assert rig.clock.now() - before < 0.1
    assert len(told) == 1


def test_before_there_is_a_network_it_is_believed_for_once(rigs):
    rig = rigs(auto_dial=False, cclk="utc-fields")
    rig.modem.clock()
    rig.modem.attach()
    assert near(rig, rig.modem.clock())


@pytest.mark.parametrize("model", ["ML307C", "ML309Z"])
def test_a_doubtful_clock_without_a_server_is_an_error_that_says_both(rigs, model):
    date = datetime(2026, 8, 28, 4, 30, tzinfo=UTC)
    rig = rigs("ML307C", ntp=False, date=date, started=False)
    rig.modem = rig.new_driver(model=model)
    rig.modem.start()
    before = rig.clock.now()
    with pytest.raises(ClockError) as caught:
        rig.modem.clock(timeout_ms=20000)
    assert 19 < rig.clock.now() - before < 31
    assert "26/08/28,04:3" in str(caught.value)
    assert "+32" in str(caught.value)
    assert "2026-08-27 20:3" in str(caught.value)
    assert "2026-08-28 04:3" in str(caught.value)


def test_a_doubtful_clock_whose_zone_makes_no_difference_is_believed(rigs):
    rig = rigs("ML307C", ntp=False, cclk="utc")
    assert near(rig, rig.modem.clock())


@pytest.mark.parametrize("model", ["ML307R", "ML307C"])
@pytest.mark.parametrize("off", [timedelta(hours=3), timedelta(days=-400), timedelta(minutes=6)])
def test_a_clock_that_is_not_the_servers_is_an_error_that_says_so(rigs, model, off):
    rig = rigs(model, ntp_syncs=False)
    rig.module.set_date(rig.module.network_date() + off)
    with pytest.raises(ClockError, match=r"the module's clock says \S+, a time server \S+: "):
        rig.modem.clock()
    rig.module.set_date(rig.module.network_date())
    assert near(rig, rig.modem.clock())


def test_a_wrong_clock_that_the_server_sets_is_right(rigs):
    rig = rigs()
    rig.module.set_date(datetime(2031, 1, 1, tzinfo=UTC))
    assert near(rig, rig.modem.clock())


def test_one_damaged_answer_is_not_believed(rigs):
    rig = rigs()
    right = rig.modem.clock()
    wrong = b'+CCLK: "27/11/30,09:30:00+32"'
    rig.module.reply(b"AT+CCLK?", b"OK", lines=[wrong])
    assert abs(as_seconds(rig.modem.clock()) - as_seconds(right)) < 3


def test_a_damaged_answer_of_the_server_is_asked_for_again(rigs):
    rig = rigs("ML307C")
    rig.module.chatter(b"AT+MNTP", b'+MNTP: 0,"31/02/03,01:02:03+32"')
    assert near(rig, rig.modem.clock())


@pytest.mark.parametrize(
    "said",
    [b"+MNTP: 3", b"+MNTP: ", b"+MNTP: 0", b"+MNTP: 0,", b'+MNTP: 0,"never"', b"+MNTP: -1,\xff"],
)
def test_a_server_that_makes_no_sense(rigs, said):
    rig = rigs("ML307C")
    rig.module.reply(b"AT+MNTP", said + b"\r\n\r\nOK", None)
    with pytest.raises(ClockError):
        rig.modem.clock(timeout_ms=12000)
    rig = rigs("ML307R")
    rig.module.reply(b"AT+MNTP", said + b"\r\n\r\nOK", None)
    if b"never" not in said:
        assert near(rig, rig.modem.clock())


@pytest.mark.parametrize(
    "stamp", ["26/08/28,12:30:00+32", "26/08/28,04:30:00+00", "26/08/28,04:30:00"]
)
@pytest.mark.parametrize("quote", ['"', ""])
def test_a_server_with_quotes_or_without(rigs, stamp, quote):
    date = datetime(2026, 8, 28, 4, 30, tzinfo=UTC)
    rig = rigs("ML307C", date=date)
    rig.module.reply(b"AT+MNTP", f"+MNTP: 0,{quote}{stamp}{quote}\r\n\r\nOK".encode())
    assert rig.modem.clock()[:5] == (2026, 8, 28, 4, 30)


@pytest.mark.parametrize(
    "said",
    [
        "26/02/29,01:00:00+00",
        "26/04/31,01:00:00+00",
        "26/08/28,24:00:00+00",
        "26/08/28,12:60:00+00",
        "26/08/28,12:00:00+99",
        "26/08/28 12:00:00+60",
        "26/08/28,-1:00:00+00",
        "26/08/28,12:00",
        "x" * 40,
    ],
)
def test_what_is_no_time_is_none(said):
    assert _utc(said) is None
    assert _utc(said, True) is None


# Before dates are judged by it


def verifying(rigs, manual_ca, model, **quirks):
    net = network()
    net.listen(HOST, 443, VerifyingPeer(manual_ca))
    rig = rigs(model, network=net, **quirks)
    rig.module.store.objects[1, "ca.pem"] = manual_ca
    rig.modem.tls(1).configure(ca="ca.pem")
    return rig


@pytest.mark.parametrize("form", FORMS)
def test_a_doubtful_clock_is_compared_before_dates_are_judged_by_it(rigs, manual_ca, form):
    rig = verifying(rigs, manual_ca, "ML307C", cclk=form)
    for _ in range(2):
        assert rig.modem.connect(HOST, 443, rig.modem.tls(1)).write(b"x") == 1
    assert rig.module.commands.count(b"AT+MNTP") == (form != "utc")
    assert near(rig, rig.modem.clock())


def test_one_that_cannot_be_compared_refuses_the_connection(rigs, manual_ca):
    rig = verifying(rigs, manual_ca, "ML307C", ntp=False)
    with pytest.raises(ClockError, match="no time server answered"):
        rig.modem.connect(HOST, 443, rig.modem.tls(1))
    assert rig.network.connections == []
    rig.modem.tls(1).configure(ca="ca.pem", ignorestamp=True)
    assert rig.modem.connect(HOST, 443, rig.modem.tls(1)).write(b"x") == 1


@pytest.mark.parametrize("model", ["ML307R", "ML307C"])
def test_one_that_was_found_wrong_refuses_the_connection(rigs, manual_ca, model):
    rig = verifying(rigs, manual_ca, model, ntp_syncs=False)
    rig.module.set_date(rig.module.network_date() + timedelta(days=400))
    for ask in (rig.modem.clock, lambda: rig.modem.connect(HOST, 443, rig.modem.tls(1))):
        with pytest.raises(ClockError, match="a time server"):
            ask()
    assert rig.network.connections == []
    rig.module.set_date(rig.module.network_date())
    assert rig.modem.connect(HOST, 443, rig.modem.tls(1)).write(b"x") == 1


def test_with_asyncio(aios, manual_ca):
    rig = aios("ML307C")

    async def job():
        return await rig.aio.clock()

    assert near(rig, rig.run(job()))
