# SPDX-License-Identifier: MIT
"""TLS contexts: the ten options of MSSLCFG (manual 3.1), strict by default and read back."""

import pytest
from onemo import (
    AUTH_MUTUAL,
    AUTH_NONE,
    AUTH_SERVER,
    SSL3,
    TLS1_0,
    TLS1_1,
    TLS1_2,
    TLS_ANY,
    suites,
)
from onemo.errors import CommandError, VerifyError
from onemo.tls_rows import OPTIONS
from onemo_simulator.suites import SUITE_IDS

STRICT = {
    "auth": AUTH_SERVER,
    "ca": "ca.pem",
    "cert": None,
    "key": None,
    "pskid": None,
    "encoding": 2,
    "negotime_s": 45,
    "version": TLS1_2,
    "ciphersuite": 0,
    "session": True,
    "ignorestamp": False,
    "ignoreverify": False,
}
FRESH = STRICT | {
    "auth": AUTH_NONE,
    "ca": None,
    "negotime_s": 300,
    "version": TLS_ANY,
    "ignorestamp": True,
}  # manual 3.1


def test_a_fresh_module_is_lax_and_read_says_so(rig):
    assert rig.modem.tls(0).read() == FRESH


@pytest.mark.parametrize("series", ["ML307R", "MN316", "MN316-S"])
def test_the_defaults_are_strict(rigs, series):
    rig = rigs(series)
    tls = rig.modem.tls(2)
    tls.configure(ca="ca.pem")
    found = tls.read()
    assert found == STRICT
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in STRICT.items()
    }
    assert rig.modem.tls(1).read() == FRESH  # the others are as they were


def test_every_option_is_sent_every_time(rig):
    tls = rig.modem.tls(3)
    for _ in range(2):
        before = len(rig.module.commands)
        tls.configure(ca="ca.pem")
        new = rig.module.commands[before:]
        sets = [c.decode().split('"')[1] for c in new if c.count(b",") >= 2]
        assert sorted(sets) == sorted(set(OPTIONS) - {"psk"})
        reads = [c.decode().split('"')[1] for c in new if c.count(b",") == 1]
        assert sorted(reads) == sorted(set(OPTIONS) - {"psk"})


def test_nothing_of_an_earlier_configuration_stays(rig):
    tls = rig.modem.tls(0)
    tls.configure(
        AUTH_MUTUAL,
        ca="ca.pem",
        cert="cert.pem",
        key="a.key",
        version=TLS_ANY,
        ciphersuite=0xC02F,
        negotime_s=300,
        session=False,
        ignorestamp=True,
        ignoreverify=True,
    )
    assert tls.read() == STRICT | {
        "auth": AUTH_MUTUAL,
        "cert": "cert.pem",
        "key": "a.key",
        "version": TLS_ANY,
        "ciphersuite": 0xC02F,
        "negotime_s": 300,
        "session": False,
        "ignorestamp": True,
        "ignoreverify": True,
    }
    tls.configure(ca="ca.pem")
    assert tls.read() == STRICT


@pytest.mark.parametrize("version", [SSL3, TLS1_0, TLS1_1, TLS1_2, TLS_ANY])
def test_versions(rig, version):
    rig.modem.tls(0).configure(ca="ca.pem", version=version)
    assert rig.module.contexts.value(0, "version") == version


@pytest.mark.parametrize("suite", SUITE_IDS)
def test_every_suite_of_the_appendix(rig, suite):
    broken = suites.strength(suite) == "broken"
    tls = rig.modem.tls(0)
    sent = rig.uart.bytes_written
    if broken:
        with pytest.raises(ValueError, match="broken"):
            tls.configure(ca="ca.pem", ciphersuite=suite)
        assert rig.uart.bytes_written == sent
    tls.configure(ca="ca.pem", ciphersuite=suite, allow_broken=broken)
    assert rig.module.contexts.value(0, "ciphersuite") == suite
    assert tls.read()["ciphersuite"] == suite


def test_the_manuals_suite_is_written_without_0x(rig):
    rig.modem.tls(1).configure(ca="ca.pem", ciphersuite=0x2D, allow_broken=True)
    assert b'AT+MSSLCFG="ciphersuite",1,2D' in rig.module.commands


BAD = [
    ({}, ValueError, "ca="),
    ({"auth": AUTH_MUTUAL, "ca": "ca.pem"}, ValueError, "cert="),
    ({"auth": AUTH_MUTUAL, "ca": "ca.pem", "cert": "c"}, ValueError, "key="),
    ({"auth": AUTH_MUTUAL, "cert": "c", "key": "k"}, ValueError, "ca="),
    ({"auth": 3, "ca": "c"}, ValueError, "auth is 3"),
    ({"auth": None, "ca": "c"}, ValueError, "auth is None"),
    ({"ca": ""}, ValueError, "ca"),
    ({"ca": "n" * 65}, ValueError, "65"),
    ({"ca": 'a"b'}, ValueError, "quote"),
    ({"ca": "a\r\nAT+MREBOOT"}, ValueError, "quote"),
    ({"ca": b"ca.pem"}, TypeError, "must be a str"),
    ({"ca": "c", "cert": "a,b"}, ValueError, "cert"),
    ({"ca": "c", "key": "a\\b"}, ValueError, "key"),
    ({"ca": "c", "version": 4}, ValueError, "version is 4"),
    ({"ca": "c", "version": "TLS1_2"}, ValueError, "version"),
    ({"ca": "c", "negotime_s": 9}, ValueError, "10 to 300"),
    ({"ca": "c", "negotime_s": 301}, ValueError, "10 to 300"),
    ({"ca": "c", "negotime_s": 45.0}, TypeError, "int"),
    ({"ca": "c", "ciphersuite": 0x1301}, ValueError, "0x1301 is not in manual"),
    ({"ca": "c", "ciphersuite": -1}, ValueError, "not in manual"),
    ({"ca": "c", "ciphersuite": 0x1C02F}, ValueError, "not in manual"),
    ({"ca": "c", "ciphersuite": "C02F"}, TypeError, "int"),
    ({"ca": "c", "ciphersuite": 0x05}, ValueError, "RC4"),
    ({"ca": "c", "ciphersuite": 0x0A}, ValueError, "3DES"),
    ({"ca": "c", "ciphersuite": 0x02}, ValueError, "NULL"),
]


@pytest.mark.parametrize(("settings", "error", "says"), BAD)
def test_bad_input_is_refused_with_nothing_sent(rig, settings, error, says):
    sent = rig.uart.bytes_written
    with pytest.raises(error, match=says):
        rig.modem.tls(0).configure(**settings)
    assert rig.uart.bytes_written == sent
    assert not rig.modem.tls(0).configured()


@pytest.mark.parametrize("ssl_id", [6, -1, 255])
def test_ssl_ids_that_no_model_has(rig, ssl_id):
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="0 to 5"):
        rig.modem.tls(ssl_id)
    assert rig.uart.bytes_written == sent
    with pytest.raises(TypeError):
        rig.modem.tls("0")


# One option of every ssl_id


@pytest.mark.parametrize("series", ["ML307R", "MN316-S"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("unset", ["NULL", "empty"])
def test_read_all_lists_every_ssl_id(rigs, series, option, unset):
    rig = rigs(series, unset_cert=unset)
    if option == "psk" and series == "ML307R":
        return  # test_psk.py
    fresh = {
        "auth": 0,
        "cert": (None, None, None),
        "psk": None,
        "encoding": 2,
        "negotime": 300,
        "version": 255,
        "ciphersuite": 0,
        "session": 1,
        "ignorestamp": 1,
        "ignoreverify": 0,
    }
    tls = rig.modem.tls(1)
    count = 5 if series == "MN316-S" else 6
    assert tls.read_all(option) == [(ssl_id, fresh[option]) for ssl_id in range(count)]
    tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="cert.pem", key="a.key", ciphersuite=0xC02F)
    changed = fresh | {
        "auth": 2,
        "cert": ("ca.pem", "cert.pem", "a.key"),
        "negotime": 45,
        "version": 3,
        "ciphersuite": 0xC02F,
        "ignorestamp": 0,
    }
    expected = [(ssl_id, (changed if ssl_id == 1 else fresh)[option]) for ssl_id in range(count)]
    assert tls.read_all(option) == expected


@pytest.mark.parametrize("option", ["sni", "", "AUTH", None])
def test_an_option_that_the_manual_lacks(rig, option):
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="it must be one of auth, cert"):
        rig.modem.tls(0).read_all(option)
    assert rig.uart.bytes_written == sent


# What modules do with settings


@pytest.mark.parametrize("omitted", ["keep", "clear"])
@pytest.mark.parametrize("unset", ["NULL", "empty"])
def test_names_are_unset_whatever_the_module_does_with_those_left_out(rigs, omitted, unset):
    rig = rigs(cert_omitted=omitted, unset_cert=unset)
    tls = rig.modem.tls(0)
    tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="cert.pem", key="a.key")
    tls.configure(ca="other.pem")
    assert rig.module.contexts.names(0) == ("other.pem", "", "")
    tls.configure(AUTH_NONE)
    assert rig.module.contexts.names(0) == ("", "", "")


@pytest.mark.parametrize("option", sorted(set(OPTIONS) - {"psk", "encoding"}))
def test_a_setting_that_is_ignored_with_ok_is_seen(rigs, option):
    rig = rigs(ignored_options=frozenset({option}))
    with pytest.raises(VerifyError, match=f"keeps {option} of TLS context 0"):
        rig.modem.tls(0).configure(
            AUTH_MUTUAL,
            ca="ca.pem",
            cert="cert.pem",
            key="a.key",
            version=TLS1_1,
            ciphersuite=0xC02F,
            session=False,
            ignoreverify=True,
        )


def test_a_refused_setting_names_the_option(rig):
    rig.module.reply(b'AT+MSSLCFG="version"', b"+CME ERROR: 50")
    with pytest.raises(CommandError, match=r'MSSLCFG="version",0,3: 50') as caught:
        rig.modem.tls(0).configure(ca="ca.pem")
    assert caught.value.code == 50
    rig.modem.tls(0).configure(ca="ca.pem")
    assert rig.modem.tls(0).read() == STRICT


def test_a_module_that_takes_no_empty_name(rig):
    rig.module.reply(b'AT+MSSLCFG="cert",0,"ca.pem",""', b"+CME ERROR: 50", 3)
    rig.modem.tls(0).configure(ca="ca.pem")
    assert rig.module.commands.count(b'AT+MSSLCFG="cert",0,"ca.pem"') == 1
    assert rig.modem.tls(0).read() == STRICT


def test_an_old_name_that_cannot_be_unset_is_seen(rig):
    rig.modem.tls(0).configure(AUTH_MUTUAL, ca="ca.pem", cert="cert.pem", key="a.key")
    rig.module.reply(b'AT+MSSLCFG="cert",0,"ca.pem",""', b"+CME ERROR: 50", 3)
    with pytest.raises(VerifyError, match=r"cert of TLS context 0 at .*'cert\.pem'"):
        rig.modem.tls(0).configure(ca="ca.pem")


@pytest.mark.parametrize("keep", [True, False])
def test_after_a_reboot_the_settings_are_sent_again_before_use(rigs, keep):
    rig = rigs(keep_contexts=keep)
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem")
    rig.modem.reboot()
    assert (tls.read() == STRICT) is keep
    rig.modem.restore()
    assert tls.read() == STRICT


def test_the_same_id_is_the_same_context(rig):
    sent = rig.uart.bytes_written
    assert rig.modem.tls(1) is rig.modem.tls(1)
    assert rig.modem.tls(1) is not rig.modem.tls(2)
    assert rig.uart.bytes_written == sent


def test_read_before_configure_sets_nothing(rig):
    rig.modem.tls(0).read()
    assert rig.module.contexts.value(0, "auth") == 0
    assert all(command.count(b",") < 2 for command in rig.module.commands)
