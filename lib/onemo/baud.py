# SPDX-License-Identifier: MIT
#
# Another speed on the UART: module and host change together, and find one another again after a
# reset of either, since the module keeps its speed. Loaded only when used.

from . import _port
from ._port import const
from .at_channel import DONE, REPLY_MS
from .at_syntax import BAUD_MAX, BAUD_MIN, check_range
from .errors import ModemReset, ProtocolError, Timeout

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

# What a module may have been left at, the commonest first.
_SPEEDS = (115200, 921600, 460800, 230400, 57600, 38400, 19200, 9600, 4800)
_COMMON = (115200, 9600, 460800, 921600)  # as delivered, and as products leave them
_LOOK_MS = const(1400)  # three probes: the first ones after a change may be lost
_LONG_LOOK_MS = const(6000)  # so many that a module in data mode is got out of it
_SETTLE_MS = const(20000)  # after a change
_BLIND_TRIES = const(3)
_PERHAPS = const(2)  # at_channel's


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        reopen: Any
        run_operation: Any

    def set_baud(self, baud: int, reopen=None, timeout_ms: int = 90000) -> None:
        """Change the speed of module (AT+IPR) and UART to `baud` bit/s; before `start()` or after
        it. reopen(baud) returns the UART at that speed (`uart.reopen` makes one); None: that of
        Modem(reopen=...). The module keeps its speed over resets; a module that an earlier run
        left at another speed is found.

        Timeout if it is not found within `timeout_ms` milliseconds, or, at the speed from before,
        if the line is not good for the new one; CommandError if the module has no such speed."""
        _port.unload("baud")
        reopen = reopen or self.reopen
        if reopen is None:
            raise ValueError("reopen is missing: a function of the speed that opens the UART anew")
        return self.run_operation(set_baud_op(self, baud, reopen, timeout_ms), False)


def set_baud_op(modem, baud, reopen, timeout_ms):
    """Change the speed of module and UART: see BaseModem.set_baud. ValueError or TypeError at
    once."""
    check_range(baud, "baud", BAUD_MIN, BAUD_MAX)
    return _set_baud_op(modem, baud, reopen, timeout_ms)


def _set_baud_op(modem, baud, reopen, timeout_ms):
    ch = modem.channel
    yield from _find_op(modem, (ch.baud, baud), _SPEEDS, reopen, timeout_ms, _LOOK_MS)
    before = ch.baud
    if before != baud:
        yield from _send_ipr_op(ch, baud, REPLY_MS)
        _use(modem, baud, reopen)
        try:
            yield from modem.resync_op(_SETTLE_MS)
        except Timeout:
            for _ in range(_BLIND_TRIES):  # it may hear us, though we do not hear it
                yield from _send_ipr_op(ch, before, _LOOK_MS // _BLIND_TRIES)
            yield from _find_op(modem, (before, baud), _SPEEDS, reopen, timeout_ms, _LOOK_MS)
            raise Timeout(
                "the module is not understood at %d bit/s, it is at %d again: is the line good "
                "for that speed, and the UART's clock near enough to it?" % (baud, ch.baud)
            )
    ch.set_result(None)


def find_op(modem, timeout_ms):
    """Operation: get in step with a module that runs at the UART's speed or at one of the common
    ones; channel.baud is its speed then. The UART's own is looked at so long that a module in data
    mode is got out of it, or one that boots has answered. Timeout, ModemReset."""
    first_ms = max(_LOOK_MS, min(_LONG_LOOK_MS, timeout_ms // 3))
    return _find_op(modem, (modem.channel.baud,), _COMMON, modem.reopen, timeout_ms, first_ms)


def _find_op(modem, likely, others, reopen, timeout_ms, look_ms):
    # Gets in step with the module at whatever speed it has; channel.baud is that speed then.
    ch = modem.channel
    start = _port.ticks_ms()
    rebooted = ch.rebooted or (ch.out_of_sync and _PERHAPS)
    first = True
    while True:
        for speed in likely + tuple([s for s in others if s not in likely]):
            left_ms = timeout_ms - _port.ticks_diff(_port.ticks_ms(), start)
            if left_ms <= 0:
                raise Timeout(
                    "no answer within %d ms at any speed from %d to 921600 bit/s: has the "
                    "module power, are TX and RX crossed?" % (timeout_ms, min(others))
                )
            if speed != ch.baud:
                _use(modem, speed, reopen)
                if first:
                    ch.expect_payload(0)  # 8 KB of filler take 9 s at 9600 bit/s
            ch.set_rebooted(rebooted)
            try:
                yield from modem.resync_op(min(look_ms, left_ms))
                return
            except Timeout:
                pass
            if first:
                look_ms = _LOOK_MS
        first = False
        look_ms = _LONG_LOOK_MS


def _send_ipr_op(ch, baud, timeout_ms):
    # The OK still comes at the old speed. One that is lost means nothing: the new speed tells.
    ch.command(b"+IPR=").number(baud).send(timeout_ms)
    try:
        while ch.poll() != DONE:
            yield
    except (ModemReset, ProtocolError, Timeout):
        pass


def _use(modem, baud, reopen):
    modem.set_uart(reopen(baud))
    modem.channel.set_baud(baud)
