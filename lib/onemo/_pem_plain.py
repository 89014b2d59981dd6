# SPDX-License-Identifier: MIT
#
# The loop of cert_pem.py over base64 where no machine code can be made: ports without an emitter,
# and CPython. A character costs a quarter of a turn of a loop with table look-ups; MicroPython's
# C functions find line ends, and none of them checks an alphabet without making a copy.

from ._port import const

# What a block's lines are made of is 0: base64, CR and LF.
_FOREIGN = const(
    b"\1\1\1\1\1\1\1\1\1\1\0\1\1\0\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\0\1\1\1\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1\1"
    b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1"
    b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
)
_CR = const(0x0D)


def run(buf, at, stop, seen):
    """Take base64 and line ends from buf[at:stop]; returns where something else stands, a blank
    line, or a CR without its LF. seen: an array of 32-bit ints, to which are added [0] characters
    and [2] lines; [1] is the column."""
    stop = _find_foreign(buf, at, stop)
    while at < stop:
        end = buf.find(b"\n", at, stop)
        last = end < 0  # the line goes on behind `stop`
        if last:
            end = stop
        elif end > at and buf[end - 1] == _CR:
            end -= 1
        if buf.find(b"\r", at, end) >= 0:
            end = buf.find(b"\r", at, end)
            last = True
        seen[0] += end - at
        seen[1] += end - at
        at = end
        if last or not seen[1]:
            break
        seen[1] = 0
        seen[2] += 1
        at += 2 if buf[at] == _CR else 1
    return at


def _find_foreign(buf, at, stop):
    foreign = _FOREIGN
    stop -= 3
    while at < stop and not (
        foreign[buf[at]] or foreign[buf[at + 1]] or foreign[buf[at + 2]] or foreign[buf[at + 3]]
    ):
        at += 4
    stop += 3
    while at < stop and not foreign[buf[at]]:
        at += 1
    return at
