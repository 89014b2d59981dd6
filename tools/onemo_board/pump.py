# SPDX-License-Identifier: MIT
"""The board's thread: moves bytes, boots the process again, keeps watchdog and sleep."""

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .base import wait_until
from .chip.hal import EXIT_FLASH, EXIT_POWER_CUT, EXIT_RESET, EXIT_SLEEP, EXIT_SOFT
from .chip.ports import DEEP_SLEEP, HARD, POWER_ON, SOFT, WATCHDOG
from .errors import BoardError, BoardTimeout, BootError, CrashLoop
from .lines import Lines
from .peripherals import Peripherals
from .process import Process
from .terminal import Terminal

if TYPE_CHECKING:
    from .virtual import VirtualBoard

_T = TypeVar("_T")
_CTRL_C = b"\x03"
_INPUT_LIMIT = 1 << 16
_IDLE_S = 1.0
_FLUSH_S = 0.05
_CRASHES = 5
_CRASH_WINDOW_S = 10.0
_BOOT_S = 15.0
_ANSWER_S = 20.0


@dataclass(frozen=True)
class Boot:
    """One boot: its cause, and whether it went into the raw REPL."""

    cause: str
    raw: bool


class Pump:
    """Runs in one thread, which also starts the processes: they end when it ends."""

    def __init__(
        self,
        board: "VirtualBoard",
        terminal: Terminal,
        lines: Lines,
        config: Mapping[str, Any],
        fds: tuple[int, ...],
    ) -> None:
        self._board, self._terminal, self._lines = board, terminal, lines
        self._config, self._fds = config, (*fds, *lines.fds.values())
        self.history: list[Boot] = []
        self._hardware = Peripherals(board, lines)
        self._failure: BoardError | None = None
        self._process: Process | None = None
        self._console: tuple[socket.socket, socket.socket] | None = None
        self._changed = threading.Condition()
        self._asked: list[Callable[[], object]] = []
        self._wake_in, self._wake_out = os.pipe()
        self._epoll = select.epoll()
        self._stopping = False
        self._crashes: list[float] = []
        self._input = bytearray()  # from the client, not yet taken by the board
        self._control_data = b""
        self._up, self._boot_deadline = False, 0.0

    # -- from other threads ---------------------------------------------------------------
    @property
    def callback_error(self) -> Exception | None:
        """What one of the user's callbacks raised first."""
        return self._hardware.callback_error

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process else None

    def do(self, action: Callable[[], _T]) -> _T:
        """Runs an action in the pump's thread."""
        done = threading.Event()
        results: list[_T] = []

        def act() -> None:
            try:
                results.append(action())
            finally:
                done.set()

        with self._changed:
            self.check()
            self._asked.append(act)
        os.write(self._wake_out, b"x")
        deadline = time.monotonic() + _ANSWER_S
        while not done.wait(0.1) and time.monotonic() < deadline:
            self.check()
        if not results:
            self.check()
            raise BoardTimeout("the board's thread does not answer")
        return results[0]

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Waits until a condition on the board's state holds; raises what ended the board."""
        return wait_until(condition, timeout, self._changed, self.check)

    def stop(self) -> None:
        self._stopping = True
        os.write(self._wake_out, b"x")

    def close(self) -> None:
        """Once the thread has ended."""
        os.close(self._wake_in)
        os.close(self._wake_out)

    def check(self) -> None:
        """Raises what ended the board, if anything did."""
        if self._failure is not None:
            raise self._failure

    # -- actions, in the thread -----------------------------------------------------------
    def reset(self, cause: str) -> int:
        """Boots anew; how often it had booted before."""
        before = len(self.history)
        self._end(kill=True)
        self._boot(cause, raw=False)
        return before

    def power_cut(self) -> None:
        self._end(kill=True)
        self._off()

    def _off(self) -> None:
        """Without power, or asleep: nobody is at the console."""
        self._hardware.reset()
        self._input.clear()
        self._close_console()
        self._notify()

    # -- the thread -----------------------------------------------------------------------
    def run(self) -> None:
        edge = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
        self._epoll.register(self._terminal.fd, edge)
        self._epoll.register(self._wake_in, select.EPOLLIN)
        try:
            self._boot(POWER_ON, raw=False)
            while not self._stopping:
                self._step()
        except BoardError as error:
            self._fail(error)
        except BaseException as error:
            self._fail(BoardError(f"the board's thread failed: {error!r}"))
            raise
        finally:
            self._end(kill=True)
            self._close_console()
            self._epoll.close()
            if self._failure is None:
                self._failure = BoardError("the board has been stopped")
            self._notify()

    def _fail(self, error: BoardError) -> None:
        self._failure = error
        self._board.output.close(str(error))
        self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _step(self) -> None:
        for fd, event in self._epoll.poll(self._timeout()):
            process = self._process
            if fd == self._wake_in:
                os.read(self._wake_in, 4096)
            elif fd == self._terminal.fd:
                if event & select.EPOLLIN:
                    self._from_client()
            elif process and fd == process.control.fileno():
                self._read_control(process)
            elif process and fd == process.pidfd:
                self._ended(process)
            elif self._console and fd == self._console[0].fileno():
                self._read_console()
        self._terminal.flush()
        self._to_board()
        for action in self._take_asked():
            action()
        self._check_clocks()

    def _take_asked(self) -> list[Callable[[], object]]:
        with self._changed:
            asked, self._asked = self._asked, []
        return asked

    def _timeout(self) -> float:
        now = time.monotonic()
        due = [now + _IDLE_S]
        if self._hardware.wake_at is not None:
            due.append(self._hardware.wake_at)
        if self._process and self._hardware.watchdog_at is not None:
            due.append(self._hardware.watchdog_at)
        if self._process and not self._up:
            due.append(self._boot_deadline)
        if self._terminal.pending:
            due.append(now + _FLUSH_S)
        return max(0.0, min(due) - now)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        hardware, process = self._hardware, self._process
        if process is None:
            if hardware.wake_at is not None and now >= hardware.wake_at:
                self._boot(DEEP_SLEEP, raw=False)
            return
        if hardware.watchdog_at is not None and now >= hardware.watchdog_at:
            self._read_control(process)  # a feeding may be on its way
            if now >= hardware.watchdog_at:
                self._end(kill=True)
                self._boot(WATCHDOG, raw=False)
        elif not self._up and now > self._boot_deadline:
            raise BootError(f"the board did not come up in {_BOOT_S:g} s")

    # -- the process ----------------------------------------------------------------------
    def _boot(self, cause: str, raw: bool) -> None:
        if cause != SOFT:  # a soft reset leaves the input that has arrived, and the watchdog
            self._hardware.reset()
            self._input.clear()
            self._close_console()
        if self._console is None:
            self._console = socket.socketpair()
            self._console[0].setblocking(False)
            self._epoll.register(self._console[0].fileno(), select.EPOLLIN)
        self._up, self._boot_deadline = False, time.monotonic() + _BOOT_S
        self._control_data = b""
        self._cause, self._raw = cause, raw
        config = {
            **self._config,
            "uarts": self._lines.fds,
            "cause": cause,
            "raw": raw,
            "rtc_offset": self._hardware.rtc_offset,
            "kept": self._hardware.kept,
        }
        self._process = Process(config, self._console[1], self._fds)
        self._epoll.register(self._process.control.fileno(), select.EPOLLIN)
        self._epoll.register(self._process.pidfd, select.EPOLLIN)

    def _close_console(self) -> None:
        if self._console is not None:
            self._epoll.unregister(self._console[0].fileno())
            for end in self._console:
                end.close()
            self._console = None

    def _end(self, kill: bool = False) -> int:
        """The process is over; what it still said is taken."""
        process, self._process = self._process, None
        if process is None:
            return 0
        status = process.kill() if kill else process.end()
        self._read_control(process)
        self._read_console()
        self._epoll.unregister(process.control.fileno())
        self._epoll.unregister(process.pidfd)
        process.close()
        return status

    def _ended(self, process: Process) -> None:
        """The process ended by itself: what that means on a board."""
        status = self._end()
        if status == EXIT_FLASH or not self._up:
            said = str(self._board.output)[-800:].strip()
            raise BootError(f"the board does not boot (exit status {status}): {said}")
        if status in (EXIT_SOFT, EXIT_SOFT + 1):
            self._print(b"MPY: soft reboot\r\n")
            self._boot(SOFT, raw=status != EXIT_SOFT)
        elif status == EXIT_RESET:
            self._boot(HARD, raw=False)
        elif status in (EXIT_SLEEP, EXIT_POWER_CUT):
            wake = self._hardware.wake_at
            self._off()
            self._hardware.wake_at = wake if status == EXIT_SLEEP else None
        else:
            self._crashed(status)

    def _crashed(self, status: int) -> None:
        now = time.monotonic()
        self._crashes = [t for t in self._crashes if t > now - _CRASH_WINDOW_S] + [now]
        if len(self._crashes) >= _CRASHES:
            raise CrashLoop(f"the board crashed {_CRASHES} times, last with status {status}")
        self._boot(HARD, raw=False)

    def _print(self, data: bytes) -> None:
        self._board.output.add(data)
        self._terminal.send(data)

    def _read_console(self) -> None:
        if self._console is None:
            return
        while True:
            try:
                data = self._console[0].recv(65536)
            except BlockingIOError:
                return
            if not data:
                return
            self._print(data)

    # -- from the client to the board -----------------------------------------------------
    def _from_client(self) -> None:
        while len(self._input) < _INPUT_LIMIT:
            data = self._terminal.receive()
            if not data:
                return
            if self._process is None:
                continue  # nobody hears it
            if not self._up:
                self._input += data  # judged when the board is up
            else:
                self._typed(data)

    def _typed(self, data: bytes) -> None:
        """Input as it arrives: a Ctrl-C is looked at once, as in a UART's interrupt."""
        head, *rest = data.split(_CTRL_C)
        self._input += head
        for part in rest:
            if self._process is None or not self._process.interrupt():
                self._input += _CTRL_C
            self._input += part

    def _to_board(self) -> None:
        if self._console is None or not self._up:
            return
        full = len(self._input) >= _INPUT_LIMIT
        while self._input:
            try:
                del self._input[: self._console[0].send(self._input[:65536])]
            except BlockingIOError:
                break
        fd = self._console[0].fileno()
        self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if self._input else 0))
        if full and len(self._input) < _INPUT_LIMIT:
            self._from_client()

    # -- from the board to its hardware ---------------------------------------------------
    def _read_control(self, process: Process) -> None:
        while True:
            try:
                data = process.control.recv(4096)
            except (BlockingIOError, ConnectionResetError):
                break
            if not data:
                break
            self._control_data += data
        *lines, self._control_data = self._control_data.split(b"\n")
        for line in lines:
            words = line.decode().split()
            if words == ["up"]:
                self._came_up()
                continue
            answer = self._hardware.event(*words)
            if answer is not None:
                try:
                    process.control.send(b"%d\n" % answer)
                except OSError:
                    pass  # it has ended meanwhile

    def _came_up(self) -> None:
        self._up = True
        held, self._input = bytes(self._input), bytearray()
        self._typed(held)
        with self._changed:
            self.history.append(Boot(self._cause, self._raw))
            self._changed.notify_all()
