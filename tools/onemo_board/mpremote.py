# SPDX-License-Identifier: MIT
"""The real mpremote as a subprocess, always with a time limit."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from .errors import MpremoteError, MpremoteTimeout, NoBoard

DEFAULT_TIMEOUT_S = 60.0
_END_S = 5.0

# what mpremote prints when there is nobody at the port
_SILENT = ("failed to access", "could not enter raw repl", "no device found")


@dataclass(frozen=True)
class Result:
    """What mpremote printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


def mpremote(
    port: str,
    *arguments: str | os.PathLike[str],
    timeout: float = DEFAULT_TIMEOUT_S,
    check: bool = True,
    cwd: str | os.PathLike[str] | None = None,
    stdin: str | None = None,
    resume: bool = False,
    on_line: Callable[[str], object] | None = None,
) -> Result:
    """Runs `mpremote connect PORT ARGUMENTS…` and waits for at most `timeout` s.

    Raises NoBoard, MpremoteTimeout, and with `check` MpremoteError for any other failure.
    `resume` keeps mpremote from a soft reset first. `on_line` is told each line of standard
    output as it comes, in a thread of its own.
    """
    words = tuple(os.fspath(argument) for argument in arguments)
    command = ["connect", port, *(["resume"] if resume else []), *words]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "mpremote", *command],  # -P: not the current folder's
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        start_new_session=True,  # so that a Ctrl-C in our terminal reaches us alone
        env={**os.environ, "PYTHONUNBUFFERED": "1"} if on_line else None,
    )
    try:
        if on_line is None:
            stdout, stderr = process.communicate(stdin, timeout)
        else:
            stdout, stderr = _follow(process, timeout, on_line)
    except subprocess.TimeoutExpired:
        stdout, stderr = _end(process)
        raise MpremoteTimeout(words, timeout, stdout, stderr) from None
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        said = (stdout + stderr).lower()
        if any(text in said for text in _SILENT):
            raise NoBoard(words, process.returncode, stdout, stderr)
        if check:
            raise MpremoteError(words, process.returncode, stdout, stderr)
    return Result(stdout, stderr, process.returncode)


def _follow(
    process: "subprocess.Popen[str]", timeout: float, on_line: Callable[[str], object]
) -> tuple[str, str]:
    """As communicate, but lines are told as they come."""
    lines: list[str] = []
    errors: list[str] = []

    def read_lines() -> None:
        for line in process.stdout or ():
            lines.append(line)
            on_line(line.rstrip("\r\n"))

    def read_errors() -> None:
        errors.extend(process.stderr or ())

    readers = [threading.Thread(target=f, daemon=True) for f in (read_lines, read_errors)]
    for reader in readers:
        reader.start()
    process.wait(timeout)
    for reader in readers:
        reader.join(_END_S)
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
    return "".join(lines), "".join(errors)


def _end(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Ends mpremote and what it started (an editor); what it had printed."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        return process.communicate(timeout=_END_S)
    except (subprocess.TimeoutExpired, ValueError):  # ValueError: `_follow` reads the pipes
        return "", ""


class Mpremote:
    """mpremote at one port: `at = Mpremote(board.port)`, then `at("fs", "ls")`."""

    def __init__(self, port: str, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        self.port, self.timeout = port, timeout
        self.run: Callable[..., Result] = self.__call__

    def __call__(self, *arguments: str | os.PathLike[str], **options) -> Result:  # type: ignore[no-untyped-def]
        return mpremote(self.port, *arguments, **{"timeout": self.timeout, **options})

    def exec(self, code: str, **options) -> str:  # type: ignore[no-untyped-def]
        """Runs code on the board; what it printed."""
        return self("exec", code, **options).stdout
