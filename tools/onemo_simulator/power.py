# SPDX-License-Identifier: MIT
"""Clock, speed and power: CCLK, MNTP, IPR, IFC, CFUN, MREBOOT, MPOF."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from .identity import only_test
from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

SPEEDS = (4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
_CCLK = re.compile(rb"(\d\d)/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)([+-]\d\d)?")


def _stamp(date: datetime, zone: int, fields_zone: int) -> bytes:
    """A time with its zone in quarters of an hour; `fields_zone`: that of the fields."""
    fields = date + timedelta(minutes=15 * fields_zone)
    return b"%s%+03d" % (fields.strftime("%y/%m/%d,%H:%M:%S").encode(), zone)


def _clock_line(module: Module) -> bytes:
    zone = module.quirks.zone
    mode = module.quirks.cclk or module.profile.cclk
    if mode == "utc":
        return _stamp(module.date(), 0, 0)
    return _stamp(module.date(), zone, zone if mode == "local" else 0)


def _cclk(module: Module, form: str, args: list[Arg]) -> object:
    quote = b"" if module.profile.nb else b'"'
    if form == "read":
        return [b"+CCLK: %s%s%s" % (quote, _clock_line(module), quote)]
    if form != "set":
        return only_test(form)
    # Its comma makes two parameters of an unquoted one.
    match = _CCLK.fullmatch(b",".join(arg.value for arg in args))
    if match is None or not (args[0].quoted or module.profile.nb):
        raise Refusal(50)
    year, month, day, hour, minute, second, zone = (int(f) for f in match.groups(b"+00"))
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Refusal(50) from None
    module.set_date(local - timedelta(minutes=15 * zone))
    return ()


def _mntp(module: Module, form: str, args: list[Arg]) -> object:
    if form not in ("exec", "set"):
        return only_test(form)
    if not module.modem.active:
        raise Refusal(570)
    module.finish()
    if module.quirks.ntp:
        module._schedule(0.1, partial(_ntp_done, module))
    else:
        module._schedule(5.0, partial(module.urc, b"+MNTP: 3"))
    return module.deferred


def _ntp_done(module: Module) -> None:
    if module.quirks.ntp_syncs:
        module.set_date(module.network_date())
    zone = module.quirks.zone
    module.urc(b'+MNTP: 0,"%s"' % _stamp(module.network_date(), zone, zone))


def _ipr(module: Module, form: str, args: list[Arg]) -> object:
    speeds = ",".join(map(str, SPEEDS))
    if form == "test":
        return [f"+IPR: ({speeds}),(0,{speeds})".encode()]
    if form == "read":
        return [b"+IPR: %d" % module.baud]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    baud = integer(args[0], 0, 921600)
    if baud and baud not in SPEEDS:
        raise Refusal(50)
    module.finish()  # at the old speed
    module._mark(partial(_switch, module, baud))
    return module.deferred


def _switch(module: Module, baud: int) -> None:
    if baud != module.baud:
        module.baud = baud
        module.deaf_commands = module.quirks.ipr_lost


def _ifc(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [b"+IFC: (0-2),(0-2)"]
    if form == "read":
        return [b"+IFC: %d,%d" % module.modem.flow]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    flow = [integer(arg, 0, 2) for arg in args]
    module.modem.flow = (flow[0], flow[-1])
    return ()


def _mreboot(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [b"+MREBOOT: (0)"]
    if form == "set":
        counted(args, 1, 1)
        integer(args[0], 0, 0)
    elif form != "exec":
        raise Refusal(None)
    module.finish()
    module.urc(b"REBOOTING")
    module.reboot()
    return module.deferred


def _mpof(module: Module, form: str, args: list[Arg]) -> object:
    if form != "exec":
        return only_test(form)
    module.finish()
    module.urc(b"POWER OFF")
    module.power_off()
    return module.deferred


def _cfun(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [b"+CFUN: (0,1,4),(0,1)"]
    if form == "read":
        return [b"+CFUN: %d" % module.modem.cfun]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    level = integer(args[0], 0, 4)
    if level not in (0, 1, 4):
        raise Refusal(50)
    if len(args) == 2 and integer(args[1], 0, 1):
        module.finish()
        module.reboot()
        return module.deferred
    modem = module.modem
    if level != modem.cfun:
        modem.cfun = level
        if level == 1:
            module.sockets.heal("cfun")
            module._schedule(module.quirks.register_delay, modem.register)
        else:
            modem.registered = False
            modem.hang_up()
    return ()


COMMANDS: dict[str, Handler] = {
    "CCLK": _cclk,
    "MNTP": _mntp,
    "IPR": _ipr,
    "IFC": _ifc,
    "MREBOOT": _mreboot,
    "MPOF": _mpof,
    "CFUN": _cfun,
}
