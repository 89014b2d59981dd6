# SPDX-License-Identifier: MIT
"""The time of day, and what depends on it."""

import calendar
import sys
import types
from datetime import datetime, timedelta, timezone

import pytest
from onemo.errors import ClockError
from onemo.network import parse_clock as _utc
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
