# SPDX-License-Identifier: MIT
#
# The pins beside the UART: the module's power key, reset, wake-up (DTR), the switch of its supply,
# and its status output. From the "power" object of config.json:
#
#     {"power_key": 4, "reset": 5, "dtr": 6, "enable": 7, "status": 8,
#      "inverted": ["power_key", "reset"], "start_ms": 2500, "shutdown_ms": 4000, "reset_ms": 500}
#
# Whatever is wired may be left out, or null. Power key and reset are active low at the module, as
# an open drain; through a transistor they are "inverted": high at the board is low at the module.
# DTR is low while the module must stay awake, `enable` and `status` are high while it is on.

from . import _port
from .at_retry import is_over, listen_op
from .errors import ModemError, ModemReset

_PINS = ("power_key", "reset", "dtr", "enable", "status")
_DEFAULTS = {
    "start_ms": 2500,  # the power key, to switch on; 2 to 3 s are in use
    "shutdown_ms": 4000,  # and off
    "reset_ms": 500,
    "discharge_ms": 2000,  # the supply, so that capacitors empty
    "boot_ms": 8000,  # until the module answers
    "wake_ms": 100,  # from DTR low until it hears
}


class Power:
    """The module's pins, as `settings` name them. ValueError names the entry that is wrong."""

    def __init__(self, settings: dict) -> None:
        from . import schema

        schema.check(settings, "power")
        _port.unload("schema")
        inverted = settings.get("inverted") or ()
        self._times = {}
        for name, default in _DEFAULTS.items():
            ms = settings.get(name)
            self._times[name] = default if ms is None else ms
        self._pins = {}
        for name in _PINS:
            number = settings.get(name)
            if number is not None:
                self._pins[name] = _Line(name, number, name in inverted)

    def has(self, name: str) -> bool:
        """Whether a pin is wired: "power_key", "reset", "dtr", "enable" or "status"."""
        return name in self._pins

    def is_on(self) -> "bool | None":
        """What the status pin says; None without one."""
        line = self._pins.get("status")
        return line.read() if line else None

    def can_restart(self) -> bool:
        """Whether a wired pin can restart the module."""
        return self.has("reset") or self.has("power_key") or self.has("enable")

    def allow_sleep(self, allowed: bool) -> None:
        """DTR high: the module may sleep; low: it is awake `wake_ms` later."""
        line = self._pins.get("dtr")
        if line:
            line.drive(allowed)

    def rest(self, ch) -> None:
        """Let a module that may sleep do so after an operation. For the fronts."""
        if ch.sleep_ms is not None:
            self.allow_sleep(True)

    def wake_op(self, ch):
        """Operation: wake the module by DTR. The pin stays so."""
        self.allow_sleep(False)
        yield from _hold_op(ch, self._times["wake_ms"])

    def switch_on_op(self, ch):
        """Operation: supply on, power key pressed, unless the status pin says that it is on.
        ModemError if that pin never does."""
        if "enable" in self._pins:
            self._pins["enable"].drive(True)
        if self.has("power_key") and self.is_on() is not True:
            yield from self._pulse_op(ch, "power_key", "start_ms")
        yield from self._boot_op(ch)

    def switch_off_op(self, ch):
        """Operation: power key pressed, supply off."""
        if self.has("power_key") and self.is_on() is not False:
            yield from self._pulse_op(ch, "power_key", "shutdown_ms")
        if "enable" in self._pins:
            self._pins["enable"].drive(False)
        yield from _hold_op(ch, self._times["discharge_ms"])

    def reset_op(self, ch):
        """Operation: pulse on the reset line."""
        yield from self._pulse_op(ch, "reset", "reset_ms")
        yield from self._boot_op(ch)

    def restart_op(self, ch):
        """Operation: restart the module by what is wired: the supply or the power key, which do
        most, else the reset line. ModemError if the status pin shows that it is not on then."""
        if self.has("enable") or self.has("power_key"):
            yield from self.switch_off_op(ch)
            yield from self.switch_on_op(ch)
        else:
            yield from self.reset_op(ch)

    def _pulse_op(self, ch, name, time):
        line = self._pins[name]
        line.drive(False)  # an earlier pulse may have been left half-way
        line.drive(True)
        try:
            yield from _hold_op(ch, self._times[time])
        finally:
            line.drive(False)

    def _boot_op(self, ch):
        end = _port.ticks_add(_port.ticks_ms(), self._times["boot_ms"])
        if not self.has("status"):
            yield from _hold_op(ch, self._times["boot_ms"])
            return
        while not self.is_on():
            if is_over(end):
                raise ModemError(
                    "the module's status pin does not show that it is on within %d ms: has it "
                    "power, are its pins wired as config.json says?" % self._times["boot_ms"]
                )
            yield from _hold_op(ch, 50)
        yield from _hold_op(ch, max(1, _port.ticks_diff(end, _port.ticks_ms())))


class _Line:
    # One pin. drive(True) asserts it: presses the key, holds in reset, lets sleep, switches on.

    def __init__(self, name, number, inverted):
        from machine import Pin  # type: ignore[import-not-found]

        active_low = name in ("power_key", "reset")
        self._low = active_low != inverted  # level low while asserted
        if name == "status":
            self._pin = Pin(number, Pin.IN)
        elif active_low and not inverted:
            self._pin = Pin(number, Pin.OPEN_DRAIN, value=1)
        else:  # at rest; the supply is left on
            self._pin = Pin(number, Pin.OUT, value=int((name == "enable") != self._low))

    def drive(self, asserted):
        self._pin.value(int(asserted != self._low))

    def read(self):
        return bool(self._pin.value()) != self._low


def _hold_op(ch, ms):
    # What the module says meanwhile, as it boots for instance, does not shorten a pulse.
    end = _port.ticks_add(_port.ticks_ms(), ms)
    while not is_over(end):
        try:
            yield from listen_op(ch, _port.ticks_diff(end, _port.ticks_ms()))
        except ModemReset:
            pass
