# SPDX-License-Identifier: MIT
"""A module that is busy for a moment is asked again, within the caller's deadline."""

from datetime import datetime

import pytest
from onemo.errors import CommandError, ModemError, Timeout
from onemo_simulator import EchoPeer, LoopNetwork

BUSY = (b"+CME ERROR: 14", b"+CME ERROR: 3", b"ERROR")


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("command", [b"ATE0", b"AT+CMEE=1", b"AT+CMEE?", b"AT+CGMM"])
def test_start_asks_again(rigs, command, refusal):
    rig = rigs(started=False, refuse_once=((command, refusal),) * 2)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize("refusal", BUSY[:2])
def test_a_module_that_refuses_to_say_what_it_is_for_seconds_is_not_taken_for_unknown(
    rigs, refusal
):
    rig = rigs(started=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.reply(command, refusal, 10)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    rig = rigs(started=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.reply(command, refusal, None)
    began = rig.clock.now()
    with pytest.raises(Timeout):
        rig.modem.start(timeout_ms=15000)
    assert 15 <= rig.clock.now() - began < 18


@pytest.mark.parametrize("command", [b"ATE0", b"AT+CMEE=1"])
def test_start_ends_within_its_deadline(rigs, command):
    rig = rigs(started=False)
    rig.module.reply(command, b"+CME ERROR: 14", times=None)
    began = rig.clock.now()
    with pytest.raises(CommandError) as caught:
        rig.modem.start(timeout_ms=10000)
    assert caught.value.code == 14
    assert 10 <= rig.clock.now() - began < 16


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 50", b"+CME ERROR: 4", b"+CME ERROR: 100"])
def test_what_is_refused_for_good_is_not_asked_again(rigs, refusal):
    rig = rigs(started=False, refuse_once=((b"ATE0", refusal),))
    with pytest.raises(CommandError):
        rig.modem.start()
    assert rig.module.commands.count(b"ATE0") == 1


@pytest.mark.parametrize("refusal", [*BUSY, b"+CME ERROR: 50"])
def test_a_module_that_does_not_tell_its_series_is_known_by_its_firmware(rigs, refusal):
    rig = rigs(started=False)
    rig.module.reply(b"AT+CGMM", refusal, times=None)
    rig.modem.start()
    assert rig.modem.model == "ML307R"


@pytest.mark.parametrize("refusal", BUSY)
def test_a_new_connection_is_looked_at_again(rigs, refusal):
    network = LoopNetwork()
    network.listen("a.example", 6, EchoPeer())
    rig = rigs(network=network, refuse_once=((b"AT+MIPSTATE=", refusal),))
    rig.modem.attach()
    with rig.modem.connect("a.example", 6) as stream:
        stream.write(b"ping")
        assert stream.read(4) == b"ping"
    assert len(network.connections) == 1


@pytest.mark.parametrize("refusal", BUSY)
@pytest.mark.parametrize("times", [1, 3])
def test_the_clock_is_asked_again(rigs, refusal, times):
    rig = rigs(date=datetime(2026, 5, 6, 7, 8, 9), refuse_once=((b"AT+CCLK?", refusal),) * times)
    rig.modem.attach()
    assert rig.modem.clock()[:5] == (2026, 5, 6, 7, 8)


@pytest.mark.parametrize("said", [b"+MATREADY", b"+MATREADY: 1"])
def test_one_that_reboots_again_and_again_is_not_taken_for_unknown(rigs, said):
    rig = rigs(started=False)
    for command in (b"AT+CGMM", b"AT+CGMR", b"ATI"):
        rig.module.chatter(command, said, 1000)
    began = rig.clock.now()
    with pytest.raises(Timeout, match="the module answers"):
        rig.modem.start()
    assert rig.clock.now() - began < 33
    assert rig.modem.model is None


def test_one_that_gets_in_step_as_the_time_is_over_is_a_timeout(rigs):
    rig = rigs(started=False, boot_chatter=(b"+MATREADY",), boot_chatter_time=30.0)
    with pytest.raises(ModemError):
        rig.modem.start()
    rig.modem.start()
    assert rig.modem.model == "ML307R"
