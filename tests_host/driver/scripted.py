# SPDX-License-Identifier: MIT
"""A UART that gives what a test tells it, and a clock that stands still: for the channel alone."""

from onemo import _port
from onemo.at_channel import ALL, DATA, DONE, LINE, PROMPT, SENT, WAIT, Channel

NAMES = {LINE: "line", PROMPT: "prompt", SENT: "sent", DATA: "data", DONE: "done", WAIT: "waits"}


class Script:
    """A UART that gives the pieces it was told, one a read, and swallows what is written, at most
    `takes` bytes a call."""

    def __init__(self, pieces=(), takes=None):
        self.pieces = [bytearray(piece) for piece in pieces if piece]
        self.written = bytearray()
        self.takes = takes
        self.asked = []  # what each read asked for

    def any(self):
        return len(self.pieces[0]) if self.pieces else 0

    def readinto(self, buf, n):
        assert 0 < n <= self.any()  # a port would wait for what is not there
        assert n <= len(buf)
        self.asked.append(n)
        piece = self.pieces[0]
        buf[:n] = piece[:n]
        del piece[:n]
        if not piece:
            self.pieces.pop(0)
        return n

    def write(self, buf, start, n):
        assert start + n <= len(buf)
        if self.takes is not None:
            n = min(n, self.takes)
        self.written += buf[start : start + n]
        return n


class Plain(Script):
    """The same of a port whose write takes a buffer and nothing else, as on a PC."""

    def write(self, buf):
        return Script.write(self, buf, 0, len(buf))


class Talk:
    """A channel on a Script; `now` is the time in ms."""

    def __init__(self, monkeypatch, uart=None, *, baud=115200, buffer=64, trace=None):
        self.now = 5000
        monkeypatch.setattr(_port, "ticks_ms", lambda: self.now)
        self.uart = uart if uart is not None else Script()
        self.ch = Channel(self.uart, baud, buffer, trace)
        self.ch.reset()  # in step from the beginning
        self.urcs = []
        self.ch.on_urc(b"+URC:", lambda buf, at, end: self.urcs.append(bytes(buf[at:end])))

    def ask(self, expect=ALL, **settings):
        """A command goes out; keywords of `Channel.send`."""
        self.ch.command(b"+X=").number(1).send(1000, expect, **settings)
        return self

    def hear(self, *pieces):
        """What the module sends next."""
        self.uart.pieces += [bytearray(piece) for piece in pieces if piece]

    def poll(self, *pieces):
        """The next events, up to WAIT or DONE; lines as bytes."""
        self.hear(*pieces)
        said = []
        while True:
            event = self.ch.poll()
            if event == WAIT and self.uart.pieces:
                continue
            if event == WAIT:
                return said
            said.append(self.ch.line() if event == LINE else NAMES[event])
            if event == DONE:
                return said
            if event == DATA:
                data = bytearray()
                while self.ch.data_remaining:
                    data += self.ch.read_chunk()
                said[-1] = ("data", bytes(data))

    def until(self, wanted, *pieces):
        """Polls up to that event: its line, or data, is at hand then."""
        self.hear(*pieces)
        for _ in range(1000):
            if self.ch.poll() == wanted:
                return self.ch
        raise AssertionError(f"no {NAMES[wanted]}")

    def resume(self, ms):
        """The final result of a command that was left is waited for, as a recovery does."""
        self.ch.resume_payload(ms)

    def sent(self):
        """What was written since the last time."""
        sent = bytes(self.uart.written)
        self.uart.written[:] = b""
        return sent
