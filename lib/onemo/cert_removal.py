# SPDX-License-Identifier: MIT
#
# What is removed from the module's store (manual 3.6): an object that is listed, and what a write
# left under a name that was damaged on the line.

from .at_channel import DONE, LINE, STORE_MS
from .cert_digest import find_digest_op
from .cert_store import CERT, KEY, PSK, find_op, forget_sources, remove_op
from .errors import CommandError, ProtocolError


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
