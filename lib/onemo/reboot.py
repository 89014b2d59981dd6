# SPDX-License-Identifier: MIT
#
# modem.reboot: AT+MREBOOT, and the module set up again.

from ._port import const, unload
from .at_channel import DONE, REPLY_MS, RESYNC_MS
from .at_retry import listen_op
from .errors import ModemReset

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def reboot(self, timeout_ms: int = RESYNC_MS) -> None:
        """Reboot the module (AT+MREBOOT) and set it up again. Its connections are gone; TLS
        contexts are sent again before they are next used.

        Timeout if it does not answer again within `timeout_ms` milliseconds; CommandError."""
        unload("reboot", "at_retry")
        return self.run_operation(reboot_op(self, timeout_ms))


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
