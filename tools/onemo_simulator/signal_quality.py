# SPDX-License-Identifier: MIT
"""Signal, operator and cell: CSQ, CESQ, COPS, MUESTATS, MDEVSTATUS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .identity import only_test
from .wire import Arg, Refusal, counted

if TYPE_CHECKING:
    from .module import Handler, Module

_CELL = (460, b"00", 1300, 256)  # mcc, mnc, EARFCN, PCI
_CELL_ID = b"0521870C"


def _csq(module: Module, form: str, args: list[Arg]) -> object:
    if form != "exec":
        return only_test(form)
    if not module.modem.has_cell:
        return [b"+CSQ: 99,99"]
    return [b"+CSQ: %d,99" % module.quirks.rssi]


def _cesq(module: Module, form: str, args: list[Arg]) -> object:
    """RSRP and RSRQ in 3GPP's steps; the other fields are GSM's and UMTS's, hence unknown."""
    if form != "exec":
        return only_test(form)
    rsrq, rsrp = 255, 255
    if module.modem.has_cell:
        rsrp = min(97, max(0, module.quirks.rsrp + 141))
        rsrq = min(34, max(0, 2 * (module.quirks.rsrq + 20)))
    return [b"+CESQ: 99,99,255,255,%d,%d" % (rsrq, rsrp)]


def _cops(module: Module, form: str, args: list[Arg]) -> object:
    if form != "read":
        return only_test(form)
    if not module.modem.registered:
        return [b"+COPS: 0"]
    return [b'+COPS: 0,0,"%s",7' % module.quirks.operator.encode()]


def _radio(module: Module) -> bytes:
    """Tenths of dBm; what a module without a cell does not know is -32768."""
    quirks = module.quirks
    if not module.modem.has_cell:
        return b'+MUESTATS: "radio",4,-32768,-32768,,,,,,-32768,,,-32768'
    rssi = -1130 + 20 * quirks.rssi
    return b'+MUESTATS: "radio",4,%d,%d,,,,%s,,%d,%d,%d,%d' % (
        *(10 * quirks.rsrp, rssi, _CELL_ID, 10 * quirks.sinr),
        *(_CELL[2], _CELL[3], 10 * quirks.rsrq),
    )


def _cell(module: Module) -> list[bytes]:
    quirks = module.quirks
    if not module.modem.has_cell:
        return []
    mcc, mnc, earfcn, pci = _CELL
    return [
        b'+MUESTATS: "scell",4,%d,%s,%d,,%d,%d,%d,%d,%d,20.0'
        % (
            *(mcc, mnc, earfcn, pci, 10 * quirks.rsrp, 10 * quirks.rsrq),
            *(-1130 + 20 * quirks.rssi, 10 * quirks.sinr),
        )
    ]


def _muestats(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [b'+MUESTATS: ("radio","cell")']
    if form != "set":
        raise Refusal(None)  # <type> is mandatory
    counted(args, 1, 1)
    module.string(args[0])
    if args[0].value == b"radio":
        return [_radio(module)]
    if args[0].value == b"cell":
        return _cell(module)
    raise Refusal(50)


def _mdevstatus(module: Module, form: str, args: list[Arg]) -> object:
    if module.profile.series != "ML307X" or form != "read":
        raise Refusal(None)
    return [b"+MDEVSTATUS: %d,%d" % (module.quirks.supply_mv, module.quirks.temperature)]


COMMANDS: dict[str, Handler] = {
    "CSQ": _csq,
    "CESQ": _cesq,
    "COPS": _cops,
    "MUESTATS": _muestats,
    "MDEVSTATUS": _mdevstatus,
}
