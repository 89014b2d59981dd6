# How far a rotation is, in a small file that survives a power cut at any moment: written beside,
# then renamed. identity.py says what the entries mean.

import json
import os


class Journal:
    """How far a rotation is, in a file. A power cut leaves the old content or the new one."""

    def __init__(self, path):
        self._path = path
        self._next = path + ".new"

    def read(self):
        """The entry: a dict with "for", "state", "new" and, until it is done, "old"; or None."""
        for path in (self._path, self._next):  # FAT renames by removing first
            try:
                with open(path) as file:
                    entry = json.load(file)
                if entry["for"] and entry["new"] and (entry["state"] == "done" or entry["old"]):
                    return entry
            except (OSError, ValueError, KeyError, TypeError):
                pass  # none, or not written to its end
        return None

    def write(self, entry):
        with open(self._next, "w") as file:
            json.dump(entry, file)
            file.flush()
            if hasattr(os, "fsync"):
                os.fsync(file.fileno())
        os.rename(self._next, self._path)

    def remove(self):
        for path in (self._next, self._path):
            try:
                os.remove(path)
            except OSError:
                pass  # it is not there
