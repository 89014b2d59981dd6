# SPDX-License-Identifier: MIT
#
# Declarative provisioning, `modem.sync`: the module has what a profile says. Loaded when first
# used, and what belongs to rotations only if the journal has an entry of one.

from ._port import const
from .cert_store import check_unused
from .profile import KIND, checked, settings
from .provisioning_journal import Journal
from .provisioning_objects import (
    confirm_op,
    holds_op,
    list_all_op,
    once_op,
    remove_object_op,
    write_object_op,
)
from .tls import TLSContext

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def sync(
        self,
        profile: dict,
        *,
        dry_run: bool = False,
        remove_foreign: bool = False,
        progress=None,
        journal: str = "onemo.rotate",
    ) -> "list[tuple[str, Any]]":
        """Make the module have what `profile` says (see profile.py), touching only what differs:
        remove, write, verify, set contexts, read them back. A rotation that was cut off is
        finished, or undone if it was not proven (see provisioning_rotate.py). Returns what was
        done, in order: [("remove", name), ("write", name), ("configure", ssl_id), ...].

        `dry_run`: only say what would be done. `remove_foreign`: remove what the profile does not
        name, which is left alone otherwise. progress(name, done, total) gets bytes. `journal`: the
        file that a rotation keeps. An object whose file is missing is left as it is if the module
        has one of that name and kind.

        ValueError before anything is changed for a wrong profile or file; else as `certs.write`
        and `TLSContext.configure`. After an error the next call does the rest."""
        return self.run_operation(
            sync_op(self, profile, dry_run, remove_foreign, progress, journal)
        )


def sync_op(modem, profile, dry_run, remove_foreign, progress, journal):
    """Make the module have what `profile` says: see BaseModem.sync. ValueError, Unsupported at
    once."""
    profile = checked(profile)
    check_contexts(modem, profile)
    operation = sync_checked_op(
        modem, profile, dry_run, remove_foreign, progress, Journal(journal)
    )
    return once_op(modem, operation)


def sync_checked_op(modem, profile, dry_run, remove_foreign, progress, journal):
    """Operation: the same for a profile that was checked and a Journal."""
    entry = journal.read(modem)
    wanted, leftovers, protected, digests, fixed = profile, (), (), {}, ()
    if entry:
        from . import provisioning_entry

        wanted = provisioning_entry.active_profile(profile, entry)
        provisioning_entry.tell_what_differs(modem, profile, wanted, entry)
        leftovers = provisioning_entry.leftovers(entry, wanted)
        protected = provisioning_entry.proven_names(entry)
        digests, fixed = provisioning_entry.proven_digests(entry)
    before = None
    if leftovers or remove_foreign:
        before = yield from list_all_op(modem)
    unwanted = _unwanted(wanted, before or (), leftovers, remove_foreign, protected)
    if unwanted:  # a name may have been damaged on the line: a second look decides
        again = yield from list_all_op(modem)
        listed = _unwanted(wanted, again, leftovers, remove_foreign, protected)
        unwanted = [name for name in unwanted if name in listed]
        before += again
    to_write = []
    for item in wanted["objects"]:  # all sources are judged before anything is touched
        same = False
        if item["name"] not in unwanted:  # else it goes with one of another kind
            same = yield from holds_op(modem, item, digests, fixed)
        if not same:
            to_write.append(item)
    done = [("remove", name) for name in unwanted]
    done += [("write", item["name"]) for item in to_write]
    for _, name in done:
        check_unused(modem, name)
    if not dry_run:
        if done and before is None:
            before = yield from list_all_op(modem)
        for name in unwanted:
            yield from remove_object_op(modem, name)
        for name in leftovers:
            if name not in unwanted:
                yield from remove_object_op(modem, name)  # it may have been half written
        for item in to_write:
            yield from write_object_op(modem, item, progress, journal)
        journal.end_series()
    yield from _set_contexts_op(modem, wanted, dry_run, done)
    if not dry_run:
        if done:
            yield from confirm_op(modem, wanted, before, digests, fixed)
        journal.finish(entry)
        modem.profile = profile
    return modem.channel.set_result(done)


def _unwanted(wanted, listed, leftovers, foreign, protected):
    # Names of what the module lists and must not have.
    keep = [(item["name"], KIND[item["kind"]]) for item in wanted["objects"]]
    found = []
    for name, kind, _ in listed:
        if (
            (name in leftovers or (foreign and name not in protected))
            and (name, kind) not in keep
            and name not in found
        ):
            found.append(name)
    return found


def check_contexts(modem, profile):
    """ValueError and Unsupported for contexts that the model cannot have; nothing is sent."""
    model = modem.require_model()
    for i in range(len(profile["contexts"])):
        context = profile["contexts"][i]
        if context["ssl_id"] >= model.ssl_ids:
            raise ValueError(
                "contexts[%d].ssl_id is %d; it must be an integer from 0 to %d on %s"
                % (i, context["ssl_id"], model.ssl_ids - 1, model)
            )
        TLSContext(modem, context["ssl_id"]).configure(send=False, **settings(context))


def _set_contexts_op(modem, profile, dry_run, done):
    for context in profile["contexts"]:
        ssl_id = context["ssl_id"]
        tls = TLSContext(modem, ssl_id) if dry_run else modem.tls(ssl_id)
        tls.configure(send=False, **settings(context))
        if (yield from tls.difference_op()):
            done.append(("configure", ssl_id))
            if not dry_run:
                yield from tls.apply_op()
