# SPDX-License-Identifier: MIT
"""The series sold since the manual V5.3.0, each fact as its source states it."""

from __future__ import annotations

import re

import pytest
from onemo_simulator import NEWER, PROFILES, Module
from onemo_simulator.profiles import find

WITH_TLS = [profile for profile in NEWER if profile.tls]
WITHOUT_TLS = [profile for profile in NEWER if not profile.tls]


def submodel(profile):
    return profile.submodels[0]


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("ML307R-BL", "ML307R"),
        ("ML307R-MC", "ML307R"),
        ("ML307R-ML", "ML307R"),
        ("ML307G-DC", "ML307G"),
        ("ML307C-DL-CN", "ML307C"),
        ("ML307C-DC-CN", "ML307C"),
        ("ML307M-DH", "ML307M"),
        ("ML307N-DC", "ML307N"),
        ("ML307X-DB", "ML307X"),
        ("ML307Y-DL", "ML307Y"),
        ("ML307H-GU", "ML307H"),
        ("mr880a", "MR880A"),
        ("MN316A-DC", "MN316A"),
        ("MN318-LX", "MN318"),
        ("MN319-DL", "MN319"),
        ("MN326A-DG", "MN326A"),
    ],
)
def test_every_name_leads_to_its_series(name, series):
    profile, found = find(name)
    assert profile.series == series and found == name.upper()


def test_names_are_unambiguous():
    names = [name for p in PROFILES for name in p.submodels + p.later_submodels]
    assert len(names) == len(set(names))
    assert find("ML307H")[1] == "ML307H-DU"  # the bare series is the one with TLS


@pytest.mark.parametrize("profile", NEWER, ids=submodel)
def test_cgmm_names_the_series_and_cgmr_the_sub_model(make_host, profile):
    host = make_host(submodel(profile))
    series, name = profile.series.encode(), submodel(profile).encode()
    assert host.lines("AT+CGMM") == [series, b"OK"]
    assert host.lines("AT+CGMR") == [name + b"-MBRH0S01", b"OK"]
    assert host.lines("ATI") == [b"CMCC", series, name + b"-MBRH0S01", b"OK"]


@pytest.mark.parametrize("profile", NEWER, ids=submodel)
def test_connection_and_ssl_ids(make_host, profile):
    host = make_host(submodel(profile))
    conns = {"MR880A": 10, "MN316A": 4, "MN319": 4, "MN326A": 4}.get(profile.series, 6)
    assert host.code(f'AT+MIPCFG="autofree",{conns - 1},1') == 0
    assert host.code(f'AT+MIPCFG="autofree",{conns},1') == 50
    if profile.tls:
        assert host.code('AT+MIPCFG="ssl",0,1,5') == 0
        assert host.code('AT+MIPCFG="ssl",0,1,6') == 50
        assert host.code('AT+MSSLCFG="auth",5,1') == 0
        assert host.code('AT+MSSLCFG="auth",6,1') == 50


@pytest.mark.parametrize("profile", WITHOUT_TLS, ids=submodel)
@pytest.mark.parametrize(
    "command",
    [
        "AT+MSSLCFG=?",
        'AT+MSSLCFG="auth",0,1',
        "AT+MSSLLIST=1",
        "AT+MSSLCERTWR=?",
        'AT+MSSLKEYWR="k",0,0,"x"',
        "AT+MSSLCIPHER=?",
        "AT+MSSLCHECK=?",
        'AT+MSSLPSK="a","b"',
    ],
)
def test_modules_without_tls_know_none_of_its_commands(make_host, profile, command):
    host = make_host(submodel(profile))
    assert host.lines(command) == [b"ERROR"]
    assert host.code('AT+MIPCFG="ssl",0,1,0') == 50
    assert b'"ssl"' not in host.command("AT+MIPCFG=?")
    assert b"MSSL" not in host.command("AT+CLAC")


def test_which_have_no_tls():
    assert {submodel(profile) for profile in WITHOUT_TLS} == {
        "ML307H-GU",
        "MN316A-D",
        "MN318-BX",
        "MN319-DL",
        "MN326A-DG",
    }


@pytest.mark.parametrize("profile", WITH_TLS, ids=submodel)
def test_prompt_encoding_check_and_psk(make_host, profile):
    host = make_host(submodel(profile))
    assert host.write("ca.pem", b"x" * 5000, 2048)[-1] == b"OK"
    assert host.code('AT+MSSLCFG="encoding",0,1') == 50
    assert host.lines("AT+MSSLCHECK=?")[0] == b"+MSSLCHECK: ,(0)"
    assert host.lines('AT+MSSLPSK="a","b"') == [b"ERROR"]
    assert host.lines("AT+MSSLCIPHER=?")[0].startswith(b"+MSSLCIPHER: (0x01,")


@pytest.mark.parametrize("profile", [p for p in NEWER if p.nb], ids=submodel)
def test_nb_modules_send_in_the_command_only(make_host, profile):
    host = make_host(submodel(profile))
    assert not host.module.data_mode
    assert host.lines("AT+MIPSEND=?")[0].endswith(b",(0-1460),,(0-2),(1-255)")


VERSIONS = {"ML307X": "2-3,255", "ML307Y": "2-3,255", "MR880A": "3,255"}


@pytest.mark.parametrize("profile", WITH_TLS, ids=submodel)
def test_versions(make_host, profile):
    host = make_host(submodel(profile))
    shown = VERSIONS.get(profile.series, "0-3,255")
    assert f'+MSSLCFG: "version",(0-5),({shown})'.encode() in host.lines("AT+MSSLCFG=?")
    codes = [host.code(f'AT+MSSLCFG="version",0,{v}') for v in (0, 1, 2, 3, 255)]
    refused = {"0-3,255": 0, "2-3,255": 2, "3,255": 3}[shown]
    assert codes == [50] * refused + [0] * (5 - refused)


@pytest.mark.parametrize("model", ["ML307X", "ML307Y", "ML307C", "ML307R"])
@pytest.mark.parametrize(
    ("literal", "plain"), [("0xC02F", False), ("C02F", True), ("0x0", False), ("0", True)]
)
def test_suites_are_written_with_0x_on_ml307x_and_y_only(make_host, model, literal, plain):
    host = make_host(model)
    refused = plain and model in ("ML307X", "ML307Y")
    assert (host.code(f'AT+MSSLCFG="ciphersuite",1,{literal}') == 50) == refused
    if not refused:
        shown = b"0xC02F" if "C02F" in literal else b"0x00"
        assert host.lines('AT+MSSLCFG="ciphersuite",1')[0].endswith(b",1," + shown)


def test_a_plain_zero_can_be_accepted(make_host):
    host = make_host("ML307X", plain_suite_zero=True)
    assert host.code('AT+MSSLCFG="ciphersuite",1,0') == 0
    assert host.code('AT+MSSLCFG="ciphersuite",1,C02F') == 50


@pytest.mark.parametrize("profile", WITH_TLS, ids=submodel)
def test_only_mr880a_has_the_sni_option(make_host, profile):
    host = make_host(submodel(profile))
    if profile.series == "MR880A":
        assert host.lines('AT+MSSLCFG="sni",0') == [b'+MSSLCFG: "sni",0,0', b"OK"]
        assert host.code('AT+MSSLCFG="sni",0,1') == 0
        assert host.lines('AT+MSSLCFG="sni",0')[0] == b'+MSSLCFG: "sni",0,1'
        assert host.code('AT+MSSLCFG="sni",0,"broker.example"') == 50
    else:
        assert host.code('AT+MSSLCFG="sni",0,1') == 50


TIMEOUTS = {"ML307X": 180, "ML307Y": 180, "MR880A": 180}
MISSING = {
    "ML307C": {"sndbuf"},
    "ML307M": {"sndbuf"},
    "ML307N": {"sndbuf"},
    "MR880A": {"cid"},
    "MN316A": {"cid", "timeout", "sndbuf", "ssl", "ackmode"},
    "MN318": {"timeout", "sndbuf", "rcvbuf", "ssl", "ackmode"},
    "MN319": {"cid", "timeout", "sndbuf", "ssl", "ackmode"},
    "MN326A": {"cid", "timeout", "sndbuf", "ssl", "ackmode"},
}
EVERY = {"encoding", "autofree", "sndbuf", "rcvbuf", "cid", "timeout", "ackmode", "ssl"}


@pytest.mark.parametrize("profile", NEWER, ids=submodel)
def test_mipcfg_lists_what_there_is(make_host, profile):
    host = make_host(submodel(profile))
    answer = host.command("AT+MIPCFG=?").decode()
    listed = set(re.findall(r'\+MIPCFG: "(\w+)"', answer))
    missing = MISSING.get(profile.series, set()) | (set() if profile.tls else {"ssl"})
    assert listed == EVERY - missing
    for option in missing:
        assert host.code(f'AT+MIPCFG="{option}",0') == 50
    if "timeout" in listed:
        most = TIMEOUTS.get(profile.series, 120)
        assert f'"timeout",(0-{profile.conn_ids - 1}),(1-{most})' in answer
        assert host.code(f'AT+MIPCFG="timeout",0,{most}') == 0
        assert host.code(f'AT+MIPCFG="timeout",0,{most + 1}') == 50


def test_mipcfg_of_ml307r_is_as_seen(host):
    assert host.lines("AT+MIPCFG=?") == [
        b'+MIPCFG: "encoding",(0-5),(0-2),(0-1)',
        b'+MIPCFG: "autofree",(0-5),(0-1)',
        b'+MIPCFG: "sndbuf",(0-5),(1-8192)',
        b'+MIPCFG: "rcvbuf",(0-5),(1460-65535)',
        b'+MIPCFG: "cid",(0-5),(1-15)',
        b'+MIPCFG: "timeout",(0-5),(1-120)',
        b'+MIPCFG: "ackmode",(0-5),(0-1)',
        b'+MIPCFG: "ssl",(0-5),(0-1),(0-5)',
        b"OK",
    ]


def test_mr880a_takes_no_escaped_data_and_sets_its_buffers(make_host):
    host = make_host("MR880A")
    assert host.code('AT+MIPCFG="encoding",9,2,0') == 50
    assert host.code('AT+MIPCFG="encoding",9,1,1') == 0
    assert host.code('AT+MIPCFG="rcvbuf",9,4096') == 0
    assert host.lines('AT+MIPCFG="rcvbuf",9')[0] == b'+MIPCFG: "rcvbuf",9,4096'
    assert make_host("ML307C").code('AT+MIPCFG="rcvbuf",0,4096') == 50


def test_ml307h_takes_five_contexts(make_host):
    host = make_host("ML307H-DU")
    assert [host.code(f'AT+MIPCFG="cid",0,{cid}') for cid in (1, 5, 6)] == [0, 0, 50]


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("ML307C", 64240),
        ("ML307M", 64240),
        ("ML307N", 64240),
        ("ML307X", 65534),
        ("ML307Y", 65534),
        ("ML307H-DU", 65535),
        ("MR880A", 65535),
        ("MN316A", 2048),
        ("MN319", 2048),
    ],
)
def test_windows(make_host, model, window):
    shown = make_host(model).lines('AT+MIPCFG="rcvbuf",0')[0]
    assert shown == b'+MIPCFG: "rcvbuf",0,%d' % window


@pytest.mark.parametrize(
    ("model", "speed"),
    [("ML307M", 9600), ("ML307N", 9600), ("ML305M", 9600), ("ML307X", 115200), ("ML307H", 115200)],
)
def test_speed_as_delivered(make_host, model, speed):
    host = make_host(model, baud="factory")
    assert host.module.baud == speed
    assert host.lines("AT+IPR?")[0] == b"+IPR: %d" % speed
    assert make_host(model).module.baud == 115200


@pytest.mark.parametrize("model", ["ML307C", "ML307R", "ML307A"])
def test_auto_baud_as_delivered(make_host, model):
    assert make_host(model, baud="factory").lines("AT+IPR?")[0] == b"+IPR: 0"


@pytest.mark.parametrize(
    ("model", "values", "asleep"),
    [
        ("ML307C", {"sleepmode": (0, 2), "sleepind": (0, 2), "delaysleep": (0, 300)}, 0),
        ("ML307H-DU", {"sleepmode": (0, 2), "sleepind": (0, 2), "delaysleep": (0, 300)}, 0),
        ("ML307M", {"sleepmode": (0, 2)}, 2),
        ("ML307N", {"sleepmode": (0, 2)}, 2),
        ("ML305U", {"sleepmode": (0, 2)}, 2),
        (
            "ML307X",
            {"sleepmode": (0, 1), "sleepind": (0, 1), "delaysleep": (0, 255), "dtr": (0, 1)},
            1,
        ),
        ("ML307Y", {"sleepmode": (0, 1), "dtr": (0, 1)}, 1),
    ],
)
def test_power_saving_settings(make_host, model, values, asleep):
    host = make_host(model, sleepmode="factory")
    assert host.lines('AT+MLPMCFG="sleepmode"')[0] == b'+MLPMCFG: "sleepmode",%d' % asleep
    for name, accepted in values.items():
        for value in accepted:
            assert host.code(f'AT+MLPMCFG="{name}",{value}') == 0
        assert host.code(f'AT+MLPMCFG="{name}",{accepted[-1] + 1}') == 50
    for name in (
        {"sleepind", "delaysleep", "dtr"}
        - set(values)
        - ({"sleepind", "delaysleep"} if model == "ML307Y" else set())
    ):
        assert host.code(f'AT+MLPMCFG="{name}",0') == 50


def test_mr880a_has_no_power_saving_and_mn319_only_a_permanent_one(make_host):
    assert make_host("MR880A").lines('AT+MLPMCFG="sleepmode",0') == [b"ERROR"]
    host = make_host("MN319")
    assert host.code('AT+MLPMCFG="sleepmode",0') == 50
    assert host.code('AT+MLPMCFG="sleepmode",0,0') == 50
    assert host.code('AT+MLPMCFG="sleepmode",0,1') == 0


@pytest.mark.parametrize(
    ("model", "absent", "present"),
    [
        ("ML307C", ["AT&F", "ATZ", "AT+CREG?", "AT+CCID"], ["AT&W"]),
        ("ML307M", ["ATZ", "AT+GSN"], ["AT&F"]),
        ("ML307N", ["ATZ", "AT+GSN"], ["AT&F"]),
        ("ML307X", ["AT&F", "ATZ", "AT+CCID"], ["AT+CREG?", "AT+GSN"]),
    ],
)
def test_commands_that_are_not_everywhere(make_host, model, absent, present):
    host = make_host(model)
    assert [host.lines(command) for command in absent] == [[b"ERROR"]] * len(absent)
    assert [host.code(command) for command in present] == [0] * len(present)


@pytest.mark.parametrize("model", ["ML307X", "ML307H-DU"])
def test_no_words_for_errors(make_host, model):
    host = make_host(model)
    assert host.code("AT+CMEE=2") == 50
    assert host.lines("AT+CMEE=?")[0] == b"+CMEE: (0-1)"
    assert make_host("ML307C").code("AT+CMEE=2") == 0


def test_ml307x_pads_the_sim_number(make_host):
    host = make_host("ML307X", iccid="89860000000000000001")
    assert host.lines("AT+MCCID")[0] == b"+MCCID: 89860000000000000001F"
    assert host.lines("AT+ICCID")[0] == b"+ICCID: 89860000000000000001"


@pytest.mark.parametrize("model", ["ML307M", "ML307N", "ML307X"])
def test_the_only_context_stays(make_host, model):
    host = make_host(model)
    assert host.code("AT+MIPCALL=0,1") == 572
    assert host.lines("AT+MIPCALL?")[0].startswith(b"+MIPCALL: 1,1,")
    host.code('AT+CGDCONT=2,"IP","other"')
    assert host.lines("AT+MIPCALL=1,2")[0] == b"OK"
    assert host.lines("AT+MIPCALL=0,1") == [b"OK", b"+MIPCALL: 1,0"]


@pytest.mark.parametrize("name", ["ML999", "ML302", "EC801E", ""])
def test_names_that_are_no_series(name):
    with pytest.raises(ValueError, match="known series: MN316"):
        Module(name)
