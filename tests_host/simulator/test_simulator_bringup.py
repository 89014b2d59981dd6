# SPDX-License-Identifier: MIT
"""From AT to an address; clock, speed, power."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest


def test_identity(host):
    assert host.lines("AT+CGMI") == [b"CMCC", b"OK"]
    assert host.lines("AT+CGMM") == [b"ML307R-DC", b"OK"]
    assert host.lines("ATI")[1:] == [b"ML307R-DC", b"ML307R-DC-MBRH0S01", b"OK"]
    assert host.lines("AT+CGSN=1")[0].startswith(b"+CGSN: 86")
    assert not host.lines("AT+CGSN")[0].startswith(b"+")
    assert host.lines("AT+ICCID")[0].startswith(b"+ICCID: 8986")
    assert host.lines("AT+MCCID")[0].startswith(b"+MCCID: 8986")
    for command in ("AT+CCID", "AT+CREG?", "AT+CGREG?", "AT+NONSENSE=1", "ATX9", "AT;"):
        assert host.lines(command) == [b"ERROR"]


def test_model_names_with_prefix_and_suffix(make_host):
    host = make_host("ML307R-DL", model_prefix="Model: ", model_suffix="-A1")
    assert host.lines("AT+CGMM") == [b"Model: ML307R-DL-A1", b"OK"]


def test_no_sim(make_host):
    host = make_host(sim=False)
    assert host.code("AT+CPIN?") == 10
    assert host.code("AT+ICCID") == 10
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,0"
    assert host.lines("AT+CGATT?")[0] == b"+CGATT: 0"
    assert host.lines("AT+MIPCALL?") == [b"OK"]
    assert host.code("AT+MIPCALL=1,1") == 571


def test_registration_after_a_reboot_is_reported_to_who_asks(host):
    host.module.reboot()
    assert host.command("AT") == b""
    assert host.wait(2.2) == b"\r\n+MATREADY\r\n"
    host.command("AT+CEREG=2", 0.1)
    assert host.lines("AT+CEREG?", 0.1)[0] == b"+CEREG: 2,2"
    assert b'+CEREG: 1,"5141","0521870C",7' in host.wait(2)
    assert host.lines("AT+CEREG?")[0] == b'+CEREG: 2,1,"5141","0521870C",7'


@pytest.mark.parametrize("stat", [3, 5])
def test_registration_denied_or_roaming(make_host, stat):
    host = make_host(registration=stat)
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,%d" % stat
    assert host.lines("AT+MIPCALL=1,1")[0] == (b"OK" if stat == 5 else b"+CME ERROR: 571")


def test_pdp_context(make_host):
    host = make_host(auto_dial=False)
    assert host.lines("AT+MIPCALL?") == [b"OK"]
    assert host.code('AT+CGDCONT=1,"IPV4V6","my.apn"') == 0
    assert b'"my.apn"' in host.lines("AT+CGDCONT?")[0]
    assert host.code('AT+MIPOPEN=0,"TCP","echo.example",7') == 570
    assert host.lines("AT+MIPCALL=1,1") == [b"OK", b'+MIPCALL: 1,1,"10.11.12.13"']
    assert host.lines("AT+MIPCALL=1,1")[0] == b"OK"  # already up
    assert host.lines("AT+MIPCALL=0,1") == [b"OK", b"+MIPCALL: 1,0"]
    assert host.lines("AT+MIPCALL=?")[0] == b"+MIPCALL: (0-1),(1-15)"
    assert host.code("AT+MIPCALL=1") == 50
    host = make_host(call_active="50", call_space=False)
    assert host.code("AT+MIPCALL=1,1") == 50
    assert host.lines("AT+MIPCALL?")[0].startswith(b"+MIPCALL:1,1,")


def test_the_clock_can_be_set_read_and_forgotten(make_host):
    host = make_host(date=datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC))
    assert host.lines("AT+CCLK?", 0.1)[0] == b'+CCLK: "26/03/01,20:00:00+32"'
    host.wait(60)
    assert b"20:01:0" in host.lines("AT+CCLK?")[0]
    assert host.code('AT+CCLK="30/01/02,03:04:05+00"') == 0
    assert host.lines("AT+CCLK?", 0.1)[0] == b'+CCLK: "30/01/02,11:04:05+32"'
    for bad in ('"30/13/02,03:04:05+00"', '"now"', "30/01/02,03:04:05+00"):
        assert host.code(f"AT+CCLK={bad}") == 50
    host = make_host("MN316", date=datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC))
    assert host.lines("AT+CCLK?", 0.1)[0] == b"+CCLK: 26/03/01,20:00:00+32"
    assert host.code("AT+CCLK=30/01/02,03:04:05+00") == 0


def test_an_unset_clock_says_2070_until_network_time(make_host):
    host = make_host(date="unset")
    assert host.lines("AT+CCLK?")[0].startswith(b'+CCLK: "70/01/01')
    answer = host.lines("AT+MNTP", 1)
    year = datetime.now(UTC).strftime("%y").encode()
    assert answer[0] == b"OK" and answer[1].startswith(b'+MNTP: 0,"' + year)
    assert host.module.date().year == datetime.now(UTC).year
    assert make_host(ntp=False).lines('AT+MNTP="ntp.example"', 10)[-1] == b"+MNTP: 3"


def test_speed_changes_behind_the_ok(make_host):
    host = make_host(ipr_lost=2)
    host.module.feed(b"AT+IPR=921600\r")
    host.clock.advance(1)
    assert host.module.take(2) == b"\r\n"
    assert host.module.baud == 115200
    assert host.module.take() == b"OK\r\n"
    assert host.module.baud == 921600
    assert [host.command("AT") for _ in range(3)] == [b"", b"", b"\r\nOK\r\n"]
    assert host.lines("AT+IPR?") == [b"+IPR: 921600", b"OK"]
    host.module.power_cycle()
    host.wait(5)
    assert host.module.baud == 921600
    assert host.lines("AT+IPR=12345") == [b"ERROR"]  # CMEE is 0 again
    assert host.lines("AT+IPR=?")[0].count(b"(") == 2


def test_power_and_settings(host):
    assert host.lines("AT+IFC=2,2") == [b"OK"]
    assert host.lines("AT+IFC?")[0] == b"+IFC: 2,2"
    assert host.code('AT+MLPMCFG="sleepmode",0,1') == 0
    assert host.code('AT+MLPMCFG="nonsense",0') == 50
    assert host.lines("AT+CFUN=4") == [b"OK"]
    assert host.lines("AT+CFUN?")[0] == b"+CFUN: 4"
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,0"
    assert host.lines("AT+CFUN=1", 2) == [b"OK"]
    assert host.lines("AT+CEREG?")[0] == b"+CEREG: 0,1"
    assert host.lines("AT+CFUN=1,1", 5) == [b"OK", b"+MATREADY"]
    assert host.lines("AT+MREBOOT", 5) == [b"OK", b"REBOOTING", b"+MATREADY"]
    assert host.lines("AT+MPOF", 5) == [b"OK", b"POWER OFF"]
    assert host.command("AT", 100) == b""
    host.module.power_cycle()
    assert host.wait(5) == b"\r\n+MATREADY\r\n"
    assert host.command("AT") == b"\r\nOK\r\n"


def test_a_reboot_forgets_echo_and_cmee_and_can_be_silent(make_host):
    host = make_host(echo=True, matready=False)
    host.command("ATE0")
    host.module.reboot(delay=1.0)
    assert host.wait(2) == b""
    assert host.command("AT") == b"AT\r\r\nOK\r\n"
    assert host.lines("AT+CMEE?")[-2:] == [b"+CMEE: 0", b"OK"]


def test_a_reboot_in_the_middle_of_things(host):
    host.command('AT+MSSLCERTWR="a",0,5', 0.1)
    host.module.feed(b"12")
    host.module.reboot()
    assert host.wait(5) == b"\r\n+MATREADY\r\n"
    assert host.command("AT") == b"\r\nOK\r\n"
    assert host.module.boots == 1
    host = type(host)(off=True)
    assert host.command("AT") == b""
