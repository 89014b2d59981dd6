# SPDX-License-Identifier: MIT
"""One option of a context set or read alone (manual 3.1), and the list of options."""

import pytest
from onemo import AUTH_MUTUAL, AUTH_NONE, AUTH_SERVER, HEX, TLS1_0, TLS1_1, TLS1_2, TLS_ANY
from onemo.errors import CommandError, ProtocolError, Unsupported, VerifyError
from onemo.net_links import names_of
from onemo.tls_rows import OPTIONS

from tests_host.sockets.conftest import AioRig

ALONE = [
    ("auth", AUTH_SERVER, "1", AUTH_SERVER),
    ("auth", AUTH_NONE, "0", AUTH_NONE),
    ("cert", "ca.pem", '"ca.pem"', ("ca.pem", None, None)),
    ("cert", ("ca.pem", "c", "k"), '"ca.pem","c","k"', ("ca.pem", "c", "k")),
    ("cert", (None, "c", "k"), '"","c","k"', (None, "c", "k")),
    ("cert", ("ca.pem", "c"), '"ca.pem","c",""', ("ca.pem", "c", None)),
    ("cert", None, '"","",""', (None, None, None)),
    ("encoding", 2, "2", 2),
    ("negotime", 10, "10", 10),
    ("negotime_s", 300, "300", 300),
    ("version", TLS1_1, "2", TLS1_1),
    ("version", TLS_ANY, "255", TLS_ANY),
    ("ciphersuite", 0xC02F, "C02F", 0xC02F),
    ("ciphersuite", 0, "0", 0),
    ("session", False, "0", False),
    ("session", 1, "1", True),
    ("ignorestamp", False, "0", False),
    ("ignoreverify", True, "1", True),
]
NAMES = {"negotime_s": "negotime", "pskid": "psk"}


@pytest.mark.parametrize(("option", "value", "typed", "kept"), ALONE)
@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_one_option_alone(rigs, option, value, typed, kept, omitted):
    rig = rigs(cert_omitted=omitted)
    rig.module.contexts.set(3, "cert", ("old", "", ""))
    before = dict(rig.module.contexts._set)
    tls = rig.modem.tls(3)
    first = len(rig.module.commands)
    tls.set(option, value)
    sent = rig.module.commands[first:]
    name = NAMES.get(option, option)
    assert sent[0] == f'AT+MSSLCFG="{name}",3,{typed}'.encode()
    assert sent[-1] == f'AT+MSSLCFG="{name}",3'.encode()  # read back
    found = tls.get(option)
    assert found == kept
    assert type(found) is type(kept)
    assert tls.get(name) == kept
    changed = {key for key, new in rig.module.contexts._set.items() if before.get(key) != new}
    assert changed <= {(3, name)}
    assert not tls.configured()


def test_a_psk_alone(rigs):
    rig = rigs("MN316-S")
    tls = rig.modem.tls(0)
    for option, name in (("psk", "1"), ("pskid", "2")):
        tls.set(option, name)
        assert tls.get("psk") == tls.get("pskid") == name
    tls.set("psk", None)
    assert tls.get("psk") is None
    assert b'AT+MSSLCFG="psk",0,"1"' in rig.module.commands


@pytest.mark.parametrize("series", ["ML307R", "MN316", "MN316-S"])
def test_a_fresh_context_read_option_by_option_is_what_read_says(rigs, series):
    tls = rigs(series).modem.tls(1)
    for configured in (False, True):
        if configured:
            tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="c", key="k", ciphersuite=0xC02F)
        whole = tls.read()
        for option in OPTIONS:
            if option == "psk" and series == "ML307R":
                with pytest.raises(Unsupported, match="note 3"):
                    tls.get(option)
            elif option == "cert":
                assert tls.get(option) == (whole["ca"], whole["cert"], whole["key"])
            else:
                name = {"negotime": "negotime_s", "psk": "pskid"}.get(option, option)
                assert tls.get(option) == tls.get(name) == whole[name]


BAD = [
    ("auth", 3, ValueError, "auth is 3"),
    ("auth", True, ValueError, "auth is True"),
    ("auth", "1", ValueError, "auth is '1'"),
    ("auth", None, ValueError, "auth is None"),
    ("cert", "", ValueError, "ca"),
    ("cert", 'a"b', ValueError, "quote"),
    ("cert", ("ca", "c" * 65), ValueError, "65"),
    ("cert", (), TypeError, "tuple of"),
    ("cert", ("a", "b", "c", "d"), TypeError, "tuple of"),
    ("cert", b"ca.pem", TypeError, "tuple of"),
    ("cert", (b"ca.pem",), TypeError, "must be a str"),
    ("encoding", 3, ValueError, "encoding is 3"),
    ("encoding", "2", TypeError, "encoding"),
    ("encoding", HEX, Unsupported, "note 4"),
    ("negotime", 9, ValueError, "10 to 300"),
    ("negotime_s", 301, ValueError, "10 to 300"),
    ("negotime", 45.0, TypeError, "int"),
    ("version", 4, ValueError, "version is 4"),
    ("version", False, ValueError, "version is False"),
    ("ciphersuite", 0x05, ValueError, "allow_broken"),
    ("ciphersuite", 0x1301, ValueError, "not in manual"),
    ("ciphersuite", "C02F", TypeError, "int"),
    ("ciphersuite", None, TypeError, "int"),
    ("session", "yes", TypeError, "True or False"),
    ("ignorestamp", 2, TypeError, "True or False"),
    ("ignoreverify", None, TypeError, "True or False"),
    ("psk", "1", Unsupported, "note 3"),
    ("pskid", "1", Unsupported, "note 3"),
    ("ca", "ca.pem", ValueError, "must be one of auth, cert, psk"),
    ("sni_", True, ValueError, "must be one of"),
    ("", 1, ValueError, "must be one of"),
    (None, 1, ValueError, "must be one of"),
]


@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize(("option", "value", "error", "says"), BAD)
def test_what_configure_refuses_is_refused_with_nothing_sent(
    rig, configured, option, value, error, says
):
    tls = rig.modem.tls(0)
    if configured:
        tls.configure(ca="ca.pem")
    sent = rig.uart.bytes_written
    with pytest.raises(error, match=says):
        tls.set(option, value)
    assert rig.uart.bytes_written == sent
    if configured:
        tls.configure(ca="ca.pem")  # and nothing of it was taken over
        assert tls.read()["auth"] == AUTH_SERVER


def test_a_broken_suite_by_request(rig):
    tls = rig.modem.tls(1)
    tls.set("ciphersuite", 0x2D, allow_broken=True)
    assert b'AT+MSSLCFG="ciphersuite",1,2D' in rig.module.commands
    assert tls.get("ciphersuite") == 0x2D


def test_a_configured_context_keeps_it_over_a_reboot(rig):
    tls = rig.modem.tls(2)
    tls.configure(ca="ca.pem")
    tls.set("negotime_s", 90)
    tls.set("session", False)
    tls.set("cert", "other.pem")
    assert names_of(tls.noted()) == ["other.pem"]
    rig.modem.reboot()
    assert tls.get("negotime_s") == 300
    rig.modem.restore()
    found = tls.read()
    assert (found["negotime_s"], found["session"], found["ca"]) == (90, False, "other.pem")
    tls.configure(ca="ca.pem")  # which leaves nothing of it
    assert tls.read()["negotime_s"] == 45


def test_what_would_not_go_together_is_refused(rig):
    tls = rig.modem.tls(0)
    tls.configure(AUTH_NONE)
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="ca="):
        tls.set("auth", AUTH_SERVER)
    with pytest.raises(ValueError, match="ca="):
        tls.set("auth", AUTH_MUTUAL)
    assert rig.uart.bytes_written == sent
    tls.set("cert", "ca.pem")
    tls.set("auth", AUTH_SERVER)
    with pytest.raises(ValueError, match="AUTH_MUTUAL needs"):
        tls.set("auth", AUTH_MUTUAL)
    with pytest.raises(ValueError, match="ca="):
        tls.set("cert", None)
    tls.set("ignoreverify", True)
    tls.set("cert", None)
    with pytest.raises(ValueError, match="ca="):
        tls.set("ignoreverify", False)


# What modules do with it


@pytest.mark.parametrize(
    ("option", "value"),
    [("auth", 1), ("cert", "ca.pem"), ("version", 2), ("session", False), ("ignoreverify", True)],
)
def test_a_setting_that_is_ignored_with_ok_is_seen(rigs, option, value):
    rig = rigs(ignored_options=frozenset({option}))
    with pytest.raises(VerifyError, match=f"keeps {option} of TLS context 0"):
        rig.modem.tls(0).set(option, value)


@pytest.mark.parametrize("code", ["50", "4", "762", "100"])
def test_a_refusal_is_the_modules(rig, code):
    rig.module.reply(b'AT+MSSLCFG="auth",0,1', b"+CME ERROR: " + code.encode(), 3)
    with pytest.raises(CommandError) as caught:
        rig.modem.tls(0).set("auth", AUTH_SERVER)
    assert caught.value.code == int(code)


def test_an_option_that_the_firmware_lacks(rigs):
    rig = rigs(absent_options=frozenset({"version"}))
    told = []
    rig.modem.on_event(lambda kind, text: told.append(kind))
    tls = rig.modem.tls(0)
    with pytest.raises(Unsupported, match="no version"):
        tls.set("version", TLS1_0)
    tls.set("version", TLS1_2)  # its default, which configure() tells as absent
    assert told == ["absent"]
    assert tls.get("version") is None
    assert "version" not in tls.options()


def test_every_context_of_an_option_that_the_firmware_lacks(rigs):
    tls = rigs(absent_options=frozenset({"version"})).modem.tls(0)
    tls.configure(ca="ca.pem")
    with pytest.raises(Unsupported, match=r"the module's firmware has no version \(MSSLCFG\)"):
        tls.read_all("version")


def test_a_value_that_is_another_each_time_is_none(rig):
    for value in (0, 1, 2, 3):
        rig.module.reply(
            b'AT+MSSLCFG="version",0', b"OK", lines=[b'+MSSLCFG: "version",0,%d' % value]
        )
    with pytest.raises(ProtocolError, match="the module says 3 of version, then something else"):
        rig.modem.tls(0).get("version")


def test_an_encoding_is_one_for_all(rigs):
    rig = rigs("MN316-S")
    tls = rig.modem.tls(0)
    tls.set("encoding", HEX)
    assert rig.modem.certs.encoding == HEX
    rig.module.reply(b'AT+MSSLCFG="encoding",0,0', b"+CME ERROR: 50", 3)
    with pytest.raises(CommandError):
        tls.set("encoding", 0)
    assert rig.modem.certs.encoding == HEX


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 50", b"+CME ERROR: 762", b"ERROR"])
def test_the_short_form_refused_is_the_long_one(rig, refusal):
    rig.module.reply(b'AT+MSSLCFG="cert",0,"ca.pem"', refusal)
    rig.modem.tls(0).set("cert", "ca.pem")
    assert b'AT+MSSLCFG="cert",0,"ca.pem","",""' in rig.module.commands
    assert rig.module.contexts.names(0) == ("ca.pem", "", "")


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 50", b"+CME ERROR: 762", b"ERROR"])
def test_the_long_form_refused_is_the_short_one(rig, refusal):
    rig.module.reply(b'AT+MSSLCFG="cert",0,"ca.pem",""', refusal, 3)
    rig.modem.tls(0).configure(ca="ca.pem")
    assert b'AT+MSSLCFG="cert",0,"ca.pem"' in rig.module.commands
    assert rig.modem.tls(0).get("cert") == ("ca.pem", None, None)


def test_a_name_is_never_shifted_to_where_another_belongs(rig):
    rig.module.reply(b'AT+MSSLCFG="cert",0,"ca.pem","","k"', b"+CME ERROR: 50", 3)
    with pytest.raises(CommandError):
        rig.modem.tls(0).set("cert", ("ca.pem", None, "k"))
    assert not any(b'"ca.pem","k"' in command for command in rig.module.commands)


# The list of options


@pytest.mark.parametrize("form", ["lines", "list"])
@pytest.mark.parametrize("series", ["ML307R", "MN316-S"])
def test_the_options_are_listed_in_either_form(rigs, form, series):
    rig = rigs(series, mssl_test=form)
    expected = [name for name in OPTIONS if name != "psk" or series == "MN316-S"]
    assert rig.modem.tls(0).options() == expected


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (b'+MSSLCFG: "auth",(0-5),(0-2)\r\n+MSSLCFG: "cert",(0-5)', ["auth", "cert"]),
        (b"+MSSLCFG: (auth,cert,encoding,negotime)", ["auth", "cert", "encoding", "negotime"]),
        (b'+MSSLCFG:"auth"', ["auth"]),
        (b'+MSSLCFG: "auth",(0:5),"cert"', ["auth", "cert"]),
        (b"+MSSLCFG:auth,cert", ["auth", "cert"]),
        (b"+MSSLCFG: ()", []),
        (b"+MSSLCFG: (((0-5),(1,2", []),
        (b'+MSSLCFG: "au\xffth",(0-5),"sni"', ["sni"]),
    ],
)
def test_other_spellings_of_that_list(rig, shown, found):
    rig.module.reply(b"AT+MSSLCFG=?", shown + b"\r\n\r\nOK")
    assert rig.modem.tls(0).options() == found


# Who needs no CA


@pytest.mark.parametrize("series", ["ML307R", "MN316-S"])
def test_server_authentication_without_a_ca_if_nothing_is_verified(rigs, series):
    tls = rigs(series).modem.tls(0)
    tls.configure(AUTH_SERVER, ignoreverify=True)
    found = tls.read()
    assert (found["auth"], found["ca"], found["ignoreverify"]) == (AUTH_SERVER, None, True)
    assert tls.checks_dates() is False


def test_server_authentication_without_a_ca_with_a_psk(rigs):
    tls = rigs("MN316-S").modem.tls(0)
    tls.configure(AUTH_SERVER, pskid="1")
    assert tls.read()["pskid"] == "1"
    assert tls.checks_dates() is False


@pytest.mark.parametrize("more", [{"pskid": "1"}, {"ignoreverify": True}])
@pytest.mark.parametrize("missing", ["ca", "cert", "key"])
def test_mutual_authentication_needs_all_three(rigs, more, missing):
    rig = rigs("MN316-S")
    names = {"ca": "a", "cert": "b", "key": "c"} | {missing: None}
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match=f"{missing}="):
        rig.modem.tls(0).configure(AUTH_MUTUAL, **names, **more)
    assert rig.uart.bytes_written == sent


# What configure() leaves as it is


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("negotime_s", "negotime", 111),
        ("version", "version", TLS1_1),
        ("ciphersuite", "ciphersuite", 0xC02F),
        ("session", "session", False),
        ("ignorestamp", "ignorestamp", True),
        ("ignoreverify", "ignoreverify", True),
    ],
)
def test_none_leaves_an_option_as_it_is(rig, name, option, value):
    tls = rig.modem.tls(0)
    tls.set(option, value)
    first = len(rig.module.commands)
    tls.configure(ca="ca.pem", **{name: None})
    assert not any(option.encode() in command for command in rig.module.commands[first:])
    found = tls.read()
    assert found[name] == value
    assert {key for key in found if found[key] is None} == {"cert", "key", "pskid"}
    rig.module.contexts.set(0, option, (255 if name == "version" else 0,))
    rig.module.store.objects[1, "ca.pem"] = b"a CA"
    rig.modem.run_operation(tls.verify_op())  # nor is it looked at before a connection
    different = []

    def look():
        different.append((yield from tls.difference_op()))

    rig.modem.run_operation(look())
    assert different == [None]
    tls.set(option, value)
    rig.modem.reboot()
    rig.modem.restore()
    assert tls.get(option) == value  # set() makes it one that is asked for
    tls.configure(ca="ca.pem")
    assert tls.get(option) != value


def test_none_for_an_option_that_the_firmware_lacks(rigs):
    rig = rigs(absent_options=frozenset({"version"}))
    told = []
    rig.modem.on_event(lambda kind, text: told.append(kind))
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem", version=None)
    assert told == []
    rig.modem.tls(1).configure(ca="ca.pem")
    assert told == ["absent"]
    tls.configure(ca="ca.pem", version=None)
    assert tls.get("version") is None
    assert tls.read()["version"] is None


@pytest.mark.parametrize("name", ["auth", "ca"])
def test_none_for_what_decides_who_is_verified_is_refused(rig, name):
    with pytest.raises(ValueError, match=name):
        rig.modem.tls(0).configure(**({"ca": "ca.pem"} | {name: None}))
    with pytest.raises(ValueError, match="ca="):
        rig.modem.tls(0).configure(ignoreverify=None)


def test_with_asyncio():
    with AioRig() as rig:

        async def job():
            tls = rig.aio.tls(1)
            await tls.set("negotime_s", 77)
            with pytest.raises(ValueError, match="10 to 300"):
                tls.set("negotime_s", 7)
            assert await tls.options() == [name for name in OPTIONS if name != "psk"]
            return await tls.get("negotime_s")

        assert rig.run(job()) == 77
        assert rig.module.violations == []


# Commands as people paste them


PASTED = ["+CSQ", "AT+CSQ", "at+csq", "AT+CSQ\r", "at+csq\r\n", "+csq", "AT+Csq"]


@pytest.mark.parametrize("text", PASTED)
@pytest.mark.parametrize("kind", [str, bytes])
def test_a_pasted_command(rig, text, kind):
    given = text if kind is str else text.encode()
    assert rig.modem.command(given) == [b"+CSQ: 24,99"]
    assert rig.module.commands[-1].upper() == b"AT+CSQ"


@pytest.mark.parametrize("text", ["AT", "at\r", "ATI", "ati\r\n", "AT+MSSLCFG=?", "ate0"])
def test_other_pasted_commands(rig, text):
    rig.modem.command(text)
    assert rig.module.commands[-1].decode() == "AT" + text.rstrip()[2:]


def test_a_pasted_secret_stays_one(rigs):
    seen = []
    rig = rigs("MN316-S", driver={"trace": lambda way, data: seen.append(data)})
    secret = "b7" * 16
    for text in (f'AT+MSSLPSK="1","{secret}"', f'at+msslpsk="2","{secret}"\r\n'):
        rig.modem.command(text)
    assert len(rig.modem.certs.list(3)) == 2
    assert not any(secret.encode() in data for data in seen)


@pytest.mark.parametrize("text", ["+A\r+B", "AT+CSQ\r\nAT+CSQ\r", "\r+CSQ", "", "+A\n\n+B"])
def test_two_commands_are_none(rig, text):
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match=r"line end|characters"):
        rig.modem.command(text)
    assert rig.uart.bytes_written == sent
