# SPDX-License-Identifier: MIT
"""PDP contexts: which APN is in use, dialling that fails, contexts that come back."""

from __future__ import annotations

import pytest
from onemo_simulator import EchoPeer, LoopNetwork

OPEN = 'AT+MIPOPEN=0,"TCP","echo.example",7,,2'


@pytest.fixture
def online_host(make_host):
    def make(model="ML307R", **quirks):
        network = LoopNetwork()
        network.listen("echo.example", 7, EchoPeer())
        return make_host(model, network=network, **quirks)

    return make


def opened(host):
    return int(host.lines(OPEN, 2)[-1].split(b",")[1])


def test_the_context_that_came_up_by_itself_keeps_its_apn_until_it_is_dialled_anew(online_host):
    host = online_host(apn="iot.private")
    assert opened(host) == 558
    assert host.code('AT+CGDCONT=1,"IP","iot.private"') == 0
    assert host.module.modem.active_apns == {1: b"cmnet"}
    assert opened(host) == 558
    host.command("AT+MIPCALL=0,1")
    host.command("AT+MIPCALL=1,1")
    assert host.module.modem.active_apns == {1: b"iot.private"}
    assert opened(host) == 0


@pytest.mark.parametrize("apn", ["iot.private", "IOT.Private"])
def test_the_factory_apn_can_be_the_right_one(online_host, apn):
    assert opened(online_host(apn="iot.private", factory_apn=apn)) == 0


def test_a_network_that_refuses_other_apns(online_host):
    host = online_host(apn="iot.private", other_apn="refused", auto_dial=False)
    assert host.code("AT+MIPCALL=1,1") == 571
    assert host.code("AT+CGACT=1,1") == 571
    host.code('AT+CGDCONT=1,"IP","iot.private"')
    assert host.code("AT+CGACT=1,1") == 0
    assert opened(host) == 0


def test_contexts_are_kept_by_number(host):
    host.code('AT+CGDCONT=3,"IPV6","third"')
    assert host.lines("AT+CGDCONT?")[:2] == [
        b'+CGDCONT: 1,"IPV4V6","cmnet","",0,0',
        b'+CGDCONT: 3,"IPV6","third","",0,0',
    ]
    assert host.lines("AT+CGACT?")[:2] == [b"+CGACT: 1,1", b"+CGACT: 3,0"]
    assert host.lines("AT+CGPADDR")[:2] == [b'+CGPADDR: 1,"10.11.12.13"', b"+CGPADDR: 3"]
    host.module.reboot()
    host.wait(5)
    assert b"third" in host.command("AT+CGDCONT?")
    host.code("AT+CGDCONT=3")
    assert b"third" not in host.command("AT+CGDCONT?")


@pytest.mark.parametrize("failures", [1, 2])
@pytest.mark.parametrize("command", ["AT+MIPCALL=1,1", "AT+CGACT=1,1"])
def test_dialling_that_fails_at_first(make_host, failures, command):
    host = make_host(dial_failures=failures)
    assert host.lines("AT+MIPCALL?") == [b"OK"]
    assert [host.code(command) for _ in range(failures)] == [571] * failures
    assert host.lines(command)[0] == b"OK"
    assert host.lines("AT+MIPCALL?")[0].startswith(b"+MIPCALL: 1,1")


@pytest.mark.parametrize(
    ("model", "quirk", "first", "later"),
    [
        ("ML307R", None, b"OK", False),
        ("ML307C", None, b"OK", True),  # undone by the module
        ("ML307Y", None, b"ERROR", True),  # never succeeds
        ("ML307R", "undone", b"OK", True),
        ("ML307C", "ok", b"OK", False),
    ],
)
def test_cgact_0(make_host, model, quirk, first, later):
    host = make_host(model, cgact_off=quirk)
    assert host.lines("AT+CGACT=0,1", 0.1)[0] == first
    assert (b"+MIPCALL: 1,1" in host.command("AT+MIPCALL?", 0.1)) == (first == b"ERROR")
    host.wait(2)
    assert (b"+MIPCALL: 1,1" in host.command("AT+MIPCALL?")) == later


def test_a_context_that_goes_down_breaks_its_connections(online_host):
    host = online_host("ML307C")
    assert opened(host) == 0
    assert b'+MIPURC: "disconn",0,3' in host.command("AT+CGACT=0,1")


def test_left_over_states_at_the_start(make_host):
    host = make_host(cfun=4, auto_dial=False)
    assert host.lines("AT+CFUN?")[0] == b"+CFUN: 4"
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,0"
    host.command("AT+CFUN=1", 2)
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,1"
    host = make_host(attached=False)
    assert host.lines("AT+CGATT?")[0] == b"+CGATT: 0"
    assert host.lines("AT+MIPCALL?") == [b"OK"]
    assert host.code("AT+MIPCALL=1,1") == 571
    assert host.code("AT+CGATT=1") == 0
    assert host.lines("AT+MIPCALL=1,1")[0] == b"OK"


def test_two_addresses(make_host):
    host = make_host(ipv6="2409:8900::1")
    assert host.lines("AT+MIPCALL?")[0] == b'+MIPCALL: 1,1,"10.11.12.13","2409:8900::1"'


# --- wedged ---------------------------------------------------------------------------------


def pdp(host):
    host.command("AT+MIPCALL=0,1")
    host.command("AT+MIPCALL=1,1")


def cfun(host):
    host.command("AT+CFUN=4")
    host.command("AT+CFUN=1", 3)


def reboot(host):
    host.command("AT+MREBOOT", 6)


def reset(host):
    host.module.pins.reset(False)
    host.wait(0.5)
    host.module.pins.reset(True)
    host.wait(6)


def power(host):
    host.module.power_cycle()
    host.wait(6)


STEPS = {"pdp": pdp, "cfun": cfun, "reboot": reboot, "reset": reset, "power": power}


@pytest.mark.parametrize("cure", STEPS)
@pytest.mark.parametrize("by_method", [True, False])
def test_a_wedged_module_needs_its_cure(online_host, cure, by_method):
    host = online_host(wedged=None if by_method else cure)
    if by_method:
        assert opened(host) == 0
        host.command("AT+MIPCLOSE=0")
        host.module.wedge(cure)
    cured = False
    for name, step in STEPS.items():
        assert opened(host) == 558
        step(host)
        host.command("ATE0")
        if name == cure:
            cured = True
            break
    assert cured and opened(host) == 0
    host.command("AT+MIPCLOSE=0")
    pdp(host)
    assert opened(host) == 0  # for good


def test_the_code_of_a_wedged_module(online_host):
    assert opened(online_host(wedged="power", wedge_code=550)) == 550
