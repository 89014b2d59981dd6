# SPDX-License-Identifier: MIT
"""Compiles the library's modules as they go to a board."""

import subprocess
import tempfile
from pathlib import Path

from onemo_board import shims
from onemo_board.errors import BoardError

VERSION = 6  # of the .mpy files that mpy-cross makes: MicroPython 1.19 and later take them
_COMPILE_S = 60.0
_VIPER = "@micropython.viper"  # mpy-cross compiles that for one architecture only


class CompileError(Exception):
    """A module does not compile; the message is the compiler's."""


def is_source_only(source: Path) -> bool:
    """Whether a module goes as .py everywhere: the board compiles viper for itself."""
    return _VIPER in source.read_text(encoding="utf-8")


def compile_mpy(source: Path) -> bytes:
    """A module as bytecode. CompileError with the compiler's message.

    -O3 leaves out line numbers: a traceback names function and file, and its lines all say 1.
    That is 6 to 8 % of the bytes, in flash and in RAM. The bare name of a module is known to the
    interpreter anyway, its file's name would be one more.
    """
    try:
        compiler = shims.compiler()
    except BoardError as error:
        raise CompileError(f"{error}: deploy with --source") from None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.mpy"
        done = subprocess.run(
            [compiler, "-O3", "-s", source.stem, "-o", str(target), str(source)],
            capture_output=True,
            text=True,
            timeout=_COMPILE_S,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise CompileError(f"{source.name} does not compile: {said}")
        return target.read_bytes()


def shipped(source: Path) -> tuple[str, bytes]:
    """The name and the content under which a module goes to a board."""
    if is_source_only(source):
        return source.name, source.read_bytes()
    return source.with_suffix(".mpy").name, compile_mpy(source)
