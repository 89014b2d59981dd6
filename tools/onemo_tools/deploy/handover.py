# SPDX-License-Identifier: MIT
"""Contents that mpremote, which takes files, is to copy: without a private key on this PC's disk.

On Linux they stay in memory: however this process ends, nothing of them is left. Elsewhere they
are in a folder for their owner only, which goes with this object, after a failure or SIGTERM too.
"""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any


def has_memory_files() -> bool:
    """True where memory can have the path of a file."""
    return hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd")


class Handover:
    """with Handover() as local: mpremote(port, "fs", "cp", local.path(content), ":main.py")"""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._count = 0

    def __enter__(self) -> "Handover":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def path(self, content: bytes) -> str:
        """A path by which a process of the same user can read `content`, for as long as this
        object is open."""
        return self._in_memory(content) if has_memory_files() else self._in_folder(content)

    def _in_memory(self, content: bytes) -> str:
        descriptor = os.memfd_create("onemo")  # not inherited by other processes
        self._stack.callback(os.close, descriptor)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        return f"/proc/{os.getpid()}/fd/{descriptor}"

    def _in_folder(self, content: bytes) -> str:
        if self._folder is None:
            self._stack.callback(_end_by_exception())
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))  # 0700
        self._count += 1
        path = self._folder / str(self._count)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return str(path)


def _end_by_exception() -> Callable[[], Any]:
    """Makes SIGTERM end this process by an exception, so that what is open is closed; returns what
    undoes that."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    return lambda: signal.signal(signal.SIGTERM, before)
