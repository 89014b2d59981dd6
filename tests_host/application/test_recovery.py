# SPDX-License-Identifier: MIT
"""main.py when nothing gets on: the ladder from the PDP context to a reset of the board."""

import json
from pathlib import Path

import pytest

from .conftest import count, once, put

HOUR = 3600.0
KEY, RESET = 4, 5


def wired(device, *names):
    """The board drives these of the module's pins; the power key through a transistor."""
    for number, name in ((KEY, "power_key"), (RESET, "reset")):
        if name in names:
            device.wires[number] = name
            device.config.setdefault("power", {})[name] = number
    if "power_key" in names:
        device.transistors = (KEY,)
        device.config["power"]["inverted"] = ["power_key"]


def boots(device, until, most_s=HOUR):
    """Boots main.py, again after each reset of the board, until `until`; all lines."""
    end = device.rig.clock.now() + most_s
    lines = []
    resets = -1
    while device.resets != resets:
        resets = device.resets
        lines += device.boot(until, end - device.rig.clock.now(), stays=True)
        device.rig.clock.advance(2)
    return lines


def recoveries(device):
    """What the telemetry says of the ladder."""
    return json.loads(device.broker.published[-1][1]).get("recovery", {})


@pytest.mark.parametrize(
    ("cure", "pins", "taken"),
    [
        ("pdp", (), {"context"}),
        ("cfun", (), {"context", "radio"}),
        ("reboot", (), {"context", "radio", "module"}),
        ("reset", ("reset",), {"context", "radio", "module", "uart", "power"}),
        ("power", ("power_key",), {"context", "radio", "module", "uart", "power"}),
        ("power", ("power_key", "reset"), {"context", "radio", "module", "uart", "power"}),
    ],
)
@pytest.mark.parametrize("code", [558, 550])
def test_a_wedged_module_is_mended_within_the_hour(start, cure, pins, taken, code):
    device = start(wedge_code=code)
    wired(device, *pins)

    def wedge():
        device.module.wedge(cure)
        device.broker.conn.end(2)

    when = once(device, lambda: device.seen("published "), wedge)
    boots(device, count("published ", 2))
    assert device.rig.clock.now() - when[0] < HOUR
    assert recoveries(device) == dict.fromkeys(taken, 1)
    assert device.resets == 0
    assert device.broker.lines() == [1, 2]


def test_a_deaf_uart_is_opened_anew(start):
    device = start(strict=False)
    opened = []
    init = device.rig.uart.init
    device.rig.uart.init = lambda **settings: (opened.append(device.rig.clock.now()), init())
    when = once(device, lambda: device.seen("published "), device.rig.uart.deafen)
    boots(device, count("published ", 2))
    assert device.rig.clock.now() - when[0] < HOUR / 2
    assert [moment for moment in opened if moment > when[0]]  # by start(), or by the ladder
    assert device.resets == 0


@pytest.mark.parametrize("hours", [1, 5])
def test_a_broker_that_is_away_for_hours_costs_few_resets_and_is_found_soon(start, hours):
    device = start()
    peer = device.broker
    began = device.rig.clock.now()
    back = []

    def each():
        now = device.rig.clock.now()
        if len(device.seen("published ")) and not back and peer.conn and not peer.conn.closed:
            device.network.leave("broker.example", 8883)
            peer.conn.end(2)
        if now - began > hours * HOUR and not back:
            back.append(now)
            device.network.listen("broker.example", 8883, peer)

    device.each = each
    boots(device, lambda device: len(peer.lines()) >= 2 and bool(back), hours * HOUR + HOUR)
    assert device.rig.clock.now() - back[0] < 900
    assert 1 <= device.resets <= 2 * hours
    found = recoveries(device)
    assert found["board"] == device.resets
    # It did not begin at the bottom after each reset, nor climb without rest.
    assert found["context"] <= device.resets + 1


def test_a_board_that_resets_in_between_goes_on_where_it_was(start):
    device = start(wedged="reboot")
    Path("onemo.recovery").write_text("2 0 context=1 radio=1")
    began = device.rig.clock.now()
    boots(device, count("published ", 1))
    assert recoveries(device) == {"context": 1, "radio": 1, "module": 1}
    assert 120 <= device.rig.clock.now() - began < 600
    assert Path("onemo.recovery").read_text() == "0 0 context=1 radio=1 module=1"


@pytest.mark.parametrize("text", ["", "x", "99 -1", "1", "2 0 context=x", "\0\0"])
def test_the_rest_of_a_file_is_no_reason_to_fail(start, text):
    device = start()
    Path("onemo.recovery").write_text(text)
    device.boot()
    assert device.broker.lines() == [1]


def test_without_failures_nothing_is_written(start):
    device = start()
    device.config["endpoint"]["every_s"] = 60
    once(device, lambda: len(device.seen("published ")) == 3, lambda: device.broker.conn.end(2))
    device.boot(count("published ", 6))
    assert not Path("onemo.recovery").exists()
    assert recoveries(device) == {}


@pytest.mark.parametrize("recovery", [None, {"steps": []}])
def test_without_a_ladder_nothing_is_restarted(start, recovery):
    device = start(wedged="pdp")
    device.config["recovery"] = recovery
    device.boot(count("retrying ", 20), 3 * HOUR)
    assert not device.seen("recovery: no progress")
    assert device.module.boots == 0


def test_steps_of_ones_own(start):
    device = start(wedged="power")
    device.config["recovery"] = {"after": 2, "tries": 1, "rest_s": 60, "steps": ["module"]}
    lines = device.boot(lambda device: device.module.boots == 3, 3 * HOUR)
    assert [line for line in lines if line.startswith("recovery: no progress")] == [
        "recovery: no progress: the module was rebooted (AT+MREBOOT)"
    ] * 3


def test_what_the_configuration_does_wrong_no_step_mends(start):
    device = start()
    Path(device.config["objects"][0]["source"]).write_bytes(b"no certificate\n")
    device.boot(count("retrying ", 12), 3 * HOUR)
    assert not device.seen("recovery: no progress")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("recovery", 5, "recovery is 5; it must be an object"),
        ("recovery.aftr", 5, 'recovery.aftr is not known ("aftr": did you mean "after"?)'),
        ("recovery.after", 0, "recovery.after is 0; it must be an integer from 1 to 1000"),
        ("recovery.steps", "board", 'recovery.steps is "board"; it must be a list of "context"'),
        ("recovery.steps", ["reboot"], "recovery.steps is [...]; it must be a list of"),
        ("power", {"key": 4}, 'power.key is not known ("key": did you mean "power_key"?)'),
        ("power", {"inverted": "reset"}, 'power.inverted is "reset"; it must be a list of'),
        ("power", {"reset": True}, "power.reset is true; it must be an integer from 0 to 99"),
        ("power", {"reset_ms": 0}, "power.reset_ms is 0; it must be an integer from 1 to 60000"),
        ("module.anp", "x", 'module.anp is not known ("anp": did you mean "apn"?)'),
        ("module.sleep", 2, "module.sleep is 2; it must be true or false, or null"),
        ("module.sim_pin", 1234, "module.sim_pin is wrong; it must be a string of 4 to 8 digits"),
        ("endpoint.password", 5, "endpoint.password is wrong; it must be a string of 1 to 255"),
        ("endpoint.keepalive_s", 5, "endpoint.keepalive_s is 5; it must be an integer from 10"),
    ],
)
def test_a_wrong_entry_is_named(start, path, value, said):
    device = start()
    put(path, value)(device.config)
    [line] = device.boot()
    assert line.startswith("config.json: ") and said in line


# The watchdog, and long intervals


@pytest.mark.parametrize(
    ("longest_ms", "seconds", "taken_ms"),
    [(8388, 60, 7500), (32767, 60, 30000), (None, 60, 60000), (8388, 8, 8000)],
)
def test_the_watchdog_has_what_the_port_allows(start, longest_ms, seconds, taken_ms):
    device = start()
    device.longest_watchdog_ms = longest_ms
    device.config["watchdog_s"] = seconds
    device.config["endpoint"]["every_s"] = 7200
    device.boot(count("published ", 2), 9000)
    assert device.bites_after == taken_ms / 1000
    gaps = [after - before for before, after in zip(device.fed, device.fed[1:], strict=False)]
    assert max(gaps) <= taken_ms / 3000


@pytest.mark.parametrize("weeks", [1, 5])
def test_a_line_in_weeks(start, monkeypatch, weeks):
    import asyncio

    sleeps = []
    wait_for = asyncio.wait_for

    async def noted(awaitable, seconds):
        sleeps.append(seconds)
        return await wait_for(awaitable, seconds)

    monkeypatch.setattr(asyncio, "wait_for", noted)
    device = start()
    every_s = weeks * 7 * 86400
    device.config["endpoint"]["every_s"] = every_s
    device.config["endpoint"]["keepalive_s"] = 65535
    began = device.rig.clock.now()
    device.each = lambda: None
    device.boot(count("published ", 2), every_s + HOUR)
    assert device.rig.clock.now() - began >= every_s
    assert max(sleeps) < 2**29 / 1000  # the most that asyncio takes on MicroPython
