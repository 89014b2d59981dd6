# From a module that answers to one with an address: SIM, registration, PDP context.

from . import _port
from ._port import const
from .channel import DONE, LINE
from .errors import CommandError, ModemError, Timeout
from .recovery import listen
from .syntax import check_text

_ANSWER_MS = const(5000)
_DIAL_MS = const(60000)
_RETRY_MS = const(500)
_SETTLE_MS = const(300)  # a socket opened earlier gave 753 in the field
_NO_SIM = const(10)
_REGISTERED = (1, 5)  # home, roaming


def attach(modem, apn=None, timeout_ms=120000):
    """Waits for SIM and registration, and brings PDP context 1 up (with `apn`, if given); its
    addresses as str. CommandError 10 without a SIM; Timeout says what was missing."""
    if apn is not None:
        check_text(apn, "apn", 99)
    return modem.run_operation(_attaching(modem, apn, timeout_ms))


def _attaching(modem, apn, timeout_ms):
    ch = modem.channel
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    for step, missing in (
        (_sim, "no SIM that is ready (AT+CPIN?)"),
        (_registration, "no registration with a network (AT+CEREG?)"),
        (_attachment, "no packet service (AT+CGATT?)"),
    ):
        while True:
            yield from step(ch)
            if ch.result:
                break
            if _port.ticks_diff(end, _port.ticks_ms()) <= 0:
                raise Timeout("%s within %d ms" % (missing, timeout_ms))
            yield from listen(modem.channel, _RETRY_MS)
    yield from _addresses(ch)
    if ch.result is None:
        yield from _dial(modem, apn, end)
    if ch.result is None:
        raise Timeout("no PDP context within %d ms (AT+MIPCALL?)" % timeout_ms)


def _sim(ch):
    said = None
    ch.begin(b"+CPIN?").go(_ANSWER_MS, b"+CPIN:")
    try:
        while (event := ch.poll()) != DONE:
            if event == LINE:
                said = ch.text(0)
            else:
                yield
    except CommandError as error:
        if error.code == _NO_SIM:
            raise
    if said not in (None, "READY"):
        raise ModemError("the SIM asks for %s: unlock it, or use one without a PIN" % said)
    ch.result = said is not None


def _registration(ch):
    # Read: `n,stat[,...]`; the URC of the same name has one parameter fewer and is no answer.
    registered = False
    ch.begin(b"+CEREG?").go(_ANSWER_MS, b"+CEREG:")
    while (event := ch.poll()) != DONE:
        if event != LINE:
            yield
        elif ch.value(1) is not None:
            registered = ch.value(1) in _REGISTERED
    ch.result = registered


def _attachment(ch):
    attached = False
    ch.begin(b"+CGATT?").go(_ANSWER_MS, b"+CGATT:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            attached = ch.value(0) == 1
        else:
            yield
    ch.result = attached


def _addresses(ch):
    # Of PDP context 1 while it is up: `1,1,"v4"[,"v6"]`; else None.
    found = None
    ch.begin(b"+MIPCALL?").go(_ANSWER_MS, b"+MIPCALL:")
    while (event := ch.poll()) != DONE:
        if event != LINE:
            yield
        elif ch.value(0) == 1 and ch.value(1) == 1:
            found = [text for text in (ch.text(2), ch.text(3)) if text]
    ch.result = found


def _dial(modem, apn, end):
    ch = modem.channel
    if apn:
        ch.begin(b"+CGDCONT=").number(1).quote("IPV4V6").quote(apn).go(_ANSWER_MS)
        while ch.poll() != DONE:
            yield
    ch.begin(b"+MIPCALL=").number(1).number(1).go(_DIAL_MS)
    try:
        while ch.poll() != DONE:
            yield
    except CommandError:
        # modules dial by themselves, and say 50 to one that is up: what counts is the address
        pass
    while True:
        yield from _addresses(ch)
        if ch.result is not None or _port.ticks_diff(end, _port.ticks_ms()) <= 0:
            break
        yield from listen(modem.channel, _RETRY_MS)
    found = ch.result
    yield from listen(modem.channel, _SETTLE_MS)
    ch.result = found
