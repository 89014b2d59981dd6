# SPDX-License-Identifier: MIT
#
# modem.reboot: AT+MREBOOT, and the module set up again.

from .at_channel import DONE, REPLY_MS
from .at_retry import listen_op
from .errors import ModemReset


def reboot_op(modem, timeout_ms):
    """Reboot the module and set it up again."""
    ch = modem.channel
    try:
        ch.command(b"+MREBOOT").send(REPLY_MS)
        while ch.poll() != DONE:
            yield
        # A module whose speed is automatic may not say that it is ready.
        yield from listen_op(ch, timeout_ms)
    except ModemReset:
        pass
    ch.set_rebooted()
    yield from modem.resync_op(timeout_ms)
    ch.set_result(None)
