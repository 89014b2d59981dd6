# SPDX-License-Identifier: MIT
"""What the board's tests share."""

import os
import socket
import time
from collections.abc import Callable


class Peer:
    """What is wired to the board's UART: `board_fd` goes to the board."""

    def __init__(self) -> None:
        self.socket, board = socket.socketpair()
        self.board_fd = board.detach()
        os.set_blocking(self.board_fd, False)
        os.set_inheritable(self.board_fd, True)
        self.socket.settimeout(10)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, count: int) -> bytes:
        """Exactly so many bytes; TimeoutError after 10 s without any."""
        got = b""
        while len(got) < count:
            part = self.socket.recv(count - len(got))
            if not part:
                break
            got += part
        return got

    def close(self) -> None:
        self.socket.close()
        os.close(self.board_fd)


def eventually(condition: Callable[[], bool], timeout: float = 20) -> None:
    """Waits until a condition holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
