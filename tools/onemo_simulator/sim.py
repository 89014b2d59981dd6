# SPDX-License-Identifier: MIT
"""The SIM: absent, late, locked by a PIN; its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .identity import only_test
from .wire import Arg, Refusal, counted

if TYPE_CHECKING:
    from .module import Handler, Module

_PIN_TRIES, _PUK_TRIES = 3, 10
# 3GPP TS 27.007
NOT_INSERTED, PIN_REQUIRED, PUK_REQUIRED, SIM_FAILURE, BUSY, WRONG_PASSWORD = (
    10,
    11,
    12,
    13,
    14,
    16,
)


class Sim:
    """The SIM card's state. `tries`: attempts left for the PIN."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self.pin = module.quirks.pin  # "" when none is asked for
        self.tries = _PIN_TRIES
        self.puk_tries = _PUK_TRIES
        self.boot()

    def boot(self) -> None:
        """From now on it takes `sim_delay` seconds, and the PIN is asked for again."""
        self.unlocked = not self.pin
        self.ready_at = self._module.moment + self._module.quirks.sim_delay

    @property
    def late(self) -> bool:
        """Not ready yet."""
        return self._module.quirks.sim and self._module.moment < self.ready_at

    @property
    def usable(self) -> bool:
        """In, ready and unlocked: the module can register."""
        return self._module.quirks.sim and not self.late and self.unlocked

    def require(self, unlocked: bool = True) -> None:
        """Refuse a command that needs the SIM."""
        if not self._module.quirks.sim:
            raise Refusal(NOT_INSERTED)
        if self.late:
            answer = self._module.quirks.sim_late
            raise Refusal(BUSY if answer == "not-ready" else int(answer))
        if unlocked and not self.unlocked:
            raise Refusal(PIN_REQUIRED if self.tries else PUK_REQUIRED)

    def status(self) -> bytes:
        """What AT+CPIN? says. Refusal when that is an error."""
        if self.late and self._module.quirks.sim_late == "not-ready":
            return b"NOT READY"
        self.require(unlocked=False)
        if self.unlocked:
            return b"READY"
        return b"SIM PIN" if self.tries else b"SIM PUK"

    def enter(self, code: str, new: str | None) -> None:
        """Unlock with the PIN, or with the PUK and a new PIN."""
        self.require(unlocked=False)
        if self.unlocked:
            raise Refusal(3)
        if self.tries:
            if new is not None or code != self.pin:
                self.tries -= 1
                raise Refusal(WRONG_PASSWORD if self.tries else PUK_REQUIRED)
        elif new is None or code != self._module.quirks.puk:
            self.puk_tries = max(0, self.puk_tries - 1)
            raise Refusal(WRONG_PASSWORD if self.puk_tries else SIM_FAILURE)
        else:
            self.pin = new
        self.tries = _PIN_TRIES
        self.unlocked = True
        self._module.modem.boot()


def _cpin(module: Module, form: str, args: list[Arg]) -> object:
    if form in ("exec", "read"):
        return [b"+CPIN: " + module.sim.status()]
    if form != "set":
        return only_test(form)
    counted(args, 1, 2)
    codes = [arg.value.decode("latin-1") for arg in args]
    if not all(code.isdigit() and 4 <= len(code) <= 8 for code in codes):
        raise Refusal(50)
    module.sim.enter(codes[0], codes[1] if len(codes) == 2 else None)
    return ()


def _cpinr(module: Module, form: str, args: list[Arg]) -> object:
    module.sim.require(unlocked=False)
    sim = module.sim
    if form == "test":
        return ()
    return [
        b"+CPINR: SIM PIN,%d,%d" % (sim.tries, _PIN_TRIES),
        b"+CPINR: SIM PUK,%d,%d" % (sim.puk_tries, _PUK_TRIES),
    ]


def _iccid(module: Module, form: str, args: list[Arg]) -> object:
    if form not in ("exec", "read"):
        return only_test(form)
    module.sim.require(unlocked=False)
    return [b"+ICCID: " + module.quirks.iccid.encode()]


def _mccid(module: Module, form: str, args: list[Arg]) -> object:
    if form not in ("exec", "read"):
        return only_test(form)
    module.sim.require(unlocked=False)
    return [b"+MCCID: " + (module.quirks.iccid + module.profile.mccid_padding).encode()]


def _cimi(module: Module, form: str, args: list[Arg]) -> object:
    if form not in ("exec", "read"):
        return only_test(form)
    module.sim.require()
    return [module.quirks.imsi.encode()]


# AT+CCID is not there: a plain ERROR, as on real modules.
COMMANDS: dict[str, Handler] = {
    "CPIN": _cpin,
    "CPINR": _cpinr,
    "ICCID": _iccid,
    "MCCID": _mccid,
    "CIMI": _cimi,
}
