# SPDX-License-Identifier: MIT
"""A UART whose TX is wired to its RX, as the device tests want it."""

from __future__ import annotations

import os
import socket
import threading
from typing import Self

_PERIOD_S = 0.005


class Wire:
    """What the board sends on `board_fd` comes back to it, a few milliseconds late."""

    def __init__(self) -> None:
        self._far, board = socket.socketpair()
        self._far.setblocking(False)
        board.setblocking(False)
        self.board_fd = board.detach()
        os.set_inheritable(self.board_fd, True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _carry(self) -> None:
        held = b""
        while not self._stop.wait(_PERIOD_S):
            try:
                held += self._far.recv(4096)
            except BlockingIOError:
                pass
            try:
                held = held[self._far.send(held) :] if held else b""
            except BlockingIOError:
                pass

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._far.close()
        os.close(self.board_fd)
