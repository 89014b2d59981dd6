# SPDX-License-Identifier: MIT
#
# The one question behind an answer, or a refusal, that may have been another command's.

from .at_channel import DONE, LINE, REPLY_MS
from .errors import ModemReset, ProtocolError, Timeout

_RESTARTS = (b"+MREBOOT", b"+MPOF")  # behind their OK the module answers nothing more


def confirm_empty_op(ch):
    """Operation: the command under way was answered by nothing but OK, or by a list of any length:
    was that OK another command's? Then the rest comes before the answer to another query.
    ProtocolError if it was, or if the module does not tell; ModemReset. A command that restarts
    the module, or switches it off, needs no such answer. Returns the module's CMEE level."""
    strays = ch.strays
    text = ch.command_text()
    line = text.upper().encode()
    restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if line.find(name) >= 0]
    timeout_ms = min(REPLY_MS, ch.timeout_ms)
    ch.command(b"+CMEE?").send(timeout_ms, b"+CMEE:", require_info=True)
    level = None
    try:
        while (event := ch.poll()) != DONE:
            if event == LINE:
                level = ch.value(0)
            else:
                yield
    except ModemReset:
        if not restarts:
            raise
        return
    except Timeout:
        if not restarts:
            raise ProtocolError(
                "%s: nothing confirms its answer, for behind it the module is silent; ask again"
                % text
            )
        return
    if ch.strays != strays:
        ch.lose_sync()
        raise ProtocolError("the answers have come out of step with the commands; ask again")
    return level


def confirm_refusal_op(ch):
    """Operation: the command under way was refused for a moment: was that another command's
    refusal? Then its own answer comes before the one to another query. ProtocolError, also for a
    module that has rebooted; ModemReset. Else the channel is in step, and nothing was done."""
    ch.reset()  # so that the answer would be noticed; what is secret stays so
    if (yield from confirm_empty_op(ch)) != 1:
        ch.lose_sync()
        raise ProtocolError("the module has lost its settings, as in a reboot")
    ch.set_in_sync()
