# The AT conversation, without waiting: a command goes out, its answer is looked at where it lies,
# unsolicited result codes (URCs) go to their handlers. `poll` says what happened next, or WAIT; it
# never sleeps. Fronts do the waiting.
#
#     ch.begin(b"+MSSLLIST=").number(1).go(5000, b"+MSSLLIST:")
#     while (event := ch.poll()) != DONE:      # a failed command raises CommandError here
#         if event == LINE:
#             ...ch.text(0), ch.value(1)...
#         else:
#             yield

from . import _port, syntax
from ._port import const, raw
from .errors import CommandError, ModemReset, ProtocolError, Timeout
from .receiver import DATA, DONE, LINE, PIECE, PROMPT, SENT, WAIT, Receiver

ALL = b""  # as `expect`: every line that is no URC

_JOINED_MAX = const(2048)  # longest line that is put together
_PIECES = const(64)  # most that is taken at a time
_STALE_PIECES = const(512)  # most that is looked through before a command
_GRACE_MS = const(1000)
_IDLE_MS = const(10)
_NAP_MS = const(1000)
_READY = const(b"+MATREADY")


class Channel(Receiver):
    def __init__(self, uart, baud, buffer, trace):
        super().__init__(uart, buffer, trace)
        self.baud = baud  # bit/s, what the wire time of deadlines is reckoned with
        self.buffer = bytearray(buffer)  # payload on its way out; free for others while none is
        self.result = None  # of the operation that ran last: a generator's own would cost 96 bytes
        self.owed = 0  # payload bytes that the module was promised and may be waiting for
        self.rebooted = False  # the module said that it started anew
        self.stale = True  # out of step: nothing is known yet, or an answer may still come
        self.active = False  # a command waits for its final result
        self.out = bytearray(96)
        self.out[:] = b""
        self.shown = 0  # bytes of `out` that may be shown; the rest is secret
        self.source = None  # what is being written: source[_at:_stop]
        self._at = self._stop = 0
        self.payload = False
        self._prompting = False
        self.marked = False
        self.expect = None
        self.counted = None
        self._overlong = False  # the line under way is being dropped
        self._deadline = None
        self.timeout_ms = 0
        self._urcs = []
        self._dispatching = False
        try:
            uart.write(b"", 0, 0)
            self._three = True  # write(buf, offset, n) as MicroPython's streams have it
        except TypeError:
            self._three = False

    # Commands

    def begin(self, name):
        """Begins a command: what stands after `AT`, up to and with its `=`."""
        if self._dispatching:
            raise RuntimeError("a URC handler must not issue commands; note the event and return")
        out = self.out
        out[:] = b"AT"
        out += raw(name)
        self.secret = False
        self.shown = 0
        return self

    def quote(self, text):
        """Appends a string parameter. What it may hold is the caller's to check."""
        self._separate()
        out = self.out
        out.append(0x22)
        out += raw(text)
        out.append(0x22)
        return self

    def number(self, value):
        """Appends a number of 0 or more."""
        self._separate()
        syntax.decimal(self.out, value)
        return self

    def verbatim(self, text):
        """Appends a parameter as it is."""
        self._separate()
        self.out += raw(text)
        return self

    def hide(self):
        """From here on the command, and what is pushed after it, is secret: no trace, no error
        shows it."""
        self.shown = len(self.out)
        self.secret = self.hushed = True
        return self

    def _separate(self):
        if self.out[-1] != 0x3D:
            self.out.append(0x2C)

    def go(self, timeout_ms, expect=None, counted=None, payload=0, ended=True, marked=False):
        """Sends the command. `expect`: how its information lines begin (None: it has none; ALL).
        `counted`: see counted.py. `payload`: bytes that will follow the prompt. `ended=False`: the
        caller pushes the rest of the line, its CR too. `marked`: final results before the first
        information line are others' and do not count."""
        out = self.out
        if not self.secret:
            self.shown = len(out)
        rebooted = self.rebooted
        self._flush()
        if self.rebooted and not rebooted:
            raise ModemReset("the module rebooted before " + self.command())
        out.append(0x0D)
        self.expect = expect
        self.counted = counted
        self.marked = marked
        self._prompting = payload > 0
        self.owed = payload
        self.active = True
        self._dropped = False
        self.source = out
        self._at = 0
        self._stop = len(out) if ended else len(out) - 1
        self.payload = not ended
        self.wait(timeout_ms, len(out))

    def push(self, source, start, stop):
        """Writes source[start:stop] as (part of) the payload; `poll` says SENT when the source is
        free again."""
        self.source = source
        self._at = start
        self._stop = stop
        self.payload = True

    def wait(self, timeout_ms, size=0):
        """Sets the deadline, from now, that `poll` keeps: `timeout_ms` and the time that `size`
        bytes take."""
        self.timeout_ms = timeout_ms + size * 10000 // self.baud
        self._deadline = _port.ticks_add(_port.ticks_ms(), self.timeout_ms)

    def patience_ms(self):
        """How long a front may sleep, unless bytes come, before it has to poll again."""
        if self._at < self._stop:
            return 1  # the UART is to take bytes, which does not wake us
        if self._deadline is None or (self.owed and not self._prompting):
            return _IDLE_MS  # in a payload, it is the source that has nothing yet
        return max(1, min(_NAP_MS, _port.ticks_diff(self._deadline, _port.ticks_ms())))

    def ready(self):
        """Serves what came meanwhile; whether the next command can go without a recovery."""
        if self.active:
            return False
        self._flush()
        return not (self.stale or self.rebooted or self.owed)

    def command(self):
        """The command sent last, as str, without what is secret in it."""
        return syntax.ascii_str(self.out[: self.shown])

    def forget(self):
        """Leaves the command under way, whatever it is; what is owed stays owed."""
        self._settle()
        self.rebooted = False
        self.stale = False

    def abandon(self):
        """Leaves whatever is under way, or is waited for; the next command recovers first."""
        self.stale = self.stale or self.active
        self._settle()

    def _settle(self):
        self.active = False
        self.payload = self._prompting = False
        self.expect = None
        self._surplus = False
        self.counted = None
        self.left = 0
        self._at = self._stop = 0
        self._deadline = None

    # Events

    def on_urc(self, prefix, handler):
        """Lines that begin with `prefix` go to handler(buf, start, end), which looks and
        returns."""
        self._urcs.append((prefix, handler))

    def poll(self):
        """What happened next: WAIT, LINE, PROMPT, SENT, DATA or DONE. Raises CommandError,
        Timeout, ModemReset or ProtocolError. With no command under way it serves URCs and says
        WAIT."""
        if self._at < self._stop and not self._write():
            self._expire()
            return WAIT
        if self.payload and not self.owed:
            self.payload = False  # all is out: its final result is for the next call
            return SENT
        event = self._next()
        pieces = _PIECES
        while event == WAIT and pieces and self._read(PIECE):
            pieces -= 1  # a UART that never falls silent must not keep us
            event = self._next()
        if event == WAIT:
            if self.payload:
                self.payload = False
                return SENT
            self._expire()
        elif event == LINE:
            self._expire(_GRACE_MS)  # what is on its way at the deadline still counts
        return event

    # Inside

    def _write(self):
        # True once all is written. A UART may take less than asked, or say None.
        at = self._at
        source = self.source
        if self._three:
            n = self.uart.write(source, at, self._stop - at)
        elif at == 0 and self._stop == len(source):
            n = self.uart.write(source)
        else:
            n = self.uart.write(memoryview(source)[at : self._stop])
        if n:
            if self._trace:
                self._trace.sent(source, at, at + n)
            self._at = at + n
            if self.payload:
                self.owed = max(0, self.owed - n)
        return self._at >= self._stop

    def _flush(self):
        # What comes between commands is URCs, or late; a line that has only begun stays.
        self._settle()
        self._next()
        for _ in range(_STALE_PIECES):
            if not self._read(PIECE):
                break
            self._next()

    def _next(self):
        rx = self._rx
        if self._lent:
            rx[:] = b""
            self._lent = False
        while True:
            at = self._taken
            size = len(rx)
            if self._overlong:
                at = rx.find(b"\n", at) + 1
                self._overlong = not at
                at = at or size
            if self._surplus and at < size:
                self._surplus = False
                self._dropped = self._dropped or rx[at] not in b"\r\n"
            while at < size and (rx[at] <= 0x20 or rx[at] >= 0x7F):
                at += 1  # line ends, and junk that a module sends as it wakes up
            self._taken = at
            if at == size:
                if size > self._room:
                    rx = self._rx = bytearray(self._room + PIECE)  # a long line is over
                rx[:] = b""
                self._taken = 0
                return WAIT
            if self._prompting and rx[at] == 0x3E:
                self._taken = at + 1
                self._prompting = False
                return PROMPT
            stop = rx.find(b"\n", at)
            if self.counted and rx.startswith(self.expect, at):
                self.end = size if stop < 0 else stop
                if self.counted(self, at, self.end):
                    return DATA
            if stop < 0:
                if size - at > _JOINED_MAX:
                    self._overlong = self._dropped = True
                    continue
                return WAIT
            self._taken = stop + 1
            while rx[stop - 1] <= 0x20:  # not at `at`
                stop -= 1
            self.start = at
            self.end = stop
            event = self._judge(at, stop)
            if event:
                return event

    def _judge(self, start, end):
        # What a whole line means; 0 if it is none of the caller's business.
        rx = self._rx
        if rx.startswith(_READY, start):
            waited = self.active or self._deadline is not None
            self._settle()
            self.owed = 0
            self.rebooted = True
            if waited:
                raise ModemReset("the module rebooted during " + self.command())
            return WAIT
        if self.active:
            verdict = syntax.final(rx, start, end)
            if verdict and not self.marked:
                return self._final(verdict, start, end)
            if self._repeats(start, 0, b"\r") == end:
                return WAIT  # echo is on
        expect = self.expect
        if expect and rx.startswith(expect, start):
            self.marked = False
            self.first = syntax.after_colon(rx, start, end)
            return LINE
        unsolicited = False
        for prefix, handler in self._urcs:
            if rx.startswith(prefix, start) and not (
                expect == ALL and self._repeats(start, 2, b"=?\r")
            ):
                unsolicited = True
                self._dispatching = True
                try:
                    handler(rx, start, end)
                finally:
                    self._dispatching = False
        if expect == ALL and not unsolicited:
            self.first = syntax.after_colon(rx, start, end)
            return LINE
        return WAIT

    def _final(self, verdict, start, end):
        owed = self.owed
        self.hushed = self.hushed and not self.secret  # until its own final result
        self._settle()
        if self._dropped:
            raise ProtocolError(
                "%s was answered by a line over %d bytes, or by data of a size not announced"
                % (self.command(), _JOINED_MAX)
            )
        if verdict == syntax.OK:
            if owed:
                self.stale = True
                raise ProtocolError(
                    "%s: OK, though %d bytes were still to come" % (self.command(), owed)
                )
            return DONE
        self.owed = 0
        code = None
        said = ""
        if verdict == syntax.CME_ERROR:
            at = syntax.after_colon(self._rx, start, end)
            code = syntax.number(self._rx, at, end)
            said = syntax.ascii_str(self._rx[at:end])
        elif verdict == syntax.OTHER_ERROR:
            said = syntax.ascii_str(self._rx[start:end])
        raise CommandError(code, self.command(), said)

    def _expire(self, grace_ms=0):
        if self._deadline is None:
            return
        if _port.ticks_diff(_port.ticks_ms(), self._deadline) < grace_ms:
            return
        prompting = self._prompting
        active = self.active
        self._settle()
        self.stale = active or self.stale
        raise Timeout(
            "%s: no %s within %d ms"
            % (self.command(), "prompt" if prompting else "answer", self.timeout_ms)
        )

    def _repeats(self, at, stop, ends):
        # Where what the line repeats from `at` on of the command from `stop` on, up to one of
        # `ends`, is over; 0 if it is something else.
        rx = self._rx
        out = self.out
        while out[stop] not in ends:
            if out[stop] != rx[at]:
                return 0
            stop += 1
            at += 1
        return at
