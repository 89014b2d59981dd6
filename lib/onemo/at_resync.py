# SPDX-License-Identifier: MIT
#
# In step again with a module in whatever state: booting, in data mode, in the middle of an answer.

from . import _port
from ._port import const
from .at_channel import DONE, LINE, SENT
from .at_retry import ask_op, listen_op
from .at_syntax import PAYLOAD_MAX
from .errors import CommandError, ModemReset, ProtocolError, Timeout

_PROBE_MS = const(500)
_SEND_TIMEOUT_MS = const(10500)  # the module's own for a MIPSEND is 10 s, and it sends what it has
_LATE_PROMPT_MS = const(1000)  # after a refusal in its place
_QUIET_MS = const(50)
_QUIET_MAX_MS = const(3000)
_FILLED_MS = const(3000)  # until the final result of a packet that was filled up
_REBOOTS_MAX = const(3)  # more than that in one recovery are no accident
_SILENT_PROBES = const(3)  # after so many without an answer the module may be in data mode
_ESCAPE_PROBE = const(1)  # before this one a module of which nothing is known gets "+++"
_ESCAPE_MIN_MS = const(4000)  # a shorter time leaves none for that
_GUARD_MS = const(1100)  # silence before and after that
_SILENT = const(
    "no answer within %d ms: has the module power, are TX and RX crossed, does it run at %d bit/s?"
)
_GARBLED = const(
    "no answer within %d ms in what came from the UART: does the module run at %d bit/s, "
    "is it one of OneMO's?"
)
_ESCAPE = const(b"+++")
# Ends data mode; to a module that has left it CRs are no command.
_FILLER = const(b"\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r")


def resync_op(ch, timeout_ms):
    """Get in step; echo off and numbered errors on where the module may have lost them. Returns
    True if it showed that it started anew, at_channel's `_PERHAPS` if nothing tells. Timeout,
    ModemReset."""
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    attempts = _REBOOTS_MAX
    while True:
        attempts -= 1
        try:
            cmee = yield from _find_answer_op(ch, timeout_ms)
            if cmee != 1:
                ch.set_rebooted()
            started_anew = ch.rebooted
            if not started_anew:
                return False
            ch.lose_sync()  # until the settings are made
            for setting in (b"E0", b"+CMEE=1"):
                yield from ask_op(ch, setting, end)
            ch.set_in_sync()
            ch.set_rebooted(False)
            return started_anew
        except ModemReset:
            if not attempts:
                raise


def _find_answer_op(ch, timeout_ms):
    # Sends queries until one is answered; an information line shows that the final result behind
    # it belongs to a query and not to an earlier command. Returns the module's CMEE level.
    rebooted = ch.rebooted
    ch.reset()
    # Whoever leaves this half-way leaves the channel as it was: out of step.
    ch.set_rebooted(rebooted)
    ch.lose_sync()
    bytes_before = ch.bytes_received
    start = _port.ticks_ms()
    probes = 0
    cmee = None
    answered = False
    # Of a module in an unknown mode a far peer may get what is sent. Someone who looks for it at
    # many speeds has no time for the silence, which was kept at the other ones.
    cold = ch.cold and timeout_ms > _ESCAPE_MIN_MS
    patient = ch.cold and timeout_ms > 2 * _SEND_TIMEOUT_MS
    while not answered:
        elapsed = _port.ticks_diff(_port.ticks_ms(), start)
        if elapsed >= timeout_ms:
            raise Timeout(
                (_SILENT if ch.bytes_received == bytes_before else _GARBLED)
                % (timeout_ms, ch.baud)
            )
        if cold and probes == _ESCAPE_PROBE and cmee is None:
            escaped = yield from _escape_op(ch)
            if patient and not escaped and ch.bytes_received == bytes_before:
                yield from listen_op(ch, _SEND_TIMEOUT_MS)  # it may send to a peer until then
        elif probes % 8 == _SILENT_PROBES:
            ch.expect_payload(PAYLOAD_MAX)
        try:
            yield from _fill_payload_op(ch)
            if cmee is not None:  # it answers, without a final result that can be read: ATV0, ATQ1
                ch.command(b"V1" if probes & 1 else b"Q0").send(_PROBE_MS)
                while ch.poll() != DONE:
                    yield
            cmee = None
            # The first one waits for as long as "+++" needs silence before it, and an error ends
            # it: half a command of an earlier host's may stand before it.
            first = cold and not probes
            ch.command(b"+CMEE?").send(
                _GUARD_MS if first else _PROBE_MS, b"+CMEE:", require_info=not first
            )
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    cmee = ch.value(0)
                else:
                    yield
            answered = cmee is not None
            if first and not answered:
                yield from listen_op(ch, _GUARD_MS)
        except CommandError:
            cold = False  # it takes commands, so no far peer gets what is sent
        except ModemReset:
            cold = False
            probes = 0  # nor is it in data mode, and 8 KB of filler take 9 s at 9600 bit/s
        except (ProtocolError, Timeout):
            pass
        probes += 1
    # The answer may have been one to an earlier probe: those to the others come within as long
    # again, and must not be taken for answers to what is sent next.
    quiet_ms = _QUIET_MS
    if probes > 1:
        quiet_ms = min(_QUIET_MAX_MS, elapsed + 2 * _PROBE_MS)
    bytes_before = None
    while bytes_before != ch.bytes_received and elapsed < timeout_ms:
        bytes_before = ch.bytes_received
        yield from listen_op(ch, quiet_ms)
        elapsed = _port.ticks_diff(_port.ticks_ms(), start)
    ch.set_in_sync()
    return cmee


def _fill_payload_op(ch):
    # Gets the module out of a data mode that waits for what was announced.
    if not ch.payload_remaining:
        return
    if not ch.fillable:
        yield from outlast_payload_op(ch)
        return
    ch.resume_payload(_FILLED_MS)
    try:
        while ch.payload_remaining:
            ch.push(_FILLER, 0, min(len(_FILLER), ch.payload_remaining))
            while ch.poll() != SENT:
                yield
        while ch.poll() != DONE:
            yield
    except ProtocolError:
        ch.expect_payload(0)  # it had enough before: its final result came in between


def outlast_payload_op(ch):
    """Operation: wait out a data mode that a peer gets the bytes of, for filler would go there:
    the module's own timeout ends it. After a refusal of the prompt that is a second, unless the
    prompt comes all the same. ModemReset."""
    ms = _LATE_PROMPT_MS if ch.prompt_refused else _SEND_TIMEOUT_MS
    while ms:
        yield from listen_op(ch, ms)
        ms = _SEND_TIMEOUT_MS if ch.take_prompt() else 0
    ch.expect_payload(0)


def _escape_op(ch):
    # Out of transparent mode, in which a far peer gets what is sent. One probe has gone there; no
    # more must, and no filler. Returns True if the module says OK to it.
    ch.expect_payload(len(_ESCAPE))
    ch.resume_payload(_GUARD_MS)
    ch.push(_ESCAPE, 0, len(_ESCAPE))
    escaped = False
    try:
        while ch.poll() != DONE:
            yield
        escaped = True
    except (CommandError, ModemReset, ProtocolError, Timeout):
        pass
    ch.cancel()
    if escaped:  # that OK may have been the peer's: silence behind "+++", too
        yield from listen_op(ch, _GUARD_MS)
    return escaped
