# SPDX-License-Identifier: MIT
#
# Who the module is and how well it hears: identity, signal, operator, cell. What it refuses, or
# says in a form that makes no sense, is None. What stays the same counts once it has come twice.

from . import at_syntax
from ._port import const, unload
from .at_channel import ALL, DONE, LINE, REPLY_MS
from .errors import CommandError

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_TRIES = const(4)
_LINES_MAX = const(8)
_FIRMWARE_MAX = const(64)
_DIGITS = const("0123456789")
_HEX = const("0123456789ABCDEF")


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def info(self, identifiers: bool = True) -> "dict[str, Any]":
        """What the module says of itself and of the network, as a dict: "model", "firmware",
        "imei", "iccid", "imsi"; "rssi_dbm" (AT+CSQ), "rsrp_dbm", "rsrq_db" (AT+CESQ), "sinr_db",
        "operator"; "tac", "cell_id" (as the network writes them, hexadecimal), "mcc", "mnc",
        "earfcn", "pci". None for what it does not say, such as the IMSI without a SIM.

        `identifiers=False` leaves IMEI, ICCID and IMSI out, for logs and telemetry. Traces do not
        show them, see `onemo.trace`. Timeout, ModemReset."""
        unload("info")
        return self.run_operation(info_op(self, identifiers))


def info_op(modem, identifiers):
    """Identity, signal and cell: see BaseModem.info."""
    model = modem.capabilities
    found = {"model": model.name if model else None}
    found["firmware"] = yield from _same_op(modem, b"+CGMR", (b"+CGMR", b"Revision"), _firmware)
    found["imei"] = found["iccid"] = found["imsi"] = None
    if identifiers:
        for key, command, names, check in (
            ("imei", b"+CGSN=1", (b"+CGSN",), _imei),
            ("imei", b"+GSN", (b"+GSN",), _imei),
            ("iccid", b"+ICCID", (b"+ICCID", b"+MCCID", b"+CCID"), _iccid),
            ("iccid", b"+MCCID", (b"+MCCID", b"+ICCID", b"+CCID"), _iccid),
            ("imsi", b"+CIMI", (b"+CIMI",), _imsi),
        ):
            if found[key] is None:
                found[key] = yield from _same_op(modem, command, names, check)
    yield from _signal_op(modem, found)
    yield from _cell_op(modem, found)
    return modem.channel.set_result(found)


# Identity


def _same_op(modem, command, names, check):
    # What `check` makes of the answer, once it has come twice.
    before = modem  # no value
    value = None
    for _ in range(_TRIES):
        value = None
        for line in (yield from _lines_op(modem, command)):
            text = _own(line, names)
            if text is not None:
                value = check(text) or value
        if value == before:
            break
        before = value
    else:
        return None
    return value


def _own(line, names):
    # What a line says: behind one of `names` and its colon, or all of one that has none.
    for name in names:
        if line.startswith(name + b":"):
            return at_syntax.ascii_str(line[len(name) + 1 :]).strip().strip('"')
    return None if b":" in line else at_syntax.ascii_str(line).strip().strip('"')


def _within(text, characters, low, high):
    # The text if it has `low` to `high` of these characters and nothing else, else None.
    if not low <= len(text) <= high:
        return None
    for character in text:
        if character not in characters:
            return None
    return text


def _firmware(text):
    return text if 3 <= len(text) <= _FIRMWARE_MAX and " " not in text else None


def _imei(text):
    return _within(text, _DIGITS, 15, 15)


def _imsi(text):
    return _within(text, _DIGITS, 14, 15)


def _iccid(text):
    # Operators of China have letters in it; an odd number of digits is filled up by an F.
    text = _within(text.upper(), _HEX, 18, 22)
    text = text and text.rstrip("F")
    return text if text and text.startswith("89") and 18 <= len(text) <= 20 else None


# Signal, operator, cell


def _signal_op(modem, found):
    line = yield from _line_op(modem, b"+CSQ", b"+CSQ:")
    rssi = _number(line, 0, 0, 31)
    found["rssi_dbm"] = None if rssi is None else 2 * rssi - 113
    line = yield from _line_op(modem, b"+CESQ", b"+CESQ:")
    rsrp = _number(line, 5, 0, 97)
    rsrq = _number(line, 4, 0, 34)
    found["rsrp_dbm"] = None if rsrp is None else rsrp - 141
    found["rsrq_db"] = None if rsrq is None else rsrq / 2 - 20
    line = yield from _line_op(modem, b"+COPS?", b"+COPS:")
    found["operator"] = _text(line, 2) or None


def _cell_op(modem, found):
    # n,stat,tac,ci,act. The URC of this name has one parameter fewer.
    line = yield from _line_op(modem, b"+CEREG?", b"+CEREG:", lambda ch: ch.value(1) is not None)
    found["tac"] = _hex(line, 2)
    found["cell_id"] = _hex(line, 3)
    for key in ("sinr_db", "mcc", "mnc", "earfcn", "pci"):
        found[key] = None
    # Where the fields stand: "radio",rat,rsrp,rssi,...  "scell",rat,mcc,mnc,earfcn,... Tenths of
    # dB; what is not known is empty, or -32768.
    for kind, name, rsrp, rsrq, sinr, earfcn, pci in (
        ("radio", b"radio", 2, 12, 9, 10, 11),
        ("cell", b"scell", 7, 8, 10, 4, 6),
    ):
        modem.channel.command(b"+MUESTATS=").quote(kind)
        line = yield from _line_op(
            modem, None, b"+MUESTATS:", lambda ch, name=name: ch.field_equals(0, name)
        )
        for key, at, low, high in (
            ("rsrp_dbm", rsrp, -1560, -310),
            ("rsrq_db", rsrq, -430, 200),
            ("sinr_db", sinr, -500, 600),
        ):
            value = _number(line, at, low, high)
            if found[key] is None and value is not None:
                found[key] = round(value / 10) if key == "rsrp_dbm" else value / 10
        for key, at, high in (("earfcn", earfcn, 262143), ("pci", pci, 503)):
            if found[key] is None:
                found[key] = _number(line, at, 0, high)
        if kind == "radio":
            found["cell_id"] = found["cell_id"] or _hex(line, 7)
        else:
            found["mcc"] = _within(_text(line, 2) or "", _DIGITS, 3, 3)
            found["mnc"] = _within(_text(line, 3) or "", _DIGITS, 2, 3)


# Commands


def _lines_op(modem, command):
    # All lines of an answer; none if the module refuses.
    ch = modem.channel
    found = []
    ch.command(command).send(REPLY_MS, ALL)
    try:
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            elif len(found) < _LINES_MAX:
                found.append(ch.line())
    except CommandError:
        found = []
        if ch.out_of_sync:  # a plain ERROR may be a damaged line's
            yield from modem.resync_op()
    return found


def _line_op(modem, command, expect, keep=None):
    # The line of an answer that keep(channel) is true for, or any; None if the module refuses.
    # `command`: None if it was begun already.
    ch = modem.channel
    found = None
    if command:
        ch.command(command)
    ch.send(REPLY_MS, expect)
    try:
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            elif keep is None or keep(ch):
                found = ch.line()
    except CommandError:
        found = None
        if ch.out_of_sync:
            yield from modem.resync_op()
    return found


def _text(line, index):
    # Parameter `index` of a line as str; None if there is none.
    if line is None:
        return None
    end = len(line)
    at = at_syntax.field(line, at_syntax.after_colon(line, 0, end), end, index)
    return None if at < 0 else at_syntax.text(line, at, end)


def _number(line, index, low, high):
    # Parameter `index` of a line if it is a number from `low` to `high`, else None.
    if line is None:
        return None
    end = len(line)
    at = at_syntax.field(line, at_syntax.after_colon(line, 0, end), end, index)
    value = None if at < 0 else at_syntax.number(line, at, end)
    return value if value is not None and low <= value <= high else None


def _hex(line, index):
    return _within((_text(line, index) or "").upper(), _HEX, 1, 9)
