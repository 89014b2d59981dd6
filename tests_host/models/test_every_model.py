# SPDX-License-Identifier: MIT
"""The main job on every series and sub-model: start, attach, write, verify, configure, connect,
exchange. And on modules whose names nobody knows, or which say theirs in odd ways."""

import pytest
from onemo.errors import ProtocolError, Timeout, Unsupported
from onemo_simulator import Profile
from onemo_simulator.profiles import PROFILES, find

from .conftest import work

SUBMODELS = [name for p in PROFILES for name in p.submodels + p.later_submodels]


@pytest.mark.parametrize("submodel", SUBMODELS)
def test_every_submodel_does_its_job_as_delivered(rigs, submodel):
    rig = rigs(submodel, sleepmode="factory", sleep_after=20.0)
    rig.modem.start()
    assert rig.modem.model == rig.module.profile.series
    assert rig.modem.is_known_model
    assert rig.modem.firmware == submodel + "-MBRH0S01"
    work(rig)
    if rig.module.profile.factory_sleepmode:
        assert rig.module.sleep.settings["sleepmode"] == 0
    assert [kind for kind, _ in rig.events if kind in ("model", "sleep", "absent")] == []


@pytest.mark.parametrize("submodel", ["ML307R-DC", "ML307X-DC", "MN316-DLVS", "MR880A"])
def test_as_its_ssl_manual_says_and_no_more(rigs, submodel):
    """CGMM with the sub-model, as older simulations had it, and lists without blank lines."""
    rig = rigs(submodel, cgmm="submodel", compact_lists=True, echo=False, mssl_test="list")
    rig.modem.start()
    assert rig.modem.model == find(submodel)[0].series
    work(rig)


# ML307C whose firmware does not have all options


ABSENT = frozenset({"version", "ciphersuite", "session", "ignorestamp"})


@pytest.mark.parametrize("code", ["50", "4", "error"])
def test_ml307c_that_refuses_options(rigs, code):
    rig = rigs("ML307C-DC-CN", absent_options=ABSENT, unsupported_code=code)
    rig.modem.start()
    work(rig)
    told(rig)


def test_ml307c_that_ignores_options(rigs):
    rig = rigs("ML307C-DC-CN", ignored_options=ABSENT, unlisted_options=ABSENT)
    rig.modem.start()
    work(rig)
    told(rig, {"version", "ignorestamp"})  # the others are as wanted already


def told(rig, absent=ABSENT):
    said = [text for kind, text in rig.events if kind == "absent"]
    assert len(said) == len(absent)
    for name in absent:
        assert len([text for text in said if f"no {name} " in text]) == 1
    assert any("ignorestamp" in text and "dates" in text for text in said)
    tls = rig.modem.tls(5)
    assert "dates may go unchecked" in repr(tls)
    found = tls.read()
    assert [found[name] for name in sorted(absent)] == [None] * len(absent)
    assert "ignorestamp" in str(rig.modem.model_info)
    with pytest.raises(Unsupported, match="version"):
        tls.configure(ca="ca.pem", version=2)
    assert rig.modem.certs.list() == [("ca.pem", 8192)]


@pytest.mark.parametrize("name", ["auth", "cert"])
@pytest.mark.parametrize("how", ["absent_options", "ignored_options"])
def test_but_auth_and_names_must_be_there(rigs, how, name):
    rig = rigs("ML307C", **{how: frozenset({name}), "unlisted_options": frozenset({name})})
    rig.modem.start()
    with pytest.raises(OSError, match=rf"{name}"):
        work(rig)
    assert rig.module.network.connections == []


# ML307X, whose suites are written 0x...


@pytest.mark.parametrize("submodel", ["ML307X-DB", "ML307Y-DL"])
@pytest.mark.parametrize("suite", [0, 0xC02F, 0xC030])
def test_suites_with_0x(rigs, submodel, suite):
    rig = rigs(submodel)
    rig.modem.start()
    work(rig)
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem", ciphersuite=suite)
    assert rig.module.contexts.value(0, "ciphersuite") == suite
    assert tls.read()["ciphersuite"] == suite
    for version in (0, 1):
        with pytest.raises(Unsupported, match="version"):
            tls.configure(ca="ca.pem", version=version)


def test_sni_is_on_where_the_model_has_it(rigs):
    rig = rigs("MR880A")
    rig.modem.start()
    work(rig)
    assert rig.module.contexts.value(5, "sni") == 1
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem", sni=False)
    assert rig.module.contexts.value(0, "sni") == 0
    assert tls.read()["sni"] is False
    tls.configure(0)
    assert rig.module.contexts.value(0, "sni") == 0
    tls.configure(0, sni=True)
    assert rig.module.contexts.value(0, "sni") == 1
    other = rigs("ML307X")
    other.modem.start()
    sent = other.uart.bytes_written
    with pytest.raises(Unsupported, match="ML307X has no SNI"):
        other.modem.tls(0).configure(0, sni=True)
    assert other.uart.bytes_written == sent


def test_ten_connections_and_not_more_than_four(rigs):
    for submodel, count in (("MR880A", 10), ("MN316A-D", 4), ("MN318-LC", 6)):
        rig = rigs(submodel)
        rig.modem.start()
        rig.modem.attach()
        streams = [rig.modem.connect("peer.example", 8883) for _ in range(count)]
        with pytest.raises(OSError, match=f"has {count}"):
            rig.modem.connect("peer.example", 8883)
        for stream in streams:
            stream.write(b"hello" * 400)
            assert stream.read(2000) == b"hello" * 400
            stream.close()


# ML307H-DU, which keeps nothing


def test_a_store_in_ram_is_written_again_after_each_boot(rigs, tmp_path, manual_ca):
    path = tmp_path / "ca.pem"
    path.write_bytes(manual_ca)
    rig = rigs("ML307H-DU", strict=False)
    modem = rig.modem
    modem.start()
    modem.attach()
    profile = {
        "objects": [{"name": "ca.pem", "kind": "cert", "source": str(path)}],
        "contexts": [{"ssl_id": 0, "auth": "server", "ca": "ca.pem"}],
    }
    assert ("write", "ca.pem") in modem.sync(profile)
    assert modem.sync(profile) == []
    modem.clock()
    for again in range(3):
        modem.reboot()
        assert rig.module.store.objects == {}
        modem.attach()
        modem.clock()
        if again == 1:  # the listing of before is not believed
            assert ("write", "ca.pem") in modem.sync(profile)
        if again == 2:
            modem.restore()
        with modem.connect("peer.example", 8883, modem.tls(0)) as stream:
            stream.write(b"hello")
            assert stream.read(5) == b"hello"
        assert rig.module.network.connections[-1].tls.ca == manual_ca


# Names that nobody knows


def alike(series, name):
    """A model of a name that nobody knows, and all that `series` can do."""
    from dataclasses import replace

    profile, _ = find(series)
    return replace(
        profile, series=name, cgmm="series", submodels=(name + "-DC",), later_submodels=()
    )


UNKNOWN = [
    ("ML309Z", "ML307R"),
    ("ML309Z", "ML307X"),
    ("ML309Z", "ML307N"),
    ("ML551Z", "ML302S"),
    ("ML309Z", "ML305U"),
    ("ML309Z", "ML307H-GU"),
    ("MR990", "MR880A"),
    ("MR380M", "ML307R"),
    ("MN399", "MN316"),
    ("MN399", "MN316-S"),
    ("MN327", "MN319"),
    ("MN328", "MN318"),
    ("M5310", "MN316"),
]


@pytest.mark.parametrize(("name", "series"), UNKNOWN)
def test_a_name_that_nobody_knows(rigs, name, series):
    profile: Profile = alike(series, name)
    rig = rigs(profile=profile, sleepmode="factory", sleep_after=20.0)
    rig.modem.start()
    assert (rig.modem.model, rig.modem.is_known_model) == (None, False)
    model = rig.modem.require_model()
    assert str(model) == f"{name} (a model unknown here)"
    assert (model.connections, model.tls) == (profile.conn_ids, profile.tls)
    if profile.tls:
        assert model.ssl_ids == profile.ssl_ids
        assert set(model.versions) == set(profile.versions)
        assert set(model.encodings) == set(profile.encodings)
        assert set(model.algorithms) == set(profile.digests)
        assert (model.psk, model.ciphers, model.sni) == (profile.psk, profile.ciphers, profile.sni)
    work(rig)
    assert [text for kind, text in rig.events if kind == "model" and name in text]
    info = str(rig.modem.model_info)
    assert f"{name}-DC-MBRH0S01" in info and "the module itself, which was asked" in info


@pytest.mark.parametrize("refusal", ["50", "4", "error"])
def test_an_unknown_one_goes_inline_only_when_the_prompt_is_refused(rigs, refusal):
    rig = rigs(profile=alike("ML307R", "ML309Z"), data_mode=False, unsupported_code=refusal)
    rig.modem.start()
    assert rig.modem.require_model().prompt
    work(rig)
    assert not rig.modem.require_model().prompt
    assert [text for kind, text in rig.events if "refuses data behind >" in text]


def test_an_unknown_one_without_test_forms(rigs):
    rig = rigs(profile=alike("ML307R", "ML309Z"))
    for command in (b"AT+MSSLCFG=?", b"AT+MIPCFG=?", b"AT+MSSLCIPHER=?", b"AT+MSSLCHECK=?"):
        rig.module.reply(command, b"+CME ERROR: 50", times=None)
    rig.modem.start()
    model = rig.modem.require_model()
    assert (model.ssl_ids, model.connections, model.tls) == (5, 5, True)
    rig.modem.attach()
    rig.modem.tls(4).configure(0)


# How it says its name


ODD = [
    {"ati": "revision"},
    {"ati": "labelled"},
    {"model_prefix": "+CGMM: "},
    {"model_prefix": "Model: ", "revision_prefix": "Revision: "},
    {"revision_prefix": "+CGMR: ", "revision": "MBRH1S00_4.0.15"},
    {"boot_chatter": (b"+CEREG: 1", b"RDY", b"+CPIN: READY", b"SMS DONE"), "urc_during": "always"},
    {"boot_chatter": (b'+MIPCALL: 1,1,"10.1.2.3","fe80::1"', b"*COPN: 3"), "urc_during": "always"},
    {"refuse_once": ((b"AT+CGMM", b"+CME ERROR: 14"), (b"AT+CGMR", b"+CME ERROR: 3"))},
    {"refuse_once": ((b"AT+CGMM", b"ERROR"), (b"AT+CGMM", b"+CME ERROR: 3"))},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("submodel", ["ML307R-DL", "ML307X-DC", "ML307H-GU", "MN319-DL"])
def test_a_name_that_is_said_in_an_odd_way(rigs, submodel, odd):
    rig = rigs(submodel, **odd)
    rig.modem.start()
    assert rig.modem.model == find(submodel)[0].series
    work(rig)


@pytest.mark.parametrize("final", [b"ERROR", b"+CME ERROR: 50", b"+CME ERROR: 14", b"OK"])
@pytest.mark.parametrize("commands", [("AT+CGMM",), ("AT+CGMM", "AT+CGMR")])
@pytest.mark.parametrize("submodel", ["ML307C-DC-CN", "ML307H-GU", "ML307H-DU", "MN316A-D"])
def test_commands_that_always_fail(rigs, submodel, commands, final):
    rig = rigs(submodel)
    for command in commands:
        rig.module.reply(command.encode(), final, times=None)
    rig.modem.start()
    assert rig.modem.model == find(submodel)[0].series
    work(rig)


@pytest.mark.parametrize("final", [b"ERROR", b"OK"])
def test_a_module_that_never_says_its_name_is_asked_what_it_can_do(rigs, final):
    rig = rigs("ML307R", strict=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.reply(command, final, times=None)
    rig.modem.start()
    assert not rig.modem.is_known_model
    assert "None" not in str(rig.modem.require_model())
    assert (rig.modem.require_model().tls, rig.modem.require_model().prompt) == (True, False)
    rig.modem.attach()
    rig.modem.tls(5).configure(0)


@pytest.mark.parametrize("seconds", [4.0, 6.0, 9.0])
def test_an_answer_that_is_late(rigs, seconds):
    rig = rigs("ML307R-DL", strict=False)
    rig.module.delay(b"AT+CGMM", seconds, times=2)
    rig.modem.start(timeout_ms=60000)
    assert rig.modem.model == "ML307R"
    work(rig)


def test_four_answers_that_differ_are_an_error_that_says_what_was_heard(rigs):
    rig = rigs()
    for said in (b"ML307A", b"ML307C", b"ML302A", b"ML305A", b"MN326", b"ML307G", b"ML307N"):
        rig.module.reply(b"AT+CGMM", b"OK", lines=(said,))
    with pytest.raises(ProtocolError, match=r"each time.*ML307A, ML307C, ML302A") as caught:
        rig.modem.start()
    assert "good for" in str(caught.value)
    assert rig.modem.capabilities is None


def test_one_damaged_answer_changes_nothing(rigs):
    for said in (b"ML307C", b"ML3\xb07R", b"ML397R", b"M"):
        rig = rigs("ML307R-DL", strict=False)
        rig.module.reply(b"AT+CGMM", b"OK", lines=(said,))
        rig.modem.start()
        assert rig.modem.model == "ML307R"


# Others


OTHERS = [
    (b"EC801E", b"Quectel"),
    (b"EC801E", b"CMCC"),
    (b"SIMCOM_SIM7600CE", b"SIMCOM INCORPORATED"),
    (b"A7670E", b"A7670E"),
    (b"NT26K", b"CMCC"),
    (b"MC20", b"Quectel_Ltd"),
    (b"SLM790", b"MEIG"),
    (b"ML302", b"CMCC"),
    (b"ML305", b"CMCC"),
    (b"ML305-GC", b"CMCC"),
]


@pytest.mark.parametrize(("name", "maker"), OTHERS)
def test_other_brands_and_the_first_generation_are_refused(rigs, name, maker):
    rig = rigs()
    rig.module.reply(b"AT+CGMM", b"OK", times=None, lines=(name,))
    rig.module.reply(b"AT+CGMR", b"OK", times=None, lines=(name + b"-V01.002",))
    rig.module.reply(b"AT+CGMI", b"OK", times=None, lines=(maker,))
    rig.module.reply(b"ATI", b"OK", times=None, lines=(maker, name, b"Revision: " + name))
    said = name.split(b"_")[-1].decode()
    with pytest.raises(Unsupported, match=f"says that it is {said}") as caught:
        rig.modem.start()
    assert ("first generation" in str(caught.value)) is name.startswith(b"ML30")
    told = rigs(driver={"model": "ML307R"})  # the user knows better
    told.modem.start()
    work(told)


# A name that is told


@pytest.mark.parametrize("submodel", SUBMODELS)
def test_a_name_that_is_told_is_believed_and_not_asked(rigs, submodel):
    rig = rigs(submodel, driver={"model": submodel.lower()})
    rig.modem.start()
    assert rig.modem.model == rig.module.profile.series
    assert [c for c in rig.module.commands if c[:6] in (b"AT+CGM", b"ATI")] == []
    work(rig)
    assert "its name was given" in str(rig.modem.model_info)


def test_what_is_known_can_be_read(rigs):
    rig = rigs("ML307X-DC")
    assert "call start() first" in str(rig.modem.model_info)
    rig.modem.start()
    text = str(rig.modem.model_info)
    assert text.startswith("ML307X\n")
    for part in ("firmware: ML307X-DC-MBRH0S01", "AT+CGMM: ML307X", "later manuals", "2 connect"):
        assert part in text, text


def test_a_module_that_is_gone_while_it_is_asked(rigs):
    rig = rigs(strict=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.reply(command, None, times=None)
    began = rig.clock.now()
    with pytest.raises(Timeout):
        rig.modem.start(timeout_ms=20000)
    assert rig.clock.now() - began < 30
