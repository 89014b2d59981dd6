# SPDX-License-Identifier: MIT
#
# The ground under everything that writes to the module's store: its kinds and limits, how an
# object is removed, and what a volatile store must be able to write again.

from ._port import const
from .at_channel import DONE, FLASH_MS, LINE, STORE_MS
from .errors import CommandError

CERT = const(1)  # MSSLLIST's types (manual 3.5)
KEY = const(2)
PSK = const(3)

_MISSING = const(762)  # the code of an object that is not there (manual 5.2)


def find_op(ch, name, kind):
    """The size of one object, None if it is not listed. The other lines cost nothing."""
    wanted = name if isinstance(name, bytes) else name.encode()
    size = None
    ch.command(b"+MSSLLIST=").number(kind).send(STORE_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            if ch.field_equals(0, wanted):
                size = ch.value(1)
        else:
            yield
    return ch.set_result(size)


def remove_op(modem, name, missing_ok=True, forget=False):
    """Remove an object (manual 3.6), and look whether it is gone: a damaged name may have removed
    another, or none. Returns True if it was there; without `missing_ok` a missing one is
    CommandError 762. `forget`: on purpose, so that it will not be written again. VerifyError."""
    ch = modem.channel
    ch.command(b"+MSSLRM=").quote(name).send(FLASH_MS)
    removed = True
    try:
        while ch.poll() != DONE:
            yield
    except CommandError as error:
        if not missing_ok or error.code != _MISSING:
            raise
        removed = False
    # Not every model removes PSKs, and one that refuses it says that there is none. That is
    # believed of two lists.
    kind = PSK if removed and modem.require_model().psk else KEY
    again = not removed
    while kind:
        if (yield from find_op(ch, name, kind)) is not None:
            from .errors import VerifyError

            raise VerifyError(
                "%s is still in the module, which answered %s to its removal: compare "
                "certs.list() with what you expect, then remove it again"
                % (name, "OK" if removed else _MISSING)
            )
        kind -= 1
        if again and not kind:
            kind = KEY
            again = False
    if modem.partial_upload == name:
        modem.partial_upload = None
    if forget:
        forget_sources(modem, name)
    return ch.set_result(removed)


def discard_op(modem, name):
    """Remove what an upload left, if it can be removed: an error of this would hide another."""
    try:
        yield from remove_op(modem, name)
    except Exception as error:
        from .errors import VerifyError

        # It was never begun, or the next write says what is wrong.
        if not isinstance(error, (CommandError, VerifyError)):
            raise error


def check_unused(modem, name):
    """ValueError if an open connection uses the object `name` (manual 3.6 warns of that)."""
    if modem.connections:
        number = modem.connections.user_of(name)
        if number is not None:
            raise ValueError(
                "%s is in use by connection %d: close it first, or pass in_use_ok=True"
                % (name, number)
            )


def forget_sources(modem, name):
    """An object was removed on purpose: it is not to be written again, see cert_restore."""
    for kind in (CERT, KEY, PSK):
        modem.sources.pop((name, kind), None)


def remember_source(modem, name, kind, source, size, position):
    """Note the source of what was written, if the model's store is volatile: see cert_restore.
    `position`: where a stream stood; None if it cannot be rewound, or for a path."""
    if modem.require_model().volatile:
        modem.sources[name, kind] = (source, size, position)
