# SPDX-License-Identifier: MIT
"""attach as the module hears it and the application: see tests_host/talks.py."""

import tempfile
from pathlib import Path

import pytest
from onemo_tools.proofs.rig import Rig

from tests_host import talks

NEVER = None
DIAL = b"AT+MIPCALL=1,1"
TWENTY = {"timeout_ms": 20000}
PIN = {"pin": "1234", "pin_file": "onemo.pin"}


def cme(code):
    return b"+CME ERROR: %d" % code


# Name: quirks and model, keywords of attach, what is answered how (command, answer, times, line).
SCENES = {
    "all as wanted": ({}, {}),
    "all as wanted, NB": ({"model": "MN316"}, {}),
    "radio at 0": ({"cfun": 0}, {}),
    "radio at 4": ({"cfun": 4}, {}),
    "radio stays off": ({}, TWENTY, (b"AT+CFUN?", b"OK", NEVER, b"+CFUN: 0")),
    "radio does not say": ({}, {}, (b"AT+CFUN?", cme(50), NEVER)),
    "radio is refused": ({"cfun": 0}, TWENTY, (b"AT+CFUN=1", cme(3), 2)),
    "no packet service": ({"attached": False}, {}),
    "packet service stays off": ({}, TWENTY, (b"AT+CGATT?", b"OK", NEVER, b"+CGATT: 0")),
    "packet service does not say": ({}, TWENTY, (b"AT+CGATT?", cme(50), NEVER)),
    "context down": ({"auto_dial": False}, {}),
    "dialled three times": ({"auto_dial": False, "dial_failures": 3}, {}),
    "dialled in vain": (
        {"auto_dial": False},
        {"timeout_ms": 100000},
        (DIAL, cme(571), NEVER),
    ),
    "up by itself while dialled": ({"auto_dial": False}, TWENTY, (DIAL, cme(50), 3)),
    "no address comes": ({"auto_dial": False}, TWENTY, (b"AT+MIPCALL?", b"OK", NEVER)),
    "the context is another's": (
        {},
        TWENTY,
        (b"AT+MIPCALL?", b"OK", NEVER, b'+MIPCALL: 2,1,"10.1.1.1"'),
    ),
    "the context is down": (
        {},
        TWENTY,
        (b"AT+MIPCALL?", b"OK", 2, b'+MIPCALL: 1,0,"10.1.1.1"'),
    ),
    "two addresses": ({"ipv6": "fe80::1"}, {}),
    "its own APN": ({}, {"apn": "CMNET"}),
    "another APN": ({}, {"apn": "iot"}),
    "another APN on NB": ({"model": "MN316"}, {"apn": "iot"}),
    "its own APN, with what the network adds": (
        {},
        {"apn": "iot"},
        (b"AT+CGCONTRDP=1", b"OK", NEVER, b'+CGCONTRDP: 1,5,"IOT.mnc004.mcc460.gprs"'),
    ),
    "the APN is not kept": (
        {},
        {"apn": "iot"},
        (b"AT+CGDCONT?", b"OK", NEVER, b'+CGDCONT: 1,"IP","cmnet"'),
    ),
    "the APN in use is another": (
        {},
        {"apn": "cmnet"},
        (b"AT+CGCONTRDP=1", b"OK", NEVER, b'+CGCONTRDP: 1,5,"wrong"'),
    ),
    "the APN in use is another once": (
        {},
        {"apn": "cmnet"},
        (b"AT+CGCONTRDP=1", b"OK", 1, b'+CGCONTRDP: 1,5,"wrong"'),
    ),
    "the APN in use is not told": ({}, {"apn": "iot"}, (b"AT+CGCONTRDP=1", cme(50), NEVER)),
    "cannot be hung up": (
        {},
        {"apn": "iot"},
        (b"AT+MIPCALL=0,1", cme(50), NEVER),
        (b"AT+CGCONTRDP=1", cme(50), NEVER),
    ),
    "no context is defined": ({}, {"apn": "iot"}, (b"AT+CGDCONT?", b"OK", 1)),
    "context 2 is defined": (
        {},
        {"apn": "iot"},
        (b"AT+CGDCONT?", b"OK", 1, b'+CGDCONT: 2,"IP","iot"'),
    ),
    "family only": ({}, {"pdp_type": "IPV6"}),
    "family as it is": ({}, {"pdp_type": "IPV4V6"}),
    "family where none is": ({}, {"pdp_type": "IP"}, (b"AT+CGDCONT?", b"OK", 1)),
    "user by CHAP": ({}, {"apn": "iot", "user": "me", "password": "secret"}),
    "user by PAP": ({}, {"apn": "iot", "user": "me", "password": "secret", "auth": "pap"}),
    "user as it is": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", b"OK", 1, b'+CGAUTH: 1,2,"me","secret"'),
    ),
    "user as it is, no password shown": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", b"OK", 1, b'+CGAUTH: 1,2,"me"'),
    ),
    "another password": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", b"OK", 1, b'+CGAUTH: 1,2,"me","other"'),
    ),
    "another user": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", b"OK", 1, b'+CGAUTH: 1,2,"you","secret"'),
    ),
    "another way": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", b"OK", 1, b'+CGAUTH: 1,1,"me","secret"'),
    ),
    "credentials of context 2": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", b"OK", 1, b'+CGAUTH: 2,2,"me","secret"'),
    ),
    "credentials are not to be read": (
        {},
        {"apn": "cmnet", "user": "me", "password": "secret"},
        (b"AT+CGAUTH?", cme(50), NEVER),
    ),
    "credentials are refused": (
        {},
        {"apn": "iot", "user": "me", "password": "secret"},
        (b"AT+CGAUTH=", cme(50), NEVER),
    ),
    "no credentials are refused": ({}, {"apn": "iot"}, (b"AT+CGAUTH=", cme(50), NEVER)),
    "IPv6 first": ({}, {"dns_priority": "IPV6"}),
    "IPv4 first": ({}, {"dns_priority": "IP"}),
    "first is not kept": (
        {},
        {"dns_priority": "IPV6"},
        (b'AT+MDNSCFG="priority"', b"OK", NEVER, b'+MDNSCFG: "priority",0'),
    ),
    "first is not told": ({}, {"dns_priority": "IPV6"}, (b'AT+MDNSCFG="priority"', b"OK", 9)),
    "first is refused": ({}, {"dns_priority": "IPV6"}, (b'AT+MDNSCFG="priority"', cme(50), 99)),
    "first is busy": ({}, {"dns_priority": "IPV6"}, (b'AT+MDNSCFG="priority",1', cme(14), 2)),
    "no SIM": ({"sim": False}, {}),
    "no SIM, and less time": ({"sim": False}, TWENTY),
    "SIM late": ({"sim_delay": 20.0}, {}),
    "SIM late, code 14": ({"sim_delay": 20.0, "sim_late": "14"}, {}),
    "SIM late, code 13": ({"sim_delay": 20.0, "sim_late": "13"}, {}),
    "SIM never ready": ({}, {}, (b"AT+CPIN?", b"OK", NEVER, b"+CPIN: NOT READY")),
    "SIM says nothing": ({}, {}, (b"AT+CPIN?", b"OK", NEVER)),
    "SIM failure of another kind": ({}, {}, (b"AT+CPIN?", cme(15), NEVER)),
    "SIM wants a PUK": ({}, {}, (b"AT+CPIN?", b"OK", NEVER, b"+CPIN: SIM PUK")),
    "PIN": ({"pin": "1234"}, PIN),
    "PIN missing": ({"pin": "1234"}, {}),
    "PIN wrong": ({"pin": "9999"}, PIN),
    "PIN, and the SIM is busy": ({"pin": "1234"}, PIN, (b"AT+CPIN=", cme(14), 1)),
    "PIN, tries unknown": ({"pin": "1234"}, PIN, (b"AT+CPINR", cme(50), NEVER)),
    "PIN, one try left": (
        {"pin": "1234"},
        PIN,
        (b"AT+CPINR", b"OK", NEVER, b"+CPINR: SIM PIN,1"),
    ),
    "PIN, two tries left": (
        {"pin": "1234"},
        PIN,
        (b"AT+CPINR", b"OK", NEVER, b"+CPINR: SIM PIN,2"),
    ),
    "PIN, no card number": ({"pin": "1234"}, PIN, (b"AT+ICCID", cme(50), NEVER)),
    "PIN, no place for the note": ({"pin": "1234"}, {"pin": "1234", "pin_file": "no/place"}),
    "denied": ({"registration": 3}, TWENTY),
    "not registered": ({"registration": 2}, TWENTY),
    "roaming": ({"registration": 5}, {}),
    "registered without calls": ({}, {}, (b"AT+CEREG?", b"OK", NEVER, b"+CEREG: 0,9")),
    "roaming without calls": ({}, {}, (b"AT+CEREG?", b"OK", NEVER, b"+CEREG: 0,10")),
    "for SMS only": ({}, TWENTY, (b"AT+CEREG?", b"OK", NEVER, b"+CEREG: 0,6")),
    "denied, then registered": ({}, {}, (b"AT+CEREG?", b"OK", 3, b"+CEREG: 0,3")),
    "registration does not say": ({}, TWENTY, (b"AT+CEREG?", cme(50), NEVER)),
    "no time": ({"auto_dial": False}, {"timeout_ms": 0}),
}


def talk(settings, keywords, *plans):
    """The scene played: what was said, told, given, and the tenths of seconds that it took; what
    is on file where a PIN was tried, and what a second attach says then."""
    with tempfile.TemporaryDirectory() as folder, Rig(**settings) as rig:
        told = []
        rig.modem.start()
        if "sim_delay" not in settings:
            rig.clock.advance(5)
            rig.module.take()
        rig.modem.on_event(lambda kind, text: told.append(talks.rounded(f"{kind}: {text}")))
        for command, answer, times, *lines in plans:
            rig.module.reply(command, answer, times=times, lines=lines)
        if "pin_file" in keywords:
            keywords = keywords | {"pin_file": folder + "/" + keywords["pin_file"]}

        def play():
            rig.module.commands.clear()
            began = rig.clock.now()
            given = talks.outcome(lambda: rig.modem.attach(**keywords)).replace(folder, "FOLDER")
            files = {path.name: path.read_text() for path in Path(folder).iterdir()}
            return {
                "said": talks.shortened(rig.module.commands),
                "told": [text.replace(folder, "FOLDER") for text in told],
                "given": given,
                "tenths": round(10 * (rig.clock.now() - began)),
            } | ({"files": files} if files else {})

        first = play()
        told.clear()
        return [first, play()] if "pin" in settings else [first]


@pytest.mark.parametrize("name", SCENES)
def test_attach(name):
    assert talk(*SCENES[name]) == talks.kept("driver.test_attach_talks")[name]


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"pdp_type": "ip"}, "pdp_type is 'ip'; it must be one of IP IPV6 IPV4V6"),
        ({"dns_priority": "IPV4V6"}, 'dns_priority is \'IPV4V6\'; it must be "IP" or "IPV6"'),
        ({"auth": "none"}, 'auth is \'none\'; it must be "pap" or "chap"'),
        ({"apn": "x", "user": "u"}, "user and password go together: pass both, or neither"),
        (
            {"user": "u", "password": "p"},
            "user and password belong to an APN: pass apn= as well",
        ),
        ({"pin": "123"}, "pin must be 4 to 8 digits"),
        ({"pin": "123x"}, "pin must be 4 to 8 digits"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sent(keywords, text):
    with Rig() as rig:
        rig.modem.start()
        rig.module.commands.clear()
        assert talks.outcome(lambda: rig.modem.attach(**keywords)) == f"ValueError: {text}"
        assert rig.module.commands == []


def test_a_password_is_told_in_none_of_them():
    talked = talks.kept("driver.test_attach_talks").values()
    assert "secret" not in str([(part["told"], part["given"]) for talk in talked for part in talk])
