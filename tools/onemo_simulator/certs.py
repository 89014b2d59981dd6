# SPDX-License-Identifier: MIT
"""The commands of the certificate store: manual 3.2 to 3.9."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .encoding import decode, length_matches
from .records import filler_tail
from .store import CERT, KEY, MAX_OBJECT, PSK, Series, check_code, pem_ok
from .suites import SUITE_IDS
from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module


def name_arg(module: Module, arg: Arg, empty: bool = False) -> str:
    """A name: a string of 1..64 bytes."""
    module.string(arg)
    if len(arg.value) > 64 or not (arg.value or empty):
        raise Refusal(50)
    return arg.value.decode("latin-1")


def _write(kind: int, module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return ()
    if form != "set":
        raise Refusal(None)
    counted(args, 3, 4)
    name = name_arg(module, args[0])
    remain = integer(args[1], 0, 999999)
    length = integer(args[2], 0, 999999)
    inline = args[3].value if len(args) == 4 else None
    if inline is None and (length == 0 or not module.data_mode):
        raise Refusal(50)
    if remain + length > MAX_OBJECT:
        raise Refusal(768)
    packet = _Packet(kind, name, remain, length, inline is not None)
    if inline is None:
        done = partial(_taken, module, _open_series(module, packet), packet)
        timeout = module.quirks.data_timeout
        module._ask(length, done, timeout=timeout, judged=True)
        return module.deferred
    data = _inline(module, args[3], length)
    _taken(module, _open_series(module, packet), packet, data, True)
    return module.deferred


def _inline(module: Module, arg: Arg, length: int) -> bytes:
    """Data in the command, checked against <length> unless that is 0, and decoded."""
    module.string(arg)
    encoding = module.contexts.value(0, "encoding")  # the command has no ssl_id
    unit = module.quirks.inline_length
    if length and not length_matches(arg.value, encoding, length, unit):
        raise Refusal(50)
    newline = b"\r\n" if module.quirks.newline_storage == "crlf" else b"\n"
    return decode(arg.value, encoding, newline)


class _Packet(NamedTuple):
    """What a write command says."""

    kind: int
    name: str
    remain: int
    length: int
    inline: bool


def _open_series(module: Module, packet: _Packet) -> Series:
    """The series that this packet belongs to: the open one, or a new one (manual 3.2, note 5)."""
    kind, name, remain, length, inline = packet
    store = module.store
    number = len(module.commands)
    limit = module.quirks.series_timeout
    series = store.series
    if series and limit is not None and module.moment - series.touched >= limit:
        series = store.series = None
    if series and (series.kind, series.name) != (kind, name):
        raise Refusal(765)
    if series:
        if length and series.counted:
            goes_on = remain + length == series.remain
        else:  # the unit of <remain_length> is open for data in the command: it only has to fall
            goes_on = remain < series.remain
        if goes_on:
            series.command = number
            return series
        at_once = series.command == number - 1 and series.data
        if at_once and not (inline and not series.counted):
            module._violation("arithmetic", module.commands[-1])
            raise Refusal(50)
        module._recovery("restart", module.commands[-1][:80])
    quirks = module.quirks
    other = KEY if kind == CERT else CERT
    exists = (kind, name) in store.objects
    if (exists and quirks.same_name == "763") or (
        quirks.cross_type == "763" and (other, name) in store.objects
    ):
        raise Refusal(763)
    store.objects.pop((kind, name), None)
    store.series = Series(kind, name, remain + length, bool(length), module.moment, number)
    return store.series


def _taken(module: Module, series: Series, packet: _Packet, data: bytes, whole: bool) -> None:
    store, quirks = module.store, module.quirks
    if not whole:
        module.note("data phase timed out")
        series.command = -1  # what comes next is a fresh start, not a miscount
        if not quirks.abort_leaves_series:
            store.series = None
        answer = quirks.data_timeout_answer
        if answer == "silent":
            module._finish(final=None)
        else:
            module.fail(answer)
        return
    if filler_tail(data):
        series.command = -1
    if len(series.data) + len(data) > MAX_OBJECT:
        store.series = None
        module.fail(768)
        return
    module._schedule(quirks.store_delay, partial(_stored, module, series, packet, data))


def _stored(module: Module, series: Series, packet: _Packet, data: bytes) -> None:
    store, quirks = module.store, module.quirks
    series.data += data
    if not store.fits(len(series.data)):
        store.series = None
        module.fail(quirks.store_full_code)
        return
    series.remain = packet.remain
    series.counted = bool(packet.length)
    series.touched = module.moment
    if packet.remain == 0:
        store.series = None
        if quirks.pem_check == "write" and not pem_ok(series.kind, bytes(series.data)):
            module.fail(761)
            return
        store.put(series.kind, series.name, bytes(series.data))
    module._finish()


def _read(module: Module, form: str, args: list[Arg]) -> object:
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    name = name_arg(module, args[0])
    found = module.store.find(name, (CERT,))
    if found is None:
        key = module.store.find(name, (KEY, PSK))
        raise Refusal(module.quirks.key_read_code if key else module.quirks.missing_code)
    line = b"+MSSLCERTRD: %d,%s" % (len(found[1]), found[1])
    return [line + b"\r\n" * module.quirks.certrd_blank]


def _list(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [b"+MSSLLIST: (1-3)"]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    kind = integer(args[0], 1, 3)
    quote = b'"' if module.quirks.list_quotes else b""
    return [
        b"+MSSLLIST: %s%s%s,%d" % (quote, name.encode("latin-1"), quote, len(data))
        for (k, name), data in module.store.objects.items()
        if k == kind
    ]


def _remove(module: Module, form: str, args: list[Arg]) -> object:
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    name = name_arg(module, args[0])
    store = module.store
    kinds = (CERT, KEY, PSK) if module.quirks.rm_psk else (CERT, KEY)
    gone = [store.objects.pop((kind, name), None) for kind in kinds]
    open_one = store.series is not None and store.series.name == name
    if open_one:  # the way out of 765
        store.series = None
    if not open_one and not any(data is not None for data in gone):
        raise Refusal(module.quirks.missing_code)
    return ()


def _psk(module: Module, form: str, args: list[Arg]) -> object:
    if not module.profile.psk or form != "set":
        raise Refusal(None)
    counted(args, 2, 2)
    name = name_arg(module, args[0])
    module.string(args[1])
    value = args[1].value
    if not value:
        raise Refusal(50)
    if len(value) > MAX_OBJECT:
        raise Refusal(768)
    quirks, store = module.quirks, module.store
    if (PSK, name) in store.objects:
        if quirks.psk_repeat == "763":
            raise Refusal(763)
        del store.objects[PSK, name]
    if not store.fits(len(value)):
        raise Refusal(quirks.store_full_code)
    store.put(PSK, name, value)
    return ()


def _check(module: Module, form: str, args: list[Arg]) -> object:
    algorithms = module.profile.digests
    if form == "test":
        comma = b"," if module.quirks.check_comma else b""
        return [b"+MSSLCHECK: %s(%s)" % (comma, b",".join(b"%d" % a for a in algorithms))]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    name = name_arg(module, args[0])
    algorithm = integer(args[1], 0, 3) if len(args) == 2 else 0
    if algorithm not in algorithms:
        raise Refusal(50)
    kinds = (CERT, KEY, PSK) if module.quirks.check_psk else (CERT, KEY)
    found = module.store.find(name, kinds)
    if found is None:
        raise Refusal(module.quirks.missing_code)
    return [b"+MSSLCHECK: " + check_code(found[1], algorithm)]


def _ciphers(module: Module, form: str, args: list[Arg]) -> object:
    if not module.profile.ciphers or form != "test":
        raise Refusal(None)
    return [b"+MSSLCIPHER: (%s)" % b",".join(b"0x%02X" % suite for suite in SUITE_IDS)]


def _writer(kind: int) -> Callable[[Module, str, list[Arg]], object]:
    return partial(_write, kind)


COMMANDS: dict[str, Handler] = {
    "MSSLCERTWR": _writer(CERT),
    "MSSLKEYWR": _writer(KEY),
    "MSSLCERTRD": _read,
    "MSSLLIST": _list,
    "MSSLRM": _remove,
    "MSSLPSK": _psk,
    "MSSLCHECK": _check,
    "MSSLCIPHER": _ciphers,
}
