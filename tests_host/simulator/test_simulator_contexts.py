# SPDX-License-Identifier: MIT
"""MSSLCFG (manual 3.1), and what each of the twelve series has of it all."""

from __future__ import annotations

import pytest
from onemo_simulator import SERIES, Module
from onemo_simulator.profiles import find

DEFAULTS = {
    "auth": b"0",
    "cert": b'"NULL","NULL","NULL"',
    "encoding": b"2",
    "negotime": b"300",
    "version": b"255",
    "ciphersuite": b"0x00",
    "session": b"1",
    "ignorestamp": b"1",
    "ignoreverify": b"0",
}


def test_defaults_of_every_option_and_id(host):
    for option, value in DEFAULTS.items():
        want = [b'+MSSLCFG: "%s",%d,%s' % (option.encode(), i, value) for i in range(6)]
        assert host.lines(f'AT+MSSLCFG="{option}"') == [*want, b"OK"]
        assert host.lines(f'AT+MSSLCFG="{option}",5') == [want[5], b"OK"]
        assert host.code(f'AT+MSSLCFG="{option}",6') == 50


@pytest.mark.parametrize(
    "option, good, bad",
    [
        ("auth", "0 1 2", "3 -1 x"),
        ("encoding", "2", "0 1 3"),
        ("negotime", "10 300", "9 301"),
        ("version", "0 1 2 3 255", "4 254"),
        ("session", "0 1", "2"),
        ("ignorestamp", "0 1", "2"),
        ("ignoreverify", "0 1", "2"),
    ],
)
def test_ranges(host, option, good, bad):
    for value in bad.split():
        assert host.code(f'AT+MSSLCFG="{option}",1,{value}') == 50
    assert host.lines(f'AT+MSSLCFG="{option}",1')[0].endswith(b"," + DEFAULTS[option])
    for value in good.split():
        assert host.code(f'AT+MSSLCFG="{option}",1,{value}') == 0
        shown = f'+MSSLCFG: "{option}",1,{value}'.encode()
        assert host.lines(f'AT+MSSLCFG="{option}",1')[0] == shown
    assert host.lines(f'AT+MSSLCFG="{option}",0')[0].endswith(b"," + DEFAULTS[option])


@pytest.mark.parametrize(
    "written, shown", [("2D", b"0x2D"), ("1", b"0x01"), ("C02F", b"0xC02F"), ("0", b"0x00")]
)
def test_suites_are_written_in_hex_and_read_with_0x(host, written, shown):
    assert host.code(f'AT+MSSLCFG="ciphersuite",1,{written}') == 0
    assert host.lines('AT+MSSLCFG="ciphersuite",1')[0] == b'+MSSLCFG: "ciphersuite",1,' + shown


@pytest.mark.parametrize("suite", ["03", "1301", "xyz", "10000"])
def test_suites_outside_the_appendix(host, suite):
    assert host.code(f'AT+MSSLCFG="ciphersuite",1,{suite}') == 50


def test_names_may_be_left_out_and_unset(make_host):
    host = make_host()
    assert host.code('AT+MSSLCFG="cert",1,"ca","cert","key"') == 0
    assert host.code('AT+MSSLCFG="cert",1,"other"') == 0
    shown = b'+MSSLCFG: "cert",1,"other","cert","key"'
    assert host.lines('AT+MSSLCFG="cert",1')[0] == shown
    assert host.code('AT+MSSLCFG="cert",1,"ca","",""') == 0
    assert host.lines('AT+MSSLCFG="cert",1')[0] == b'+MSSLCFG: "cert",1,"ca","NULL","NULL"'
    assert host.code(f'AT+MSSLCFG="cert",1,"{"n" * 65}"') == 50
    host = make_host(cert_omitted="clear", unset_cert="empty")
    host.code('AT+MSSLCFG="cert",1,"ca","cert","key"')
    host.code('AT+MSSLCFG="cert",1,"other"')
    assert host.lines('AT+MSSLCFG="cert",1')[0] == b'+MSSLCFG: "cert",1,"other","",""'


def test_unknown_and_ignored_options(make_host):
    host = make_host()
    assert host.code('AT+MSSLCFG="sni",0,1') == 50
    host = make_host(unknown_option="ok", ignored_options=frozenset({"version"}))
    assert host.code('AT+MSSLCFG="sni",0,1') == 0
    assert host.code('AT+MSSLCFG="psk",0,"1"') == 50
    assert host.code('AT+MSSLCFG="version",0,3') == 0
    assert host.lines('AT+MSSLCFG="version",0')[0] == b'+MSSLCFG: "version",0,255'
    assert host.code('AT+MSSLCFG="version",0,4') == 50


@pytest.mark.parametrize("keep", [True, False])
def test_contexts_over_a_reboot(make_host, keep):
    host = make_host(keep_contexts=keep)
    host.code('AT+MSSLCFG="auth",0,1')
    host.module.reboot()
    host.wait(5)
    assert host.lines('AT+MSSLCFG="auth",0')[0] == b'+MSSLCFG: "auth",0,%d' % keep


def test_twelve_series_and_23_sub_models():
    assert len(SERIES) == 12
    names = [name for profile in SERIES for name in profile.submodels]
    assert len(names) == len(set(names)) == 23
    for name in names:
        assert find(name)[1] == name and find(name.lower())[1] == name
    with pytest.raises(ValueError, match="ML999"):
        Module("ML999")


NB = {"MN316", "MN316-S", "MN326"}


@pytest.mark.parametrize("profile", SERIES, ids=lambda profile: profile.series)
def test_each_series_as_the_manuals_notes_say(make_host, profile):
    series = profile.series
    nb = series in NB
    host = make_host(series)
    assert host.lines("AT+CGMM") == [profile.submodels[0].encode(), b"OK"]
    revision = host.lines("AT+CGMR")[0]
    prefix = b"Revision: " if series in ("ML302S", "ML307S") else b""
    assert revision == prefix + profile.submodels[0].encode() + b"-MBRH0S01"
    last = 4 if nb else 5  # note 2
    assert host.code(f'AT+MSSLCFG="auth",{last},1') == 0
    assert host.code(f'AT+MSSLCFG="auth",{last + 1},1') == 50
    assert len(host.lines('AT+MSSLCFG="auth"')) == last + 2
    assert (host.code('AT+MSSLCFG="psk",0,"1"') == 0) == nb  # note 3
    assert (host.code('AT+MSSLPSK="1","2"') == 0) == nb
    assert (host.code('AT+MSSLCFG="encoding",0,1') == 0) == (series == "MN316-S")  # note 4
    host.code('AT+MSSLCFG="encoding",0,2')
    assert host.code('AT+MSSLCERTWR="a",0,0,"x"') == 0
    assert (host.code('AT+MSSLCHECK="a",2') == 0) == (series == "MN316-S")  # note 8
    assert (host.write("b", b"x") == [b"OK"]) == (not nb)
    assert (host.code("AT+MSSLCIPHER=?") == 0) == (series not in ("ML302S", "ML307S"))
    assert (host.code('AT+MIPCFG="ssl",0,1,0') == 0) == (not nb)
    assert host.code(f'AT+MIPCFG="autofree",{last},1') == 0
    assert host.code(f'AT+MIPCFG="autofree",{last + 1},1') == 50
    assert (b'"' in host.lines("AT+CCLK?")[0]) == (not nb)
    # The note on MN316 and MN326: deep sleep loses everything.
    host.module.deep_sleep()
    assert b"+MATREADY" in host.wait(1)
    kept = series not in ("MN316", "MN326")
    assert (len(host.module.store.objects) > 0) == kept
    auth = host.lines(f'AT+MSSLCFG="auth",{last}')[0]
    assert auth == b'+MSSLCFG: "auth",%d,%d' % (last, kept)
    assert host.module.violations == []


def test_deep_sleep_can_be_silent_and_lose_the_first_bytes(make_host):
    host = make_host("MN316", wake_lost=3)
    host.module.deep_sleep(silent=True)
    assert host.wait(10) == b""
    assert host.command("AT") == b""
    assert host.command("AT") == b"\r\nOK\r\n"
