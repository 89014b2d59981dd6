# SPDX-License-Identifier: MIT
"""The port that mpremote opens: a pty, and a queue in each direction."""

import os
import select
import tty
from pathlib import Path

from .errors import BoardError
from .lock import Lock

_QUEUE = 1 << 20
_READ = 1 << 16


class Terminal:
    """The master side of a pty. As at a UART, what is sent while nobody listens is lost."""

    def __init__(self, link: Path | None) -> None:
        self.fd, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        # not kept open, so that POLLHUP tells whether a client has it open
        os.close(slave)
        os.set_blocking(self.fd, False)
        self._probe = select.poll()
        self._probe.register(self.fd, 0)
        self._out = bytearray()
        self.link = link
        self._lock: Lock | None = None
        if link is not None:
            self._make_link(link)

    def _make_link(self, link: Path) -> None:
        if not link.parent.is_dir():
            os.close(self.fd)
            raise BoardError(f"no folder for the link '{link}': make it first, or give another")
        self._lock = Lock(link.with_name(f".{link.name}.lock"))
        if not self._lock.taken:
            os.close(self.fd)
            raise BoardError(
                f"{link} belongs to a board that is running: end that one, or give another link"
            )
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            os.close(self.fd)
            self._lock.release(remove=True)
            raise BoardError(f"{link} exists and is no symbolic link")
        link.symlink_to(self.port)

    @property
    def attached(self) -> bool:
        """Whether a client has the port open."""
        return not self._probe.poll(0)

    @property
    def pending(self) -> bool:
        """Whether bytes wait for the client to read."""
        return bool(self._out)

    def send(self, data: bytes) -> None:
        if self.attached and len(self._out) < _QUEUE:
            self._out += data
            self.flush()

    def flush(self) -> None:
        """Hands on what waits, as far as the client reads it."""
        if not self.attached:
            self._out.clear()
        while self._out:
            try:
                done = os.write(self.fd, self._out[:_READ])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._out.clear()
                return
            del self._out[:done]

    def receive(self) -> bytes:
        """What the client has sent; empty when there is nothing (or no client)."""
        try:
            return os.read(self.fd, _READ)
        except OSError:
            return b""

    def close(self) -> None:
        os.close(self.fd)
        link = self.link
        if link is not None and link.is_symlink() and os.readlink(link) == self.port:
            link.unlink()
        if self._lock is not None:
            self._lock.release(remove=True)
