# SPDX-License-Identifier: MIT
"""A microcontroller board without hardware: real MicroPython behind a pty, for mpremote.

with VirtualBoard("flash.img", uarts={1: line.board_fd}) as board:
    mpremote(board.port, "fs", "ls")
    board.output.wait_for("connected", timeout=10)
"""

import mmap
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import images
from .base import Board
from .chip.flash import COUNTERS, NEVER
from .chip.ports import BUTTON, PORTS, POWER_ON
from .errors import BoardError, BoardTimeout, BootError
from .lock import Lock
from .pump import Boot, Pump

_ANSWER_S = 20.0


class VirtualBoard(Board):
    """A board. Entering the context switches it on, leaving it takes everything away.

    flash       a file: an image with littlefs, made when missing; a folder: that folder
                (files' sizes and a full disk are the host's then).
    heap        MicroPython's heap, as its -X heapsize takes it: "64K".
    port_like   "esp32", "stm32" or "rp2": whose manners the board has.
    uarts       UART id -> what it is wired to: an inheritable descriptor, or a terminal's path.
                A UART that is wired to nothing sends into the void.
    link        a symbolic link to the port: mpremote then keeps its own timeouts (at a
                /dev/pts/N it waits for ever).
    size        bytes of a flash that is made.
    hashes      what hashlib has; else as the port has it.
    overrun     False: a receive buffer loses nothing. For lines that are not paced to the baud
                rate, which would overrun a buffer that a real line would not.
    line_time   False: sending takes no time.
    on_baud     called with (uart id, baud) when the board opens or changes a UART, before the
                board goes on; on_pin with (pin, value); on_break with (uart id). They are
                called in the board's own thread; what they raise is raised when the context ends.
    """

    def __init__(
        self,
        flash: str | os.PathLike[str],
        *,
        heap: str = "192K",
        port_like: str = "esp32",
        uarts: Mapping[int, int | str] | None = None,
        link: str | os.PathLike[str] | None = None,
        size: int = images.DEFAULT_SIZE,
        machine: str | None = None,
        unique_id: bytes | None = None,
        hashes: Sequence[str] | None = None,
        overrun: bool = True,
        line_time: bool = True,
        on_baud: Callable[[int, int], object] | None = None,
        on_pin: Callable[[str, int], object] | None = None,
        on_break: Callable[[int], object] | None = None,
    ) -> None:
        super().__init__(uarts, link, on_baud, on_pin, on_break)
        if port_like not in PORTS:
            raise BoardError(f"no such port: {port_like!r}; there are {', '.join(PORTS)}")
        self._port = PORTS[port_like]
        self.flash = Path(flash).resolve()
        if not self.flash.is_dir():
            if self.flash.exists():
                images.check(self.flash)
            else:
                images.make_blank(self.flash, size)
        self.overruns: dict[int, int] = {}
        self._config: dict[str, Any] = {
            "port": self._port.name,
            "heap": heap,
            "machine": machine,
            "unique_id": (unique_id or self._port.unique_id).hex(),
            "hashes": list(self._port.hashes if hashes is None else hashes),
            "path": list(self._port.path),
            "flash_at": self._port.flash_at,
            "overrun": overrun,
            "line_time": line_time,
        }
        self._requests: deque[tuple[Callable[[], object], threading.Event]] = deque()
        self._thread: threading.Thread | None = None
        self._pump: Pump | None = None

    # -- life -----------------------------------------------------------------------------
    def start(self) -> None:
        """Switches the board on and waits until its boot scripts run. BootError."""
        if self._thread is not None:
            raise BoardError("this board has been started before")
        self._lock = Lock(self.flash)
        if not self._lock.taken:
            raise BoardError(
                f"{self.flash} is another board's that is running: end that one, or give another "
                "flash"
            )
        try:
            self._open_lines(self._port)
        except BaseException:
            self._lock.release()
            raise
        self._open_flash()
        self._pump = Pump(self, self._terminal, self._lines, self._config, self._flash_fds)
        self._thread = threading.Thread(target=self._pump.run, name="virtual-board", daemon=True)
        self._thread.start()
        try:
            self.wait_boot(1)
        except BaseException:
            self.stop()
            raise

    def _open_flash(self) -> None:
        self._counters_fd = os.memfd_create("onemo-board")
        os.ftruncate(self._counters_fd, COUNTERS.size)
        self._counters = mmap.mmap(self._counters_fd, COUNTERS.size)
        COUNTERS.pack_into(self._counters, 0, 0, NEVER)
        folder = self.flash.is_dir()
        flash_fd = None if folder else os.open(self.flash, os.O_RDWR)
        self._config["folder"] = str(self.flash) if folder else None
        self._config["flash_fd"] = flash_fd
        self._config["counters_fd"] = self._counters_fd
        self._flash_fds = (self._counters_fd, *(() if flash_fd is None else (flash_fd,)))

    def stop(self) -> Exception | None:
        """Ends the board; what a callback raised, if one did."""
        pump, thread = self._pump, self._thread
        if pump is None or thread is None:
            return None
        pump.stop()
        thread.join(_ANSWER_S)
        if thread.is_alive():  # pragma: no cover: every wait of the pump is bounded
            raise BoardTimeout("the board's thread does not end")
        self._pump = None
        pump.close()
        self._terminal.close()
        self._lines.close()
        self._counters.close()
        for fd in self._flash_fds:
            os.close(fd)
        self._lock.release()
        self.output.close("the board has been stopped")
        return pump.callback_error

    def _running(self) -> Pump:
        if self._pump is None:
            raise BoardError("the board is not started")
        return self._pump

    # -- what one does to a board ---------------------------------------------------------
    def hard_reset(self) -> None:
        """The reset button; waits until the boot scripts run again."""
        pump = self._running()
        boots = pump.do(lambda: pump.reset(BUTTON))
        self.wait_boot(boots + 1)

    def power_cut(self, after_writes: int | None = None) -> None:
        """Takes the power away: at once, or in the middle of the n-th flash write from now.

        With `after_writes` n, n further writes or erases are done, and the one after them half;
        `wait_off()` waits for it. The image stays as it is then. `power_on()` goes on.
        """
        if after_writes is not None:
            if self._config["flash_fd"] is None:
                raise BoardError("a flash that is a folder has no writes to count")
            COUNTERS.pack_into(
                self._counters, 0, self.flash_writes, self.flash_writes + after_writes
            )
            return
        pump = self._running()
        pump.do(pump.power_cut)

    def power_on(self) -> None:
        """Power comes back; waits until the boot scripts run."""
        pump = self._running()
        COUNTERS.pack_into(self._counters, 0, self.flash_writes, NEVER)
        boots = pump.do(lambda: pump.reset(POWER_ON))
        self.wait_boot(boots + 1)

    def set_pin(self, pin: int | str, value: int) -> None:
        """Puts a level on an input."""
        self.pins[str(pin)] = 1 if value else 0

    # -- what one sees of it --------------------------------------------------------------
    @property
    def pid(self) -> int | None:
        """The board's process now; None while it is off or asleep."""
        return self._running().pid

    @property
    def history(self) -> list[Boot]:
        """Every boot since the start, with its cause."""
        return list(self._running().history)

    @property
    def boots(self) -> int:
        """How often the board has booted, soft resets included."""
        return len(self._running().history)

    @property
    def flash_writes(self) -> int:
        """Writes and erases of the flash image since the start."""
        return int(COUNTERS.unpack_from(self._counters)[0])

    @property
    def alive(self) -> bool:
        """Whether the board still works; False after a crash loop or a failed boot."""
        return self._thread is not None and self._thread.is_alive()

    def check(self) -> None:
        """Raises what ended the board by itself (BootError, CrashLoop), if anything did."""
        self._running().check()

    @property
    def is_on(self) -> bool:
        return self._running().pid is not None

    def wait_boot(self, count: int, timeout: float = _ANSWER_S) -> None:
        """Waits (s) until the board has booted `count` times. BoardTimeout, BootError."""
        pump = self._running()
        if not pump.wait(lambda: len(pump.history) >= count, timeout):
            shown = str(self.output)[-600:]
            raise BoardTimeout(f"boot {count} did not come in {timeout:g} s; output: {shown!r}")

    def wait_off(self, timeout: float = _ANSWER_S) -> None:
        """Waits (s) until the board is without power or in deep sleep."""
        pump = self._running()
        if not pump.wait(lambda: pump.pid is None, timeout):
            raise BoardTimeout(f"the board was still on after {timeout:g} s")


__all__ = ["Boot", "BootError", "VirtualBoard"]
