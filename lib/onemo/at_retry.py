# SPDX-License-Identifier: MIT
#
# A module that is busy for a moment (it boots, its SIM comes up, another command is under way)
# refuses what it does a second later. What counts as that, and how a command is tried again, is
# decided here and nowhere else.

from . import _port
from ._port import const
from .at_channel import DONE, LINE, REPLY_MS
from .errors import CommandError, Timeout

RETRY_MS = const(500)

_BUSY = (None, 3, 14)  # ERROR; 3GPP TS 27.007, 9.2: operation not allowed, SIM busy


def is_transient(error, more=()):
    """Whether a CommandError may be gone at the next try; `more`: codes that count as well."""
    return error.code in _BUSY or error.code in more


def listen_op(ch, ms):
    """Serve URCs for `ms` milliseconds. ModemReset if the module says that it rebooted."""
    ch.set_deadline(ms)
    try:
        while True:
            ch.poll()
            yield
    except Timeout:
        pass


def pause_op(modem, ms):
    """Operation: as listen_op; a module that may have fallen asleep meanwhile is woken."""
    yield from listen_op(modem.channel, ms)
    if modem.channel.may_sleep():
        yield from modem.resync_op()


def ask_op(ch, command, end, take=None, expect=None, timeout_ms=REPLY_MS):
    """Operation: send a command (bytes, behind `AT`), again for as long as it is refused for a
    moment and `end` (ticks) is not over. The last refusal is raised then, any other at once.

    `take(ch)` looks at an information line: the first value other than None is returned. `expect`:
    how these lines begin; by default as `+NAME?` says."""
    if take and expect is None:
        expect = command[: command.find(b"?")] + b":"
    while True:
        found = None
        ch.command(command).send(timeout_ms, expect)
        try:
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif take and found is None:
                    found = take(ch)
            return found
        except CommandError as error:
            if not is_transient(error) or is_over(end):
                raise
        yield from listen_op(ch, RETRY_MS)


def is_over(end):
    """Whether `end` (ticks) has come."""
    return _port.ticks_diff(end, _port.ticks_ms()) <= 0
