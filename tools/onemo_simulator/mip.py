# SPDX-License-Identifier: MIT
"""The commands of sockets and names: MIPOPEN, MIPSEND, MIPRD, MIPCLOSE, MIPSTATE, MDNSGIP, ..."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .encoding import decode, length_matches
from .sockets import PACKETS, PULL, TRANSPARENT, Socket
from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

_INLINE = 1460  # most characters of data in a MIPSEND line


def _number(module: Module, arg: Arg) -> int:
    return integer(arg, 0, module.profile.conn_ids - 1)


def _socket(module: Module, arg: Arg) -> Socket:
    sock = module.sockets.get(_number(module, arg))
    if sock is None:
        raise Refusal(551)
    return sock


def _optional(args: list[Arg], index: int, low: int, high: int, default: int) -> int:
    if index >= len(args) or (not args[index].value and not args[index].quoted):
        return default
    return integer(args[index], low, high)


def _open(module: Module, form: str, args: list[Arg]) -> object:
    last = module.profile.conn_ids - 1
    if form == "test":
        modes = "0-3" if module.profile.transparent else "0,2,3"
        return [f'+MIPOPEN: (0-{last}),("TCP","UDP"),,(1-65535),(1-180),({modes})'.encode()]
    if form != "set":
        raise Refusal(None)
    counted(args, 4, 7)
    number = _number(module, args[0])
    module.string(args[1])
    module.string(args[2])
    host = args[2].value.decode("latin-1")
    udp = args[1].value == b"UDP"
    if args[1].value not in (b"TCP", b"UDP") or not host or len(host) > 255:
        raise Refusal(50)
    port = integer(args[3], 1, 65535)
    timeout = _optional(args, 4, 1, 180, 60)
    mode = _optional(args, 5, 0, 3, 0)
    if mode == (PULL if udp else PACKETS) or (
        mode == TRANSPARENT and not module.profile.transparent
    ):
        raise Refusal(50)
    _optional(args, 6, 0, 65535, 0)
    used = module.sockets.get(number)
    code = 0
    if used is not None and not used.freed:
        code = 552
    elif not module.modem.active:
        code = 570
    if code and module.quirks.open_refusal == "cme":
        raise Refusal(code)
    if module.quirks.open_urc != "before":
        module.finish()
    if code:
        module.urc(b"+MIPOPEN: %d,%d" % (number, 1 if module.profile.nb else code))
        if module.quirks.open_urc == "before":
            module.finish()
    else:
        timeout = 60 if module.profile.nb else timeout
        module.sockets.open(number, host, port, float(timeout), mode, udp)
    return module.deferred


def _connected(module: Module, arg: Arg) -> Socket:
    sock = _socket(module, arg)
    if sock.state != "CONNECTED":
        raise Refusal(553)
    return sock


def _send(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        last = module.profile.conn_ids - 1
        if module.profile.nb:
            return [f"+MIPSEND: (0-{last}),(0-{_INLINE}),,(0-2),(1-255)".encode()]
        return [f"+MIPSEND: (0-{last}),(0-{module.profile.send_prompt_limit})".encode()]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 6 if module.profile.nb else 3)
    sock = _connected(module, args[0])
    if len(args) < 3:
        if not module.data_mode:
            raise Refusal(50)
        need = None
        if len(args) == 2:
            need = integer(args[1], 1, module.profile.send_prompt_limit)
        timeout = float(module.sockets.config.get(sock.number, "timeout")[0])
        done = partial(_sent_by_prompt, module, sock, need)
        module._ask(need, done, most=_INLINE, timeout=timeout)
        return module.deferred
    length = integer(args[1], 0, 8192)
    text = args[2].value
    if not text or len(text) > _INLINE:
        raise Refusal(50)
    encoding = module.sockets.config.get(sock.number, "encoding")[0]
    if length and not length_matches(text, encoding, length, "typed"):
        raise Refusal(50)
    data = decode(text, encoding)
    module._schedule(module.quirks.send_delay, partial(_send_now, module, sock, data))
    return module.deferred


def _sent_by_prompt(
    module: Module, sock: Socket, need: int | None, data: bytes, whole: bool
) -> None:
    if not whole:
        # What came before the timeout is sent; ESC (which ends a send of no fixed length) is not.
        module.note(f"MIPSEND ended after {len(data)} bytes of {need}")
    if not data:
        module.finish()
        return
    module._schedule(module.quirks.send_delay, partial(_send_now, module, sock, data))


def _send_now(module: Module, sock: Socket, data: bytes) -> None:
    if module.sockets.get(sock.number) is not sock or sock.state != "CONNECTED":
        module.fail(553)
        return
    quirks = module.quirks
    if quirks.partial_send is not None:
        data = data[: quirks.partial_send]
    count = module.sockets.send(sock, data)
    if not count:
        module.fail(560)
        return
    sock.sent += count
    line = b"+MIPSEND: %d,%d" % (sock.number, count)
    module.finish([line] if quirks.send_line == "before" else ())
    if quirks.send_line == "after":
        module.urc(line)
    if module.sockets.config.get(sock.number, "ackmode")[0]:
        module._schedule(0.05, partial(module.urc, b'+MIPURC: "ack",%d,%d' % (sock.number, count)))


def _read(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [
            f"+MIPRD: (0-{module.profile.conn_ids - 1}),(0-{module.profile.read_max})".encode()
        ]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    sock = _socket(module, args[0])
    if sock.mode not in (PULL, PACKETS):
        raise Refusal(50)
    if sock.state == "CONNECTING":
        raise Refusal(553)
    if len(args) == 1:
        return [b"+MIPRD: %d,%d" % (sock.number, len(sock.buffer))]
    count = integer(args[1], 0, module.profile.read_max) or len(sock.buffer)
    if not sock.buffer:
        return ()
    data = sock.take(count, module.profile.one_packet_reads)
    shown = module.sockets.shown(sock.number, data)
    return [b"+MIPRD: %d,%d,%d,%s" % (sock.number, len(sock.buffer), len(data), shown)]


def _close(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [f"+MIPCLOSE: (0-{module.profile.conn_ids - 1})".encode()]
    if form != "set":
        raise Refusal(None)
    modes = module.profile.close_modes
    counted(args, 1, 2 if modes else 1)
    number = _number(module, args[0])
    if len(args) == 2:
        integer(args[1], 0, modes)
    sock = module.sockets.get(number)
    if sock is None or sock.freed or sock.state == "CLOSING":
        answer = module.quirks.close_free
        if answer == "ok":
            return ()
        raise Refusal(551 if answer == "551" else None)
    module.finish()
    module.sockets.close(sock)
    return module.deferred


def _state(module: Module, form: str, args: list[Arg]) -> object:
    if form == "read":
        numbers = list(range(module.profile.conn_ids))
    elif form == "set":
        counted(args, 1, 1)
        numbers = [_number(module, args[0])]
    elif form == "test":
        return ()
    else:
        raise Refusal(None)
    lines = []
    for number in numbers:
        sock = module.sockets.get(number)
        if sock is None or sock.freed:
            lines.append(b'+MIPSTATE: %d,,,,"INITIAL"' % number)
        else:
            host, state = sock.host.encode("latin-1"), sock.state.encode()
            kind = b"UDP" if sock.udp else b"TCP"
            values = (number, kind, host, sock.port, state)
            lines.append(b'+MIPSTATE: %d,"%s","%s",%d,"%s"' % values)
    return lines


def _mode(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return [f"+MIPMODE: (0-{module.profile.conn_ids - 1}),(0-3)".encode()]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    sock = _connected(module, args[0])
    if len(args) == 1:
        return [b"+MIPMODE: %d,%d" % (sock.number, sock.mode)]
    mode = integer(args[1], 0, 3)
    if mode == (PULL if sock.udp else PACKETS):
        raise Refusal(50)
    if mode == TRANSPARENT:
        module.sockets.enter_transparent(sock)
        return module.deferred
    sock.mode = mode
    return ()


def _sack(module: Module, form: str, args: list[Arg]) -> object:
    if module.profile.nb or form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    sock = _socket(module, args[0])
    return [b"+MIPSACK: %d,%d,0,%d" % (sock.sent, sock.sent, sock.received)]


def _keepalive(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        last = module.profile.conn_ids - 1
        return [f"+MIPTKA: (0-{last}),(0,1),(30-7200),(30-600),(1-9)".encode()]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 5)
    number = _number(module, args[0])
    kept = module.sockets.keepalive
    if len(args) == 1:
        return [b"+MIPTKA: %d,%d,%d,%d,%d" % (number, *kept.get(number, (0, 90, 75, 3)))]
    kept[number] = (
        integer(args[1], 0, 1),
        _optional(args, 2, 30, 7200, 90),
        _optional(args, 3, 30, 600, 75),
        _optional(args, 4, 1, 9, 3),
    )
    return ()


def _lookup(module: Module, form: str, args: list[Arg]) -> object:
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 2)
    module.string(args[0])
    host = args[0].value
    if not host:
        raise Refusal(50)
    if not module.modem.active:
        raise Refusal(570)
    module.finish()
    module._schedule(0.05, partial(_looked_up, module, host, 0))
    return module.deferred


def _looked_up(module: Module, host: bytes, tries: int) -> None:
    found = module.network.lookup(host.decode("latin-1"))
    if found is None and tries < 600:
        module._schedule(0.05, partial(_looked_up, module, host, tries + 1))
        return
    six_first = module.sockets.dns_priority == 1
    ordered = sorted(found or [], key=lambda address: (":" in address) != six_first)
    addresses = b"".join(b',"%s"' % address.encode() for address in ordered[:4])
    module.urc(b'+MDNSGIP: "%s"%s' % (host, addresses))


def _dns_config(module: Module, form: str, args: list[Arg]) -> object:
    if form == "set":
        counted(args, 1, 2)
        module.string(args[0])
        if args[0].value != b"priority":
            raise module.unsupported()
        if len(args) == 1:
            return [b'+MDNSCFG: "priority",%d' % module.sockets.dns_priority]
        module.sockets.dns_priority = integer(args[1], 0, 1)
        return ()
    if form == "test":
        return [b'+MDNSCFG: "priority",(0,1)']
    raise Refusal(None)


COMMANDS: dict[str, Handler] = {
    "MIPOPEN": _open,
    "MIPSEND": _send,
    "MIPRD": _read,
    "MIPCLOSE": _close,
    "MIPSTATE": _state,
    "MIPMODE": _mode,
    "MIPSACK": _sack,
    "MIPTKA": _keepalive,
    "MDNSGIP": _lookup,
    "MDNSCFG": _dns_config,
}
