# SPDX-License-Identifier: MIT
"""One AT command at a time, and everything about its answer. Every wait ends."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from onemo import at_syntax

from onemo_tools.probe.port import Port

_QUIET_S = 0.05  # of silence: nothing more belongs to what came
_IDLE_S = 2.0  # after so much silence a module may be asleep
_SYNC_S = 8.0  # to find back into step
_GREET_S = 6.0  # until a module that answers nothing is given up
_RESTART_S = 45.0  # a module that restarts is back by then
_BOOTED = (b"+MATREADY", b"REBOOTING", b"POWER OFF")
_FINAL = re.compile(rb"(?:OK|ERROR|\+ ?C(?:ME|MS|IS) ERROR: ?[^\r\n]*)\Z")


class ProbeError(Exception):
    """The probe cannot go on; the message is a sentence for its user."""


class NoModule(ProbeError):
    """Nobody, or another device, is at the port."""


class Restarted(ProbeError):
    """The module started anew although nobody asked it to."""


class Gone(ProbeError):
    """The module answers no more."""


class NoAnswer(Exception):
    """A command had no final result within its time; the line is in step again."""


@dataclass
class Answer:
    """What a command was answered."""

    command: bytes
    raw: bytes = b""  # all of it, without the echo
    lines: list[bytes] = field(default_factory=list)  # information
    final: bytes = b""
    echoed: bool = False
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.final == b"OK"

    @property
    def code(self) -> str:
        """ "ok", "error", the number of a +CME ERROR, or what else it said."""
        if self.final in (b"OK", b"ERROR"):
            return self.final.decode().lower()
        return self.final.partition(b":")[2].strip().decode("ascii", "replace")

    @property
    def there(self) -> bool:
        """The command exists, whatever it thought of the parameters."""
        return self.final != b"ERROR"

    def values(self, head: bytes = b"") -> list[bytes]:
        """What stands behind the colon of each line; of those that begin with `head`."""
        found = []
        for line in self.lines:
            if line.startswith(head):
                found.append(line[at_syntax.after_colon(line, 0, len(line)) :])
        return found

    @property
    def text(self) -> str:
        """The first information line without its head; "" where there is none."""
        return self.lines[0].decode("latin-1") if self.lines else ""


class Talk:
    """The conversation. `hear`: is told of both directions, for a trace."""

    def __init__(self, port: Port, hear: Callable[[str, bytes], None] | None = None) -> None:
        self.port = port
        self.urcs: list[bytes] = []
        self.expect_restart = False
        self.prompt_at = 0.0  # when the last prompt came
        self._active = port.now()
        self._quiet_echo = False  # ATE0 was sent, so an echo tells of a restart
        self._hear = hear

    # --- bytes ----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        if self._hear:
            self._hear(">", data)
        self._active = self.port.now()
        self.port.write(data)

    def receive(self, seconds: float) -> bytes:
        data = self.port.read(seconds)
        if data:
            self._active = self.port.now()
            if self._hear:
                self._hear("<", data)
        return data

    def line_time(self, size: int) -> float:
        """Seconds that so many bytes take on the line."""
        return size * 10 / (self.port.baud or 9600)

    def drain(self, quiet: float = _QUIET_S, most: float = 3.0) -> bytes:
        """Everything that comes until there is silence."""
        got = b""
        end = self.port.now() + most
        while self.port.now() < end and (data := self.receive(quiet)):
            got += data
        return got

    def listen(self, wanted: bytes, seconds: float) -> bytes:
        """What comes until `wanted` was in it, or the time is over."""
        got = b""
        end = self.port.now() + seconds
        while wanted not in got and (left := end - self.port.now()) > 0:
            got += self.receive(min(left, 1.0))
        return got

    # --- commands -------------------------------------------------------------------------------

    def ask(self, command: str | bytes, wait: float = 5.0, *, data: bytes | None = None) -> Answer:
        """Sends `command` (with its AT, without CR), and `data` behind its prompt; its answer.
        NoAnswer, Gone or Restarted if there is none."""
        return self._ask(command, wait, data=data)[0]

    def prompt(self, command: str | bytes, wait: float = 5.0) -> tuple[bytes | None, Answer]:
        """Sends a command that may prompt; the prompt's bytes (None: a final result instead).
        The module then waits for data: `finish`."""
        answer, prompt = self._ask(command, wait, stop_at_prompt=True)
        return prompt, answer

    def finish(self, data: bytes, wait: float = 30.0, command: str | bytes = b"") -> Answer:
        """Data behind a prompt, and the final result."""
        self.send(data)
        return self._collect(_bytes(command), wait + self.line_time(len(data)), b"")[0]

    def _ask(
        self,
        command: str | bytes,
        wait: float,
        *,
        data: bytes | None = None,
        stop_at_prompt: bool = False,
    ) -> tuple[Answer, bytes | None]:
        line = _bytes(command)
        if self.port.now() - self._active > _IDLE_S:
            self.sync()  # it may have fallen asleep, and what wakes it is lost
        self.notice(self.drain(0.0))
        self.send(line + b"\r")
        wait += self.line_time(len(line)) * 2
        answer, prompt = self._collect(
            line, wait, b"" if data is None and not stop_at_prompt else b">"
        )
        if prompt is None or stop_at_prompt:
            return answer, prompt
        self.send(data or b"")
        return self._collect(line, wait + self.line_time(len(data or b"")), b"")

    def _collect(self, line: bytes, wait: float, prompt: bytes) -> tuple[Answer, bytes | None]:
        """The answer to `line`, up to its final result, or to a prompt where one may come."""
        start = self.port.now()
        end = start + wait
        answer = Answer(line)
        got = b""
        while True:
            data = self.receive(max(0.0, min(end - self.port.now(), 1.0)))
            got += data
            if line and not answer.echoed and got.startswith(line + b"\r"):
                answer.echoed = True
                got = got[len(line) + 1 :]
                self._judge_echo()
            if data and prompt and (asked := re.search(rb"(?:\A|\n)>", got)):
                self.prompt_at = self.port.now()
                got += self.drain(0.15)
                self._judge(got[: asked.start()])
                return answer, got[max(0, got.rfind(b"\r\n>", 0, asked.end())) :]
            if data and self._is_over(answer, got):
                answer.seconds = self.port.now() - start
                self._sort(answer, got)
                return answer, None
            if self.port.now() >= end:
                answer.raw = got
                self._judge(got)
                self.sync()
                shown = line[:40].decode("latin-1")
                raise NoAnswer(f"{shown} was not answered within {wait:.0f} s")

    def _is_over(self, answer: Answer, got: bytes) -> bool:
        """A whole line is a final result, and nothing but URCs follows."""
        for part in got.split(b"\n")[:-1]:
            found = _FINAL.match(part.rstrip(b"\r"))
            if found:
                answer.final = found.group()
                return True
        return False

    def _sort(self, answer: Answer, got: bytes) -> None:
        """Information lines into the answer; what is not of this command to the URCs."""
        answer.raw = got
        own = re.match(rb"AT(\+[A-Za-z0-9]+)", answer.command, re.IGNORECASE)
        head = own.group(1).upper() + b":" if own else b""
        before = True
        for part in got.split(b"\n"):
            text = part.rstrip(b"\r")
            if not text:
                continue
            if text == answer.command:
                answer.echoed = True
            elif before and _FINAL.match(text):
                before = False
            elif before and (not text.startswith(b"+") or not own or text.startswith(head)):
                answer.lines.append(text)
            else:
                self.urcs.append(text)
        self._judge(got)

    def notice(self, data: bytes) -> None:
        """Bytes that no command asked for: URCs."""
        self._judge(data)
        self.urcs += [text for line in data.split(b"\n") if (text := line.rstrip(b"\r"))]

    def wait_urc(self, head: bytes, seconds: float) -> bytes | None:
        """The next URC that begins with `head`, heard already or within so long; it is used up."""
        end = self.port.now() + seconds
        got = b""
        while True:
            for at, text in enumerate(self.urcs):
                if text.startswith(head):
                    return self.urcs.pop(at)
            if got.endswith(b"\n"):
                self.notice(got)
                got = b""
                continue
            left = end - self.port.now()
            if left <= 0:
                self.notice(got)
                return None
            got += self.receive(min(left, 1.0))

    def _judge(self, data: bytes) -> None:
        """Restarted if it tells of a restart that nobody asked for."""
        if not self.expect_restart and any(line.strip() in _BOOTED for line in data.split(b"\n")):
            raise Restarted("the module started anew by itself")

    def _judge_echo(self) -> None:
        if self._quiet_echo and not self.expect_restart:
            raise Restarted("the module lost its settings: it has started anew by itself")

    # --- in step --------------------------------------------------------------------------------

    def alive(self, seconds: float) -> bool:
        """Whether the module answers AT within so long; then it is in step, too."""
        end = self.port.now() + seconds
        while self.port.now() < end:
            self.drain(0.0)
            self.send(b"AT\r")
            got = b""
            stop = min(end, self.port.now() + 0.7)
            while (left := stop - self.port.now()) > 0 and not re.search(rb"\nOK\r|0\r\Z", got):
                got += self.receive(left)
            self._judge(got)
            if re.search(rb"(?:\A|\n)OK\r", got) or got.removeprefix(b"AT\r") == b"0\r":
                if got.startswith(b"AT\r"):
                    self._judge_echo()
                self.drain()
                return True
        return False

    def sync(self) -> None:
        """In step again. Gone if the module answers no more."""
        if not self.alive(_SYNC_S):
            raise Gone("the module answers no more: has it lost its power, or its wires?")

    def echo_off(self) -> None:
        """ATE0, and from now on an echo is a sign."""
        self._quiet_echo = False
        self.ask("ATE0")
        self._quiet_echo = True

    def echo_may_come(self) -> None:
        """An echo is no sign any more."""
        self._quiet_echo = False

    def wait_for_restart(self) -> bool:
        """After a restart that nobody asked for: whether the module answers again."""
        self.expect_restart = True
        self._quiet_echo = False
        return self.alive(_RESTART_S)

    def greet(self) -> bytes:
        """Makes sure that an AT module is there; what its first answer looked like. NoModule."""
        heard = b""
        end = self.port.now() + _GREET_S
        while self.port.now() < end:
            self.drain(0.0, 1.0)
            self.send(b"AT\r")
            got = self.listen(b"OK\r", 0.8)
            if got.removeprefix(b"AT\r") in (b"0\r", b"0\r\n"):
                return got
            if re.search(rb"(?:\A|\n|\r)OK\r", got):
                return got + self.drain(0.1, 0.5)
            heard = (heard + got)[-400:]
        raise NoModule(_who(heard))


def _bytes(command: str | bytes) -> bytes:
    return command.encode("latin-1") if isinstance(command, str) else command


def _who(heard: bytes) -> str:
    """Who is at the other end of the line, if it is no AT module."""
    if not heard:
        return (
            "nothing answers: is the module powered and awake, are TX and RX crossed, and is "
            "--baud its speed (9600 as ML305M, ML307M and ML307N are delivered)?"
        )
    if not heard.replace(b"AT\r", b"").strip():
        return "only what is sent comes back: TX is wired to RX there, and no module"
    if b">>>" in heard or b"MicroPython" in heard:
        return "a MicroPython board answers there, and no module: --board asks through it"
    text = heard.decode("ascii", "replace")
    strange = sum(not (" " <= char <= "~" or char in "\r\n") for char in text)
    if strange * 4 > len(text):
        return "what comes is no text: --baud is not the module's speed, or a wire is loose"
    return f"something else answers there, its last bytes were {heard[-40:]!r}"
