# SPDX-License-Identifier: MIT
"""main.py: whatever fails is told and tried again; the watchdog."""

import asyncio
import re

import pytest
from onemo import aio

from .conftest import COMMANDS, Broker, count, once, pauses


def test_a_silent_module_is_tried_again_until_it_answers(start):
    device = start(off=True)
    powered = []

    def each():
        if not powered and len(device.seen("retrying ")) == 3:
            powered.append(device.module.power_cycle())

    device.each = each
    lines = device.boot()
    failures = [line for line in lines if line.startswith("failed: ")]
    assert len(failures) == 3
    for line in failures:
        assert re.match(
            "failed: no answer within 30000 ms at any speed .*: has the module power, ", line
        )
    assert device.module.store.writes == 3


def test_pauses_grow_to_the_most_and_are_jittered(start):
    device = start(off=True)
    device.config["retry"] = {"first_s": 2, "most_s": 20}
    device.config["recovery"] = None
    told = pauses(device.boot(count("retrying ", 8)))
    for pause, whole in zip(told, (2, 4, 8, 16, 20, 20, 20, 20), strict=True):
        assert whole / 2 <= pause <= whole
    assert len(set(told[4:])) > 1


def test_a_broker_cut_is_noticed_at_once_and_the_pause_is_as_after_a_first_failure(start):
    device = start()
    device.config["endpoint"]["every_s"] = 600
    when = once(
        device, lambda: len(device.seen("published ")) == 1, lambda: device.broker.conn.end(2)
    )
    lines = device.boot(count("published ", 2))
    assert len([line for line in lines if line.startswith("failed: ")]) == 1
    [pause] = pauses(lines)
    assert 0.5 <= pause <= 1
    assert device.rig.clock.now() - when[0] < 20
    assert device.broker.lines() == [1, 2]
    assert len(device.network.connections) == 2
    assert device.network.connections[0].closed
    assert "certificates and keys unchanged" in lines


def test_what_was_not_acknowledged_goes_once_more(start):
    device = start()
    device.broker.acknowledges = False

    def mend():
        device.broker.acknowledges = True

    once(device, lambda: device.seen("failed: "), mend)
    lines = device.boot(count("published ", 2))
    assert "failed: no acknowledgement within 20 s" in lines
    assert device.broker.lines() == [1, 1, 2]


def test_a_broker_that_falls_silent_is_left(start):
    device = start()
    device.config["endpoint"]["every_s"] = 3000

    def fall_silent():
        device.broker.deaf = True

    when = once(device, lambda: device.seen("published "), fall_silent)
    lines = device.boot(count("retrying ", 1))
    assert lines[-2].startswith("failed: nothing to read from connection")
    assert device.rig.clock.now() - when[0] < 100


@pytest.mark.parametrize(
    ("trait", "value", "said"),
    [
        ("connack", b"\x20\x02\0\5", "failed: the broker refused: code 5 "),
        ("connack", b"HTTP", "failed: the peer is not an MQTT broker"),
        ("suback", 0x80, f"failed: the broker refused the subscription to {COMMANDS}"),
        ("deaf", True, "failed: nothing to read from connection"),
    ],
)
def test_a_broker_that_does_not_want_it_is_told_and_tried_again(start, trait, value, said):
    device = start()
    setattr(device.broker, trait, value)
    device.boot(count("failed: ", 2))
    for line in device.seen("failed: "):
        assert line.startswith(said)


@pytest.mark.parametrize(
    "junk",
    [b"\xf0\0", b"\x30\x02\0\5", b"\x34\x05\0\1x\0\1", b"\x40\xff\xff\xff\xff\x01"],
)
def test_what_makes_no_sense_ends_the_connection_only(start, junk):
    device = start()
    once(device, lambda: device.seen("published "), lambda: device.broker.conn.reply(junk))
    lines = device.boot(count("published ", 2))
    assert len([line for line in lines if line.startswith("failed: the broker sent a ")]) == 1


def test_a_wrong_ca_is_told_in_words_and_no_id_is_used_up(start):
    device = start(broker=Broker(b"another CA"))
    lines = device.boot(count("failed: ", 8))
    for line in [line for line in lines if line.startswith("failed: ")]:
        assert ": 752, the server's certificate failed verification" in line


def test_a_clock_that_is_not_set_is_set_before_it_connects(start):
    device = start(date="unset")
    lines = device.boot()
    assert any(line.startswith("the time is 20") for line in lines)
    assert b"AT+MNTP" in device.module.commands


def test_a_clock_that_nobody_sets_is_told_and_nothing_is_connected(start):
    device = start(date="unset", ntp=False)
    lines = device.boot(count("retrying ", 1))
    assert any(line.startswith("the network did not tell the time within") for line in lines)
    assert lines[-2].startswith("failed: the module's clock says 70/01/01")
    assert not device.network.connections


def test_a_module_that_reboots_is_set_up_again(start):
    device = start()
    once(device, lambda: device.seen("published "), device.module.reboot)
    lines = device.boot(count("published ", 2))
    assert len([line for line in lines if line.startswith("failed: ")]) == 1
    assert lines.count("certificates and keys unchanged") == 1
    assert lines.count("configure: 1") == 2
    assert device.broker.lines() == [1, 2]


def test_the_watchdog_is_fed_through_failures_pauses_and_uploads(start):
    device = start()
    device.config["watchdog_s"] = 8
    device.config["endpoint"]["every_s"] = 400
    once(device, lambda: device.seen("published "), device.module.power_off)
    device.boot(count("retrying ", 5))
    assert device.bites_after == 8
    gaps = [after - before for before, after in zip(device.fed, device.fed[1:], strict=False)]
    assert max(gaps) < 4
    assert device.rig.clock.now() - device.fed[-1] < 4
    assert len(device.fed) > 20


def test_the_watchdog_bites_when_nothing_gets_on(start, monkeypatch):
    device = start()
    device.config["watchdog_s"] = 8

    async def stuck(*_, **settings):
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(aio.Modem, "start", stuck)
    lines = device.boot(count("no progress", 1))
    assert lines == ["no progress, letting the watchdog expire"]
    assert 890 < device.fed[-1] - device.fed[0] < 910


def test_without_a_watchdog_none_is_started(start):
    device = start()
    device.boot()
    assert device.bites_after is None
