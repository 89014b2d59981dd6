# SPDX-License-Identifier: MIT
"""MSSLCFG options that firmwares lack or ignore, test forms, refusals, stores in RAM."""

from __future__ import annotations

import pytest

FIELD = frozenset({"version", "ciphersuite", "session", "ignorestamp", "ignoreverify"})


def listed(host):
    return {line.split(b'"')[1].decode() for line in host.lines("AT+MSSLCFG=?")[:-1]}


@pytest.mark.parametrize("option", ["version", "ciphersuite", "ignorestamp", "negotime"])
@pytest.mark.parametrize("code", ["50", "4", "error"])
def test_absent_options_are_refused_and_not_listed(make_host, option, code):
    host = make_host("ML307C", absent_options=frozenset({option}), unsupported_code=code)
    expected = "ERROR" if code == "error" else int(code)
    assert host.code(f'AT+MSSLCFG="{option}",0,3') == expected
    assert host.code(f'AT+MSSLCFG="{option}",0') == expected
    assert option not in listed(host) and "auth" in listed(host)
    assert host.code('AT+MSSLCFG="auth",0,1') == 0


def test_options_that_ml307c_takes_and_ignores(make_host):
    host = make_host("ML307C", absent_options=FIELD, unknown_option="ok")
    assert listed(host) == {"auth", "cert", "encoding", "negotime"}
    for option in FIELD | {"sni"}:
        assert host.lines(f'AT+MSSLCFG="{option}",0,1') == [b"OK"]
        assert host.lines(f'AT+MSSLCFG="{option}",0') == [b"OK"]  # nothing to read back
    assert host.module.contexts.value(0, "version") == 255


def test_options_that_read_back_as_they_were_and_are_not_listed(make_host):
    host = make_host("ML307C", ignored_options=FIELD, unlisted_options=FIELD)
    assert listed(host) == {"auth", "cert", "encoding", "negotime"}
    assert host.code('AT+MSSLCFG="version",0,3') == 0
    assert host.lines('AT+MSSLCFG="version",0')[0] == b'+MSSLCFG: "version",0,255'


def test_options_are_listed_line_by_line_or_at_once(make_host):
    lines = make_host().lines("AT+MSSLCFG=?")
    assert lines[:2] == [b'+MSSLCFG: "auth",(0-5),(0-2)', b'+MSSLCFG: "cert",(0-5)']
    assert b'+MSSLCFG: "negotime",(0-5),(10-300)' in lines
    host = make_host(mssl_test="list", absent_options=frozenset({"session"}))
    assert host.lines("AT+MSSLCFG=?") == [
        b'+MSSLCFG: ("auth","cert","encoding","negotime","version","ciphersuite","ignorestamp",'
        b'"ignoreverify")',
        b"OK",
    ]


@pytest.mark.parametrize("comma", [True, False])
def test_the_comma_of_msslcheck(make_host, comma):
    host = make_host(check_comma=comma)
    assert host.lines("AT+MSSLCHECK=?")[0] == (
        b"+MSSLCHECK: ,(0)" if comma else b"+MSSLCHECK: (0)"
    )


@pytest.mark.parametrize("option", ["timeout", "ackmode", "cid", "rcvbuf"])
@pytest.mark.parametrize("code", ["50", "4"])
def test_absent_mipcfg_options(make_host, option, code):
    host = make_host(absent_mipcfg=frozenset({option}), unsupported_code=code)
    assert host.code(f'AT+MIPCFG="{option}",0,1') == int(code)
    assert f'"{option}"'.encode() not in host.command("AT+MIPCFG=?")
    assert host.code('AT+MIPCFG="autofree",0,1') == 0


@pytest.mark.parametrize("code", ["50", "4", "error"])
@pytest.mark.parametrize("command", ['AT+MDNSCFG="ip",1', 'AT+MLPMCFG="dtr",1'])
def test_other_refusals_of_what_is_not_there(make_host, code, command):
    host = make_host(unsupported_code=code)
    assert host.code(command) == ("ERROR" if code == "error" else int(code))


@pytest.mark.parametrize(
    ("memory", "reboot", "sleep", "power"),
    [
        (None, False, True, False),  # ML307H-DU's own
        ("ram", False, True, False),
        ("noinit", True, True, False),
        ("flash", True, True, True),
    ],
)
def test_what_the_store_outlives(make_host, memory, reboot, sleep, power):
    for event, kept in (("reboot", reboot), ("deep_sleep", sleep), ("power_cycle", power)):
        host = make_host("ML307H-DU", store_memory=memory)
        host.write("ca.pem", b"certificate")
        host.write("a.key", b"key", what="KEY")
        getattr(host.module, event)()
        host.wait(5)
        host.command("ATE0")
        assert bool(host.module.store.objects) == kept, event
        assert (host.lines("AT+MSSLLIST=1") == [b"OK"]) == (not kept)
        assert (host.lines("AT+MSSLLIST=2") == [b"OK"]) == (not kept)


@pytest.mark.parametrize("model", ["ML307C", "ML307M", "ML307N", "ML307X", "ML307Y", "MR880A"])
def test_others_keep_their_store(make_host, model):
    host = make_host(model)
    host.write("ca.pem", b"certificate")
    host.module.power_cycle()
    host.wait(5)
    assert host.module.store.certs == {"ca.pem": b"certificate"}


@pytest.mark.parametrize("model", ["ML307H-DU", "ML307C"])
def test_switching_off_by_command_is_a_loss_of_power(make_host, model):
    host = make_host(model)
    host.write("ca.pem", b"certificate")
    host.command("AT+MPOF")
    assert (host.module.store.certs == {}) == (model == "ML307H-DU")
