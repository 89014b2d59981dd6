# SPDX-License-Identifier: MIT
"""A module that sleeps is woken before a command, and nothing is lost (c05)."""

import io
from types import SimpleNamespace

import pytest
from onemo.errors import Unsupported
from onemo.supervisor import Supervisor
from onemo_simulator import EchoPeer, LoopNetwork

from .conftest import pem

HOST = "echo.example"


@pytest.fixture
def sleepers(rigs):
    """Makes rigs whose module sleeps after ten silent seconds, once it is told so."""

    def make(model="ML307R", **settings):
        network = LoopNetwork()
        network.listen(HOST, 7, EchoPeer())
        settings = {"sleep_after": 10.0, "network": network, **settings}
        rig = rigs(model, **settings)
        rig.modem.sleep_mode(True)
        return rig

    return make


def asleep(rig):
    """Whether the module sleeps by now."""
    rig.uart.any()  # its timers run when somebody looks
    return rig.module.sleep.asleep


@pytest.mark.parametrize("lost", [1, 2, 3, 5])
@pytest.mark.parametrize("junk", [b"", b"\xe0"])
@pytest.mark.parametrize("idle", [9.0, 11.0, 3600.0, 7 * 86400.0])
def test_a_command_after_a_sleep(sleepers, lost, junk, idle):
    rig = sleepers(sleep_lost=lost, wake_junk=junk)
    for _ in range(3):
        rig.clock.advance(idle)
        assert asleep(rig) is (idle > 10)
        assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.modem.boot_count == 1


@pytest.mark.parametrize(("model", "value"), [("ML307R", 2), ("ML307X", 1), ("ML307M", 2)])
def test_each_model_has_its_own_value(sleepers, model, value):
    rig = sleepers(model, sleepmode=0)
    assert rig.module.sleep.settings["sleepmode"] == value
    rig.modem.sleep_mode(False)
    assert rig.module.sleep.settings["sleepmode"] == 0
    rig.clock.advance(100)
    rig.module.commands.clear()
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.module.commands == [b"AT+CSQ"]


@pytest.mark.parametrize("delay_s", [0, 5, 300])
@pytest.mark.parametrize("permanent", [True, False])
def test_the_delay(rigs, delay_s, permanent):
    rig = rigs()
    rig.modem.sleep_mode(True, delay_s=delay_s, permanent=permanent)
    assert rig.module.sleep.settings["delaysleep"] == delay_s
    assert (rig.module.sleep.kept["sleepmode"] == 2) is permanent


def test_a_model_without_it(rigs):
    rig = rigs("MR880A")
    with pytest.raises(Unsupported, match="MLPMCFG"):
        rig.modem.sleep_mode(True)
    rig = rigs("ML307M")
    with pytest.raises(Unsupported, match="delaysleep"):
        rig.modem.sleep_mode(True, delay_s=5)
    with pytest.raises(ValueError, match="delay_s"):
        rig.modem.sleep_mode(True, delay_s=301)


@pytest.mark.parametrize("idle", [0.5, 30.0, 7200.0])
def test_a_connection_lives_through_it_and_loses_nothing(sleepers, idle):
    rig = sleepers()
    stream = rig.modem.connect(HOST, 7)
    for number in range(5):
        rig.clock.advance(idle)
        text = b"message %d" % number
        stream.write(text)
        assert stream.read(len(text)) == text
    rig.clock.advance(idle)
    stream.close()


def test_what_arrives_while_it_sleeps_is_read(sleepers):
    rig = sleepers()
    stream = rig.modem.connect(HOST, 7)
    rig.clock.advance(60)
    rig.network.connections[-1].reply(b"unasked")
    assert stream.read(7) == b"unasked"


@pytest.mark.parametrize("idle", [11.0, 600.0])
def test_an_upload_after_a_sleep(sleepers, idle):
    rig = sleepers()
    rig.clock.advance(idle)
    content = pem(5000)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content))
    assert rig.module.store.certs == {"ca.pem": content}


def test_while_it_is_awake_no_command_is_more_than_before(sleepers):
    rig = sleepers()
    rig.clock.advance(60)
    rig.modem.command("+CSQ")
    rig.module.commands.clear()
    for _ in range(3):
        rig.modem.command("+CSQ")
        rig.clock.advance(0.5)
    assert rig.module.commands == [b"AT+CSQ"] * 3


def test_a_module_that_rebooted_while_it_slept_is_noticed(sleepers):
    rig = sleepers(matready=False)
    rig.clock.advance(60)
    rig.module.reboot()
    rig.clock.advance(60)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.modem.boot_count == 2


@pytest.mark.parametrize("wake_by", ["dtr", "uart"])
def test_dtr_wakes_it_and_lets_it_sleep(rigs, monkeypatch, wake_by):
    from onemo.power import Power

    rig = rigs(sleep_after=10.0, wake_by=wake_by)
    levels = []

    class Pin:
        OUT, IN, OPEN_DRAIN = 1, 0, 2

        def __init__(self, number, mode, value=None):
            self.value(value)

        def value(self, level):
            levels.append(level)
            rig.module.pins.dtr(bool(level))

    monkeypatch.setitem(__import__("sys").modules, "machine", SimpleNamespace(Pin=Pin))
    rig.modem.power = Power({"dtr": 6})
    rig.modem.sleep_mode(True)
    for _ in range(3):
        rig.clock.advance(60)
        assert asleep(rig)
        rig.module.commands.clear()
        assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
        assert rig.module.commands == [b"AT+CMEE?", b"AT+CSQ"]  # nothing was lost
        assert levels[-2:] == [0, 1]


@pytest.mark.parametrize("lost", [1, 3])
@pytest.mark.parametrize("after", [2.0, 10.0])
def test_one_that_falls_asleep_in_the_middle_of_an_operation_is_woken(sleepers, lost, after):
    """While a time server is waited for, and between dialling and dialling again."""
    rig = sleepers(sleep_after=after, sleep_lost=lost, junk_line="silent", ntp=False)
    rig.modem.attach()
    assert rig.modem.clock()[0] >= 2024
    rig.module.modem.hang_up()
    rig.module.quirks.dial_failures = 6
    rig.module.modem.failed_dials = 0
    assert rig.modem.attach() == ["10.11.12.13"]
    assert rig.modem.boot_count == 1


def test_a_radio_that_is_restarted_while_the_module_sleeps_is_on_again(sleepers, tmp_path):
    rig = sleepers(sleep_after=1.5, sleep_lost=2)
    rules, retry = {"after": 1, "steps": ["radio"]}, {"first_s": 1, "most_s": 2}
    supervisor = Supervisor(rig.modem, rules, retry, file=str(tmp_path / "recovery"))
    supervisor.failed()
    assert b"AT+CFUN=0" in rig.module.commands
    assert rig.module.modem.cfun == 1


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("model", ["ML307R", "ML302S", "MN316"])
def test_one_that_was_told_to_sleep_before_is_woken(rigs, model, mode):
    told = []
    network = LoopNetwork()
    network.listen("a.example", 6, EchoPeer())
    rig = rigs(model, started=False, sleepmode=mode, sleep_after=10.0, network=network)
    rig.modem.on_event(lambda kind, text: told.append(kind))
    rig.modem.start()
    rig.modem.attach()
    assert told[0] == "sleep"
    with rig.modem.connect("a.example", 6) as stream:
        for _ in range(2):
            rig.clock.advance(11)
            assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
            rig.clock.advance(11)
            stream.write(b"ping")
            assert stream.read(4) == b"ping"
    assert rig.module.sleep.settings["sleepmode"] == mode


def test_one_that_does_not_sleep_is_not_woken(rigs):
    rig = rigs()
    rig.clock.advance(60)
    before = len(rig.module.commands)
    rig.modem.command("+CSQ")
    assert rig.module.commands[before:] == [b"AT+CSQ"]
