# SPDX-License-Identifier: MIT
"""Flash images of the virtual board: made on the host, read on the host."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .chip.flash import BLOCK
from .errors import BoardError

DEFAULT_SIZE = 2 * 1024 * 1024
_SMALLEST = 2 * BLOCK


def make_blank(path: Path, size: int = DEFAULT_SIZE) -> None:
    """An erased flash of `size` bytes; the board formats it at its first boot."""
    if size < _SMALLEST or size % BLOCK:
        raise BoardError(f"a flash has a multiple of {BLOCK} bytes and at least {_SMALLEST}")
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(fresh, "wb") as file:
            for _ in range(size // BLOCK):
                file.write(b"\xff" * BLOCK)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def check(path: Path) -> None:
    """BoardError when a file cannot be a flash image."""
    size = path.stat().st_size
    if size < _SMALLEST or size % BLOCK:
        raise BoardError(f"{path} is no flash image: it has {size} bytes, not blocks of {BLOCK}")


def read_files(path: Path) -> dict[str, bytes]:
    """All files of an image, name -> content; the board should be off or idle meanwhile."""
    context = _mount(path)
    found: dict[str, bytes] = {}
    for folder, _, names in context.walk("/"):
        for name in names:
            full = f"{folder.rstrip('/')}/{name}"
            with context.open(full, "rb") as file:
                found[full] = file.read()
    return found


def write_files(path: Path, files: Mapping[str, bytes], size: int = DEFAULT_SIZE) -> None:
    """Puts files into an image (made when missing), without a board."""
    if not path.exists():
        make_blank(path, size)
        context = _context(path)
        context.format()
        context.mount()
    else:
        context = _mount(path)
    for name, content in files.items():
        context.makedirs(os.path.dirname(name) or "/", exist_ok=True)
        with context.open(name, "wb") as file:
            file.write(content)
    context.unmount()
    path.write_bytes(context.context.buffer)


def _context(path: Path) -> Any:
    from littlefs import LittleFS  # type: ignore[import-untyped]  # of the extra "board"

    data = path.read_bytes()
    fs = LittleFS(block_size=BLOCK, block_count=len(data) // BLOCK, mount=False)
    fs.context.buffer[:] = data
    return fs


def _mount(path: Path) -> Any:
    check(path)
    fs = _context(path)
    fs.mount()
    return fs
