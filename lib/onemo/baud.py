# Another speed on the UART: module and host change together, and find one another again after a
# reset of either, since the module keeps its speed. Loaded only when used.

from . import _port
from ._port import const
from .channel import DONE
from .errors import ModemReset, ProtocolError, Timeout
from .syntax import check_range

# What a module may have been left at, the commonest first.
_SPEEDS = (115200, 921600, 460800, 230400, 57600, 38400, 19200, 9600, 4800)
_ANSWER_MS = const(5000)
_LOOK_MS = const(1400)  # three probes: the first ones after a change may be lost
_LONG_LOOK_MS = const(6000)  # so many that a module in data mode is got out of it
_SETTLE_MS = const(20000)  # after a change
_BLIND = const(3)
_SYNC_MS = const(90000)  # at every speed, twice


def set_baud(modem, baud, reopen, timeout_ms=_SYNC_MS):
    """Changes the speed of module (AT+IPR) and UART to `baud` bit/s; before `start()` or
    after. reopen(baud) returns the UART at that speed (`uart.reopen` makes one). The module
    keeps its speed over resets, and one that an earlier run left at another is found:
    Timeout if not within `timeout_ms`. CommandError where the module has no such speed;
    Timeout, at the speed from before, where the line is not good for it."""
    check_range(baud, "baud", 1200, 4000000)
    return modem.run_operation(_switching(modem, baud, reopen, timeout_ms), False)


def _switching(modem, baud, reopen, timeout_ms):
    """Operation of `Modem.set_baud`."""
    ch = modem.channel
    yield from _find(modem, (ch.baud, baud), reopen, timeout_ms)
    before = ch.baud
    if before != baud:
        yield from _ask(ch, baud, _ANSWER_MS)
        _use(modem, baud, reopen)
        try:
            yield from modem.recovery(_SETTLE_MS)
        except Timeout:
            for _ in range(_BLIND):  # it may hear us, though we do not hear it
                yield from _ask(ch, before, _LOOK_MS // _BLIND)
            yield from _find(modem, (before, baud), reopen, timeout_ms)
            raise Timeout(
                "the module is not understood at %d bit/s, it is at %d again: is the line good "
                "for that speed, and the UART's clock near enough to it?" % (baud, ch.baud)
            )
    ch.result = None


def _find(modem, first, reopen, timeout_ms):
    # In step with the module at whatever speed it has; channel.baud is that then.
    ch = modem.channel
    start = _port.ticks_ms()
    fresh = ch.rebooted or ch.stale
    look_ms = _LOOK_MS
    while True:
        for speed in first + tuple(s for s in _SPEEDS if s not in first):
            left_ms = timeout_ms - _port.ticks_diff(_port.ticks_ms(), start)
            if left_ms <= 0:
                raise Timeout(
                    "no answer within %d ms at any speed from 4800 to 921600 bit/s: has the "
                    "module power, are TX and RX crossed?" % timeout_ms
                )
            if speed != ch.baud:
                _use(modem, speed, reopen)
            ch.rebooted = fresh
            try:
                yield from modem.recovery(min(look_ms, left_ms))
                return
            except Timeout:
                pass
        look_ms = _LONG_LOOK_MS


def _ask(ch, baud, timeout_ms):
    # The OK still comes at the old speed. One that is lost says nothing: the new speed tells.
    ch.begin(b"+IPR=").number(baud).go(timeout_ms)
    try:
        while ch.poll() != DONE:
            yield
    except (ModemReset, ProtocolError, Timeout):
        pass


def _use(modem, baud, reopen):
    modem.channel.stale = True  # until it has answered
    modem.rewire(reopen(baud))
    modem.channel.baud = baud
