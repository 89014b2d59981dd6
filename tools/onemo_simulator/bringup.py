# SPDX-License-Identifier: MIT
"""From a SIM to an address: registration, attachment, PDP contexts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .identity import information, only_test
from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

ADDRESS = b"10.11.12.13"
_UNDONE_AFTER = 1.0  # s until a context that the module keeps is back
_ACTIVATION_FAILED, _DEACTIVATION_FAILED = 571, 572
_AUTH = ("none", "pap", "chap")  # in the order of CGAUTH's numbers
_NETWORKS_OWN = b".mnc000.mcc460.gprs"  # what the network adds to an APN


class Modem:
    """The radio side's state."""

    def __init__(self, module: Module) -> None:
        self._module = module
        quirks = module.quirks
        self.pdp_type = b"IPV4V6"
        self.defined: dict[int, tuple[bytes, bytes]] = {}  # cid -> type, APN; outlives a reboot
        self.define(1, self.pdp_type, quirks.factory_apn.encode())
        self.credentials: dict[int, tuple[int, bytes, bytes]] = {}  # cid -> CGAUTH's
        self.flow = (0, 0)
        self.active_apns: dict[int, bytes] = {}  # cid -> the APN that it was dialled with
        self.down()
        self.cfun = quirks.cfun
        self.attached = quirks.attached

    def down(self) -> None:
        """As without power."""
        self.cmee = self._module.quirks.cmee
        self.cereg = 0
        self.cfun = 1
        self.registered = False
        self.attached = True
        self.active_apns.clear()
        self.active_since = -1e9
        self.failed_dials = 0

    @property
    def apn(self) -> bytes:
        """The APN of context 1, as CGDCONT has it."""
        return self.defined.get(1, (b"", b""))[1]

    @property
    def active(self) -> dict[int, bytes]:
        """PDP contexts that are up, with the APN each has."""
        return self.active_apns

    @property
    def has_cell(self) -> bool:
        """Camps on a cell, registered or not."""
        return self.cfun == 1

    def define(self, cid: int, pdp_type: bytes, apn: bytes) -> None:
        """CGDCONT; takes effect when the context is dialled the next time."""
        self.defined[cid] = (pdp_type, apn)

    def up(self) -> None:
        """As long after boot: registered and dialled, if the SIM and the options let it."""
        quirks = self._module.quirks
        usable = self._module.sim.usable and self.cfun == 1
        self.registered = usable and quirks.registration in (1, 5)
        dials = quirks.auto_dial and not quirks.dial_failures and self.admits(1)
        if self.registered and self.attached and dials:
            self.active_apns.setdefault(1, self.apn)

    def boot(self) -> None:
        """Registration takes its time, and a SIM."""
        wait = max(0.0, self._module.sim.ready_at - self._module.moment)
        self._module._schedule(wait + self._module.quirks.register_delay, self.register)

    def register(self) -> None:
        """Now registered; say so to a host that asked for it."""
        self.up()
        if self.active:
            self.active_since = self._module.moment
        if self.cereg and self._module.sim.usable:
            self._module.urc(b"+CEREG: " + self.status())

    def status(self) -> bytes:
        """The fields of +CEREG behind <n>."""
        quirks = self._module.quirks
        if not self._module.sim.usable or self.cfun != 1:
            return b"0"
        if not self.registered:
            return b"%d" % (2 if quirks.registration in (1, 5) else quirks.registration)
        place = b',"5141","0521870C",7' if self.cereg == 2 else b""
        return b"%d%s" % (quirks.registration, place)

    def dial(self, cid: int) -> None:
        """A PDP context comes up. Refusal when it does not."""
        quirks = self._module.quirks
        if not self.registered or not self.attached:
            raise Refusal(_ACTIVATION_FAILED)
        if self.failed_dials < quirks.dial_failures:
            self.failed_dials += 1
            raise Refusal(_ACTIVATION_FAILED)
        apn = self.defined.get(cid, (b"", b""))[1]
        if quirks.other_apn == "refused" and not self.serves(apn):
            raise Refusal(_ACTIVATION_FAILED)
        if not self.admits(cid):
            raise Refusal(_ACTIVATION_FAILED)
        if not self.active:
            self.active_since = self._module.moment
        self.active_apns[cid] = apn
        self._module.sockets.heal("pdp")

    def admits(self, cid: int) -> bool:
        """Whether the network lets this context in with the credentials it has."""
        wanted = self._module.quirks.credentials
        if wanted is None:
            return True
        kind, user, password = self.credentials.get(cid, (0, b"", b""))
        return (_AUTH[kind], user.decode("latin-1"), password.decode("latin-1")) == wanted

    def serves(self, apn: bytes) -> bool:
        """Whether the network carries traffic of this APN."""
        wanted = self._module.quirks.apn
        return wanted is None or apn.decode("latin-1").lower() == wanted.lower()

    def hang_up(self, cid: int | None = None) -> None:
        """A context, or all, goes down."""
        if cid is None:
            self.active_apns.clear()
        else:
            self.active_apns.pop(cid, None)
        if not self.active:
            self._module.sockets.pdp_gone()

    def back(self, cid: int) -> None:
        """The module brings a context up again by itself."""
        if self.registered and self.attached and cid not in self.active:
            self.active_apns[cid] = self.defined.get(cid, (b"", b""))[1]
            self.active_since = self._module.moment
            self._module.urc(_call_line(self._module, _address(self._module, cid)))


def basic(module: Module, body: bytes) -> object:
    """Commands without a plus sign."""
    text = body.upper()
    if text and not module.has_command(text.decode("latin-1")):
        raise Refusal(None)
    if text in (b"", b"Z", b"&F", b"&W", b"&F0", b"Z0"):
        return ()
    if text in (b"V", b"V0", b"V1"):
        module.verbose = text == b"V1"
        return ()
    if text in (b"Q", b"Q0", b"Q1"):
        module.quiet = text == b"Q1"
        return ()
    if text in (b"E", b"E0", b"E1"):
        module.echo = text == b"E1"
        return ()
    if text == b"I":
        return information(module)
    if text in (b"O", b"O0"):
        module.sockets.resume_transparent()
        return module.deferred
    raise Refusal(None)


def _cmee(module: Module, form: str, args: list[Arg]) -> object:
    levels = module.profile.cmee_levels
    if form == "test":
        return [f"+CMEE: ({levels[0]}-{levels[-1]})".encode()]
    if form == "read":
        return [b"+CMEE: %d" % module.modem.cmee]
    if form == "set":
        counted(args, 1, 1)
        module.modem.cmee = integer(args[0], levels[0], levels[-1])
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


def _creg(module: Module, form: str, args: list[Arg]) -> object:
    if not module.profile.creg or form != "read":
        raise Refusal(None)  # as on ML307R
    return [b"+CREG: 0," + module.modem.status()[:1]]


def _cgatt(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "read":
        return [b"+CGATT: %d" % (modem.registered and modem.attached)]
    if form == "set":
        counted(args, 1, 1)
        modem.attached = bool(integer(args[0], 0, 1))
        if not modem.attached:
            modem.hang_up()
        return ()
    return only_test(form)


def _cgdcont(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "read":
        return [
            b'+CGDCONT: %d,"%s","%s","",0,0' % (cid, kind, apn)
            for cid, (kind, apn) in sorted(modem.defined.items())
        ]
    if form == "set":
        counted(args, 1, 11)
        cid = integer(args[0], 1, 15)
        for arg in args[1:3]:
            module.string(arg)
        if len(args) == 1:
            modem.defined.pop(cid, None)
            return ()
        if args[1].value not in (b"IP", b"IPV6", b"IPV4V6"):
            raise Refusal(50)
        modem.define(cid, args[1].value, args[2].value if len(args) > 2 else b"")
        return ()
    return only_test(form)


def _cgauth(module: Module, form: str, args: list[Arg]) -> object:
    # Manual A 7.15, 3GPP TS 27.007 10.1.31.
    modem = module.modem
    if form == "test":
        return [b"+CGAUTH: (1-15),(0-2),(0-127),(0-127)"]
    if form == "read":
        lines = []
        for cid, (kind, user, password) in sorted(modem.credentials.items()):
            shown = b',"%s"' % password if module.quirks.credentials_shown else b""
            lines.append(b'+CGAUTH: %d,%d,"%s"%s' % (cid, kind, user, shown))
        return lines
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 4)
    cid = integer(args[0], 1, 15)
    kind = integer(args[1], 0, 2) if len(args) > 1 else 0
    for arg in args[2:]:
        module.string(arg)
    if not kind:
        modem.credentials.pop(cid, None)
    elif len(args) < 4:
        raise Refusal(50)
    else:
        modem.credentials[cid] = (kind, args[2].value, args[3].value)
    return ()


def _cgcontrdp(module: Module, form: str, args: list[Arg]) -> object:
    # Manual A 7.10, 3GPP TS 27.007 10.1.23: of contexts that are up.
    modem = module.modem
    if form == "test":
        return [b"+CGCONTRDP: (%s)" % b",".join(b"%d" % cid for cid in sorted(modem.active))]
    if form == "set":
        counted(args, 1, 1)
        cids = [integer(args[0], 1, 15)]
    elif form == "exec":
        cids = sorted(modem.active)
    else:
        raise Refusal(None)
    return [
        b'+CGCONTRDP: %d,5,"%s","%s.255.255.255.0"'
        % (cid, modem.active_apns[cid] + _NETWORKS_OWN, ADDRESS)
        for cid in cids
        if cid in modem.active
    ]


def _cgact(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "read":
        return [b"+CGACT: %d,%d" % (cid, cid in modem.active) for cid in sorted(modem.defined)]
    if form == "test":
        return [b"+CGACT: (0,1)"]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    on = integer(args[0], 0, 1)
    cid = integer(args[1], 1, 15) if len(args) == 2 else 1
    if on:
        modem.dial(cid)
        return ()
    outcome = module.quirks.cgact_off or module.profile.cgact_off
    if outcome == "error":
        raise Refusal(None)
    modem.hang_up(cid)
    if outcome == "undone":
        module._schedule(_UNDONE_AFTER, partial(modem.back, cid))
    return ()


def _cgpaddr(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    if form == "test":
        return [b"+CGPADDR: (1-15)"]
    if form == "set":
        counted(args, 1, 1)
        cids = [integer(args[0], 1, 15)]
    elif form == "exec":
        cids = sorted(modem.defined)
    else:
        raise Refusal(None)
    return [
        b'+CGPADDR: %d,"%s"' % (cid, ADDRESS) if cid in modem.active else b"+CGPADDR: %d" % cid
        for cid in cids
    ]


def _call_line(module: Module, text: bytes) -> bytes:
    return (b"+MIPCALL: " if module.quirks.call_space else b"+MIPCALL:") + text


def _address(module: Module, cid: int) -> bytes:
    second = module.quirks.ipv6
    return b'%d,1,"%s"%s' % (cid, ADDRESS, f',"{second}"'.encode() if second else b"")


def _mipcall(module: Module, form: str, args: list[Arg]) -> object:
    modem = module.modem
    first, last = module.profile.call_cids
    if form == "test":
        return [_call_line(module, b"(0-1),(%d-%d)" % (first, last))]
    if form == "read":
        return [_call_line(module, _address(module, cid)) for cid in sorted(modem.active)]
    if form != "set":
        raise Refusal(None)
    counted(args, 2, 2)
    on = integer(args[0], 0, 1)
    cid = integer(args[1], max(1, first), last)
    if not on:
        if cid in modem.active:
            if module.profile.only_cid_stays and len(modem.active) == 1:
                raise Refusal(_DEACTIVATION_FAILED)
            module.finish()
            module.urc(_call_line(module, b"%d,0" % cid))
            modem.hang_up(cid)
            return module.deferred
        return ()
    if not modem.registered or not modem.attached:
        raise Refusal(_ACTIVATION_FAILED)
    if cid in modem.active and module.quirks.call_active == "50":
        raise Refusal(50)
    modem.dial(cid)
    module.finish()
    module.urc(_call_line(module, _address(module, cid)))
    return module.deferred


COMMANDS: dict[str, Handler] = {
    "CMEE": _cmee,
    "CEREG": _cereg,
    "CREG": _creg,
    "CGATT": _cgatt,
    "CGDCONT": _cgdcont,
    "CGACT": _cgact,
    "CGAUTH": _cgauth,
    "CGCONTRDP": _cgcontrdp,
    "CGPADDR": _cgpaddr,
    "MIPCALL": _mipcall,
}
# CGREG and CCID are not there: a plain ERROR, as on the real ML307R.
