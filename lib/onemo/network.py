# SPDX-License-Identifier: MIT
#
# The module's way to the network: SIM, registration, PDP context; its reboot.

from . import _port
from ._port import const
from .at_channel import DONE, LINE, REPLY_MS
from .at_resync import listen_op
from .at_syntax import check_text
from .errors import CommandError, ModemError, ModemReset, Timeout

_DIAL_MS = const(60000)
_RETRY_MS = const(500)
_SETTLE_MS = const(300)  # a socket opened earlier gave 753 in the field
_NO_SIM = const(10)
_REGISTERED = (1, 5)  # home, roaming


# SIM, registration, PDP context


def attach_op(modem, apn, timeout_ms):
    """Bring PDP context 1 up; returns its addresses: see BaseModem.attach. ValueError or TypeError
    at once."""
    if apn is not None:
        check_text(apn, "apn", 99)
    return _attach_op(modem.channel, apn, timeout_ms)


def _attach_op(ch, apn, timeout_ms):
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    for step_op, missing in (
        (_has_sim_op, "no SIM that is ready (AT+CPIN?)"),
        (_is_registered_op, "no registration with a network (AT+CEREG?)"),
        (_is_attached_op, "no packet service (AT+CGATT?)"),
    ):
        while not (yield from step_op(ch)):
            if _port.ticks_diff(end, _port.ticks_ms()) <= 0:
                raise Timeout("%s within %d ms" % (missing, timeout_ms))
            yield from listen_op(ch, _RETRY_MS)
    addresses = yield from _addresses_op(ch)
    if addresses is None:
        addresses = yield from _dial_op(ch, apn, end)
    if addresses is None:
        raise Timeout("no PDP context within %d ms (AT+MIPCALL?)" % timeout_ms)
    return ch.set_result(addresses)


def _has_sim_op(ch):
    state = None
    ch.command(b"+CPIN?").send(REPLY_MS, b"+CPIN:")
    try:
        while (event := ch.poll()) != DONE:
            if event == LINE:
                state = ch.text(0)
            else:
                yield
    except CommandError as error:
        if error.code == _NO_SIM:
            raise
    if state not in (None, "READY"):
        raise ModemError("the SIM asks for %s: unlock it, or use one without a PIN" % state)
    return state is not None


def _is_registered_op(ch):
    # Read: `n,stat[,...]`; the URC of the same name has one parameter fewer and is no answer.
    registered = False
    ch.command(b"+CEREG?").send(REPLY_MS, b"+CEREG:")
    while (event := ch.poll()) != DONE:
        if event != LINE:
            yield
        elif ch.value(1) is not None:
            registered = ch.value(1) in _REGISTERED
    return registered


def _is_attached_op(ch):
    attached = False
    ch.command(b"+CGATT?").send(REPLY_MS, b"+CGATT:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            attached = ch.value(0) == 1
        else:
            yield
    return attached


def _addresses_op(ch):
    # Of PDP context 1 while it is up: `1,1,"v4"[,"v6"]`; else None.
    addresses = None
    ch.command(b"+MIPCALL?").send(REPLY_MS, b"+MIPCALL:")
    while (event := ch.poll()) != DONE:
        if event != LINE:
            yield
        elif ch.value(0) == 1 and ch.value(1) == 1:
            addresses = [text for text in (ch.text(2), ch.text(3)) if text]
    return addresses


def _dial_op(ch, apn, end):
    if apn:
        ch.command(b"+CGDCONT=").number(1).quote("IPV4V6").quote(apn).send(REPLY_MS)
        while ch.poll() != DONE:
            yield
    ch.command(b"+MIPCALL=").number(1).number(1).send(_DIAL_MS)
    try:
        while ch.poll() != DONE:
            yield
    except CommandError:
        # modules dial by themselves, and say 50 to one that is up: what counts is the address
        pass
    while True:
        addresses = yield from _addresses_op(ch)
        if addresses is not None or _port.ticks_diff(end, _port.ticks_ms()) <= 0:
            break
        yield from listen_op(ch, _RETRY_MS)
    yield from listen_op(ch, _SETTLE_MS)
    return addresses


# Reboot


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
