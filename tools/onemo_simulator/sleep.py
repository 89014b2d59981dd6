# SPDX-License-Identifier: MIT
"""Power saving: AT+MLPMCFG, and the bytes that a sleeping module does not hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

# Extended AT manual 4.10: the settings of each kind of module, and their values.
_SETTINGS: dict[str, dict[str, tuple[int, ...] | range]] = {
    "full": {"sleepmode": (0, 2), "sleepind": (0, 2), "delaysleep": range(301)},
    "mode": {"sleepmode": (0, 2)},
    "dtr": {
        "sleepmode": (0, 1),
        "sleepind": (0, 1),
        "delaysleep": range(256),
        "dtr": (0, 1),
    },
    "permanent": {"sleepmode": (0, 1, 2)},
    "none": {},
}
_LIGHT = 1  # level in +MLPMENTER


class Sleep:
    """MLPMCFG's settings, and whether the UART is asleep."""

    def __init__(self, module: Module) -> None:
        self._module = module
        profile, quirks = module.profile, module.quirks
        self.allowed = _SETTINGS[profile.power_saving]
        self.kept = dict.fromkeys(self.allowed, 0)  # survives a reboot
        if "sleepmode" in self.kept:
            mode = quirks.sleepmode
            self.kept["sleepmode"] = profile.factory_sleepmode if mode == "factory" else mode
        if "delaysleep" in self.kept and profile.power_saving == "dtr":
            self.kept["delaysleep"] = 10
            self.kept["dtr"] = 1
        self.dtr_low: bool | None = None  # None: the pin is not wired
        self._asleep = False
        self._losing = 0
        self._deaf_until = 0.0
        self.boot()

    @property
    def asleep(self) -> bool:
        """Does not hear the UART."""
        self._fall_asleep_if_due()
        return self._asleep

    def boot(self) -> None:
        """Awake, with what was set permanently."""
        self.settings = dict(self.kept)
        self._asleep = False
        self._losing = 0
        self._heard_at = self._module.moment

    def set_dtr(self, low: bool) -> None:
        """DTR low keeps the module awake (and wakes it), high lets it sleep."""
        asleep = self.asleep
        self.dtr_low = low
        if low and asleep:
            self._wake()
            self._deaf_until = self._module.moment + self._module.quirks.wake_time
        self._heard_at = self._module.moment

    def hear(self, data: bytes) -> bytes:
        """Of the bytes that arrive, those that are heard."""
        if self._module.quirks.sleep_after is None:
            return data
        if self.asleep:
            if self._module.quirks.wake_by == "dtr":
                return b""
            self._wake()
            self._losing = self._module.quirks.sleep_lost
        if self._module.moment < self._deaf_until:
            return b""
        lost = min(self._losing, len(data))
        self._losing -= lost
        if lost:
            self._module.waking = True
        self.touch()
        return data[lost:]

    def touch(self) -> None:
        """Something went on: the time to sleep begins anew."""
        self._heard_at = self._module.moment
        after = self._module.quirks.sleep_after
        if after is not None and self.settings.get("sleepind"):
            self._module._schedule(after, self._fall_asleep_if_due)

    def _fall_asleep_if_due(self) -> None:
        module = self._module
        after = module.quirks.sleep_after
        if after is None or self._asleep or self.dtr_low or not self.settings.get("sleepmode"):
            return
        if module.busy or module.in_data_phase or module.moment - self._heard_at < after - 1e-6:
            return
        self._asleep = True
        if self.settings.get("sleepind"):
            module.urc(b"+MLPMENTER: %d" % _LIGHT)

    def _wake(self) -> None:
        self._asleep = False
        module = self._module
        if module.quirks.wake_junk:
            module.urc(module.quirks.wake_junk, "immediate", raw=True)
        if self.settings.get("sleepind"):
            module.urc(b"+MLPMEXIT: %d" % _LIGHT)


def _mlpmcfg(module: Module, form: str, args: list[Arg]) -> object:
    sleep = module.sleep
    if not sleep.allowed:
        raise Refusal(None)
    if form == "test":
        return [f'+MLPMCFG: "{name}"'.encode() for name in sleep.allowed]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 3)
    module.string(args[0])
    name = args[0].value.decode("latin-1")
    if name not in sleep.allowed:
        raise module.unsupported()
    if len(args) == 1:
        return [b'+MLPMCFG: "%s",%d' % (args[0].value, sleep.settings[name])]
    value = integer(args[1], 0, 999)
    if value not in sleep.allowed[name]:
        raise Refusal(50)
    permanent = integer(args[2], 0, 1) if len(args) == 3 else 0
    if module.profile.power_saving == "permanent" and not permanent:
        raise Refusal(50)  # MN319: <permanent> is mandatory, and 1
    sleep.settings[name] = value
    if permanent:
        sleep.kept[name] = value
    sleep.touch()
    return ()


COMMANDS: dict[str, Handler] = {"MLPMCFG": _mlpmcfg}
