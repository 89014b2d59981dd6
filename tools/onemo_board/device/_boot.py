# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# What a port's _boot.py does before boot.py runs. Nothing of it is left at the REPL.
import os
import sys

import _board
import _machine
import vfs


def _mount():
    if _board.is_folder:
        return vfs.VfsPosix(_board.folder)
    n = _board.progsize
    try:
        return vfs.VfsLfs2(_board, progsize=n)
    except OSError:
        if not _board.blank():
            print("the flash image holds no littlefs file system")
            _board.bad_flash()
        vfs.VfsLfs2.mkfs(_board, progsize=n)
        return vfs.VfsLfs2(_board, progsize=n)


for _name in ("UART", "Pin", "RTC", "WDT"):
    _board.attach(_name, getattr(_machine, _name))
_fs = _mount()
vfs.umount("/rom")
vfs.umount("/")
vfs.mount(_fs, _board.flash_at)
os.chdir(_board.flash_at)
sys.path[:] = _board.path.split("\n")
_board.atexit(_board.close_files)
del sys.modules["_boot"], _fs, _name
