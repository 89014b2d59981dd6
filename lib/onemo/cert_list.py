# SPDX-License-Identifier: MIT
#
# What is in the module's store: listed, read back, digested (manual 3.4, 3.5, 3.8).

from ._port import const, unload
from .at_channel import DATA, DONE, LINE, STORE_MS
from .at_syntax import PAYLOAD_MAX, check_range, check_text
from .cert_digest import find_digest_op
from .cert_store import CERT, KEY, PSK, find_op, forget_sources, remove_op
from .errors import CommandError, ProtocolError

MD5 = const(0)  # MSSLCHECK's algorithms (manual 3.8)
SHA1 = const(1)
SHA256 = const(2)
CRC = const(3)


def read_op(modem, name, sink):
    """Stream a certificate into sink.write: see CertStore.read. ValueError, TypeError at once."""
    check_text(name, "name")
    return _read_op(modem.channel, name.encode(), sink)


def _read_op(ch, name, sink):
    # The list is asked first, as a second opinion on the size: one damaged digit of it would cut
    # the certificate short. The size is kept in the result, for each local makes the generator
    # larger.
    ch.result = None
    ch.command(b"+MSSLLIST=").number(CERT).send(STORE_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event != LINE:
            yield
        elif ch.field_equals(0, name):
            ch.result = ch.value(1)
    ch.command(b"+MSSLCERTRD=").quote(name)
    ch.send(STORE_MS + PAYLOAD_MAX * 10000 // ch.baud, b"+MSSLCERTRD:", 1)
    while (event := ch.poll()) != DONE:
        if event != DATA:
            yield
            continue
        _check_count(ch)
        name = None
        while ch.data_remaining:
            event = ch.read_chunk()
            if event:
                sink.write(event)
            if ch.data_remaining and ch.drained:
                yield
    if name is not None:
        ch.lose_sync()  # they may still come
        raise ProtocolError("%s: OK, but no data came" % ch.command_text())
    return ch.result


def _check_count(ch):
    count = ch.data_remaining
    if ch.result is not None and ch.result != count:
        ch.lose_sync()
        raise ProtocolError(
            "%s announces %d bytes, MSSLLIST %d" % (ch.command_text(), count, ch.result)
        )
    ch.result = count


def list_op(modem, kind):
    """[(name, size in bytes), ...] of the objects of one kind. ValueError or TypeError at once."""
    check_range(kind, "kind", CERT, PSK)
    return _list_op(modem.channel, kind)


def _list_op(ch, kind):
    found = []
    ch.command(b"+MSSLLIST=").number(kind).send(STORE_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            found.append((ch.text(0), ch.value(1)))
        else:
            yield
    # An OK of another's would have cut the list short.
    from .at_confirm import confirm_empty_op

    unload("at_confirm")
    yield from confirm_empty_op(ch)
    return ch.set_result(found)


def remove_listed_op(modem, name, missing_ok):
    """Remove an object that is there: see CertStore.remove. A command for one that is not would,
    with its name damaged on the line, remove another."""
    if not (yield from _is_there_op(modem, name, missing_ok)):
        forget_sources(modem, name)
        return modem.channel.set_result(False)
    if not (yield from remove_op(modem, name, True, True)):
        raise ProtocolError(
            "%s was in the module, which says now that it never was: compare certs.list() with "
            "what you expect" % name
        )
    return modem.channel.set_result(True)


def _is_there_op(modem, name, missing_ok):
    # One list that names it is enough. That it is missing is believed of two lists, if its check
    # code is refused as well: with what, modules disagree.
    ch = modem.channel
    for _ in range(2):
        for kind in (KEY, CERT, PSK) if modem.require_model().psk else (KEY, CERT):
            if (yield from find_op(ch, name, kind)) is not None:
                return True
    try:
        yield from find_digest_op(ch, name)
    except CommandError:
        if not missing_ok:
            raise
        return False
    return True


def remove_copies_op(modem, name, codes):
    """Remove what a write left under a name that was damaged on the line: objects whose names are
    almost `name`, and which nobody could have named so, or whose check code is one of `codes`, of
    what was being written."""
    found = yield from _almost_named_op(modem, name)
    if None in found.values():
        found = yield from _almost_named_op(modem, name)
    for listed, code in found.items():
        if code is None:
            continue
        if code in codes or not _is_text(listed):
            yield from remove_op(modem, listed)
            modem.tell(
                "stray",
                "%s was written under the name %s, which was damaged on the line; that was removed"
                % (name, _shown(listed)),
            )
        else:
            modem.tell(
                "stray",
                "%s, which is almost %s, is in the module as well: if nobody wrote it, it is what "
                "the line made of that name; certs.remove() removes it" % (_shown(listed), name),
            )


def _almost_named_op(modem, name):
    # {listed name: its check code} of what is almost called `name`; None for one that the module
    # does not have, whose line in the list was damaged.
    ch = modem.channel
    found = {}
    for kind in (CERT, KEY, PSK) if modem.require_model().psk else (CERT, KEY):
        ch.command(b"+MSSLLIST=").number(kind).send(STORE_MS, b"+MSSLLIST:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                listed = ch.raw(0)
                if _almost(listed, name.encode()):
                    found[listed] = None
            else:
                yield
    for listed in found:
        try:
            found[listed] = yield from find_digest_op(ch, listed)
        except CommandError:
            pass
    return found


def _is_text(listed):
    # True for a name that check_text lets through: no write of ours can have meant another.
    return all(0x20 <= byte <= 0x7E and byte not in b'",\\' for byte in listed)


def _shown(listed):
    return listed.decode() if _is_text(listed) else repr(listed)


def _almost(one, other):
    # True for two names that differ, but by a character or two.
    return one != other and _within(one, other, 2)


def _within(one, other, faults):
    # True if `faults` characters changed, lost or added make one name of the other.
    start = 0
    shorter = min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    one = one[start:]
    other = other[start:]
    if not one or not other:
        return len(one) + len(other) <= faults
    return faults > 0 and (
        _within(one[1:], other[1:], faults - 1)
        or _within(one[1:], other, faults - 1)
        or _within(one, other[1:], faults - 1)
    )


def digest_op(modem, name, algorithm=MD5):
    """The check code of one object: see CertStore.digest. ValueError, TypeError or Unsupported at
    once."""
    check_text(name, "name")
    check_range(algorithm, "algorithm", MD5, CRC)
    model = modem.require_model()
    if algorithm not in model.algorithms:
        from .errors import Unsupported

        raise Unsupported("%s checks by MD5 only (manual 3.8, note 8)" % model)
    return find_digest_op(modem.channel, name, algorithm)


def algorithms_op(modem):
    """The numbers in MSSLCHECK's test form: `+MSSLCHECK: ,(0,1,2,3)`, with that leading comma, or
    a range."""
    ch = modem.channel
    ch.command(b"+MSSLCHECK=?").send(STORE_MS, b"+MSSLCHECK:")
    found = []
    while (event := ch.poll()) != DONE:
        if event == LINE:
            found = parse_numbers(ch.line())
        else:
            yield
    return ch.set_result(found)


def parse_numbers(line):
    """The numbers of a list such as b"+X: ,(0,1,4-6)", ranges spelt out. What has three digits or
    more is none of them."""
    found = []
    for part in line[line.find(b":") + 1 :].replace(b"(", b" ").replace(b")", b" ").split(b","):
        ends = part.strip().split(b"-")
        if ends[0].isdigit() and ends[-1].isdigit() and len(ends[-1]) < 3:
            found.extend(range(int(ends[0]), int(ends[-1]) + 1))
    return found
