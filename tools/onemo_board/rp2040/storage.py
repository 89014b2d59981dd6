# SPDX-License-Identifier: MIT
"""Flash images with files in them, made without a board."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import images
from ..errors import BoardError
from .board import FLASH_SIZE

# ONEMO_PICO's, at the end of its flash: MICROPY_HW_ROMFS_BYTES, MICROPY_HW_FLASH_STORAGE_BYTES
_ROM = 256 * 1024
_STORAGE = 1024 * 1024


def write(flash: Path, files: Mapping[str, bytes], rom: bytes = b"") -> None:
    """A new flash chip's content for the firmware of `firmware.py`: absolute path -> content, and
    a ROMFS image. BoardError where that is larger than its partition."""
    if len(rom) > _ROM:
        raise BoardError(f"the ROMFS image has {len(rom)} bytes, its partition {_ROM}")
    with tempfile.TemporaryDirectory(prefix="onemo-flash-") as folder:
        storage = Path(folder) / "littlefs"
        images.write_files(storage, files, _STORAGE)
        content = storage.read_bytes()
    before = b"\xff" * (FLASH_SIZE - _ROM - len(content))
    flash.write_bytes(before + rom.ljust(_ROM, b"\xff") + content)
