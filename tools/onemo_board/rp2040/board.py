# SPDX-License-Identifier: MIT
"""An RP2040 with real firmware: emulated, behind a pty, for the real mpremote.

with EmulatedBoard("flash.img", firmware="firmware.uf2", uarts={1: line.board_fd}) as board:
    mpremote(board.port, "fs", "ls")
"""

import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base import Board, wait_until
from ..chip.ports import BUTTON, POWER_ON, RP2
from ..errors import BoardError, BoardTimeout
from . import uf2
from .prepare import emulator

FLASH_SIZE = 2 << 20
_SPEEDS = [1200 << n for n in range(6)] + [57600 << n for n in range(5)]
_SPEEDS += [1000000, 1500000, 2000000, 3000000, 4000000]
_OFF = 0.02
_READ = 1 << 16
_STEP_S = 0.5
_ANSWER_S = 30.0
_END_S = 5.0


class EmulatedBoard(Board):
    """A Pico without hardware. Entering the context switches it on, leaving it takes all away.

    flash       a file, the whole of the flash chip; made when missing. What is in it stays; the
                firmware is written over its place, as with the boot loader.
    firmware    .uf2 or .bin.
    uarts, link, on_baud, on_pin, on_break: as VirtualBoard has them. `on_baud` returns before the
                board goes on.
    wired       numbers of UARTs whose TX is wired to their RX.
    paced       False: time does not wait for the wall clock; for measurements with a script at
                the UART (see `script`), which is in the board's own time.
    """

    def __init__(
        self,
        flash: str | os.PathLike[str],
        *,
        firmware: str | os.PathLike[str],
        uarts: Mapping[int, int | str] | None = None,
        link: str | os.PathLike[str] | None = None,
        wired: Sequence[int] = (),
        paced: bool = True,
        on_baud: Callable[[int, int], object] | None = None,
        on_pin: Callable[[str, int], object] | None = None,
        on_break: Callable[[int], object] | None = None,
    ) -> None:
        super().__init__(uarts, link, on_baud, on_pin, on_break)
        self.flash = Path(flash).resolve()
        parts = uf2.read(Path(firmware))
        if not self.flash.exists():
            self.flash.write_bytes(b"\xff" * FLASH_SIZE)
        if self.flash.stat().st_size != FLASH_SIZE:
            raise BoardError(f"{self.flash} is no flash image: it has not {FLASH_SIZE} bytes")
        with open(self.flash, "r+b") as file:
            for at, content in parts.items():
                if at + len(content) > FLASH_SIZE:
                    raise BoardError(f"{firmware} is larger than the flash of {FLASH_SIZE} bytes")
                file.seek(at)
                file.write(content)
        self.causes: list[str] = []  # of every boot so far; soft resets are none
        self.is_on = False
        self._wired, self._paced = list(wired), paced
        self._connected = 0
        self._changed = threading.Condition()
        self._answers: dict[int, Any] = {}
        self._asked = 0
        self._failure: BoardError | None = None
        self._callback_error: Exception | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None

    # -- life -----------------------------------------------------------------------------
    def start(self) -> None:
        """Switches the board on and waits until its USB is there. BoardError."""
        tools = emulator()
        self._open_lines(RP2)
        self._control, control = socket.socketpair()
        self._console, console = socket.socketpair()
        self._wake_in, self._wake_out = os.pipe()
        settings = {
            "flash": str(self.flash),
            "bootrom": str(tools.bootrom),
            "control": control.fileno(),
            "console": console.fileno(),
            "uarts": self._lines.fds,
            "wired": self._wired,
            "paced": self._paced,
        }
        self._process = subprocess.Popen(
            ["node", str(tools.script), json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(control.fileno(), console.fileno(), *self._lines.fds.values()),
        )
        control.close()
        console.close()
        self._console.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="emulated-board", daemon=True)
        self._thread.start()
        try:
            self._boot(lambda: self._tell("boot", cause=POWER_ON))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> Exception | None:
        """Ends the board; what a callback raised, if one did."""
        thread, self._thread = self._thread, None
        if thread is None:
            return None
        self._stopping = True
        os.write(self._wake_out, b"x")
        thread.join(_ANSWER_S)
        self._control.close()  # at which the emulator ends
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        self._console.close()
        self._terminal.close()
        self._lines.close()
        os.close(self._wake_in)
        os.close(self._wake_out)
        self.output.close("the board has been stopped")
        return self._callback_error

    # -- what one does to a board ---------------------------------------------------------
    def hard_reset(self) -> None:
        """The reset button; waits until USB is there again."""
        self._boot(lambda: self._tell("reset", cause=BUTTON))

    def power_cut(self, after_writes: int | None = None) -> None:
        """Takes the power away: at once, or in the middle of the n-th flash operation from now
        (a page programmed, a sector erased); `wait_off()` waits for it."""
        if after_writes is None:
            self._tell("cut")
            self.wait_off()
        else:
            self.ask("cutAfter", writes=after_writes)

    def power_on(self) -> None:
        """Power comes back; waits until USB is there."""
        self.ask("cutAfter", writes=None)
        self._boot(lambda: self._tell("boot", cause=POWER_ON))

    def set_pin(self, pin: int | str, value: int) -> None:
        """Puts a level on an input."""
        self._tell("pin", pin=int(pin), value=1 if value else 0)

    def script(self, uart: int, rules: list[dict[str, Any]] | None) -> None:
        """Wires a UART to a module in miniature instead of to its line; script.mjs has it."""
        self.ask("script", uart=uart, script=rules)

    def pace(self, paced: bool) -> None:
        """Whether time waits for the wall clock from now on."""
        self.ask("pace", paced=paced)

    # -- what one sees of it --------------------------------------------------------------
    @property
    def alive(self) -> bool:
        return self._failure is None and self._thread is not None

    def check(self) -> None:
        """Raises what ended the board by itself, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stats(self) -> dict[str, Any]:
        """Cycles and instructions since the start, ns asleep, and since the last call the marks:
        a program makes one by writing a number to machine.mem32[0x40070000]. Each has cycles,
        instructions, idleNs, ns (since the boot). And of each UART the bytes received, sent,
        lost by overrun, and its baud rate."""
        return dict(self.ask("stats"))

    def profile(self, on: bool) -> dict[int, int]:
        """Starts or ends counting where the processor is; address -> samples so far."""
        return {int(pc): n for pc, n in (self.ask("profile", on=on) or {}).items()}

    def wait_boot(self, count: int, timeout: float = _ANSWER_S) -> None:
        """Waits (s) until the board has booted `count` times. BoardTimeout."""
        if not self._wait(lambda: self._connected >= count, timeout):
            shown = str(self.output)[-600:]
            raise BoardTimeout(f"boot {count} did not come in {timeout:g} s; output: {shown!r}")

    def wait_off(self, timeout: float = _ANSWER_S) -> None:
        """Waits (s) until the board is without power."""
        if not self._wait(lambda: not self.is_on, timeout):
            raise BoardTimeout(f"the board was still on after {timeout:g} s")

    # -- the emulator ---------------------------------------------------------------------
    def _boot(self, action: Callable[[], object]) -> None:
        before = len(self.causes)
        action()
        self.wait_boot(before + 1)

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        return wait_until(condition, seconds, self._changed, self.check)

    def _tell(self, what: str, **values: object) -> None:
        self.check()
        self._control.sendall(json.dumps({"do": what, **values}).encode() + b"\n")

    def ask(self, what: str, **values: object) -> Any:
        """A request to the emulator, and its answer."""
        with self._changed:
            self._asked += 1
            number = self._asked
        self._tell(what, id=number, **values)
        if not self._wait(lambda: number in self._answers, _ANSWER_S):
            raise BoardTimeout("the emulator does not answer")
        return self._answers.pop(number)

    def _run(self) -> None:
        poll = select.epoll()
        console, control, terminal = (
            self._console.fileno(),
            self._control.fileno(),
            self._terminal.fd,
        )
        edge = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
        poll.register(terminal, edge)
        for fd in (console, control, self._wake_in):
            poll.register(fd, select.EPOLLIN)
        typed = bytearray()
        said = b""
        try:
            while not self._stopping:
                wait = 0.02 if self._terminal.pending or typed else _STEP_S
                for fd, event in poll.poll(wait):
                    if fd == terminal and event & select.EPOLLIN:
                        while data := self._terminal.receive():
                            typed += data
                    elif fd == console:
                        data = self._console.recv(_READ)
                        self.output.add(data)
                        self._terminal.send(data)
                    elif fd == control:
                        data = self._control.recv(_READ)
                        if not data:
                            raise BoardError(f"the emulator has ended: {self._last_words()}")
                        *whole, said = (said + data).split(b"\n")
                        for text in whole:
                            self._heard(json.loads(text))
                self._terminal.flush()
                if typed:
                    try:
                        del typed[: self._console.send(typed)]
                    except BlockingIOError:
                        pass
        except BoardError as error:
            self._failure = error
            self.output.close(str(error))
        finally:
            poll.close()
            with self._changed:
                self._changed.notify_all()

    def _last_words(self) -> str:
        self._process.kill()
        said = self._process.stderr.read() if self._process.stderr else b""
        return said.decode("utf-8", "replace").strip()[-1000:] or "without a word"

    def _heard(self, what: dict[str, Any]) -> None:
        event = what.get("event")
        with self._changed:
            if "id" in what:
                self._answers[what["id"]] = what["answer"]
            elif event == "boot":
                self.is_on = True
                self.causes.append(what["cause"])
            elif event == "connected":
                self._connected = len(self.causes)
            elif event == "off":
                self.is_on = False
            self._changed.notify_all()
        if event == "broken":
            raise BoardError(f"the firmware has stopped: {what['text']}")
        if event == "pin":
            self.pins[str(what["pin"])] = what["value"]
            self._call(self.on_pin, str(what["pin"]), what["value"])
        elif event == "break":
            self._call(self.on_break, what["uart"])
        elif event == "baud":
            self._lines.set_baud(what["uart"], _nominal(what["baud"]))
            self._call(self.on_baud, what["uart"], _nominal(what["baud"]))
            self._control.sendall(b'{"do": "heard"}\n')

    def _call(self, callback: Callable[..., object] | None, *args: object) -> None:
        try:
            if callback is not None:
                callback(*args)
        except Exception as error:  # the board goes on; raised when it is stopped
            self._callback_error = self._callback_error or error


def _nominal(baud: int) -> int:
    """The usual speed that a divisor's is meant to be, if it is near to one."""
    near = min(_SPEEDS, key=lambda speed: abs(speed - baud))
    return near if abs(near - baud) <= near * _OFF else baud
