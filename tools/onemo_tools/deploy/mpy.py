# SPDX-License-Identifier: MIT
"""Compiles the library's modules as they go to a board."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from onemo_board import shims
from onemo_board.errors import BoardError

VERSION = 6  # of the .mpy files that mpy-cross makes: MicroPython 1.19 and later take them
_SUB_VERSION = 3  # of those with machine code: MicroPython 1.23 and later take them
_COMPILE_S = 60.0
_VIPER = b"@micropython.viper"  # mpy-cross compiles that for one architecture only
# By the number that a board tells, and that stands in the file, from 1 on.
_ARCHITECTURES = "x86 x64 armv6 armv6m armv7m armv7em armv7emsp armv7emdp xtensa xtensawin rv32imc"
ARCHITECTURES = tuple(_ARCHITECTURES.split())


class CompileError(Exception):
    """A module does not compile; the message is the compiler's."""


def is_source_only(source: Path) -> bool:
    """Whether a module goes as .py to boards of which the architecture is not known: the board
    compiles viper for itself."""
    return _VIPER in source.read_bytes()


def tells(architecture: str) -> int:
    """What `sys.implementation._mpy` is on a board of that architecture."""
    return VERSION | _SUB_VERSION << 8 | (ARCHITECTURES.index(architecture) + 1) << 10


def compile_mpy(source: Path, architecture: str | None = None) -> bytes:
    """A module as bytecode; what is viper in it as machine code. CompileError with the compiler's
    message.

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
        options = [f"-march={architecture}"] if architecture else []
        done = subprocess.run(
            [compiler, *options, "-O3", "-s", source.stem, "-o", str(target), str(source)],
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
    """The name and the content under which a module goes to a board of which the architecture is
    not known."""
    if is_source_only(source):
        return source.name, source.read_bytes()
    return source.with_suffix(".mpy").name, compile_mpy(source)


def for_board(files: Mapping[str, bytes], told: int) -> dict[str, bytes]:
    """`files` (path on the board -> content) for a board whose `sys.implementation._mpy` is
    `told`: what shipped() left as source is compiled for its architecture, so that the board needs
    neither the time nor the heap for that. All stays as it is where the board takes no machine
    code, and in a deploy of sources."""
    architecture = next((name for name in ARCHITECTURES if tells(name) == told & 0x3FFF), None)
    compiled = {PurePosixPath(path).parent for path in files if path.endswith(".mpy")}
    found = {}
    for path, content in files.items():
        where = PurePosixPath(path)
        viper = where.suffix == ".py" and _VIPER in content and where.parent in compiled
        if architecture and viper:
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder) / where.name
                source.write_bytes(content)
                found[str(where.with_suffix(".mpy"))] = compile_mpy(source, architecture)
        else:
            found[path] = content
    return found
