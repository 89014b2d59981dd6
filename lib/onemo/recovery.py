# In step with a module in whatever state it is: booting, in data mode, in the middle of an answer.

from . import _port
from ._port import const
from .channel import ALL, DONE, LINE, SENT
from .errors import CommandError, ModemReset, ProtocolError, Timeout

_ANSWER_MS = const(5000)
_ASK_MODEL = const(2)
_PROBE_MS = const(500)
_QUIET_MS = const(50)
_QUIET_MAX_MS = const(3000)
_FILLED_MS = const(3000)  # for the final result of a packet that was filled up
_REBOOTS = const(3)  # so many in one recovery are no accident
_SILENT_PROBES = const(3)  # after so many, the module may be in data mode
_PACKET_MAX = const(8192)
_SILENT = const(
    "no answer within %d ms: has the module power, are TX and RX crossed, does it run at %d bit/s?"
)
_ODD = const(
    "no answer within %d ms in what came from the UART: does the module run at %d bit/s, "
    "is it one of OneMO's?"
)
# Ends data mode, is nothing to a module that has left it.
_FILLER = const(b"\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r")


def starting(modem, timeout_ms):
    """Operation of `Modem.start`."""
    ch = modem.channel
    ch.rebooted = True
    yield from recovery(modem, timeout_ms)
    if modem._model is None:
        asked = 0
        while modem.model is None and asked < _ASK_MODEL:  # noise must not make a model unknown
            asked += 1
            ch.begin(b"+CGMM").go(_ANSWER_MS, ALL)
            said = b""
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    said = said or ch.line()
                else:
                    yield
            modem.identify(said)
    ch.result = None


def recovery(modem, timeout_ms):
    """Operation of `Modem.recovery`."""
    ch = modem.channel
    new = ch.rebooted
    tries = _REBOOTS
    while tries:
        tries -= 1
        try:
            yield from _syncing(ch, timeout_ms)
            if new or ch.rebooted or ch.result != 1:
                ch.rebooted = False
                for setting in (b"E0", b"+CMEE=1"):
                    ch.begin(setting).go(_ANSWER_MS)
                    while ch.poll() != DONE:
                        yield
                modem.boots += 1
            break
        except ModemReset:
            new = True  # it booted just now
            if not tries:
                raise
    name = modem.unfinished
    if name is not None:
        yield from modem.certs.discard(name)
        modem.unfinished = None


def _syncing(ch, timeout_ms):
    # A query shows by its information line that what follows is its own answer, not one that
    # is late.
    ch.forget()
    heard = ch.received
    start = _port.ticks_ms()
    probes = 0
    level = None
    while level is None:
        elapsed = _port.ticks_diff(_port.ticks_ms(), start)
        if elapsed >= timeout_ms:
            raise Timeout((_SILENT if ch.received == heard else _ODD) % (timeout_ms, ch.baud))
        if probes % 8 == _SILENT_PROBES:
            ch.owed = _PACKET_MAX  # it may be in data mode, and wait for so many at the most
        try:
            yield from _filling_up(ch)
            ch.begin(b"+CMEE?").go(_PROBE_MS, b"+CMEE:", marked=True)
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    level = ch.value(0)
                else:
                    yield
        except (CommandError, ModemReset, ProtocolError, Timeout):
            level = None
        probes += 1
    # That may have been the answer to an earlier probe: the others come within as long again.
    quiet_ms = _QUIET_MS
    if probes > 1:
        quiet_ms = min(_QUIET_MAX_MS, elapsed + 2 * _PROBE_MS)
    received = None
    while received != ch.received and elapsed < timeout_ms:
        received = ch.received
        yield from listen(ch, quiet_ms)
        elapsed = _port.ticks_diff(_port.ticks_ms(), start)
    ch.stale = ch.hushed = False
    ch.result = level


def _filling_up(ch):
    # Ends a data mode that waits for what was announced. CRs are no command to a module that
    # has left it.
    if not ch.owed:
        return
    ch.active = True  # the command that it belongs to has no final result yet
    ch.marked = False
    ch.wait(_FILLED_MS, ch.owed)
    try:
        while ch.owed:
            ch.push(_FILLER, 0, min(len(_FILLER), ch.owed))
            while ch.poll() != SENT:
                yield
        while ch.poll() != DONE:
            yield
    except ProtocolError:
        ch.owed = 0  # it had enough before: its final result came in between


def listen(ch, ms):
    """Operation: serves URCs for so long."""
    ch.wait(ms)
    try:
        while True:
            ch.poll()
            yield
    except Timeout:
        pass
