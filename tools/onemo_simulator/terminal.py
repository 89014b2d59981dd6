# SPDX-License-Identifier: MIT
"""The module's end of the UART: lines in, answers out, the data phase, timers. Sans I/O."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable
from typing import Protocol

from .clock import Clock, MonotonicClock
from .packet import DataPhase
from .quirks import Quirks
from .records import Entry, Recovery, Violation, filler_tail, judge_stray

_NUMERIC = {b"OK": b"0", b"CONNECT": b"1", b"ERROR": b"4"}  # V.250, after ATV0
_LF = b"\n"
_LINE_START = re.compile(rb"[\0 ]*")
_PRINTABLE = re.compile(rb"[\n -~]*")


class Tap(Protocol):
    """Takes the host's bytes instead of the command interpreter."""

    def feed(self, data: bytes) -> None:
        """Bytes from the host."""


class Terminal:
    """Framing, echo, prompt, data phase, URCs and time. What commands mean is the subclass's."""

    def __init__(self, clock: Clock | None, quirks: Quirks) -> None:
        self.clock: Clock = clock or MonotonicClock()
        self.quirks = quirks
        self.echo = quirks.echo
        self.verbose = quirks.verbose  # ATV1: result codes in words
        self.quiet = False  # ATQ1: no result codes
        self.tap: Tap | None = None  # transparent mode
        self.commands: list[bytes] = []  # every command line, without CR
        self.log: list[Entry] = []
        self.received = 0  # bytes from the host
        self.sent = 0  # bytes to the host
        self.emitted_at = 0.0  # when the oldest byte not yet taken was put on TX
        self.max_line = 4096
        self._violations: list[Violation] = []
        self.waking = False  # the beginning of a line was lost in sleep
        self._recoveries: list[Recovery] = []
        self._out = bytearray()
        self._marks: list[tuple[int, Callable[[], None]]] = []  # run once so many bytes are taken
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._moment = self.clock.now()
        self._line = bytearray()
        self._too_long = False
        self._after_cr = False
        self._busy = False
        self._data: DataPhase | None = None
        self._after_packet = False
        self._stray = bytearray()
        self._stray_time = 0.0
        self._backlog = bytearray()
        self._deaf = False
        self._held: list[bytes] = []  # URCs that wait
        self._planted: dict[str, list[bytes]] = {}

    # --- for tests ------------------------------------------------------------------------------

    @property
    def violations(self) -> list[Violation]:
        """Violations of protocol so far; `records` defines them."""
        self._judge_stray()
        return self._violations

    @property
    def recoveries(self) -> list[Recovery]:
        """Signs of recovery so far."""
        self._judge_stray()
        return self._recoveries

    @property
    def busy(self) -> bool:
        """A command is in progress (its final result is not out yet)."""
        return self._busy

    @property
    def pending(self) -> int:
        """Bytes on TX that have not been taken."""
        return len(self._out)

    @property
    def in_data_phase(self) -> bool:
        """The module takes the bytes of a packet."""
        return self._data is not None

    def note(self, text: str) -> None:
        """Put a remark into the log."""
        self.log.append(Entry(self._moment, "!", text.encode()))

    # --- the host's side ------------------------------------------------------------------------

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes arrive from the host."""
        self._run()
        self._hear(bytes(data))

    def _hear(self, data: bytes) -> None:
        self.received += len(data)
        if not self._deaf:
            self._consume(data, fresh=True)

    def take(self, limit: int | None = None) -> bytes:
        """The bytes (at most `limit`) that the module has put on its TX up to now."""
        self._run()
        count = len(self._out)
        if not count:
            return b""
        if limit is not None and limit < count:
            count = limit
        if self._marks:  # bytes behind a mark go out in another call: the speed may differ
            count = min(count, self._marks[0][0] - self.sent)
        if count == len(self._out):
            taken = bytes(self._out)
            self._out.clear()
        else:
            taken = bytes(self._out[:count])
            del self._out[:count]
        self.sent += count
        while self._marks and self._marks[0][0] <= self.sent:
            self._marks.pop(0)[1]()
        return taken

    def next_event(self) -> float | None:
        """When (seconds of the clock) the module will do something by itself; None: never."""
        timer = self._timers[0][0] if self._timers else None
        deadline = self._data.deadline if self._data else None
        if timer is None or deadline is None:
            return deadline if timer is None else timer
        return min(timer, deadline)

    def urc(self, text: bytes, where: str = "now", raw: bool = False) -> None:
        """Send an unsolicited result code, framed in CR LF unless `raw`.

        `where`: "now" (or when `urc_during` allows), "immediate" (whatever goes on), or planted
        for the next occasion: "answer" (between a command and its answer), "inside" (between
        information and final result), "prompt" (right after the next `>`).
        """
        framed = text if raw else b"\r\n" + text + b"\r\n"
        if where == "immediate":
            self._put(framed)
        elif where == "now":
            during = self.quirks.urc_during
            if (
                self.tap is not None
                or (self._data is not None and during != "always")
                or (self._busy and during == "idle")
            ):
                self._held.append(framed)
            else:
                self._put(framed)
        elif where in ("answer", "inside", "prompt"):
            self._planted.setdefault(where, []).append(framed)
        else:
            raise ValueError(f"no such place for a URC: {where!r}")

    # --- time -----------------------------------------------------------------------------------

    def _schedule(self, delay: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._timers, (self._moment + delay, self._count, action))

    def _run(self) -> None:
        now = self.clock.now()
        timers = self._timers
        while timers and timers[0][0] <= now:
            moment, _, action = heapq.heappop(timers)
            self._moment = max(self._moment, moment)
            action()
        phase = self._data
        if phase is not None and phase.deadline is not None and phase.deadline <= now:
            self._data_timeout(phase, phase.deadline)
            self._run()  # what follows from it
            return
        self._moment = now
        self._poll()

    def _poll(self) -> None:
        """Look at what is not driven by timers; for the subclass."""

    # --- bytes in -------------------------------------------------------------------------------

    def _consume(self, data: bytes, fresh: bool) -> None:
        at = 0
        while at < len(data):
            if self.tap is not None:
                self.tap.feed(data[at:])
                return
            if self._data is not None:
                at = self._take_data(self._data, data, at)
            elif self._busy:
                self._while_busy(data[at:], fresh)
                return
            else:
                at = self._take_line(data, at)

    def _while_busy(self, data: bytes, fresh: bool) -> None:
        if self._after_cr:
            self._after_cr = False
            if data[:1] == _LF:
                data = data[1:]
        if not data:
            return
        if fresh:
            if not self._stray:
                self._stray_time = self._moment
            self._stray += data
        if self.quirks.busy_input == "queue":
            self._backlog += data

    def _judge_stray(self) -> None:
        if self._stray:
            data, self._stray = bytes(self._stray), bytearray()
            self._record(judge_stray(self._stray_time, data, self._after_packet))

    def _record(self, finding: Violation | Recovery) -> None:
        if isinstance(finding, Violation):
            self._violations.append(finding)
        else:
            self._recoveries.append(finding)

    def _violation(self, kind: str, data: bytes) -> None:
        self._violations.append(Violation(self._moment, kind, data))

    def _recovery(self, kind: str, data: bytes) -> None:
        self._recoveries.append(Recovery(self._moment, kind, data))

    def _take_line(self, data: bytes, at: int) -> int:
        if self._after_cr:
            self._after_cr = False
            if data[at] == 10:
                return at + 1
        if data[at] == 13 and not (self._line or self._too_long):
            end = at + 1
            while end < len(data) and data[end] == 13:
                end += 1
            if self.echo:
                self._put(data[at:end])
            # Empty lines: of filler that nobody waited for there are thousands.
            self._recoveries += [Recovery(self._moment, "lone-cr", b"\r")] * (end - at)
            self._after_cr = True
            return end
        end = data.find(b"\r", at)
        chunk = data[at:] if end < 0 else data[at:end]
        if self.echo:
            self._put(chunk.replace(_LF, b"") + (b"\r" if end >= 0 else b""))
        if len(self._line) + len(chunk) > self.max_line:
            self._too_long = True
            chunk = chunk[: self.max_line - len(self._line)]
        self._line += chunk
        if end < 0:
            return len(data)
        line, self._line = bytes(self._line), bytearray()
        too_long, self._too_long = self._too_long, False
        self._after_cr = True
        self._whole_line(line, too_long)
        return end + 1

    def _whole_line(self, line: bytes, too_long: bool) -> None:
        text = line
        if _LF in line:
            parts = line.split(b'"')
            step = 2 if self.quirks.quoted_lf == "keep" else 1
            parts[::step] = [part.replace(_LF, b"") for part in parts[::step]]
            text = b'"'.join(parts)
        start = _LINE_START.match(text)
        lead = start.end() if start else 0
        if lead:
            self._recovery("filler", text[:lead])
            text = text[lead:]
        if not text:
            if not lead:
                self._recovery("lone-cr", b"\r")
            return
        self.log.append(Entry(self._moment, ">", text))
        if too_long:
            self._violation("line", text[:80])
            self._start(text, None)
            return
        waking, self.waking = self.waking, False
        if not text.startswith((b"AT", b"at")):
            if waking and text == b"T":  # what is left of the AT that woke it
                self._recovery("wake", text)
            else:
                self._violation("junk", text[:80])
            if self.quirks.junk_line == "silent":
                return
            found = text.find(b"AT") if self.quirks.junk_line == "hunt" else -1
            if found < 0:
                self._start(text, None)
                return
            text = text[found:]
        elif not _PRINTABLE.fullmatch(text):
            self._violation("junk", text[:80])
        self._start(text, text[2:])

    def _start(self, text: bytes, body: bytes | None) -> None:
        """A command is in progress from now on; `body` None: it is none, ERROR."""
        self.commands.append(text)
        self._busy = True
        self._after_packet = False
        self._schedule(self.quirks.answer_delay, lambda: self._execute(body))

    def _execute(self, body: bytes | None) -> None:
        raise NotImplementedError

    # --- the data phase -------------------------------------------------------------------------

    def _ask(
        self,
        need: int | None,
        done: Callable[[bytes, bool], None],
        *,
        most: int = 8192,
        timeout: float = 0.0,
        judged: bool = False,
    ) -> None:
        """Prompt for `need` bytes (None: up to Ctrl-Z, at most `most`), then `done(bytes, whole)`.

        `judged`: filler at the end of the packet counts as a recovery.
        """
        phase = DataPhase(need, most, done, timeout, judged)
        self._schedule(self.quirks.prompt_delay, lambda: self._prompt(phase))

    def _prompt(self, phase: DataPhase) -> None:
        self._judge_stray()
        self._put(self.quirks.prompt)
        self._put_planted("prompt")
        self._after_cr = False
        self._data = phase
        if phase.timeout:
            phase.deadline = self._moment + phase.timeout
        early, self._backlog = bytes(self._backlog), bytearray()
        self._consume(early, fresh=False)

    def _take_data(self, phase: DataPhase, data: bytes, at: int) -> int:
        if phase.need is not None:
            end = min(len(data), at + phase.need - len(phase.buffer))
            phase.buffer += data[at:end]
            if len(phase.buffer) == phase.need:
                self._end_data(phase, bytes(phase.buffer), True)
            return end
        for end in range(at, len(data)):
            if data[end] in (0x1A, 0x1B):
                self._end_data(phase, bytes(phase.buffer), data[end] == 0x1A)
                return end + 1
            phase.buffer.append(data[end])
            if len(phase.buffer) == phase.most:
                self._end_data(phase, bytes(phase.buffer), True)
                return end + 1
        return len(data)

    def _end_data(self, phase: DataPhase, packet: bytes, whole: bool) -> None:
        self._data = None
        self._after_packet = True
        self.log.append(Entry(self._moment, "=", b"%d bytes" % len(packet)))
        if phase.judged:
            tail = filler_tail(packet)
            if tail:
                self._recovery("filler", tail)
        phase.done(packet, whole)

    def _data_timeout(self, phase: DataPhase, deadline: float) -> None:
        self._moment = max(self._moment, deadline)
        self._end_data(phase, bytes(phase.buffer), False)
        self._after_packet = False

    # --- bytes out ------------------------------------------------------------------------------

    def _put(self, data: bytes) -> None:
        if not self._out:
            self.emitted_at = self._moment
        self._out += data

    def _put_planted(self, where: str) -> None:
        if self._planted:
            for framed in self._planted.pop(where, ()):
                self._put(framed)

    def _finish(self, info: Iterable[bytes] = (), final: bytes | None = b"OK") -> None:
        """End the command: information lines, then the final result (None: silence)."""
        self._judge_stray()
        self._put_planted("answer")
        lines = list(info)
        if lines:
            between = b"\r\n" if self.quirks.compact_lists or not self.verbose else b"\r\n\r\n"
            lead = b"\r\n" if self.verbose else b""
            self._put(lead + between.join(lines) + b"\r\n")
        self._put_planted("inside")
        if final is not None:
            if not self.quiet:
                self._put_final(final)
            self.log.append(Entry(self._moment, "<", final))
        self._busy = False
        for framed in self._held:
            self._put(framed)
        self._held.clear()
        if self._backlog:
            late, self._backlog = bytes(self._backlog), bytearray()
            self._consume(late, fresh=False)

    def _put_final(self, final: bytes) -> None:
        if not self.verbose and final in _NUMERIC:
            self._put(_NUMERIC[final] + b"\r")
        else:
            self._put(b"\r\n" + final + b"\r\n")

    def _mark(self, action: Callable[[], None]) -> None:
        """Run `action` when all that is on TX by now has been taken."""
        if self._out:
            self._marks.append((self.sent + len(self._out), action))
        else:
            action()

    def _reset_line(self) -> None:
        """Forget the conversation: after a reboot."""
        self._judge_stray()
        self._timers.clear()
        while self._marks:  # what was to happen once the bytes are out
            self._marks.pop(0)[1]()
        self._line.clear()
        self._backlog.clear()
        self._held.clear()
        self._planted.clear()
        self._data = None
        self.tap = None
        self._busy = self._too_long = self._after_cr = self._after_packet = False
