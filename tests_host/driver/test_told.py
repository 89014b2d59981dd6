# SPDX-License-Identifier: MIT
"""What the library notices: options that are absent, modes that were left over, answers that
belong to nobody."""

import pytest
from onemo.errors import CommandError, ProtocolError, Timeout, Unsupported, VerifyError


@pytest.fixture
def told(rigs):
    """Makes a rig whose events are in `rig.told`."""

    def make(*args, **settings):
        rig = rigs(*args, **settings)
        rig.told = []
        rig.modem.on_event(lambda kind, text: rig.told.append((kind, text)))
        return rig

    return make


ABSENT = ["version", "ciphersuite", "session", "ignorestamp", "ignoreverify", "negotime"]


@pytest.mark.parametrize("unknown", ["50", "ok"])
@pytest.mark.parametrize("name", ABSENT)
def test_an_option_that_the_firmware_does_not_have_is_absent(told, name, unknown):
    rig = told(
        "ML307C", absent_options=frozenset({name}), unknown_option=unknown, mssl_test="list"
    )
    tls = rig.modem.tls(1)
    tls.configure(ca="ca.pem")
    assert [kind for kind, _ in rig.told] == ["absent"]
    assert rig.modem.absent == (name,)
    tls.configure(ca="ca.pem")
    assert len(rig.told) == 1  # told once
    read = tls.read()
    assert read["auth"] == 1 and read["ca"] == "ca.pem"
    argument = {"negotime": "negotime_s"}.get(name, name)
    assert read[argument] is None
    other = {"version": 255, "ciphersuite": 0xC030, "negotime_s": 60, "session": False}
    with pytest.raises(Unsupported, match=argument):
        tls.configure(ca="ca.pem", **{argument: other.get(argument, True)})


@pytest.mark.parametrize("name", ["version", "ciphersuite", "ignoreverify"])
def test_an_option_that_is_listed_and_ignored_is_an_error(told, name):
    rig = told(ignored_options=frozenset({name}), mssl_test="list")
    asked = {"version": 2, "ciphersuite": 0xC030, "ignoreverify": True}
    with pytest.raises(VerifyError, match=name):
        rig.modem.tls(1).configure(ca="ca.pem", **{name: asked[name]})
    assert rig.told == []


@pytest.mark.parametrize("name", ["version", "ciphersuite", "session", "ignoreverify"])
def test_one_damaged_answer_makes_no_option_absent(told, name):
    rig = told(mssl_test="list")
    rig.module.reply(b'AT+MSSLCFG="%s",1' % name.encode(), b"+CME ERROR: 50")
    for _ in range(2):
        try:
            rig.modem.tls(1).configure(ca="ca.pem")
        except CommandError:
            continue
    assert rig.told == [] and rig.modem.absent == ()
    assert rig.modem.tls(1).read()["version"] == 3


def test_a_module_that_answers_in_digits_is_found(told):
    rig = told(verbose=False)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def quiet(module):
    module.quiet = True


def digits(module):
    module.verbose = False


def both(module):
    module.quiet, module.verbose = True, False


@pytest.mark.parametrize("change", [digits, quiet, both])
@pytest.mark.parametrize("known", [True, False])
def test_results_that_become_digits_or_silence_are_words_again_within_a_few_probes(
    told, change, known
):
    rig = told()
    modem = rig.modem if known else rig.new_driver()
    change(rig.module)
    before = rig.clock.now()
    if known:
        with pytest.raises(Timeout):
            modem.command("+CSQ", timeout_ms=1000)
    else:
        modem.start()
    assert modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.clock.now() - before < 10


@pytest.mark.parametrize("answer", [b"OK", b"+CME ERROR: 3"])
def test_an_answer_that_nobody_asked_for_shifts_nothing(told, answer):
    rig = told()
    serial = rig.modem.command("+CGSN")
    rig.module.reply(b"AT+CGSN", b"OK\r\n\r\n" + answer)
    for _ in range(3):
        try:
            found = rig.modem.command("+CGSN")
        except (CommandError, ProtocolError):
            continue
        assert found == serial
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize("damaged", [b"ML307S-DL", b"ML305A-DL", b"XL307R-DL", b"+CEREG: 1"])
def test_one_answer_does_not_make_a_model(rigs, damaged):
    rig = rigs()
    modem = rig.new_driver()
    rig.module.reply(b"AT+CGMM", damaged + b"\r\n\r\nOK")
    modem.start()
    assert modem.model == "ML307R"
