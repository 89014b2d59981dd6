# SPDX-License-Identifier: MIT
"""What the module remembers of the host's conduct.

A *violation* is something no careful driver does:

  `unasked`      bytes while a command is in progress, or before the prompt that asks for them
  `early`        a command (other than a lone `AT`) before the last one's final result
  `overlong`     bytes behind the last one that an announced packet has
  `arithmetic`   <remain_length> and <length> do not continue the open series, with no other
                 command in between (which would make it a fresh start)
  `quotes`       a quote that is not closed, text behind a closing quote, a string without quotes
  `line`         a command line longer than the module takes
  `junk`         a line that does not begin with AT, or holds bytes outside printable ASCII

A *recovery* is what a driver does to find its way back, at start or after its deadline:

  `probe`        a lone `AT` while a command is in progress
  `filler`       CR, LF, space, NUL or `AT\\r`: while a command is in progress, as an announced
                 certificate packet's tail, or in front of a command
  `lone-cr`      an empty line
  `wake`         what is left of an `AT` whose beginning woke the module
  `restart`      a series begun again from its first packet

Which of the two it is follows from the bytes alone: the module does not know the host's
deadline. Bytes of one stretch are judged together, however they were cut. One LF right after
the CR of a command is part of the command.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Entry(NamedTuple):
    """One line of the log. `direction`: ">" from the host, "<" to it, "=" data, "!" note."""

    time: float
    direction: str
    data: bytes


# `AT` may be cut off at the end of a stretch.
_FILLER = re.compile(rb"(?:[\r\n \0]|AT\r|AT\Z|A\Z)*\Z", re.IGNORECASE)
_TAIL = re.compile(rb"(?:[\r\n \0]|AT\r)*\Z", re.IGNORECASE)


class Violation(NamedTuple):
    """One violation of the protocol: time (s), kind (see the module's docstring), the bytes."""

    time: float
    kind: str
    data: bytes


class Recovery(NamedTuple):
    """One sign of recovery: time (s), kind, the bytes."""

    time: float
    kind: str
    data: bytes


def judge_stray(moment: float, data: bytes, after_packet: bool) -> Violation | Recovery:
    """Judge bytes that came while a command was in progress."""
    if _FILLER.match(data):
        return Recovery(moment, "probe" if b"A" in data.upper() else "filler", data)
    if after_packet:
        return Violation(moment, "overlong", data)
    kind = "early" if data.lstrip(b"\r\n \0")[:2].upper() == b"AT" else "unasked"
    return Violation(moment, kind, data)


def filler_tail(packet: bytes) -> bytes:
    """The filler that a certificate packet ends with; b"" for a PEM's ordinary line ends."""
    match = _TAIL.search(packet, max(0, len(packet) - 8192))
    tail = match.group() if match else b""
    if len(tail) > 4 or b"\0" in tail or b"\r\r" in tail or b"  " in tail or b"AT" in tail.upper():
        return tail
    return b""
