# SPDX-License-Identifier: MIT
"""What is at the other end of a UART, told in less than two seconds. Runs on a PC and, as source,
on a board."""

from onemo._port import sleep_ms, ticks_diff, ticks_ms

MODULE, LOOPBACK, SILENCE, OTHER = "module", "loopback", "silence", "other"
_PROBE = b"AT\r"
_WAIT_MS = 500
_TRIES = 3  # the first may end a line that was begun, or wake a module that sleeps


def is_loopback(uart):
    """True if what is sent comes back as it is and nothing answers. One probe is sent to what is
    no loopback: a module may be in the middle of a packet."""
    _hear(uart, 20, b"\0\0")
    for _ in range(2):
        uart.write(_PROBE)
        if _hear(uart, _WAIT_MS, b"OK\r") != _PROBE:
            return False
    return True


def who_answers(uart, tries=_TRIES):
    """(MODULE, LOOPBACK, SILENCE or OTHER, what it last said)."""
    heard = b""
    loops = 0
    _hear(uart, 20, b"\0\0")  # what had come before
    for _ in range(tries):
        uart.write(_PROBE)
        answer = _hear(uart, _WAIT_MS, b"OK\r")
        if b"OK\r" in answer or b"ERROR" in answer:
            return MODULE, answer
        loops += answer == _PROBE
        heard = answer or heard
    if loops == tries:
        return LOOPBACK, heard
    return (OTHER, heard) if heard else (SILENCE, heard)


def _hear(uart, ms, wanted):
    buffer = bytearray(64)
    heard = b""
    start = ticks_ms()
    while ticks_diff(ticks_ms(), start) < ms and wanted not in heard:
        n = uart.readinto(buffer)
        if n:
            heard = (heard + bytes(buffer[:n]))[-256:]
        else:
            sleep_ms(5)
    return heard
