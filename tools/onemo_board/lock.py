# SPDX-License-Identifier: MIT
"""What one running board has and no other may: its flash, its link."""

import fcntl
import os
from pathlib import Path


class Lock:
    """Tries to take a file or folder, made when missing; ends with the process at the latest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
        self._fd = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.taken = True
        except BlockingIOError:
            os.close(self._fd)
            self.taken = False

    def release(self, remove: bool = False) -> None:
        """Others may take it from now on; `remove`: it is a file of the lock's own."""
        if self.taken:
            self.taken = False
            if remove:
                self._path.unlink(missing_ok=True)
            os.close(self._fd)
