# SPDX-License-Identifier: MIT
#
# What is wrong with an argument or a call, in words. Loaded to raise an error.

from ._port import const
from .errors import ModemError

_SHOWN_MAX = const(64)  # characters of a value that are shown; of a longer one, or of PEM text,
_SHOWN_CUT = const(20)  # so many, which of a key's file are none that matter
_SECRETS = ("password", "pin", "pskid")  # not shown; in place of a pskid may stand its PSK


def _named(value, what):
    # What the value is for, and the value.
    if what.split(".")[-1] in _SECRETS:
        return what
    if len(value) > _SHOWN_MAX or "-----" in value:
        value = value[:_SHOWN_CUT]
    return "%s %r" % (what, value)


def refuse_text(value, what, max_len):
    """TypeError or ValueError for what cannot stand between quotes in a command: see
    at_syntax.check_text."""
    if not isinstance(value, str):
        raise TypeError(what + " must be a str, not " + type(value).__name__)
    if not 1 <= len(value) <= max_len:
        raise ValueError(
            "%s has %d characters; the module takes 1 to %d"
            % (_named(value, what), len(value), max_len)
        )
    for character in value:
        if not " " <= character <= "~" or character in '",\\':
            raise ValueError(
                "%s contains %r; use printable ASCII without quote, comma or backslash"
                % (_named(value, what), character)
            )


def refuse_range(value, what, low, high):
    """TypeError or ValueError for what is no int from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("%s must be an int, not %s" % (what, type(value).__name__))
    raise ValueError("%s is %d; it must be %d to %d" % (what, value, low, high))


class Methods:
    """Part of BaseModem, loaded when it is called."""

    def refuse_unidentified(self) -> None:
        """ModemError for what needs to know the model. For the library's own parts."""
        raise ModemError(
            "the module is not identified yet: call start() first, or Modem(model=...)"
        )

    def refuse_reentry(self) -> None:
        """RuntimeError for a call from inside another one's callback. For the library's own
        parts."""
        raise RuntimeError(
            "a command of this modem is under way: progress(), URC handlers, sources, sinks and "
            "loops over ciphers() must not issue commands; note what to do and do it afterwards"
        )
