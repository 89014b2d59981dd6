# SPDX-License-Identifier: MIT
"""The UARTs' lines on the host side: descriptors that the board's process inherits."""

import os
import stat
import termios
import tty
from collections.abc import Mapping

from .chip.ports import Port
from .errors import BoardError


class Lines:
    """UART id -> descriptor. A path is opened here; a given descriptor stays the caller's."""

    def __init__(self, uarts: Mapping[int, int | str], port: Port) -> None:
        self.fds: dict[int, int] = {}
        self._opened: list[int] = []
        try:
            for uart_id, line in uarts.items():
                if uart_id not in port.uart_ids:
                    known = ", ".join(map(str, port.uart_ids))
                    raise BoardError(f"{port.name} has no UART {uart_id}, only {known}")
                self.fds[uart_id] = self._open(line) if isinstance(line, str) else line
                os.set_blocking(self.fds[uart_id], False)  # as machine.UART: None, not waiting
        except BaseException:
            self.close()
            raise

    def _open(self, path: str) -> int:
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise BoardError(f"cannot open the UART's line {path}: {error.strerror}") from error
        self._opened.append(fd)
        if not stat.S_ISCHR(os.fstat(fd).st_mode) or not os.isatty(fd):
            raise BoardError(f"{path} is no terminal device")
        tty.setraw(fd)
        return fd

    def set_baud(self, uart_id: int, baud: int) -> None:
        """A real serial adapter follows the board's speed; others have none."""
        fd = self.fds.get(uart_id)
        speed = getattr(termios, f"B{baud}", None)
        if fd in self._opened and speed is not None:
            settings = termios.tcgetattr(fd)
            settings[4] = settings[5] = speed
            termios.tcsetattr(fd, termios.TCSANOW, settings)

    def close(self) -> None:
        while self._opened:
            os.close(self._opened.pop())
