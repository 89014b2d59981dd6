# SPDX-License-Identifier: MIT
#
# modem.identity: what is in force, since when, and what is under way.

from ._port import const
from .provisioning_entry import in_force, is_proven, proven_digests
from .provisioning_journal import Journal
from .provisioning_objects import is_stored_op, once_op

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def identity(self, journal: str = "onemo.rotate") -> "dict[str, Any]":
        """What is in force, as a dict: "objects" ({name: True if the module has it, with the
        digest that was proven}), "contexts", "proven" (True if a rotation's trial decided),
        "since" (UTC, ISO 8601; None if the board's clock was not set, or for what was not proven),
        "under_way" (None; "add": another is being brought in; "drop": the old one is being
        removed), "coming" and "leaving" (names).

        `journal`: the file that a rotation keeps. CommandError, Timeout, ModemReset."""
        return self.run_operation(identity_op(self, journal))


def identity_op(modem, journal):
    """What is in force, since when, and what is under way: see BaseModem.identity."""
    return once_op(modem, _identity_op(modem, Journal(journal).read(modem)))


def _identity_op(modem, entry):
    profile = in_force(entry) or modem.profile
    digests = proven_digests(entry)[0]
    objects = {}
    for item in profile["objects"] if profile else ():
        objects[item["name"]] = yield from is_stored_op(modem, item, digests.get(item["name"]))
    state = entry["state"] if entry else None
    found = {
        "objects": objects,
        "contexts": profile["contexts"] if profile else [],
        "proven": is_proven(entry),
        "since": entry and entry["old_since" if state == "add" else "since"],
        "under_way": None if state == "done" else state,
        "coming": [item["name"] for item in entry["new"]["objects"]] if state == "add" else [],
        "leaving": [item["name"] for item in entry["old"]["objects"]] if state == "drop" else [],
    }
    return modem.channel.set_result(found)
