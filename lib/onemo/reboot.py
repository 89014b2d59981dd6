# The module made anew (AT+MREBOOT).

from ._port import const
from .channel import DONE
from .errors import ModemReset
from .recovery import listen

_ANSWER_MS = const(5000)
_BOOT_MS = const(30000)


def reboot(modem, timeout_ms=_BOOT_MS):
    """Reboots the module and sets it up again. Sockets are gone, contexts are sent again when
    used."""
    return modem.run_operation(_rebooting(modem, timeout_ms))


def _rebooting(modem, timeout_ms):
    ch = modem.channel
    try:
        ch.begin(b"+MREBOOT").go(_ANSWER_MS)
        while ch.poll() != DONE:
            yield
        # A module whose speed is automatic may not say that it is ready.
        yield from listen(ch, timeout_ms)
    except ModemReset:
        pass
    ch.rebooted = True
    yield from modem.recovery(timeout_ms)
    ch.result = None
