# SPDX-License-Identifier: MIT
"""What deploy put on a board: a file on the board itself, so that any PC knows it.

A file is deploy's own while its SHA-256 is the one recorded here. Whatever else is on the board
belongs to somebody else and is neither overwritten nor removed without being asked to.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PATH = "onemo.manifest"
NEW = "onemo.manifest.new"  # it is renamed once it is complete

_VERSION = 1


@dataclass
class Manifest:
    """Path on the board -> SHA-256 (hex) of what deploy put there.

    `pending` is what a deploy was about to put there: it is deploy's own as well, for a deploy may
    be cut off anywhere. `given`: paths whose content the user named (--config, --certs, --app),
    which the project's own files do not replace.
    """

    files: dict[str, str] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)

    def owns(self, path: str, digest: str) -> bool:
        """True if a file with this SHA-256 at `path` is what deploy put there."""
        return digest in (self.files.get(path), self.pending.get(path))

    def paths(self) -> set[str]:
        return {*self.files, *self.pending}

    def text(self) -> bytes:
        """As it is stored: JSON, one file a line, so that a board can read it line by line."""
        lines = [f'{{"version": {_VERSION}']
        for name, table in (("files", self.files), ("pending", self.pending)):
            entries = [f"{json.dumps(p)}: {json.dumps(d)}" for p, d in sorted(table.items())]
            lines.append(f'"{name}": {{\n' + ",\n".join(entries) + "}")
        lines.append(f'"given": {json.dumps(sorted(self.given))}}}')
        return (",\n".join(lines) + "\n").encode()


def parse(text: bytes | None) -> Manifest:
    """The manifest of a board. One that is missing, cut short or of another shape counts as
    empty: then nothing on the board is deploy's own."""
    try:
        table = json.loads(text or b"")
        if table["version"] != _VERSION:
            return Manifest()
        given = table["given"]
        if not (isinstance(given, list) and all(isinstance(path, str) for path in given)):
            return Manifest()
        return Manifest(_digests(table["files"]), _digests(table["pending"]), set(given))
    except (ValueError, TypeError, KeyError, RecursionError):
        return Manifest()


def _digests(table: Any) -> dict[str, str]:
    if not isinstance(table, Mapping):
        raise TypeError(table)
    for path, digest in table.items():
        if not (isinstance(path, str) and isinstance(digest, str)):
            raise TypeError(path)
    return dict(table)
