# SPDX-License-Identifier: MIT
#
# What can go wrong, as classes. Arguments are (errno, short text), so that an OSError's reader
# finds what it expects and a traceback on a board says what happened; str() adds the meaning of a
# code and what to do.

from errno import ECONNRESET, ETIMEDOUT  # which are others on the ESP32

from . import _port
from ._port import const

TYPE_CHECKING = const(0)  # for type checkers, who take it for true

_EIO = const(5)

_NET_FIRST = const(550)  # the first code of connections


class ModemError(OSError):
    """Something went wrong between the host and the module; every other error here is one of
    these."""

    errno = _EIO

    def __init__(self, text):
        super().__init__(self.errno, text)

    def __str__(self):
        return self.args[1]

    def __repr__(self):
        # What MicroPython prints of an uncaught error; by itself it would show nothing but the
        # arguments: "[Errno 5] EIO: ...", without the remedy.
        return "%s: %s" % (type(self).__name__, self)


class Timeout(ModemError):
    """The module did not answer within the deadline. The next command resynchronises by itself."""

    errno = ETIMEDOUT


class CommandError(ModemError):
    """The module refused. `code`: its number (manual 5.2), None after a plain ERROR or a text.
    `command`: the command that was refused, without its secrets. `errno`: for a connection's code
    what `socket` would raise, such as ECONNREFUSED for 557; else EIO."""

    def __init__(self, code, command, text=""):
        self.code = code
        if code and not 1 < code < _NET_FIRST:
            from .error_numbers import errno_of

            self.errno = errno_of(code)
        self.command = command
        reason = str(code) if code is not None else text or "ERROR"
        super().__init__(command + ": " + reason)

    def __str__(self):
        if self.code is None:
            return self.args[1]
        from . import error_texts

        text = self.args[1] + ", " + error_texts.explain(self.code)
        _port.unload("error_texts")
        return text


class ModemReset(ModemError):
    """The module rebooted: its sockets are gone, its settings are sent again before they are next
    used."""

    errno = ECONNRESET


class ProtocolError(ModemError):
    """Unexpected answer. The channel has been resynchronised."""


if TYPE_CHECKING:
    from .errors_seldom import ClockError as ClockError  # noqa: PLC0414
    from .errors_seldom import ConnectionLost as ConnectionLost  # noqa: PLC0414
    from .errors_seldom import Unsupported as Unsupported  # noqa: PLC0414
    from .errors_seldom import VerifyError as VerifyError  # noqa: PLC0414
else:

    def __getattr__(name):
        # One of the classes that many a program never needs.
        seldom = ("VerifyError", "Unsupported", "ConnectionLost", "ClockError")
        if name == "__all__":
            return [name for name in globals() if "A" <= name[0] <= "Z"] + list(seldom)
        if name not in seldom:
            raise AttributeError(name)
        from . import errors_seldom

        _port.unload("errors_seldom")
        for other in seldom:
            globals().setdefault(other, getattr(errors_seldom, other))
        return globals()[name]
