# SPDX-License-Identifier: MIT
"""What configuring a TLS context says on the line, command by command, when the module keeps it,
refuses it, forgets it, or does something else; and the sentences about it."""

import pytest
from onemo import AUTH_MUTUAL, AUTH_SERVER, TLS1_1, TLS_ANY
from onemo.errors import CommandError, Unsupported, VerifyError
from onemo.net_links import names_of
from rigs import unknown

from tests_host.sockets.conftest import HOST, network

SET = [
    b'AT+MSSLCFG="auth",1,1',
    b'AT+MSSLCFG="cert",1,"ca.pem","",""',
    b'AT+MSSLCFG="encoding",1,2',
    b'AT+MSSLCFG="negotime",1,45',
    b'AT+MSSLCFG="version",1,3',
    b'AT+MSSLCFG="ciphersuite",1,0',
    b'AT+MSSLCFG="session",1,1',
    b'AT+MSSLCFG="ignorestamp",1,0',
    b'AT+MSSLCFG="ignoreverify",1,0',
]
READ = [line[: line.index(b",") + 2] for line in SET]
TEST = b"AT+MSSLCFG=?"


def without(lines, name):
    return [line for line in lines if b'"%s"' % name.encode() not in line]


def of(lines, name):
    return next(line for line in lines if b'"%s"' % name.encode() in line)


@pytest.fixture
def told(rigs):
    """Makes rigs: `rig.told` has the events."""

    def make(*args, **settings):
        rig = rigs(*args, **settings)
        rig.told = []
        rig.modem.on_event(lambda kind, text: rig.told.append((kind, text)))
        rig.module.commands.clear()
        return rig

    return make


def test_every_option_is_sent_and_read(told):
    rig = told()
    assert rig.modem.tls(1).configure(ca="ca.pem") is None
    assert rig.module.commands == SET + READ
    assert rig.told == []


def test_what_is_left_as_it_is_is_not_spoken_of(told):
    rig = told()
    rig.modem.tls(1).configure(ca="ca.pem", version=None, session=None, ignorestamp=None)
    for name in ("version", "session", "ignorestamp"):
        assert not [line for line in rig.module.commands if name.encode() in line]
    assert len(rig.module.commands) == len(SET + READ) - 6


def test_the_names_of_all_three_and_a_psk(told):
    rig = told("MN316")
    rig.modem.tls(1).configure(
        AUTH_MUTUAL, ca="ca.pem", cert="my.pem", key="my.key", pskid="id", ciphersuite=0xC02F
    )
    assert b'AT+MSSLCFG="cert",1,"ca.pem","my.pem","my.key"' in rig.module.commands
    assert b'AT+MSSLCFG="psk",1,"id"' in rig.module.commands
    assert b'AT+MSSLCFG="ciphersuite",1,C02F' in rig.module.commands


def test_noted_settings_are_sent_when_they_are_needed(told):
    rig = told()
    tls = rig.modem.tls(1)
    assert tls.configured() is False and names_of(tls.noted()) == []
    tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="my.pem", key="my.key", send=False)
    assert rig.module.commands == []
    assert tls.configured() is True
    assert names_of(tls.noted()) == ["ca.pem", "my.pem", "my.key"]


def test_a_psk_is_among_the_names_that_are_used(rigs):
    tls = rigs("MN316").modem.tls(1)
    tls.configure(pskid="id", ca="ca.pem", send=False)
    assert names_of(tls.noted()) == ["ca.pem", "id"]


def test_a_psk_that_is_not_told_is_none_at_a_connection(told):
    rig = told("MN316", network=network(), mipcfg_ssl=True)
    rig.modem.attach()
    tls = rig.modem.tls(1)
    tls.configure(0)
    rig.module.commands.clear()
    rig.module.reply(b'AT+MSSLCFG="psk",1', b"OK")
    rig.modem.connect(HOST, 7, tls)
    assert [line for line in rig.module.commands if b'"psk"' in line] == [b'AT+MSSLCFG="psk",1']


@pytest.mark.parametrize(
    ("settings", "checks"),
    [
        ({"ca": "ca.pem"}, True),
        ({"ca": "ca.pem", "ignorestamp": True}, False),
        ({"ca": "ca.pem", "ignorestamp": None}, True),
        ({"ca": "ca.pem", "ignoreverify": True}, False),
        ({"auth": 0, "ca": "ca.pem"}, False),
        ({"ignoreverify": True}, False),
        ({"pskid": "id"}, False),
    ],
)
def test_whether_dates_count(rigs, settings, checks):
    tls = rigs("MN316").modem.tls(1)
    tls.configure(**settings, send=False)
    assert tls.checks_dates() is checks


# Absent options


@pytest.mark.parametrize("unknown", ["50", "ok"])
@pytest.mark.parametrize("name", ["negotime", "version", "ciphersuite", "session", "ignorestamp"])
def test_an_absent_option_costs_four_commands_and_is_not_sent_again(told, name, unknown):
    rig = told(
        "ML307C", absent_options=frozenset({name}), unknown_option=unknown, mssl_test="list"
    )
    rig.modem.tls(1).configure(ca="ca.pem")
    asked = [line for line in rig.module.commands if b'"%s"' % name.encode() in line]
    set_, read = of(SET, name), of(READ, name)
    assert asked in ([set_, read, read], [set_, read, set_, read, read], [set_, read, set_, read])
    rest = [line for line in rig.module.commands if line not in (*asked, TEST)]
    assert rest == without(SET, name) + without(READ, name)
    rig.module.commands.clear()
    rig.modem.tls(1).configure(ca="ca.pem")
    assert rig.module.commands == without(SET, name) + without(READ, name)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ({"session"}, ["the module's firmware has no session (MSSLCFG)"]),
        (
            {"version"},
            [
                "the module's firmware has no version (MSSLCFG): "
                "it may accept versions before TLS 1.2"
            ],
        ),
        (
            {"negotime", "ignorestamp"},
            [
                "the module's firmware has no negotime_s (MSSLCFG)",
                "the module's firmware has no ignorestamp (MSSLCFG): "
                "it may not check the dates of certificates",
            ],
        ),
    ],
)
def test_absent_options_are_told_and_shown(told, names, text):
    rig = told("ML307C", absent_options=frozenset(names), mssl_test="list")
    tls = rig.modem.tls(1)
    assert repr(tls) == "<TLSContext 1>"
    tls.configure(ca="ca.pem")
    assert rig.told == [("absent", line) for line in text]
    assert set(rig.modem.absent) == names
    shown = "<TLSContext 1, the firmware has no %s%s>"
    dates = ": dates may go unchecked" if "ignorestamp" in names else ""
    assert repr(tls) == shown % (", ".join(rig.modem.absent), dates)


def test_an_absent_option_that_was_asked_for_is_an_error_that_says_what_to_do(told):
    rig = told("ML307C", absent_options=frozenset({"version"}), mssl_test="list")
    for _ in range(2):  # found out, and known
        with pytest.raises(Unsupported) as caught:
            rig.modem.tls(1).configure(ca="ca.pem", version=TLS_ANY)
        assert str(caught.value) == (
            "the module's firmware has no version, so it cannot be set to 255; leave it at 3"
        )
        rig.modem.tls(1).configure(ca="ca.pem")


@pytest.mark.parametrize("name", ["auth", "cert"])
@pytest.mark.parametrize("code", [50, 4, None])
def test_what_must_be_there_is_no_absent_option(told, name, code):
    rig = told(mssl_test="list")
    answer = b"ERROR" if code is None else b"+CME ERROR: %d" % code
    rig.module.reply(b'AT+MSSLCFG="%s",1' % name.encode(), answer, times=20)
    with pytest.raises(CommandError) as caught:
        rig.modem.tls(1).configure(ca="ca.pem")
    assert caught.value.code == code
    assert rig.modem.absent == () and rig.told == []


@pytest.mark.parametrize("code", [3, 100, 752])
def test_a_refusal_for_another_reason_makes_no_option_absent(told, code):
    rig = told(mssl_test="list")
    rig.module.reply(b'AT+MSSLCFG="session",1', b"+CME ERROR: %d" % code, times=20)
    with pytest.raises(CommandError) as caught:
        rig.modem.tls(1).configure(ca="ca.pem")
    assert caught.value.code == code
    assert rig.modem.absent == ()


@pytest.mark.parametrize("listed", [True, False])
def test_an_ignoreverify_that_stays_on_is_an_error_whatever_is_listed(told, listed):
    hidden = frozenset() if listed else frozenset({"ignoreverify"})
    rig = told(ignored_options=frozenset({"ignoreverify"}), unlisted_options=hidden)
    rig.module.contexts.set(1, "ignoreverify", (1,))
    with pytest.raises(VerifyError) as caught:
        rig.modem.tls(1).configure(ca="ca.pem")
    assert str(caught.value) == (
        "the module keeps ignoreverify of TLS context 1 at 1, not 0; no connection is safe with it"
    )
    assert rig.modem.absent == ()


@pytest.mark.parametrize("form", ["lines", "list"])
@pytest.mark.parametrize("name", ["version", "ciphersuite", "session", "negotime"])
@pytest.mark.parametrize("listed", [True, False])
def test_an_option_that_is_ignored_is_absent_only_where_it_is_not_listed(told, name, listed, form):
    hidden = frozenset() if listed else frozenset({name})
    rig = told(ignored_options=frozenset({name}), unlisted_options=hidden, mssl_test=form)
    odd = {"version": 255, "ciphersuite": 5, "session": 0, "negotime": 300}[name]
    rig.module.contexts.set(1, name, (odd,))
    if listed:
        with pytest.raises(VerifyError, match=f"keeps {name} of TLS context 1 at {odd}, not"):
            rig.modem.tls(1).configure(ca="ca.pem")
        assert rig.modem.absent == ()
    else:
        rig.modem.tls(1).configure(ca="ca.pem")
        assert rig.modem.absent == (name,)


@pytest.mark.parametrize("answer", [b"OK", b"+CME ERROR: 50"])
def test_without_a_list_an_ignored_option_is_an_error(told, answer):
    # A test form that lists no "auth" is no list of options.
    rig = told(ignored_options=frozenset({"version"}))
    rig.module.contexts.set(1, "version", (255,))
    rig.module.reply(TEST, answer, lines=[b'+MSSLCFG: "session"'] if answer == b"OK" else [])
    if answer == b"OK":
        with pytest.raises(VerifyError, match="version"):
            rig.modem.tls(1).configure(ca="ca.pem")
    else:
        with pytest.raises(VerifyError, match="version"):
            rig.modem.tls(1).configure(ca="ca.pem")
    assert rig.modem.absent == ()


def test_a_value_that_was_not_kept_once_is_sent_again(told):
    rig = told()
    rig.module.reply(b'AT+MSSLCFG="version",1,3', b"OK")  # said, and not done
    rig.modem.tls(1).configure(ca="ca.pem")
    expected = [*SET, *READ]
    at = expected.index(b'AT+MSSLCFG="version",1') + 1
    assert rig.module.commands == [
        *expected[:at],
        b'AT+MSSLCFG="version",1,3',
        b'AT+MSSLCFG="version",1',
        *expected[at:],
    ]
    assert rig.module.contexts.value(1, "version") == 3


def test_a_plain_error_may_be_a_damaged_line(told):
    rig = told()
    rig.module.reply(b'AT+MSSLCFG="session",1,1', b"ERROR")
    rig.modem.tls(1).configure(ca="ca.pem")
    assert rig.module.commands.count(b'AT+MSSLCFG="session",1,1') == 2
    assert rig.modem.absent == () and rig.told == []


def test_a_numbered_error_of_an_option_that_is_there_stays_one(told):
    rig = told()
    rig.module.reply(b'AT+MSSLCFG="session",1,1', b"+CME ERROR: 50")
    with pytest.raises(CommandError) as caught:
        rig.modem.tls(1).configure(ca="ca.pem")
    assert caught.value.code == 50
    assert rig.module.commands.count(b'AT+MSSLCFG="session",1,1') == 1


# Names that are left out, and 0x


def test_a_module_that_knows_no_empty_name_gets_shorter_lists(told):
    rig = told()
    rig.module.reply(SET[1], b"+CME ERROR: 50", times=None)
    rig.modem.tls(1).configure(ca="ca.pem")
    sent = [line for line in rig.module.commands if b'"cert",1,' in line]
    assert sent == [SET[1], b'AT+MSSLCFG="cert",1,"ca.pem"']


def test_only_the_last_names_are_left_out(told):
    rig = told()
    full = b'AT+MSSLCFG="cert",1,"ca.pem","my.pem",""'
    rig.module.reply(full, b"+CME ERROR: 50")
    rig.modem.tls(1).configure(0, ca="ca.pem", cert="my.pem")
    sent = [line for line in rig.module.commands if b'"cert",1,' in line]
    assert sent == [full, b'AT+MSSLCFG="cert",1,"ca.pem","my.pem"']


def test_a_module_that_knows_no_empty_psk_gets_none(told):
    rig = told("MN316")
    rig.module.reply(b'AT+MSSLCFG="psk",1,""', b"+CME ERROR: 50", times=None)
    rig.modem.tls(1).configure(ca="ca.pem")
    sent = [line for line in rig.module.commands if b'"psk",1' in line]
    assert sent == [b'AT+MSSLCFG="psk",1,""', b'AT+MSSLCFG="psk",1']


@pytest.mark.parametrize("absent", ["", "version", "session"])
def test_what_is_there_already_differs_in_nothing(told, tmp_path, absent):
    rig = told("ML307C", absent_options=frozenset({absent} - {""}), mssl_test="list")
    profile = {"objects": [], "contexts": [{"ssl_id": 1, "auth": "none"}]}
    journal = str(tmp_path / "onemo.rotate")
    assert rig.modem.sync(profile, journal=journal) == [("configure", 1)]
    modem = rig.new_driver()
    modem.start()
    rig.module.commands.clear()
    assert modem.sync(profile, journal=journal) == []
    assert modem.absent == ((absent,) if absent else ())
    assert not [line for line in rig.module.commands if line.count(b",") > 1]
    rig.module.contexts.set(1, "negotime", (300,))
    assert modem.sync(profile, journal=journal) == [("configure", 1)]


def test_names_like_numbers_are_compared_where_they_stand(told):
    rig = told()
    other = b'+MSSLCFG: "cert",1,"ca.pem","2","2"'
    rig.module.reply(b'AT+MSSLCFG="cert",1', b"OK", times=None, lines=[other])
    with pytest.raises(VerifyError, match="keeps cert of TLS context 1 at"):
        rig.modem.tls(1).configure(AUTH_MUTUAL, ca="ca.pem", cert="1", key="1")


def test_what_is_looked_at_is_asked_for_once_and_again_where_it_is_refused(told, tmp_path):
    rig = told()
    profile = {"objects": [], "contexts": [{"ssl_id": 1, "auth": "none"}]}
    journal = str(tmp_path / "onemo.rotate")
    rig.modem.sync(profile, journal=journal)
    rig.module.commands.clear()
    rig.module.reply(b'AT+MSSLCFG="version",1', b"+CME ERROR: 50")
    assert rig.modem.sync(profile, journal=journal) == []
    at = READ.index(b'AT+MSSLCFG="version",1')
    asked = [line for line in rig.module.commands if b"MSSLCFG" in line]
    assert asked == [*READ[: at + 1], *READ[at:]]
    assert rig.modem.absent == () and rig.told == []


def test_a_name_that_is_refused_is_not_left_out(told):
    rig = told()
    full = b'AT+MSSLCFG="cert",1,"ca.pem","my.pem","my.key"'
    rig.module.reply(full, b"+CME ERROR: 762", times=None)
    with pytest.raises(CommandError) as caught:
        rig.modem.tls(1).configure(AUTH_MUTUAL, ca="ca.pem", cert="my.pem", key="my.key")
    assert caught.value.code == 762
    assert [line for line in rig.module.commands if b'"cert",1,' in line] == [full]


@pytest.mark.parametrize("wants", [True, False])
def test_an_unknown_model_may_want_0x_before_a_suite(rigs, wants):
    rig = rigs(profile=unknown("ML307X" if wants else "ML307R"))
    model = rig.modem.require_model()
    assert not model.known
    rig.module.commands.clear()
    rig.modem.tls(1).configure(ca="ca.pem", ciphersuite=0xC02F)
    sent = [line for line in rig.module.commands if b'"ciphersuite",1,' in line]
    plain = b'AT+MSSLCFG="ciphersuite",1,C02F'
    assert sent == ([plain, b'AT+MSSLCFG="ciphersuite",1,0xC02F'] if wants else [plain])
    assert bool(model.suite_0x) is wants
    assert rig.module.contexts.value(1, "ciphersuite") == 0xC02F


def test_a_suite_that_is_refused_both_ways_is_refused(rigs):
    rig = rigs(profile=unknown("ML307R"))
    rig.module.commands.clear()
    rig.module.reply(b'AT+MSSLCFG="ciphersuite",1,', b"+CME ERROR: 756", times=None)
    with pytest.raises(CommandError) as caught:
        rig.modem.tls(1).configure(ca="ca.pem", ciphersuite=0xC02F)
    assert caught.value.code == 756
    sent = [line for line in rig.module.commands if b'"ciphersuite",1,' in line]
    assert [line.split(b",")[-1] for line in sent] == [b"C02F", b"0xC02F"]
    assert not rig.modem.require_model().suite_0x


# What the module tells


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([b'+MSSLCFG: "ciphersuite",1,C02F'], 0xC02F),
        ([b'+MSSLCFG: "ciphersuite",1,0xC02F'], 0xC02F),
        ([b'+MSSLCFG: "ciphersuite",1,XYZ'], None),
        ([b'+MSSLCFG: "ciphersuite",1'], None),
        ([b'+MSSLCFG: "ciphersuite",2,5'], None),  # of another context
        ([b'+MSSLCFG: "version",1,5'], None),  # of another option
        ([b'+MSSLCFG: "ciphersuite",2,5', b'+MSSLCFG: "ciphersuite",1,7'], 7),
    ],
)
def test_only_its_own_line_counts(rig, lines, value):
    rig.module.reply(b'AT+MSSLCFG="ciphersuite",1', b"OK", times=4, lines=lines)
    assert rig.modem.tls(1).get("ciphersuite") == value


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (b'"cert",1,"a.pem","b.pem","c.key"', ("a.pem", "b.pem", "c.key")),
        (b'"cert",1,"a.pem","NULL","NULL"', ("a.pem", None, None)),
        (b'"cert",1,"a.pem"', ("a.pem", None, None)),
        (b'"cert",1,"","",""', (None, None, None)),
    ],
)
def test_unset_names_are_none(rig, line, names):
    rig.module.reply(b'AT+MSSLCFG="cert",1', b"OK", times=4, lines=[b"+MSSLCFG: " + line])
    assert rig.modem.tls(1).get("cert") == names


def test_contexts_are_made_once_and_only_where_there_are_some(rig):
    assert rig.modem.tls(1) is rig.modem.tls(1)
    assert rig.modem.tls(1) is not rig.modem.tls(0)
    assert rig.modem.tls(5).ssl_id == 5
    for number in (-1, 6):
        with pytest.raises(ValueError, match=f"ssl_id is {number}; it must be 0 to 5"):
            rig.modem.tls(number)


def test_a_model_without_tls_has_none_and_is_named(rigs):
    rig = rigs("MN318")
    with pytest.raises(Unsupported, match="MN318 has no TLS"):
        rig.modem.tls(0)


def test_not_configured_is_an_error_that_says_so(rigs):
    rig = rigs()
    with pytest.raises(ValueError) as caught:
        rig.modem.connect("h", 1, rig.modem.tls(2))
    assert str(caught.value) == "TLS context 2 is not configured: call configure() first"


# What does not go together


@pytest.mark.parametrize(
    ("series", "settings", "error", "text"),
    [
        (
            "ML307R",
            {"auth": 3, "ca": "x"},
            ValueError,
            "auth is 3; it must be AUTH_NONE, AUTH_SERVER or AUTH_MUTUAL",
        ),
        (
            "ML307R",
            {"auth": True, "ca": "x"},
            ValueError,
            "auth is True; it must be AUTH_NONE, AUTH_SERVER or AUTH_MUTUAL",
        ),
        (
            "ML307R",
            {},
            ValueError,
            "auth needs ca=, the name of the CA's certificate in the module; "
            "AUTH_NONE verifies nothing",
        ),
        (
            "MN316",
            {"auth": 2, "pskid": "id", "cert": "c", "key": "k"},
            ValueError,
            "auth needs ca=, the name of the CA's certificate in the module; "
            "AUTH_NONE verifies nothing",
        ),
        (
            "ML307R",
            {"auth": 2, "ca": "x", "key": "k"},
            ValueError,
            "AUTH_MUTUAL needs cert= and key=, the names of the client's in the module",
        ),
        (
            "ML307R",
            {"auth": 2, "ca": "x", "cert": "c"},
            ValueError,
            "AUTH_MUTUAL needs cert= and key=, the names of the client's in the module",
        ),
        (
            "ML307R",
            {"ca": "x", "version": 4},
            ValueError,
            "version is 4; it must be SSL3, TLS1_0, TLS1_1, TLS1_2 or TLS_ANY",
        ),
        (
            "ML307R",
            {"ca": "x", "version": True},
            ValueError,
            "version is True; it must be SSL3, TLS1_0, TLS1_1, TLS1_2 or TLS_ANY",
        ),
        (
            "ML307R",
            {"ca": "x", "ciphersuite": 5},
            ValueError,
            "ciphersuite 0x5, TLS_RSA_WITH_RC4_128_SHA, is broken; use a sound one, "
            "or allow_broken=True if there is no other way",
        ),
        (
            "ML307R",
            {"ca": "x", "pskid": "id"},
            Unsupported,
            "ML307R has no PSKs (manual 3.1, note 3); use certificates",
        ),
        (
            "ML307R",
            {"ca": "x", "sni": True},
            Unsupported,
            "ML307R has no SNI (manual V5.4.5, 3.1, note 3); leave sni out",
        ),
        (
            "ML307R",
            {"ca": "x", "session": 2},
            TypeError,
            "session is 2; it must be True or False",
        ),
        (
            "ML307R",
            {"ca": "x", "ignorestamp": "false"},
            TypeError,
            "ignorestamp is 'false'; it must be True or False",
        ),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_sent(
    rigs, series, settings, error, text
):
    rig = rigs(series)
    sent = rig.uart.bytes_written
    with pytest.raises(error) as caught:
        rig.modem.tls(1).configure(**settings)
    assert str(caught.value) == text
    assert rig.uart.bytes_written == sent
    assert not rig.modem.tls(1).configured()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"negotime_s": 9}, "negotime_s is 9; it must be 10 to 300"),
        ({"negotime_s": 301}, "negotime_s is 301; it must be 10 to 300"),
        (
            {"ciphersuite": 0x10000},
            r"cipher suite 0x10000 is not in manual 5.1; modem.ciphers\(\)",
        ),
    ],
)
def test_ranges(rig, settings, text):
    with pytest.raises(ValueError, match=text):
        rig.modem.tls(1).configure(ca="x", allow_broken=True, **settings)


def test_allow_broken_is_true_or_no(rig):
    with pytest.raises(ValueError, match="broken"):
        rig.modem.tls(1).configure(ca="x", ciphersuite=5, allow_broken=1)
    rig.modem.tls(1).configure(ca="x", ciphersuite=5, allow_broken=True, version=TLS1_1)


@pytest.mark.parametrize("auth", [AUTH_SERVER, 0])
def test_sni_is_told_where_the_model_can_and_the_server_is_verified(rigs, auth):
    rig = rigs("MR880A")
    rig.modem.tls(1).configure(auth, ca="x")
    assert rig.module.contexts.value(1, "sni") == auth
    rig.modem.tls(1).configure(auth, ca="x", sni=auth == 0)
    assert rig.module.contexts.value(1, "sni") == int(auth == 0)
