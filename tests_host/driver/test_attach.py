# SPDX-License-Identifier: MIT
"""attach(): it looks, acts on what differs, and looks again."""

import re

import pytest
from onemo.errors import CommandError, ModemError, Timeout, VerifyError

ADDRESS = ["10.11.12.13"]
BUSY = (b"+CME ERROR: 14", b"+CME ERROR: 3", b"ERROR")
QUERIES = (b"AT+CFUN?", b"AT+CPIN?", b"AT+CEREG?", b"AT+CGATT?", b"AT+MIPCALL?", b"AT+CGDCONT?")


@pytest.fixture
def told(rigs, tmp_path, monkeypatch):
    """Makes rigs; `events` of each is what attach() told."""
    monkeypatch.chdir(tmp_path)

    def make(*args, **settings):
        rig = rigs(*args, **settings)
        rig.events = []
        rig.modem.on_event(lambda kind, text: rig.events.append((kind, text)))
        return rig

    return make


def count(rig, prefix):
    return len([command for command in rig.module.commands if command.startswith(prefix)])


def test_what_is_as_wanted_is_left_alone(told):
    rig = told(factory_apn="cmiot")
    rig.module.commands.clear()
    assert rig.modem.attach("CMIOT") == ADDRESS
    assert rig.events == []
    assert [c for c in rig.module.commands if b"?" not in c] == [b"AT+CGCONTRDP=1"]


# Busy, late (c07, c18)


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("query", QUERIES)
def test_a_refusal_that_passes(told, query, refusal):
    rig = told(auto_dial=False)
    rig.module.reply(query, refusal, 2)
    assert rig.modem.attach("iot.private") == ADDRESS


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("setting", [b"AT+CFUN=1", b"AT+CGATT=1", b"AT+MIPCALL=1,1"])
def test_a_setting_that_is_refused_for_a_moment(told, setting, refusal):
    rig = told(cfun=4, attached=False, auto_dial=False)
    rig.module.reply(setting, refusal, 2)
    assert rig.modem.attach() == ADDRESS


@pytest.mark.parametrize("late", ["not-ready", "10", "13", "14"])
@pytest.mark.parametrize("delay", [5.0, 20.0])
def test_a_sim_that_is_late(told, late, delay):
    rig = told(sim_delay=delay, sim_late=late)
    began = rig.clock.now()
    assert rig.modem.attach() == ADDRESS
    assert rig.clock.now() - began < delay + 3
    assert ("attach", "the SIM is not ready: waiting, up to 30000 ms") in rig.events


def test_no_sim_ends_before_the_whole_time(told):
    rig = told(sim=False)
    began = rig.clock.now()
    with pytest.raises(CommandError, match="insert the SIM") as caught:
        rig.modem.attach()
    assert caught.value.code == 10
    assert 30 <= rig.clock.now() - began < 32


@pytest.mark.parametrize(
    ("quirks", "said"),
    [
        ({"sim_delay": 500.0}, r"no SIM that is ready within 8000 ms"),
        ({"sim_delay": 500.0, "sim_late": "14"}, "14, SIM busy"),
        ({"registration": 3}, r"denied by the network for 8000 ms \(AT\+CEREG\? says 3\)"),
        ({"register_delay": 900.0, "sim_delay": 0.1}, r"within 8000 ms \(AT\+CEREG\? says 2\)"),
        ({"dial_failures": 99}, "no PDP context within 8000 ms .*571, the data connection was"),
    ],
)
def test_a_deadline_says_what_was_missing(told, quirks, said):
    rig = told(**quirks)
    began = rig.clock.now()
    with pytest.raises(ModemError, match=said):
        rig.modem.attach(timeout_ms=8000)
    assert 8 <= rig.clock.now() - began < 14


def test_denied_is_told_when_it_is_seen(told):
    rig = told(registration=3)
    with pytest.raises(Timeout):
        rig.modem.attach(timeout_ms=5000)
    assert ("denied", "the network denies registration (CEREG 3)") in rig.events


# It acts (c10)


@pytest.mark.parametrize("level", [0, 4])
@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("failures", [0, 1, 3])
def test_left_over_states(told, level, attached, failures):
    rig = told(cfun=level, attached=attached, dial_failures=failures)
    began = rig.clock.now()
    assert rig.modem.attach() == ADDRESS
    assert rig.clock.now() - began < 20
    said = " ".join(text for _, text in rig.events)
    assert f"AT+CFUN? says {level}" in said
    assert ("AT+CGATT=1" in said) is not attached
    assert said.count("571, ") == failures


def test_pauses_between_dialling_grow(told):
    rig = told(dial_failures=99)
    with pytest.raises(Timeout):
        rig.modem.attach()
    pauses = [
        int(found[1]) for _, text in rig.events if (found := re.search(r"in (\d+) ms", text))
    ]
    assert pauses[:6] == [1000, 2000, 4000, 8000, 16000, 30000]
    assert count(rig, b"AT+MIPCALL=1,1") < 12


def test_a_context_that_is_up_already_refuses_to_be_dialled(told):
    rig = told(call_active="50", auto_dial=False)
    rig.module.reply(b"AT+MIPCALL?", b"OK")
    rig.module.modem.register()
    rig.module.modem.dial(1)
    assert rig.modem.attach() == ADDRESS


# The APN (c01)


@pytest.mark.parametrize(
    ("model", "quirks"),
    [
        ("ML307R", {}),
        ("ML307R", {"auto_dial": False}),
        ("ML307R", {"call_active": "50"}),
        ("ML307C", {}),  # brings a context back that was ended by CGACT
        ("ML307Y", {}),  # never answers CGACT=0
        ("ML307M", {}),  # its only context cannot be ended
        ("ML307N", {}),
        ("ML307R", {"absent_commands": frozenset({"CGCONTRDP"})}),
        ("ML307M", {"absent_commands": frozenset({"CGCONTRDP"})}),
    ],
)
def test_the_context_has_the_apn_that_is_asked_for(told, model, quirks):
    rig = told(model, apn="iot.private", **quirks)
    assert rig.modem.attach("iot.private") == ADDRESS
    assert rig.module.modem.active_apns == {1: b"iot.private"}
    assert count(rig, b"AT+CGACT") == 0
    events = list(rig.events)
    assert any("was IPV4V6 cmnet, now IPV4V6 iot.private" in text for _, text in events)
    dialled = count(rig, b"AT+MIPCALL=1,1")
    assert rig.modem.attach("iot.private") == ADDRESS
    assert rig.events == events and count(rig, b"AT+MIPCALL=1,1") == dialled


@pytest.mark.parametrize("model", ["ML307R", "ML307M"])
def test_a_context_that_was_dialled_before_it_was_defined_is_not_taken_for_it(told, model):
    rig = told(model)
    rig.modem.command('+CGDCONT=1,"IPV4V6","iot.private"')  # as after a power cut of the host
    assert rig.module.modem.active_apns == {1: b"cmnet"}
    assert rig.modem.attach("iot.private") == ADDRESS
    assert rig.module.modem.active_apns == {1: b"iot.private"}


def test_contexts_behind_the_first_are_not_taken_for_it(told):
    rig = told()
    contexts = [b'+CGDCONT: 1,"IPV4V6","cmnet"', b'+CGDCONT: 2,"IP","ims"', b'+CGDCONT: 3,"IP",""']
    rig.module.reply(b"AT+CGDCONT?", b"OK", None, lines=contexts)
    assert rig.modem.attach("cmnet") == ADDRESS
    assert count(rig, b"AT+CGDCONT=") == 0


def test_an_apn_that_will_not_be_changed_is_said(told):
    rig = told(strict=False)
    rig.module.reply(b"AT+CGDCONT=", b"OK", None)
    with pytest.raises(VerifyError, match=r"set to IPV4V6 iot\.private, and reads .*cmnet"):
        rig.modem.attach("iot.private")
    rig = told(strict=False)
    rig.module.reply(
        b"AT+CGCONTRDP=1", b"OK", None, lines=[b'+CGCONTRDP: 1,5,"other.mnc000.mcc460.gprs"']
    )
    with pytest.raises(VerifyError, match=r"up with APN other, not with iot\.private"):
        rig.modem.attach("iot.private")


@pytest.mark.parametrize("pdp_type", ["IP", "IPV6", "IPV4V6"])
@pytest.mark.parametrize("apn", [None, "cmnet", "iot.private"])
def test_the_ip_family(told, pdp_type, apn):
    rig = told()
    assert rig.modem.attach(apn, pdp_type=pdp_type) == ADDRESS
    assert rig.module.modem.defined[1] == (pdp_type.encode(), (apn or "cmnet").encode())


@pytest.mark.parametrize("auth", ["pap", "chap"])
@pytest.mark.parametrize("shown", [True, False])
def test_user_and_password(told, auth, shown):
    seen = []
    rig = told(
        credentials=(auth, "card", "s3cretWord"),
        credentials_shown=shown,
        driver={"trace": lambda direction, data: seen.append(data)},
    )
    settings = {"user": "card", "password": "s3cretWord", "auth": auth}
    assert rig.modem.attach("iot.private", **settings) == ADDRESS
    dialled = count(rig, b"AT+MIPCALL=1,1")
    assert rig.modem.attach("iot.private", **settings) == ADDRESS
    assert count(rig, b"AT+MIPCALL=1,1") == dialled
    assert b"s3cretWord" not in b"".join(seen)
    assert "s3cretWord" not in repr(rig.events)


def test_another_password_is_dialled_with(told):
    rig = told(credentials=("chap", "card", "new"), auto_dial=False)
    rig.modem.command('+CGAUTH=1,2,"card","old"')
    rig.modem.command('+CGDCONT=1,"IPV4V6","iot.private"')
    assert rig.modem.attach("iot.private", user="card", password="new") == ADDRESS


def test_the_password_of_another_apn_is_not_left_over(told):
    rig = told()
    rig.modem.command('+CGAUTH=1,2,"card","old"')
    rig.modem.attach("iot.private")
    assert rig.module.modem.credentials == {}


# The PIN


@pytest.mark.parametrize("pin", ["9753", "97531864"])
def test_the_pin_is_entered(told, tmp_path, pin):
    seen = []
    rig = told(pin=pin, driver={"trace": lambda direction, data: seen.append(data)})
    assert rig.modem.attach(pin=pin) == ADDRESS
    assert ("attach", "the SIM's PIN was entered") in rig.events
    assert not (tmp_path / "onemo.pin").exists()
    assert pin.encode() not in b"".join(seen)
    assert rig.modem.attach(pin=pin) == ADDRESS
    assert count(rig, b"AT+CPIN=") == 1


def test_a_sim_that_asks_for_a_pin_that_nobody_gave(told):
    rig = told(pin="1234")
    with pytest.raises(ModemError, match="asks for its PIN: pass pin="):
        rig.modem.attach()
    assert rig.module.sim.tries == 3


@pytest.mark.parametrize("knows_tries", [True, False])
def test_a_wrong_pin_is_never_tried_twice(told, knows_tries):
    absent = frozenset() if knows_tries else frozenset({"CPINR"})
    rig = told(pin="1234", absent_commands=absent)
    with pytest.raises(ModemError, match=r"does not accept the PIN .*not tried again") as caught:
        rig.modem.attach(pin="4321")
    assert "4321" not in str(caught.value)
    for _ in range(3):
        driver = rig.new_driver()  # a host that starts anew
        driver.start()
        with pytest.raises(ModemError, match=r"did not accept this PIN before.*remove the file"):
            driver.attach(pin="4321")
        rig.module.reboot()
        rig.clock.advance(5)
    assert rig.module.sim.tries == 2
    # Another one is another matter, once.
    assert driver.attach(pin="1234") == ADDRESS


def test_the_last_try_is_left_to_a_person(told):
    rig = told(pin="1234")
    rig.module.sim.tries = 1
    with pytest.raises(ModemError, match="has 1 try left"):
        rig.modem.attach(pin="1234")
    assert rig.module.sim.tries == 1


@pytest.mark.parametrize("knows_tries", [True, False])
def test_a_host_that_loses_power_between_noting_and_trying(told, tmp_path, knows_tries):
    absent = frozenset() if knows_tries else frozenset({"CPINR"})
    rig = told(pin="1234", absent_commands=absent)
    rig.module.delay(b"AT+CPIN=", 100.0)
    with pytest.raises(Timeout):
        rig.modem.attach(pin="1234")
    rig.module.power_cycle()
    assert (tmp_path / "onemo.pin").exists()
    driver = rig.new_driver()
    driver.start()
    if knows_tries:  # the module did not count it
        assert driver.attach(pin="1234") == ADDRESS
    else:
        with pytest.raises(ModemError, match="not tried twice"):
            driver.attach(pin="1234")


def test_an_unreadable_note_counts_as_a_failure(told, tmp_path):
    rig = told(pin="1234")
    (tmp_path / "onemo.pin").write_text("")
    with pytest.raises(ModemError, match="not tried twice"):
        rig.modem.attach(pin="1234")
    assert rig.module.sim.tries == 3


def test_without_a_place_for_the_note_nothing_is_tried(told):
    rig = told(pin="1234")
    with pytest.raises(ModemError, match="cannot be written"):
        rig.modem.attach(pin="1234", pin_file="no/such/folder/pin")
    assert count(rig, b"AT+CPIN=") == 0


def test_a_puk_takes_a_person(told):
    rig = told(pin="1234")
    rig.module.sim.tries = 0
    with pytest.raises(ModemError, match="asks for SIM PUK, which takes a person"):
        rig.modem.attach(pin="1234")


def test_a_busy_sim_has_not_tried_the_pin(told, tmp_path):
    rig = told(pin="1234")
    rig.module.reply(b"AT+CPIN=", b"+CME ERROR: 14")
    assert rig.modem.attach(pin="1234") == ADDRESS
    assert not (tmp_path / "onemo.pin").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"apn": 'a"b'}, "apn"),
        ({"apn": 5}, "apn must be a str"),
        ({"pdp_type": "IPV5"}, "pdp_type is 'IPV5'"),
        ({"apn": "a", "user": "u"}, "pass both"),
        ({"apn": "a", "password": "p"}, "pass both"),
        ({"user": "u", "password": "p"}, "pass apn="),
        ({"apn": "a", "user": "u", "password": "p", "auth": "md5"}, "auth is 'md5'"),
        ({"pin": "123"}, "4 to 8 digits"),
        ({"pin": "123456789"}, "8"),
        ({"pin": "12a4"}, "4 to 8 digits"),
        ({"pin": 1234}, "pin must be a str"),
    ],
)
def test_parameters_are_checked_before_anything_is_sent(rigs, settings, said):
    rig = rigs()
    sent = rig.uart.bytes_written
    with pytest.raises((ValueError, TypeError), match=said):
        rig.modem.attach(**settings)
    assert rig.uart.bytes_written == sent


# Names


def dns(rig):
    return [command for command in rig.module.commands if command.startswith(b"AT+MDNSCFG")]


def test_which_addresses_are_tried_first(told):
    rig = told()
    rig.modem.attach()
    assert dns(rig) == []
    for kind, number in (("IP", 0), ("IPV6", 1), ("IP", 0)):
        rig.modem.attach(dns_priority=kind)
        assert rig.module.sockets.dns_priority == number
    rig.module.commands.clear()
    rig.modem.attach(dns_priority="IP")
    assert dns(rig) == [b'AT+MDNSCFG="priority"']  # as wanted, so left alone
    rig.module.reboot(silent=True)  # which forgets it
    rig.clock.advance(10)
    rig.modem.attach(dns_priority="IP")
    assert rig.module.sockets.dns_priority == 0
    assert not [text for kind, text in rig.events if "tried first" in text]


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("command", [b'AT+MDNSCFG="priority"', b'AT+MDNSCFG="priority",0'])
def test_a_refused_dns_priority_is_tried_again(told, command, refusal):
    rig = told()
    rig.module.reply(command, refusal, 2)
    assert rig.modem.attach(dns_priority="IP") == ADDRESS
    assert rig.module.sockets.dns_priority == 0


@pytest.mark.parametrize("code", ["50", "4", "error"])
def test_a_module_without_dns_priority_is_online_all_the_same(told, code):
    rig = told(absent_commands=frozenset({"MDNSCFG"}))
    answer = b"ERROR" if code == "error" else b"+CME ERROR: %d" % int(code)
    rig.module.reply(b"AT+MDNSCFG", answer, None)
    assert rig.modem.attach(dns_priority="IP") == ADDRESS
    [said] = [text for kind, text in rig.events if "tried first" in text]
    assert said.startswith("addresses of kind IP are not tried first: ")


def test_a_module_that_keeps_another_priority_is_told(told):
    rig = told()
    rig.module.reply(b'AT+MDNSCFG="priority",0', b"OK", None)
    rig.modem.attach(dns_priority="IP")
    assert ("attach", "addresses of kind IP are not tried first: it reads 1") in rig.events


@pytest.mark.parametrize("wrong", ["ip", "IPV4V6", 0, True, ""])
def test_a_priority_that_is_none(told, wrong):
    with pytest.raises(ValueError, match='must be "IP" or "IPV6"'):
        told().modem.attach(dns_priority=wrong)
