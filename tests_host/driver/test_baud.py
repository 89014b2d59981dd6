# SPDX-License-Identifier: MIT
"""set_baud: module and UART change together, and find one another again."""

import pytest
from onemo.errors import CommandError, Timeout
from onemo_tools.proofs.rig import Rig

SPEEDS = (4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


@pytest.fixture
def rigs():
    made = []

    def make(host=115200, module=115200, **settings):
        rig = Rig(uart={"baud": host}, driver={"baud": host}, baud=module, **settings)
        rig.speeds = []
        made.append(rig)
        return rig

    yield make
    for rig in made:
        rig.close()


def reopen(rig):
    """As `uart.reopen`: the same UART here, as machine.UART objects are."""

    def at(baud):
        rig.speeds.append(baud)
        rig.uart.init(baudrate=baud)
        return rig.uart

    return at


def works(rig, baud):
    assert (rig.module.baud, rig.uart.baud, rig.modem.channel.baud) == (baud, baud, baud)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize("lost", [0, 1, 2, 4])
@pytest.mark.parametrize("baud", [921600, 9600])
def test_both_change_though_the_first_commands_are_lost(rigs, baud, lost):
    rig = rigs(ipr_lost=lost)
    rig.modem.start()
    rig.modem.set_baud(baud, reopen(rig))
    works(rig, baud)
    assert rig.speeds == [baud]
    assert rig.module.violations == []


def test_nothing_to_do(rigs):
    rig = rigs()
    rig.modem.start()
    rig.modem.set_baud(115200, reopen(rig))
    works(rig, 115200)
    assert rig.speeds == []


@pytest.mark.parametrize("left", SPEEDS)
@pytest.mark.parametrize("echo", [True, False])
def test_a_module_left_at_another_speed_is_found(rigs, left, echo):
    """The host starts anew at 115200, the module kept what an earlier run gave it."""
    rig = rigs(module=left, echo=echo)
    rig.modem.set_baud(921600, reopen(rig))
    works(rig, 921600)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    works(rig, 921600)


def test_an_automatic_speed_follows_to_115200_only(rigs):
    rig = rigs(module=0)
    rig.modem.set_baud(460800, reopen(rig))
    works(rig, 460800)


def test_after_a_reset_of_the_host_it_is_there_at_once(rigs):
    rig = rigs()
    rig.modem.set_baud(921600, reopen(rig))
    rig.uart.init(baudrate=115200)
    rig.modem = rig.new_driver(baud=115200)
    began = rig.clock.now()
    rig.modem.set_baud(921600, reopen(rig))
    works(rig, 921600)
    assert rig.clock.now() - began < 5


@pytest.mark.parametrize("left", [115200, 9600])
def test_a_module_left_in_data_mode_at_another_speed(rigs, left):
    """Power failed in mid-upload, and the module waits for data for ever."""
    rig = rigs(module=left, data_timeout=0)
    rig.module.feed(b'AT+MSSLCERTWR="x.pem",0,8192\r')
    rig.clock.advance(1)
    rig.modem.set_baud(921600, reopen(rig))
    works(rig, 921600)


def test_a_speed_that_the_module_has_not(rigs):
    rig = rigs()
    rig.modem.start()
    with pytest.raises(CommandError) as caught:
        rig.modem.set_baud(1500000, reopen(rig))
    assert caught.value.code == 50
    works(rig, 115200)


def test_a_line_that_is_not_good_for_it(rigs):
    """Neither hears the other there, so the module cannot be led back: that is said in time."""
    rig = rigs()
    rig.modem.start()

    def stuck(baud):
        rig.speeds.append(baud)
        rig.uart.init(baudrate=baud if baud <= 460800 else baud + 50000)
        return rig.uart

    began = rig.clock.now()
    with pytest.raises(Timeout, match="any speed"):
        rig.modem.set_baud(921600, stuck, timeout_ms=20000)
    assert rig.clock.now() - began < 60
    assert rig.speeds[0] == 921600
    rig.module.power_cycle()
    rig.module.baud = 115200  # its makers' tool, say
    rig.modem.set_baud(115200, reopen(rig))
    works(rig, 115200)


def test_one_way_only(rigs):
    """It hears us at the new speed, we do not hear it: it is led back."""
    rig = rigs()
    rig.modem.start()
    pump = rig.uart._receive

    def deaf(now, byte):
        if rig.uart.baud == 921600:
            rig.module.take()
        else:
            pump(now, byte)

    rig.uart._receive = deaf
    with pytest.raises(Timeout, match="115200 again"):
        rig.modem.set_baud(921600, reopen(rig))
    works(rig, 115200)


def test_no_module_at_all(rigs):
    rig = rigs(off=True)
    began = rig.clock.now()
    with pytest.raises(Timeout, match="any speed"):
        rig.modem.set_baud(921600, reopen(rig), timeout_ms=40000)
    assert rig.clock.now() - began < 60
    rig.module.power_cycle()
    rig.modem.set_baud(921600, reopen(rig))
    works(rig, 921600)


def test_an_object_instead_of_the_same_one(rigs):
    """stm32 opens the UART anew: nothing may hold on to the old one."""
    rig = rigs()
    rig.modem.start()

    class Uart:
        def __init__(self, inner):
            self.any, self.readinto, self.write = inner.any, inner.readinto, inner.write

    found = []

    def other(baud):
        rig.uart.init(baudrate=baud)
        found.append(Uart(rig.uart))
        return found[-1]

    rig.modem.set_baud(921600, other)
    assert rig.modem.channel.uart is found[-1]
    works(rig, 921600)


def test_a_wrong_speed_is_refused_with_nothing_sent(rigs):
    rig = rigs()
    for baud, error in ((100, ValueError), ("921600", TypeError)):
        with pytest.raises(error):
            rig.modem.set_baud(baud, reopen(rig))
    assert rig.uart.bytes_written == 0


def test_another_speed_is_no_reboot(rigs):
    rig = rigs()
    rig.modem.start()
    told = []
    rig.modem.on_event(lambda kind, text: told.append(kind))
    for baud in (9600, 115200):
        rig.modem.channel.lose_sync()
        rig.modem.set_baud(baud, reopen(rig))
        works(rig, baud)
    assert (told, rig.modem.boot_count) == ([], 1)
