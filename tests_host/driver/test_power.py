# SPDX-License-Identifier: MIT
"""The pins beside the UART: pulses of the right length and polarity."""

import sys
from types import SimpleNamespace

import pytest
from onemo.errors import ModemError
from onemo.power import Power
from onemo_board import VirtualBoard, images
from onemo_simulator import Line, Module
from onemo_tools.deploy.deployment import library

NUMBERS = {"power_key": 4, "reset": 5, "dtr": 6, "enable": 7, "status": 8}


@pytest.fixture
def wired(rigs, monkeypatch):
    """Makes rigs whose module is wired to the board's pins, `inverted` ones through transistors;
    `rig.power`, `rig.modes` by pin, `rig.pulses`: (pin, seconds asserted)."""

    def make(*names, inverted=(), settings=None, **quirks):
        rig = rigs(started=not quirks.get("off"), strict=False, **quirks)
        rig.modes = {}
        rig.pulses = []
        rig.supply = True

        class Pin:
            IN, OUT, OPEN_DRAIN = 0, 1, 2

            def __init__(self, number, mode, value=None):
                [self.name] = [name for name, n in NUMBERS.items() if n == number]
                rig.modes[self.name] = mode
                self.since = None
                if value is not None:
                    self.value(value)

            def value(self, level=None):
                pins = rig.module.pins
                crossed = self.name in inverted
                if level is None:
                    return int(pins.status != crossed)
                high = bool(level) != crossed
                if self.name == "enable":
                    if rig.supply and not high:
                        rig.module.power_off()
                    elif high and not rig.supply:
                        rig.module.power_cycle()
                    rig.supply = high
                    return None
                getattr(pins, self.name)(high)
                if not high and self.since is None:
                    self.since = rig.clock.now()
                elif high and self.since is not None:
                    rig.pulses.append((self.name, round(rig.clock.now() - self.since, 1)))
                    self.since = None
                return None

        monkeypatch.setitem(sys.modules, "machine", SimpleNamespace(Pin=Pin))
        chosen = {name: NUMBERS[name] for name in names}
        rig.power = Power({**chosen, "inverted": list(inverted), **(settings or {})})
        rig.run = lambda operation: rig.modem.run_operation(operation, False)
        return rig

    return make


@pytest.mark.parametrize("inverted", [(), ("power_key",), ("power_key", "status")])
@pytest.mark.parametrize("status", [True, False])
def test_the_power_key_switches_on_and_off(wired, inverted, status):
    names = ("power_key", "status") if status else ("power_key",)
    rig = wired(*names, inverted=inverted, off=True, starts_by_itself=False)
    assert rig.modes["power_key"] == (1 if inverted else 2)  # without a transistor: open drain
    assert rig.power.is_on() is (False if status else None)
    rig.run(rig.power.switch_on_op(rig.modem.channel))
    rig.modem.start()
    assert rig.pulses == [("power_key", 2.5)]
    rig.run(rig.power.switch_off_op(rig.modem.channel))
    assert rig.module.powered is False
    assert rig.pulses[1:] == [("power_key", 4.0)]
    if status:
        rig.run(rig.power.switch_off_op(rig.modem.channel))  # it is off
        assert len(rig.pulses) == 2


@pytest.mark.parametrize("inverted", [(), ("reset",)])
@pytest.mark.parametrize("reset_ms", [None, 200, 800])
def test_the_reset_line(wired, inverted, reset_ms):
    rig = wired("reset", inverted=inverted, settings={"reset_ms": reset_ms})
    rig.run(rig.power.reset_op(rig.modem.channel))
    assert rig.pulses == [("reset", (reset_ms or 500) / 1000)]
    assert rig.module.boots == 1
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize(
    ("names", "pulses"),
    [
        (("reset",), ["reset"]),
        (("power_key", "reset"), ["power_key", "power_key"]),
        (("power_key", "status"), ["power_key", "power_key"]),
        (("enable",), []),
        (("enable", "reset"), []),
    ],
)
def test_a_restart_by_what_is_wired(wired, names, pulses):
    rig = wired(*names)
    assert rig.power.can_restart()
    rig.run(rig.power.restart_op(rig.modem.channel))
    assert [name for name, _ in rig.pulses] == pulses
    assert rig.module.boots == 1 and rig.module.powered
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def test_nothing_wired_restarts_nothing(wired):
    assert not wired("dtr", "status").power.can_restart()


def test_a_module_that_does_not_come_up_is_said(wired):
    rig = wired("power_key", "status", off=True, starts_by_itself=False, power_key_on=9.0)
    with pytest.raises(ModemError, match="status pin does not show that it is on within 8000 ms"):
        rig.run(rig.power.switch_on_op(rig.modem.channel))
    assert rig.pulses == [("power_key", 2.5)]  # and let go of


def test_what_the_module_says_meanwhile_shortens_no_pulse(wired):
    rig = wired("power_key", settings={"shutdown_ms": 3000})
    rig.module._schedule(1.0, lambda: rig.module.urc(b"+MATREADY"))
    rig.run(rig.power.switch_off_op(rig.modem.channel))
    assert rig.pulses == [("power_key", 3.0)]


def test_at_rest_nothing_is_asserted(wired):
    rig = wired(*NUMBERS, inverted=("reset",))
    rig.clock.advance(60)
    rig.uart.any()
    assert rig.pulses == [] and rig.supply and rig.module.powered and rig.module.boots == 0


SCRIPT = b"""
from machine import UART
from onemo import Modem
from onemo.power import Power
modem = Modem(UART(1, 115200, tx=17, rx=18, timeout=0))
modem.power = Power({"reset": 5, "status": 8, "inverted": ["reset"], "boot_ms": 3000})
modem.start()
modem.run_operation(modem.power.restart_op(modem.channel), False)
print("answers", modem.command("+CSQ"), modem.boot_count, modem.power.is_on())
"""


def test_on_a_virtual_board(tmp_path):
    module = Module("ML307R")
    files = {f"/{path}": content for path, content in library(images_root()).items()}
    images.write_files(tmp_path / "flash.img", files | {"/main.py": SCRIPT})
    levels = []
    with Line(module, "socketpair", baud=115200) as line:

        def on_pin(pin, value):
            levels.append((str(pin), value))
            if str(pin) == "5":
                with line.locked() as served:
                    served.pins.reset(not value)

        with VirtualBoard(
            tmp_path / "flash.img", uarts={1: line.board_fd}, on_pin=on_pin
        ) as board:
            board.set_pin(8, 1)
            board.output.wait_for("answers", timeout=60)
            board.output.wait_for("\n", timeout=5)
            assert "[b'+CSQ: 24,99'] 2 True" in str(board.output)
    assert levels[:1] == [("5", 0)] and ("5", 1) in levels
    assert module.boots == 1


def images_root():
    from pathlib import Path

    return Path(__file__).resolve().parents[2]
