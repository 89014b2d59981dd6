# SPDX-License-Identifier: MIT
"""What a module says it is, its SIM, its signal, and what may stand between a host and that."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("quirks", "shown"),
    [
        ({}, b"ML307R-DL"),
        ({"cgmm": "series"}, b"ML307R"),
        ({"cgmm": "submodel"}, b"ML307R-DL"),
        ({"cgmm": "series", "model_prefix": "+CGMM: "}, b"+CGMM: ML307R"),
    ],
)
def test_cgmm(make_host, quirks, shown):
    assert make_host("ML307R-DL", **quirks).lines("AT+CGMM") == [shown, b"OK"]


@pytest.mark.parametrize("series, shown", [("series", b"ML307H"), ("submodel", b"ML307H-GU")])
def test_only_cgmr_tells_ml307h_gu_from_du(make_host, series, shown):
    host = make_host("ML307H-GU", cgmm=series)
    assert host.lines("AT+CGMM")[0] == shown
    assert host.lines("AT+CGMR")[0] == b"ML307H-GU-MBRH0S01"


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ("three", [b"CMCC", b"ML307X", b"ML307X-DC-MBRH1S00"]),
        ("revision", [b"ML307X-DC-MBRH1S00"]),
        ("labelled", [b"Revision: ML307X-DC-MBRH1S00"]),
    ],
)
def test_ati(make_host, form, lines):
    host = make_host("ML307X-DC", ati=form, revision="MBRH1S00")
    assert host.lines("ATI") == [*lines, b"OK"]


@pytest.mark.parametrize("prefix", ["", "Revision: ", "+CGMR: "])
@pytest.mark.parametrize("model", ["ML307S", "ML307Y"])
def test_revision_prefix(make_host, model, prefix):
    host = make_host(model, revision_prefix=prefix)
    assert host.lines("AT+CGMR")[0].startswith(prefix.encode() + model.encode())


@pytest.mark.parametrize("final", [b"ERROR", b"+CME ERROR: 14", b"+CME ERROR: 3"])
@pytest.mark.parametrize("command", ["ATI", "AT+CGMM", "AT+CEREG?", "AT+MIPSTATE=0"])
def test_busy_once(make_host, command, final):
    host = make_host(refuse_once=((command.encode(), final),))
    assert host.lines("AT+CSQ")[-1] == b"OK"
    assert host.lines(command) == [final]
    assert host.lines(command)[-1] == b"OK"


def test_planned_replies_have_lines_and_may_last(host):
    host.module.reply(b"AT+CGMM", b"OK", times=None, lines=[b"+CEREG: 1", b"ML307R-DL"])
    for _ in range(3):
        assert host.lines("AT+CGMM") == [b"+CEREG: 1", b"ML307R-DL", b"OK"]
    assert host.lines("AT+CGMR")[0] == b"ML307R-DC-MBRH0S01"
    host.module.reboot()
    host.wait(5)
    host.command("ATE0")
    assert host.lines("AT+CGMM") == [b"ML307R-DC", b"OK"]


@pytest.mark.parametrize("seconds", [0.7, 5.0, 60.0])
def test_a_late_answer(host, seconds):
    host.module.delay(b"AT+CGMM", seconds)
    assert host.command("AT+CGMM", seconds - 0.1) == b""
    assert host.wait(0.2) == b"\r\nML307R-DC\r\n\r\nOK\r\n"
    assert host.lines("AT+CGMM", 0.1) == [b"ML307R-DC", b"OK"]


@pytest.mark.parametrize(
    "text",
    [b"+CTZV: 26/11/26,03:14:22,+32", b"+CEREG: 1", b'+CMT: "10086",,"26/11/26,03:14:22+32"'],
)
def test_lines_of_others_in_an_answer(host, text):
    host.module.chatter(b"AT+CSQ", text, times=2)
    assert host.lines("AT+CGMM")[0] == b"ML307R-DC"
    for _ in range(2):
        assert host.lines("AT+CSQ") == [text, b"+CSQ: 24,99", b"OK"]
    assert host.lines("AT+CSQ") == [b"+CSQ: 24,99", b"OK"]


def test_an_sms_that_says_ok_comes_before_the_real_answer(host):
    host.module.chatter(b"AT+MSSLRM", b'+CMT: "10086",,"26/11/26,03:14:22+32"\r\nOK')
    host.module.delay(b"AT+MSSLRM", 0.2)
    host.module.reply(b"AT+MSSLRM", b"+CME ERROR: 767")
    first = host.command('AT+MSSLRM="ca.pem"', 0.1)
    assert first.endswith(b"\r\nOK\r\n") and b"767" not in first
    assert host.wait(0.2) == b"\r\n+CME ERROR: 767\r\n"


def test_chatter_after_power_up(make_host):
    host = make_host(boot_chatter=(b"+CEREG: 2", b"+CEREG: 1"), boot_chatter_time=8.0)
    assert host.lines("AT+CGMM") == [b"+CEREG: 1", b"ML307R-DC", b"OK"]  # CMEE had the first
    assert host.lines("AT+CGMM") == [b"+CEREG: 2", b"ML307R-DC", b"OK"]
    host.wait(8)
    assert host.lines("AT+CGMM") == [b"ML307R-DC", b"OK"]
    host.module.reboot()
    host.wait(5)
    assert b"+CEREG: 2" in host.command("ATE0")


def test_numbers_are_ones_own(make_host):
    host = make_host(imei="862000000000017", iccid="89860012345678901234", imsi="460001234567890")
    assert host.lines("AT+CGSN=1")[0] == b"+CGSN: 862000000000017"
    assert host.lines("AT+GSN")[0] == b"862000000000017"
    assert host.lines("AT+ICCID")[0] == b"+ICCID: 89860012345678901234"
    assert host.lines("AT+CIMI") == [b"460001234567890", b"OK"]


def test_commands_are_listed(make_host):
    listed = make_host(absent_commands=frozenset({"IFC"})).lines("AT+CLAC")
    assert b"AT+MIPOPEN" in listed and b"AT+MSSLCFG" in listed
    assert b"AT+IFC" not in listed and b"AT+MSSLPSK" not in listed and b"AT+CREG" not in listed
    assert b"AT+MSSLPSK" in make_host("MN316").lines("AT+CLAC")


@pytest.mark.parametrize(
    "name, command", [("IFC", "AT+IFC=2,2"), ("&F", "AT&F"), ("MIPSTATE", "AT+MIPSTATE?")]
)
def test_absent_commands_are_an_error(make_host, name, command):
    assert make_host().code(command) == 0
    assert make_host(absent_commands=frozenset({name})).lines(command) == [b"ERROR"]


# --- the SIM --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "shown", "imsi"),
    [
        ("not-ready", [b"+CPIN: NOT READY", b"OK"], 14),
        ("10", [b"+CME ERROR: 10"], 10),
        ("13", [b"+CME ERROR: 13"], 13),
        ("14", [b"+CME ERROR: 14"], 14),
    ],
)
def test_a_late_sim(make_host, late, shown, imsi):
    host = make_host(sim_delay=5.0, sim_late=late)
    assert host.lines("AT+CPIN?") == shown
    assert host.code("AT+CIMI") == imsi
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,0"
    host.wait(3.2)
    assert host.lines("AT+CPIN?", 0.1) == [b"+CPIN: READY", b"OK"]
    assert host.lines("AT+CEREG?", 0.1)[0] == b"+CEREG: 0,2"
    host.wait(1)
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,1"
    assert host.lines("AT+MIPCALL?")[0].startswith(b"+MIPCALL: 1,1")


def test_a_sim_is_late_after_each_boot(make_host):
    host = make_host(sim_delay=5.0)
    host.wait(10)
    host.module.reboot()
    host.wait(3)
    host.command("ATE0")
    assert host.lines("AT+CPIN?") == [b"+CPIN: NOT READY", b"OK"]
    host.wait(6)
    assert host.lines("AT+CPIN?") == [b"+CPIN: READY", b"OK"]


def test_a_pin(make_host):
    host = make_host(pin="1234")
    assert host.lines("AT+CPIN?")[0] == b"+CPIN: SIM PIN"
    assert host.code("AT+CIMI") == 11
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,0"
    assert host.code('AT+CPIN="0000"') == 16
    assert host.lines("AT+CPINR")[0] == b"+CPINR: SIM PIN,2,3"
    assert host.code('AT+CPIN="1234"') == 0
    assert host.module.sim.tries == 3
    assert host.lines("AT+CPIN?")[0] == b"+CPIN: READY"
    host.wait(1)
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,1"
    assert host.code('AT+CPIN="1234"') == 3
    host.module.reboot()
    host.wait(5)
    host.command("ATE0")
    assert host.lines("AT+CPIN?")[0] == b"+CPIN: SIM PIN"


def test_three_wrong_pins_need_the_puk(make_host):
    host = make_host(pin="1234", puk="87654321")
    assert [host.code('AT+CPIN="1111"') for _ in range(3)] == [16, 16, 12]
    assert host.lines("AT+CPIN?")[0] == b"+CPIN: SIM PUK"
    assert host.code('AT+CPIN="1234"') == 16
    assert host.code('AT+CPIN="87654321","5678"') == 0
    host.module.reboot()
    host.wait(5)
    host.command("AT+CMEE=1")
    assert host.code('AT+CPIN="1234"') == 16
    assert host.code('AT+CPIN="5678"') == 0


@pytest.mark.parametrize("code", ["123", "123456789", "abcd", ""])
def test_what_is_no_pin(make_host, code):
    host = make_host(pin="1234")
    assert host.code(f'AT+CPIN="{code}"') == 50
    assert host.module.sim.tries == 3


# --- signal ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rsrp", "rsrq", "shown"),
    [
        (-95, -10, b"+CESQ: 99,99,255,255,20,46"),
        (-141, -20, b"+CESQ: 99,99,255,255,0,0"),
        (-44, -3, b"+CESQ: 99,99,255,255,34,97"),
        (-200, -40, b"+CESQ: 99,99,255,255,0,0"),
    ],
)
def test_cesq(make_host, rsrp, rsrq, shown):
    assert make_host(rsrp=rsrp, rsrq=rsrq).lines("AT+CESQ")[0] == shown


def test_signal_operator_and_cell(make_host):
    host = make_host(rssi=12, rsrp=-100, rsrq=-11, sinr=3, operator="TEST NET")
    assert host.lines("AT+CSQ")[0] == b"+CSQ: 12,99"
    assert host.lines("AT+COPS?")[0] == b'+COPS: 0,0,"TEST NET",7'
    radio = host.lines('AT+MUESTATS="radio"')[0].split(b",")
    assert radio[:4] == [b'+MUESTATS: "radio"', b"4", b"-1000", b"-890"] and len(radio) == 13
    assert [radio[7], radio[9], radio[12]] == [b"0521870C", b"30", b"-110"]
    cell = host.lines('AT+MUESTATS="cell"')[0]
    assert cell == b'+MUESTATS: "scell",4,460,00,1300,,256,-1000,-110,-890,30,20.0'
    assert host.lines("AT+MUESTATS") == [b"ERROR"]
    assert host.code('AT+MUESTATS="nbcell"') == 50


def test_without_a_cell(host):
    host.command("AT+CFUN=4")
    assert host.lines("AT+CSQ")[0] == b"+CSQ: 99,99"
    assert host.lines("AT+CESQ")[0] == b"+CESQ: 99,99,255,255,255,255"
    assert host.lines("AT+COPS?")[0] == b"+COPS: 0"
    assert host.lines('AT+MUESTATS="cell"') == [b"OK"]
    assert b"-32768" in host.lines('AT+MUESTATS="radio"')[0]


def test_supply_and_temperature_of_ml307x(make_host):
    host = make_host("ML307X", supply_mv=4180, temperature=31)
    assert host.lines("AT+MDEVSTATUS?")[0] == b"+MDEVSTATUS: 4180,31"
    assert make_host("ML307C").lines("AT+MDEVSTATUS?") == [b"ERROR"]
