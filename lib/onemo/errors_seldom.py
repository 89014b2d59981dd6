# SPDX-License-Identifier: MIT
#
# Errors that many a program never sees. errors.py has them as soon as somebody asks for one.

from ._port import const
from .errors import ECONNRESET, ModemError

_ENOTSUP = const(95)


class VerifyError(ModemError):
    """What the module holds is not what was sent to it: a digest or a setting differs when read
    back."""


class Unsupported(ModemError):
    """The model cannot do this. Nothing was sent."""

    errno = _ENOTSUP


class ConnectionLost(ModemError):
    """The connection was lost without an orderly close; reconnect."""

    errno = ECONNRESET


class ClockError(ModemError):
    """The module's clock is not set, so it cannot judge whether a certificate is in date."""
