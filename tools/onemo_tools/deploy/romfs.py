# SPDX-License-Identifier: MIT
"""A ROMFS image: the library in a partition of its own, run in place instead of from RAM."""

import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mpremote.romfs import VfsRomWriter  # type: ignore[import-untyped]
from onemo_board.errors import MpremoteError
from onemo_board.mpremote import mpremote

# KB of RAM that the library takes less than from files, on 32 bits: once imported, and with all
# that writing certificates loads. From `make bench`; a test compares.
SAVES_KB = (12, 24)


class RomfsError(Exception):
    """The image cannot go to the board; the message says why and what to do."""


def build(files: Mapping[str, bytes]) -> bytes:
    """An image of `files`, path -> content."""
    tree: dict = {}
    for path, content in sorted(files.items()):
        *folders, name = PurePosixPath(path).parts
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = content
    writer = VfsRomWriter()
    _fill(writer, tree)
    return bytes(writer.finalise())


def _fill(writer: VfsRomWriter, tree: dict) -> None:
    for name, content in tree.items():
        if isinstance(content, dict):
            writer.opendir(name)
            _fill(writer, content)
            writer.closedir()
        else:
            writer.mkfile(name, content)


def advice(partition: int, image: int) -> str:
    """What a board with a partition of so many bytes could have by `deploy --romfs`."""
    if image > partition:
        return (
            f"the board has a ROMFS partition, but of {partition} bytes: the library needs {image}"
        )
    return (
        f"the board has a ROMFS partition of {partition} bytes: with --romfs the library runs "
        f"from there, and takes {SAVES_KB[0]} KB of RAM less once imported, {SAVES_KB[1]} KB less "
        "while certificates are written"
    )


def deploy(port: str, image: bytes, timeout: float) -> None:
    """Writes an image into the board's ROMFS partition. RomfsError, NoBoard, MpremoteTimeout."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "onemo.romfs"
        path.write_bytes(image)
        done = mpremote(port, "romfs", "deploy", path, timeout=timeout, check=False)
    said = done.stdout + done.stderr
    if "ROMFS is not enabled" in said or "partition not found" in said:
        raise RomfsError(
            "this board's MicroPython has no ROMFS partition: deploy without --romfs, or put a "
            "firmware with ROMFS on it"
        )
    if "too big" in said:
        raise RomfsError(
            f"the image has {len(image)} bytes, more than the board's ROMFS partition"
        )
    if done.status:
        raise MpremoteError(("romfs", "deploy"), done.status, done.stdout, done.stderr)
