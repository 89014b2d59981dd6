# SPDX-License-Identifier: MIT
#
# The journal of a rotation, and the name of an upload under way: small files that a power cut
# leaves whole. What an entry means is provisioning_entry's.

import json
import os

from .at_syntax import check_text


class Journal:
    """How far a rotation is, in a small file. A power cut leaves the old content or the new one:
    it is written beside, then renamed."""

    def __init__(self, path):
        self._path = path
        self._next = path + ".new"
        self._open = path + ".open"

    def read(self, modem=None):
        """The entry, or None: a dict with "state", "new" and, until it is done, "old". What the
        file holds is checked like a profile; one that is no journal is set aside, and the modem's
        on_event handler told."""
        fault = None
        for path in (self._path, self._next):  # FAT renames by removing first
            try:
                file = open(path)
            except OSError:
                continue  # there is none
            from .provisioning_entry import checked_entry

            try:
                with file:
                    return checked_entry(json.load(file))
            except OSError:
                continue
            except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
                if path == self._path:
                    fault = error
        if fault:
            os.rename(self._path, self._path + ".bad")
            if modem:
                modem.tell(
                    "journal",
                    "%s is no journal of a rotation (%s); it was set aside as %s.bad, and nothing "
                    "is removed because of it" % (self._path, fault, self._path),
                )
        return None

    def write(self, entry):
        """Put `entry` in place of the one before."""
        _write_file(self._next, entry)
        os.rename(self._next, self._path)

    def finish(self, entry):
        """Nothing of `entry`, as read() or write() had it, is under way any more."""
        if entry is None or entry["state"] == "done":
            return
        from .provisioning_entry import finished

        done = finished(entry)
        if done:
            self.write(done)
        else:
            self.remove()

    def remove(self):
        """There is no entry from now on."""
        _remove_files(self._next, self._path)

    def open_series(self):
        """The name whose upload a host's reset may have cut off, or None."""
        try:
            with open(self._open) as file:
                name = json.load(file)
            check_text(name, "name")
            return name
        except (OSError, ValueError, TypeError):
            return None

    def begin_series(self, name):
        """Remember the name of an upload over a reset of the host."""
        _write_file(self._open, name)

    def end_series(self):
        """The upload is over."""
        _remove_files(self._open)


def _write_file(path, value):
    with open(path, "w") as file:
        json.dump(value, file)
        file.flush()
        if hasattr(os, "fsync"):
            os.fsync(file.fileno())


def _remove_files(*paths):
    for path in paths:
        try:
            os.remove(path)
        except OSError:
            pass  # it is not there
