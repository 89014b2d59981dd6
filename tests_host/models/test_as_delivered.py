# SPDX-License-Identifier: MIT
"""Modules as they come: at another speed, asleep, with flow control or without."""

import pytest
from onemo.errors import Timeout
from onemo_simulator.profiles import NEWER, SERIES

from .conftest import work

SLEEPERS = ["ML305U", "ML305M", "ML307M", "ML307N", "ML307X", "ML307Y"]


def speeds(rig):
    return rig.module.baud, rig.uart.baud, rig.modem.channel.baud


@pytest.mark.parametrize("host", [115200, 921600, 9600])
@pytest.mark.parametrize("module", [9600, 115200, 460800, 921600])
def test_a_module_is_found_at_its_speed_and_left_there(rigs, host, module):
    rig = rigs("ML307M", host_baud=host, baud=module, strict=False)
    began = rig.clock.now()
    rig.modem.start()
    assert rig.clock.now() - began < 30
    assert speeds(rig) == (module, module, module)
    assert rig.modem.model == "ML307M"
    assert (rig.reopened == []) is (host == module)


@pytest.mark.parametrize("module", [9600, 460800, 921600])
def test_and_does_its_job_there(rigs, module):
    rig = rigs("ML307R", host_baud=115200, baud=module, strict=False)
    rig.modem.start()
    work(rig)
    assert speeds(rig) == (module, module, module)


@pytest.mark.parametrize("wanted", [115200, 921600])
@pytest.mark.parametrize("module", [9600, 115200, 460800, 921600])
def test_and_is_brought_to_another_if_asked(rigs, wanted, module):
    rig = rigs("ML307N", host_baud=115200, baud=module, strict=False)
    rig.modem.start(baud=wanted)
    assert speeds(rig) == (wanted, wanted, wanted)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert [kind for kind, _ in rig.events if kind == "baud"] == []


@pytest.mark.parametrize("profile", [p for p in (*SERIES, *NEWER) if p.factory_baud == 9600])
def test_fresh_from_the_reel(rigs, profile):
    rig = rigs(
        profile.submodels[0],
        host_baud=115200,
        baud="factory",
        sleepmode="factory",
        sleep_after=10.0,
        strict=False,
    )
    rig.modem.start(baud=115200)
    assert speeds(rig) == (115200, 115200, 115200)
    work(rig)


def test_a_module_that_boots_at_another_speed(rigs):
    rig = rigs("ML307M", host_baud=115200, baud=9600, boot_delay=8.0, strict=False)
    rig.module.reboot()
    rig.modem.start()
    assert speeds(rig) == (9600, 9600, 9600)


def test_a_speed_that_it_does_not_take_is_told(rigs):
    rig = rigs(host_baud=115200, baud=460800, strict=False)
    rig.modem.start(baud=1500000)
    assert speeds(rig) == (460800, 460800, 460800)
    assert [text for kind, text in rig.events if kind == "baud" and "460800" in text]


def test_no_module_is_a_timeout_in_time(rigs):
    rig = rigs(host_baud=115200, off=True)
    began = rig.clock.now()
    with pytest.raises(Timeout, match="any speed"):
        rig.modem.start()
    assert 29 < rig.clock.now() - began < 35


def test_without_reopen_another_speed_is_refused_at_once(rigs):
    rig = rigs()
    with pytest.raises(ValueError, match="reopen"):
        rig.modem.start(baud=921600)
    with pytest.raises(ValueError, match="reopen"):
        rig.modem.set_baud(921600)
    assert rig.uart.bytes_written == 0
    rig.modem.start(baud=115200)


# Sleep


def asleep(rig):
    rig.module.next_event()
    rig.module.take(0)
    return rig.module.sleep.asleep


@pytest.mark.parametrize("submodel", SLEEPERS)
@pytest.mark.parametrize(("lost", "after"), [(1, 3.0), (8, 6.0), (60, 10.0)])
def test_one_that_sleeps_is_woken_and_kept_awake(rigs, submodel, lost, after):
    rig = rigs(submodel, sleepmode="factory", sleep_after=after, sleep_lost=lost, strict=False)
    rig.clock.advance(30)
    assert asleep(rig)
    rig.modem.start()
    rig.clock.advance(30)
    assert not asleep(rig)
    work(rig)
    # A reboot undoes what was not set for good.
    rig.modem.reboot()
    rig.clock.advance(30)
    assert not asleep(rig)
    assert rig.module.sleep.settings["sleepmode"] == 0
    assert rig.module.sleep.kept["sleepmode"] != 0


def test_it_may_sleep_if_that_is_wanted(rigs):
    rig = rigs("ML307X", sleepmode="factory")
    rig.modem.keep_awake = False
    rig.modem.start()
    assert rig.module.sleep.settings["sleepmode"] == 1
    assert not [c for c in rig.module.commands if b"MLPMCFG" in c]


def test_another_is_kept_awake_if_that_is_wanted(rigs):
    rig = rigs("ML307R", sleepmode=2)
    rig.modem.keep_awake = True
    rig.modem.start()
    assert rig.module.sleep.settings["sleepmode"] == 0


def test_mn319_takes_it_for_good_only(rigs):
    rig = rigs("MN319", sleepmode=2)
    rig.modem.start()
    assert rig.module.sleep.kept["sleepmode"] == 0
    writes = [c for c in rig.module.commands if b'MLPMCFG="sleepmode",' in c]
    other = rig.new_driver()
    other.start()
    assert [c for c in rig.module.commands if b'MLPMCFG="sleepmode",' in c] == writes


@pytest.mark.parametrize("answer", [b"ERROR", b"+CME ERROR: 50", b"OK"])
def test_one_that_stays_asleep_is_told(rigs, answer):
    rig = rigs("ML307N", sleepmode="factory")
    rig.module.reply(b'AT+MLPMCFG="sleepmode",0', answer, times=None)
    rig.modem.start()
    assert [text for kind, text in rig.events if kind == "sleep" and "fall asleep" in text]
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


# Flow control


@pytest.mark.parametrize(("rts", "cts"), [(True, True), (True, False), (False, True)])
def test_flow_control_is_what_the_uart_has(rigs, rts, cts):
    rig = rigs(driver={"rts": rts, "cts": cts}, strict=False)
    rig.modem.start()
    assert rig.module.modem.flow == (2 * rts, 2 * cts)
    rig.module.modem.flow = (0, 0)
    rig.modem.reboot()
    assert rig.module.modem.flow == (2 * rts, 2 * cts)
    assert rig.events == [event for event in rig.events if event[0] == "reboot"]


def test_a_module_without_it_is_told(rigs):
    rig = rigs(driver={"rts": True, "cts": True}, absent_commands=frozenset({"IFC"}))
    rig.modem.start()
    assert [text for kind, text in rig.events if kind == "flow" and "flow control" in text]
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def test_no_wires_no_command(rigs):
    rig = rigs()
    rig.modem.start()
    assert not [c for c in rig.module.commands if b"IFC" in c]
