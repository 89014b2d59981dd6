# SPDX-License-Identifier: MIT
"""From AT to an address: identity, SIM, registration, PDP context, power, speed, clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

IMEI = b"861234050012345"
SERIAL = b"ML0123456789ABCD"
ICCID = b"898604A0192270012345"
IMSI = b"460040123456789"
ADDRESS = b"10.11.12.13"


class Modem:
    """The radio side's state."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self.apn = b"cmnet"
        self.pdp_type = b"IPV4V6"
        self.settings: dict[str, bytes] = {"sleepmode": b"0", "sleepind": b"0", "delaysleep": b"0"}
        self.flow = (0, 0)
        self.down()

    def down(self) -> None:
        """As without power."""
        self.cmee = 0
        self.cereg = 0
        self.cfun = 1
        self.registered = False
        self.attached = True
        self.active: set[int] = set()  # PDP contexts that are up
        self.active_since = -1e9

    def up(self) -> None:
        """As long after boot: registered and dialled, if the SIM and the options let it."""
        quirks = self._module.quirks
        self.registered = quirks.sim and quirks.registration in (1, 5)
        if self.registered and quirks.auto_dial:
            self.active.add(1)

    def boot(self) -> None:
        """Registration takes its time."""
        self._module._schedule(self._module.quirks.register_delay, self.register)

    def register(self) -> None:
        """Now registered; say so to a host that asked for it."""
        self.up()
        if self.active:
            self.active_since = self._module.moment
        if self.cereg:
            self._module.urc(b"+CEREG: " + self.status())

    def status(self) -> bytes:
        """The fields of +CEREG behind <n>."""
        quirks = self._module.quirks
        if not quirks.sim or self.cfun != 1:
            return b"0"
        if not self.registered:
            return b"%d" % (2 if quirks.registration in (1, 5) else quirks.registration)
        place = b',"5141","0521870C",7' if self.cereg == 2 else b""
        return b"%d%s" % (quirks.registration, place)

    def dial(self, cid: int) -> None:
        """A PDP context comes up."""
        if not self.active:
            self.active_since = self._module.moment
        self.active.add(cid)


def basic(module: Module, body: bytes) -> object:
    """Commands without a plus sign."""
    text = body.upper()
    if text in (b"", b"Z", b"&F", b"&W", b"V1", b"Q0", b"&F0", b"Z0"):
        return ()
    if text in (b"E", b"E0", b"E1"):
        module.echo = text == b"E1"
        return ()
    if text == b"I":
        return [b"CMCC", _model(module), _revision(module)]
    raise Refusal(None)


def _model(module: Module) -> bytes:
    quirks = module.quirks
    return f"{quirks.model_prefix}{module.submodel}{quirks.model_suffix}".encode()


def _revision(module: Module) -> bytes:
    text = f"{module.profile.revision_prefix}{module.submodel}-{module.quirks.revision}"
    return text.encode()


def _fixed(line: bytes, *forms: str) -> Handler:
    def handler(module: Module, form: str, args: list[Arg]) -> object:
        if form == "test":
            return ()
        if form not in forms:
            raise Refusal(None)
        return [line]

    return handler


def _cgmm(module: Module, form: str, args: list[Arg]) -> object:
    return [_model(module)] if form == "exec" else only_test(form)


def _cgmr(module: Module, form: str, args: list[Arg]) -> object:
    return [_revision(module)] if form == "exec" else only_test(form)


def only_test(form: str) -> object:
    if form != "test":
        raise Refusal(None)
    return ()


def _cgsn(module: Module, form: str, args: list[Arg]) -> object:
    if form == "exec":
        return [SERIAL]
    if form == "test":
        return [b"+CGSN: (0-3)"]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    return [(SERIAL, b"+CGSN: " + IMEI)[integer(args[0], 0, 1)]]


def _needs_sim(line: bytes) -> Handler:
    def handler(module: Module, form: str, args: list[Arg]) -> object:
        if form not in ("exec", "read"):
            raise Refusal(None)
        if not module.quirks.sim:
            raise Refusal(10)
        return [line]

    return handler


def _cmee(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [b"+CMEE: (0-2)"]
    if form == "read":
        return [b"+CMEE: %d" % module.modem.cmee]
    if form == "set":
        counted(args, 1, 1)
        module.modem.cmee = integer(args[0], 0, 2)
        return ()
    raise Refusal(None)


def _cereg(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "test":
        return [b"+CEREG: (0-2)"]
    if form == "read":
        return [b"+CEREG: %d,%s" % (modem.cereg, modem.status())]
    if form == "set":
        counted(args, 1, 1)
        modem.cereg = integer(args[0], 0, 2)
        return ()
    raise Refusal(None)


def _cgatt(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "read":
        return [b"+CGATT: %d" % (modem.registered and modem.attached)]
    if form == "set":
        counted(args, 1, 1)
        modem.attached = bool(integer(args[0], 0, 1))
        if not modem.attached:
            hang_up(module)
        return ()
    return only_test(form)


def _cgdcont(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "read":
        return [b'+CGDCONT: 1,"%s","%s","",0,0' % (modem.pdp_type, modem.apn)]
    if form == "set":
        counted(args, 1, 11)
        integer(args[0], 1, 15)
        for arg in args[1:3]:
            module.string(arg)
        if len(args) > 1:
            if args[1].value not in (b"IP", b"IPV6", b"IPV4V6"):
                raise Refusal(50)
            modem.pdp_type = args[1].value
        if len(args) > 2:
            modem.apn = args[2].value
        return ()
    return only_test(form)


def hang_up(module: Module) -> None:
    module.modem.active.clear()
    module.sockets.pdp_gone()


def _call_line(module: Module, text: bytes) -> bytes:
    return (b"+MIPCALL: " if module.quirks.call_space else b"+MIPCALL:") + text


def _mipcall(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "test":
        return [_call_line(module, b"(0-1),(1-15)")]
    if form == "read":
        return [_call_line(module, b'%d,1,"%s"' % (cid, ADDRESS)) for cid in sorted(modem.active)]
    if form != "set":
        raise Refusal(None)
    counted(args, 2, 2)
    on = integer(args[0], 0, 1)
    cid = integer(args[1], 1, 15)
    if not on:
        if cid in modem.active:
            modem.active.discard(cid)
            module.finish()
            module.urc(_call_line(module, b"%d,0" % cid))
            if not modem.active:
                module.sockets.pdp_gone()
            return module.deferred
        return ()
    if not modem.registered or not modem.attached:
        raise Refusal(571)
    if cid in modem.active and module.quirks.call_active == "50":
        raise Refusal(50)
    modem.dial(cid)
    module.finish()
    module.urc(_call_line(module, b'%d,1,"%s"' % (cid, ADDRESS)))
    return module.deferred


COMMANDS: dict[str, Handler] = {
    "CGMI": _fixed(b"CMCC", "exec"),
    "CGMM": _cgmm,
    "CGMR": _cgmr,
    "CGSN": _cgsn,
    "ICCID": _needs_sim(b"+ICCID: " + ICCID),
    "MCCID": _needs_sim(b"+MCCID: " + ICCID),
    "CIMI": _needs_sim(IMSI),
    "CPIN": _needs_sim(b"+CPIN: READY"),
    "CSQ": _fixed(b"+CSQ: 24,99", "exec"),
    "COPS": _fixed(b'+COPS: 0,0,"CHINA MOBILE",7', "read"),
    "CMEE": _cmee,
    "CEREG": _cereg,
    "CGATT": _cgatt,
    "CGDCONT": _cgdcont,
    "MIPCALL": _mipcall,
}
# CREG, CGREG and CCID are not there: a plain ERROR, as on the real ML307R.
