# SPDX-License-Identifier: MIT
#
# What is wrong with an argument or a call, in words. Loaded to raise an error.

from .errors import ModemError


def refuse_text(value, what, max_len):
    """TypeError or ValueError for what cannot stand between quotes in a command: see
    at_syntax.check_text."""
    if not isinstance(value, str):
        raise TypeError(what + " must be a str, not " + type(value).__name__)
    if not 1 <= len(value) <= max_len:
        raise ValueError(
            "%s %r has %d characters; the module takes 1 to %d"
            % (what, value[:80], len(value), max_len)
        )
    for character in value:
        if not " " <= character <= "~" or character in '",\\':
            raise ValueError(
                "%s %r contains %r; use printable ASCII without quote, comma or backslash"
                % (what, value, character)
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
