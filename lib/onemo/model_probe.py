# SPDX-License-Identifier: MIT
#
# Asks a module whose name does not tell what it can do: the test forms of the commands tell
# options, ranges and ids, and whether there is TLS at all, and change nothing. Loaded by start()
# for such a module, and let go of.

from . import _port
from ._port import const
from .at_channel import DATA, DONE, LINE, REPLY_MS, REST_OF_LINE
from .errors import CommandError, ModemReset, ProtocolError, Timeout

_RUNS_MAX = const(5)
_LIST_BYTES = const(3000)  # of cipher suites
_IDS_MAX = const(16)


def probe_op(modem, end):
    """Operation: put what the module says that it can do into its Model, until the ticks `end`.
    Timeout, ModemReset."""
    model = modem.capabilities
    ch = modem.channel
    seen = []
    runs = _RUNS_MAX
    while runs:
        left_ms = _port.ticks_diff(end, _port.ticks_ms())
        if left_ms <= 0:
            raise Timeout("the module answers, but not to what asks for its abilities")
        runs -= 1
        try:
            if not ch.ready():
                yield from modem.resync_op(left_ms)
            facts = yield from _facts_op(ch, model)
        except (ModemReset, ProtocolError, Timeout):
            continue
        if facts in seen:
            for name in facts:
                setattr(model, name, facts[name])
            break
        seen.append(facts)
    else:
        modem.tell("model", "%s says each time something else of what it can do" % model)
    model.certain = True
    if not model.known:
        modem.tell("model", "%s was asked what it can do: see modem.model_info" % model)
    if not ch.ready():  # a plain ERROR may have been a damaged line's answer
        yield from modem.resync_op(max(1, _port.ticks_diff(end, _port.ticks_ms())))


def _facts_op(ch, model):
    # What Model's attributes are to be.
    facts = {}
    options = yield from _test_op(ch, b"+MSSLCFG=?")
    sockets = yield from _test_op(ch, b"+MIPCFG=?")
    ssl = sockets.get("ssl") if sockets else None
    if sockets is None:  # it has no test form; whether it has the option, a query tells
        ssl = yield from _test_op(ch, b'+MIPCFG="ssl",0')
    if options is None and ssl is None:
        options = yield from _test_op(ch, b"+MSSLCERTWR=?")
    facts["tls"] = tls = options is not None or ssl is not None
    facts["mipcfg_ssl"] = ssl is not None
    if model.known:
        return facts
    for option in sockets or {}:
        ids = sockets[option]
        if ids and ids[0] and max(ids[0]) < _IDS_MAX:
            facts["connections"] = max(ids[0]) + 1
    if not tls:
        facts.update(psk=False, ciphers=False)
        return facts
    if options:
        ids = options.get("auth")
        if ids and ids[0] and max(ids[0]) < _IDS_MAX:
            facts["ssl_ids"] = max(ids[0]) + 1
        facts["psk"] = "psk" in options
        facts["sni"] = "sni" in options
        for option, name, known in (
            ("encoding", "encodings", (0, 1, 2)),
            ("version", "versions", (0, 1, 2, 3, 255)),
        ):
            ranges = options.get(option) or []
            values = tuple([n for n in known if len(ranges) > 1 and n in ranges[1]])
            if 2 in values or 3 in values:
                facts[name] = values
    check = yield from _test_op(ch, b"+MSSLCHECK=?")
    values = check and check.get("")
    if values:
        facts["algorithms"] = tuple([n for n in (0, 1, 2, 3) if n in values[0]])
    facts["ciphers"] = yield from _has_ciphers_op(ch)
    return facts


def _test_op(ch, command):
    # {option: [its ranges, as lists of numbers]} of what a test form lists; None if it is refused.
    found = {}
    name = command.split(b"=")[0]
    ch.command(command).send(REPLY_MS, name + b":")
    try:
        while (event := ch.poll()) != DONE:
            if event == LINE:
                _parse(ch.line(), found)
            else:
                yield
    except CommandError:
        return None
    return found


def _parse(line, found):
    # `+MSSLCFG: "auth",(0-5),(0-2)`, or `+MSSLCFG: ("auth","cert",...)`, or `+MSSLCHECK: ,(0-3)`
    parts = line.split(b'"')
    names = [part.decode() for part in parts[1::2]] or [""]
    ranges = []
    for part in line.split(b"(")[1:]:
        ranges.append(_numbers(part.split(b")")[0]))
    for name in names:
        found[name] = ranges if len(names) == 1 else []


def _numbers(text):
    # b"0-3,255" -> [0, 1, 2, 3, 255]; a long range is left at its ends.
    found = []
    for part in text.split(b","):
        ends = part.strip().split(b"-")
        if ends[0].isdigit() and ends[-1].isdigit() and len(part) < 12:
            first, last = int(ends[0]), int(ends[-1])
            found.extend(range(first, last + 1) if last - first < 99 else (first, last))
    return found


def _has_ciphers_op(ch):
    # True if it lists its cipher suites. All of them stand on one line of 1.5 KB, passed over.
    has = False
    ch.command(b"+MSSLCIPHER=?")
    ch.send(REPLY_MS + _LIST_BYTES * 10000 // ch.baud, b"+MSSLCIPHER:", REST_OF_LINE)
    try:
        while (event := ch.poll()) != DONE:
            if event != DATA:
                yield
                continue
            has = True
            while ch.data_remaining:
                chunk = ch.read_chunk()
                at = chunk.find(b"\n")
                if at >= 0:
                    ch.end_data(at + 1)
                elif not chunk:
                    yield
    except CommandError:
        return False
    return has
