# SPDX-License-Identifier: MIT
"""The module's pins: power key, reset, DTR (wake) and status. Levels are those at the module."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import Module


class Pins:
    """Power key and reset are active low: `True` is the level of a pin that is left alone.

    `module.pins.power_key(False)`, time, `module.pins.power_key(True)` is a pulse. How long it
    must be is `power_key_on`, `power_key_off` and `reset_pulse` in `Quirks`; one pulse does one
    thing, however long it lasts.
    """

    def __init__(self, module: Module) -> None:
        self._module = module
        self._presses = 0  # a timer of an earlier press does nothing
        self._key_low = False
        self._reset_low = False
        self._in_reset = False

    @property
    def status(self) -> bool:
        """High while the module is on."""
        return self._module.powered

    def power_key(self, high: bool) -> None:
        """The power key: long enough low switches on, or off."""
        self._module._run()
        if high == (not self._key_low):
            return
        self._key_low = not high
        self._presses += 1
        if self._key_low:
            quirks = self._module.quirks
            on = self._module.powered
            seconds = quirks.power_key_off if on else quirks.power_key_on
            self._module._schedule(seconds, partial(self._pressed, self._presses, on))

    def _pressed(self, press: int, on: bool) -> None:
        if press != self._presses or self._module.powered != on:
            return
        if on:
            self._module.urc(b"POWER OFF", "immediate")
            self._module.power_off()
        else:
            self._module.sockets.heal("power")
            self._module.reboot()

    def reset(self, high: bool) -> None:
        """The reset pin: long enough low holds the module in reset, high lets it boot."""
        self._module._run()
        if high == (not self._reset_low):
            return
        self._reset_low = not high
        self._presses += 1
        if self._reset_low:
            held = partial(self._hold, self._presses)
            self._module._schedule(self._module.quirks.reset_pulse, held)
        elif self._in_reset:
            self._in_reset = False
            self._module.sockets.heal("reset")
            self._module.reboot(lose_output=True)

    def _hold(self, press: int) -> None:
        if press == self._presses and self._module.powered:
            self._in_reset = True
            self._module._halt()

    def dtr(self, high: bool) -> None:
        """DTR: low keeps the module awake, high lets it sleep."""
        self._module._run()
        self._module.sleep.set_dtr(not high)
