# SPDX-License-Identifier: MIT
"""The board's flash: an image file as a block device for littlefs.

Erasing writes 0xFF and programming is counted, so that a power cut can be placed in the
middle of any chosen write, with the half of it done, as a real one may.
"""

import mmap
import os
import struct
from collections.abc import Callable

BLOCK = 4096
ERASED = b"\xff" * BLOCK

# shared with the host side: writes and erases so far, and the count at which power fails
COUNTERS = struct.Struct("QQ")
NEVER = 2**64 - 1


class Flash:
    """Blocks of 4096 bytes in the file open as `fd`; `power_cut()` must not return."""

    def __init__(self, fd: int, counters_fd: int, power_cut: Callable[[], None]) -> None:
        self._fd = fd
        self.blocks = os.fstat(fd).st_size // BLOCK
        self._counters = mmap.mmap(counters_fd, COUNTERS.size)
        self._power_cut = power_cut

    def read(self, block: int, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, block * BLOCK + offset)

    def program(self, block: int, offset: int, data: bytes) -> None:
        done, cut_at = COUNTERS.unpack_from(self._counters)
        if done >= cut_at:
            os.pwrite(self._fd, data[: len(data) // 2], block * BLOCK + offset)
            self._power_cut()
        os.pwrite(self._fd, data, block * BLOCK + offset)
        COUNTERS.pack_into(self._counters, 0, done + 1, cut_at)

    def erase(self, block: int) -> None:
        self.program(block, 0, ERASED)
