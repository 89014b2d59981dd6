# SPDX-License-Identifier: MIT
"""Flash images with files in them, made without a board."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import images
from .board import FLASH_SIZE

_STORAGE = 1024 * 1024  # ONEMO_PICO's: MICROPY_HW_FLASH_STORAGE_BYTES, the end of its flash


def write(flash: Path, files: Mapping[str, bytes]) -> None:
    """A new flash chip's content for the firmware of `firmware.py`: absolute path -> content."""
    with tempfile.TemporaryDirectory(prefix="onemo-flash-") as folder:
        storage = Path(folder) / "littlefs"
        images.write_files(storage, files, _STORAGE)
        content = storage.read_bytes()
    flash.write_bytes(b"\xff" * (FLASH_SIZE - len(content)) + content)
