# SPDX-License-Identifier: MIT
#
# The one question behind an answer that may have been another command's.

from .at_channel import DONE, REPLY_MS
from .errors import ModemReset, ProtocolError, Timeout


def confirm_empty_op(ch):
    """Operation: a query was answered by nothing but OK, or by a list of any length: was that OK
    another command's? Then the rest comes before the answer to another query. ProtocolError."""
    strays = ch.strays
    timeout_ms = min(REPLY_MS, ch.timeout_ms)
    ch.command(b"+CMEE?").send(timeout_ms, b"+CMEE:", require_info=True)
    try:
        while ch.poll() != DONE:
            yield
    except (Timeout, ModemReset):
        return  # the module was told to restart, or to sleep
    if ch.strays != strays:
        ch.lose_sync()
        raise ProtocolError("the answers have come out of step with the commands; ask again")
