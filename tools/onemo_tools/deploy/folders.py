# SPDX-License-Identifier: MIT
"""Which files of a folder of this PC go to a board, and why the others do not."""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from onemo_tools.deploy import manifest

_ODD = set("\"'\\:*?<>|")  # in names: some file systems of boards have no such files
_BACKUP = re.compile(r".*(~|\.bak|\.orig|\.swp|\.tmp)")
_MADE = ("__pycache__", ".pyc")
_LARGEST = 1 << 20  # bytes: no PEM file and no module is larger


@dataclass
class Folder:
    """Path on the board -> content, and what of the folder stays behind: path -> why."""

    files: dict[str, bytes] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def certificates(folder: Path) -> Folder:
    """The files of `folder`, for /certs on the board; not those in folders below it."""
    found = Folder()
    for path in sorted(folder.iterdir()):
        why = (
            "a folder: only files of the folder itself go to /certs"
            if path.is_dir()
            else _unfit(path)
        )
        if why:
            found.skipped[_shown(path.name)] = why
        else:
            found.files[f"certs/{path.name}"] = path.read_bytes()
    return found


def application(folder: Path) -> Folder:
    """All files of `folder` and of those below it, for the board's root."""
    found = Folder()
    for here, folders, names in os.walk(folder):
        below = Path(here)
        for name in sorted(folders):
            if why := _unfit_name(name) or (
                "a link to a folder" if (below / name).is_symlink() else ""
            ):
                folders.remove(name)
                if name not in _MADE:
                    found.skipped[_shown(str((below / name).relative_to(folder)))] = why
        folders.sort()
        for name in sorted(names):
            path = below / name
            there = path.relative_to(folder).as_posix()
            if name.endswith(_MADE):
                continue
            why = _unfit(path)
            if there in (manifest.PATH, manifest.NEW):
                why = "deploy keeps its own records under this name"
            if why:
                found.skipped[_shown(there)] = why
            else:
                found.files[there] = path.read_bytes()
    return found


def _unfit(path: Path) -> str:
    """Why a file stays behind; empty if it goes."""
    return _unfit_name(path.name) or unreadable(path)


def unreadable(path: Path) -> str:
    """Why the content of `path` cannot be had; empty if it can."""
    try:
        facts = path.stat()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if not stat.S_ISREG(facts.st_mode):  # reading a pipe would wait for ever
        return "not a regular file"
    if facts.st_size > _LARGEST:
        return f"it has {facts.st_size} bytes, far more than a board takes"
    if not os.access(path, os.R_OK):
        return "you may not read it"
    return ""


def _unfit_name(name: str) -> str:
    if name.startswith("."):
        return "a hidden file"
    if _BACKUP.fullmatch(name):
        return "a backup or a temporary file"
    if not name.isprintable() or _ODD & set(name) or name[0] in "- " or name[-1] == " ":
        return "a name with characters that a board may not take: rename it"
    return ""


def _shown(name: str) -> str:
    """A name as a terminal may have it: no control characters, no broken UTF-8."""
    return name if name.isprintable() else ascii(name)[1:-1]
