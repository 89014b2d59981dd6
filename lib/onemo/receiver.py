# What comes from the UART, looked at where it lies. Received bytes are appended to one bytearray
# and taken from its front, which allocates nothing once it has its room: a whole piece is added
# and its unused tail cut off, for a slice as source would be a new object.

from . import syntax
from ._port import const

WAIT = const(0)  # nothing yet
LINE = const(1)  # an information line of the answer, see `line`, `value`, `text`
PROMPT = const(2)  # the module takes the payload now
SENT = const(3)  # what `push` was given is with the UART
DATA = const(4)  # counted data begins, see counted.py
DONE = const(5)  # final result OK

_HEX = const(b"0123456789abcdef")
PIECE = const(64)  # bytes a read; more makes no difference to speed, less does


class Receiver:
    def __init__(self, uart, buffer, trace):
        self.uart = uart
        self._trace = None
        if trace:
            from .tracing import Tracing

            self._trace = Tracing(self, trace)
        self.received = 0  # bytes, modulo 2**24
        self.left = 0  # counted data not handed out yet
        self.start = self.first = self.end = 0  # the line at hand; its first parameter
        self._room = buffer
        self._piece = bytearray(PIECE)
        self._rx = bytearray(buffer + PIECE)
        self._rx[:] = b""
        self._taken = 0  # bytes at the front of _rx that are done with
        self._lent = False  # all of _rx was handed out as counted data
        self.secret = False  # what goes out now is no trace's business
        self.hushed = False  # nor is what comes in: it may be an echo of that, and late
        self._dropped = False  # something of this answer was: it was too long
        self._surplus = False  # counted data is over: a line end has to follow

    def _read(self, most):
        # Appends what the UART has, at most a piece. False: nothing there.
        n = self.uart.any()
        if not n:
            return False
        piece = self._piece
        n = self.uart.readinto(piece, min(n, most, PIECE))
        if not n:
            return False
        if self._trace:
            self._trace.came(piece, n)
        self.received = (self.received + n) & 0xFFFFFF
        rx = self._rx
        if self._taken:
            rx[: self._taken] = b""
            self._taken = 0
        n += len(rx)
        rx += piece
        if n < len(rx):
            rx[n:] = b""
        return True

    # The line at hand, until the next poll

    def line(self):
        """A copy of it, as bytes."""
        return bytes(self._rx[self.start : self.end])

    def value(self, index):
        """Its parameter `index` as a number; None if it is none."""
        at = syntax.field(self._rx, self.first, self.end, index)
        return None if at < 0 else syntax.number(self._rx, at, self.end)

    def spells(self, digest):
        """Whether its first parameter is `digest` (bytes) in hexadecimal, small or capital."""
        rx = self._rx
        at = self.first
        if rx[at] == 0x22:
            at += 1
        for byte in digest:  # a line that is too short has its line end where a digit would be
            if rx[at] | 0x20 != _HEX[byte >> 4] or rx[at + 1] | 0x20 != _HEX[byte & 15]:
                return False
            at += 2
        return at == self.end or rx[at] == 0x22

    def text(self, index):
        """Its parameter `index` as str, without quotes; None if there are not so many."""
        at = syntax.field(self._rx, self.first, self.end, index)
        return None if at < 0 else syntax.text(self._rx, at, self.end)

    def says(self, index, name):
        """Whether its parameter `index` is `name` (bytes). Allocates nothing."""
        at = syntax.field(self._rx, self.first, self.end, index)
        return at >= 0 and syntax.same(self._rx, at, self.end, name)
