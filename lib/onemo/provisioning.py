# SPDX-License-Identifier: MIT
#
# Declarative provisioning and key rotation: `modem.sync` makes the module have what a profile
# says, `modem.rotate` goes over to another identity. Loaded when first used.
#
# A rotation never has less than one whole identity in the module. The new objects have names of
# their own, so that they come in beside the old ones. A journal, a small file that is replaced by
# renaming, says how far it is:
#
#   journal        in the module                                  in force
#   -------        -------------                                  --------
#   none           the profile given                              the profile given
#   "add"          old whole, new partly or whole, contexts       old: the new one has not been
#                  at either                                      proven
#   "drop"         new whole, proven; old partly or whole         new
#   "done"         new                                            new
#
#   none or "done" --rotate--> "add" --trial well--> "drop" --old objects removed--> "done"
#                                |
#                                +--anything else--> new objects removed, journal as it was before
#
# Host and module may lose power anywhere. What comes next does the rest: `sync` makes what is in
# force complete, sets the contexts (a module forgets them in a reboot) and removes what belongs to
# the other one; `rotate` to the same profile takes an "add" up again. Everything can be repeated.
#
# What is in force is told by names and digests, context by context: a context of the profile that
# names what a rotation has replaced gets the names of what has been proven instead; its other
# settings, and further objects, are the profile's. So the application may go on giving the old
# profile, edited or not, or give the new one. A context that names something else altogether is
# followed, and what was proven stays in the module. Nothing that was proven is ever removed or
# rewritten by `sync`: that takes another rotation, or `certs.remove` with its name.


import json
import os

from ._port import const, unload
from .at_channel import DONE, REPLY_MS, RESYNC_MS
from .at_syntax import PAYLOAD_MAX, check_text
from .cert_digest import find_digest_op
from .cert_list import list_op
from .cert_store import CERT, KEY, PSK, check_unused, discard_op, find_op, remove_op
from .errors import CommandError, ModemError, Unsupported, VerifyError
from .profile import KIND, check_endpoint, checked, settings
from .tls import TLSContext

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_MISSING_FILE = const(2)  # errno
_SERIES_OPEN = const(765)  # the code of a write while another object is being written (manual 5.2)
_YEAR_MIN = const(2024)  # a board's clock that says less was never set

_STATES = ("add", "drop", "done")
_ENDS = (True, False)  # what Rotation.add_op returns
_CREDENTIALS = ("cert", "key", "pskid")  # what a context proves who it is with
_NAMES = ("ca",) + _CREDENTIALS


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
                with open(path) as file:
                    return _checked_entry(json.load(file))
            except OSError:
                continue  # there is none
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
        _write_file(self._next, entry)
        os.rename(self._next, self._path)

    def remove(self):
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


def _checked_entry(entry):
    # A journal's content; ValueError, KeyError, TypeError or AttributeError if it is none.
    if entry["state"] not in _STATES:
        raise ValueError("state is %r" % (entry["state"],))
    found = {"state": entry["state"], "new": checked(entry["new"], True)}
    if entry["state"] != "done":
        found["old"] = checked(entry["old"], True)
    for name in ("replaced", "old_replaced", "kept"):
        names = entry.get(name)  # of a journal of 0.1.0 nothing is known of what came before
        for item in names or ():
            check_text(item, name)
        found[name] = None if names is None else list(names)
    found["digests"] = {}
    for name, digest in (entry.get("digests") or {}).items():
        check_text(name, "name")
        check_text(digest, "digest", 32)
        found["digests"][name] = digest
    found["old_proven"] = entry.get("old_proven") is True
    for name in ("since", "old_since"):
        since = entry.get(name)
        if since is not None:
            check_text(since, name)
        found[name] = since
    return found


# What is in force


def _in_force(entry):
    # The profile that the journal says is in force, or None.
    return entry and entry["old" if entry["state"] == "add" else "new"]


def _is_proven(entry):
    # True if a trial has decided for what is in force.
    return bool(entry) and (entry["state"] != "add" or entry["old_proven"])


def _credentials(context):
    # The names by which a context tells who it is; of one that does not, whom it trusts.
    names = [context[name] for name in _CREDENTIALS if context.get(name)]
    return names or [context.get("ca")]


def _credential_names(profile):
    found = []
    for context in profile["contexts"]:
        found += [name for name in _credentials(context) if name and name not in found]
    return found


def _by_id(profile, ssl_id):
    for context in profile["contexts"]:
        if context["ssl_id"] == ssl_id:
            return context
    return None


def active_profile(profile, entry):
    """The profile that the module must have while the application gives `profile`: that one, with
    the names of what was proven in place of what it replaced."""
    base = _in_force(entry)
    if not _is_proven(entry):
        return profile
    replaced = entry["old_replaced" if entry["state"] == "add" else "replaced"]
    contexts = []
    dropped = []
    for given in profile["contexts"]:
        proven = _by_id(base, given["ssl_id"])
        names = _credentials(given)
        if proven is None or names == _credentials(proven):
            contexts.append(given)
            continue
        if replaced is not None and not [name for name in names if name in replaced]:
            contexts.append(given)  # another one altogether
            continue
        context = {name: given[name] for name in given if name not in _NAMES}
        for name in _NAMES + ("auth",):
            if name in proven:
                context[name] = proven[name]
        dropped += [given.get(name) for name in _NAMES]
        contexts.append(context)
    if not dropped:
        return profile
    needed = [context.get(name) for context in contexts for name in _NAMES]
    objects = [
        item
        for item in profile["objects"]
        if item["name"] in needed or item["name"] not in dropped
    ]
    names = [item["name"] for item in objects]
    objects += [item for item in base["objects"] if item["name"] not in names]
    return {"objects": objects, "contexts": contexts}


def _protected(entry):
    # Names of what was proven.
    return [item["name"] for item in _in_force(entry)["objects"]] if _is_proven(entry) else []


def _proven_digests(entry):
    # The digests of what was proven, and the names that no changed file replaces: those by which a
    # context tells who it is.
    if not _is_proven(entry):
        return {}, ()
    return entry["digests"], _credential_names(_in_force(entry))


def _leftovers(entry, wanted):
    # Names of what a rotation gave up, and that are not wanted.
    if entry is None or entry["state"] == "done":
        return []
    gone, stays = ("new", "old") if entry["state"] == "add" else ("old", "new")
    keep = [item["name"] for item in wanted["objects"]]
    keep += [item["name"] for item in entry[stays]["objects"]] + (entry["kept"] or [])
    return [item["name"] for item in entry[gone]["objects"] if item["name"] not in keep]


def _storable(profile):
    # Without streams, which no file can hold.
    objects = []
    for item in profile["objects"]:
        if isinstance(item.get("source"), str):
            objects.append(item)
        else:
            names = [name for name in item if name not in ("source", "size")]
            objects.append({name: item[name] for name in names})
    return {"objects": objects, "contexts": profile["contexts"]}


def _now():
    import time

    now = time.gmtime()
    if now[0] < _YEAR_MIN:
        return None
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % tuple(now[:6])


_LOADED = const(
    "provisioning profile cert_digest cert_list cert_store cert_psk certs md5 reboot at_retry"
)


def _once_op(modem, operation):
    # An operation that is not repeated soon: what it loaded is let go of at its end.
    try:
        return (yield from operation)
    finally:
        modem.store = None
        unload(*_LOADED.split(" "))


def _uploader(modem):
    # One for all objects.
    if modem.store is None:
        modem.store = modem.certs
    return modem.store.uploader()


# sync


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        front: str
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
        finished, or undone if it was not proven (see provisioning.py). Returns what was done, in
        order: [("remove", name), ("write", name), ("configure", ssl_id), ...].

        `dry_run`: only say what would be done. `remove_foreign`: remove what the profile does not
        name, which is left alone otherwise. progress(name, done, total) gets bytes. `journal`: the
        file that a rotation keeps. An object whose file is missing is left as it is if the module
        has one of that name and kind.

        ValueError before anything is changed for a wrong profile or file; else as `certs.write`
        and `TLSContext.configure`. After an error the next call does the rest."""
        return self.run_operation(
            sync_op(self, profile, dry_run, remove_foreign, progress, journal)
        )

    def identity(self, journal: str = "onemo.rotate") -> "dict[str, Any]":
        """What is in force, as a dict: "objects" ({name: True if the module has it, with the
        digest that was proven}), "contexts", "proven" (True if a rotation's trial decided),
        "since" (UTC, ISO 8601; None if the board's clock was not set, or for what was not proven),
        "under_way" (None; "add": another is being brought in; "drop": the old one is being
        removed), "coming" and "leaving" (names).

        `journal`: the file that a rotation keeps. CommandError, Timeout, ModemReset."""
        return self.run_operation(identity_op(self, journal))

    def rotate(
        self,
        profile: dict,
        trial=None,
        *,
        old: "dict | None" = None,
        journal: str = "onemo.rotate",
    ) -> bool:
        """Go over to another identity: its objects, under names of their own, are written beside
        the old ones and verified, the contexts are set to them, a connection decides, and only
        then are the old ones removed. True: `profile` is in force. False: it was already. An
        error: the old identity is in use again, and nothing of the new one is left. If that was
        not possible (no power, no answer), the next `sync` or `rotate` sees to it.

        `trial`: a dict such as {"host": ..., "port": ..., "ssl_id": ...}, by default the profile's
        "endpoint"; or a function that is called with the modem (and awaited by the asyncio front),
        and refuses by raising or by returning False. `old`: the profile in use, by default that of
        the last `sync`. The application may go on giving `sync` the old profile, or the new one
        from now on. Files of the old identity must stay until the new one is in force. Close
        connections that use the old objects before."""
        run: "Any" = rotate_async if self.front == "aio_" else rotate
        return run(self, profile, trial, old, journal)


def sync_op(modem, profile, dry_run, remove_foreign, progress, journal):
    """Make the module have what `profile` says: see BaseModem.sync. ValueError, Unsupported at
    once."""
    profile = checked(profile)
    _check_contexts(modem, profile)
    operation = _sync_op(modem, profile, dry_run, remove_foreign, progress, Journal(journal))
    return _once_op(modem, operation)


def _sync_op(modem, profile, dry_run, remove_foreign, progress, journal):
    entry = journal.read(modem)
    wanted = active_profile(profile, entry)
    _tell_what_differs(modem, profile, wanted, entry)
    leftovers = _leftovers(entry, wanted)
    before = ()
    if leftovers or remove_foreign:
        before = yield from _list_all_op(modem)
    unwanted = _unwanted(wanted, before, leftovers, remove_foreign, _protected(entry))
    if unwanted:  # a name may have been damaged on the line: a second look decides
        again = yield from _list_all_op(modem)
        listed = _unwanted(wanted, again, leftovers, remove_foreign, _protected(entry))
        unwanted = [name for name in unwanted if name in listed]
        before += again
    digests, fixed = _proven_digests(entry)
    to_write = []
    for item in wanted["objects"]:  # all sources are judged before anything is touched
        same = False
        if item["name"] not in unwanted:  # else it goes with one of another kind
            same = yield from _holds_op(modem, item, digests, fixed)
        if not same:
            to_write.append(item)
    done = [("remove", name) for name in unwanted]
    done += [("write", item["name"]) for item in to_write]
    for _, name in done:
        check_unused(modem, name)
    if not dry_run:
        if done and not before:
            before = yield from _list_all_op(modem)
        for name in unwanted:
            yield from _remove_op(modem, name)
        for name in leftovers:
            if name not in unwanted:
                yield from _remove_op(modem, name)  # it may have been half written
        for item in to_write:
            yield from _write_op(modem, item, progress, journal)
        journal.end_series()
    yield from _set_contexts_op(modem, wanted, dry_run, done)
    if not dry_run:
        if done:
            yield from _confirm_op(modem, wanted, before, digests, fixed)
        _finish_journal(journal, entry)
        modem.profile = profile
    return modem.channel.set_result(done)


def _tell_what_differs(modem, profile, wanted, entry):
    if wanted is not profile:
        modem.tell(
            "identity",
            "%s is in force, proven by a rotation, and stays so, though the profile names %s; "
            "call rotate() to go over to that"
            % (", ".join(_credential_names(wanted)), ", ".join(_credential_names(profile))),
        )
    elif _is_proven(entry):
        needed = [item["name"] for item in wanted["objects"]]
        kept = [name for name in _protected(entry) if name not in needed]
        if kept:
            modem.tell(
                "identity",
                "%s was proven by a rotation and stays in the module, though the profile does not "
                "name it; certs.remove() removes it" % ", ".join(kept),
            )


def _finish_journal(journal, entry):
    # Nothing is under way any more.
    if entry is None or entry["state"] == "done":
        return
    if entry["state"] == "drop":
        journal.write(_done_entry(entry, "new", "since", "replaced"))
    elif _is_proven(entry):  # taken back, to one that had been proven before
        journal.write(_done_entry(entry, "old", "old_since", "old_replaced"))
    else:
        journal.remove()


def _done_entry(entry, profile, since, replaced):
    return {
        "state": "done",
        "new": entry[profile],
        "since": entry[since],
        "replaced": entry[replaced],
        "digests": entry["digests"],
    }


def identity_op(modem, journal):
    """What is in force, since when, and what is under way: see BaseModem.identity."""
    return _once_op(modem, _identity_op(modem, Journal(journal).read(modem)))


def _identity_op(modem, entry):
    profile = _in_force(entry) or modem.profile
    digests = _proven_digests(entry)[0]
    objects = {}
    for item in profile["objects"] if profile else ():
        objects[item["name"]] = yield from _is_stored_op(modem, item, digests.get(item["name"]))
    state = entry["state"] if entry else None
    found = {
        "objects": objects,
        "contexts": profile["contexts"] if profile else [],
        "proven": _is_proven(entry),
        "since": entry and entry["old_since" if state == "add" else "since"],
        "under_way": None if state == "done" else state,
        "coming": [item["name"] for item in entry["new"]["objects"]] if state == "add" else [],
        "leaving": [item["name"] for item in entry["old"]["objects"]] if state == "drop" else [],
    }
    return modem.channel.set_result(found)


class Rotation:
    """One rotation, in two operations: `add_op`, then the trial, whose outcome is put into
    `error`, then `conclude_op`: see rotate().

    endpoint: host, port and ssl_id of the connection that decides; None for a trial function."""

    def __init__(self, modem, profile, trial, old, journal):
        self._new = checked(profile)
        self.endpoint = None if callable(trial) else find_endpoint(profile, trial)
        self.error = None
        self._modem = modem
        self._given = modem.profile if old is None else checked(old)
        if self._given is None:
            raise ValueError(
                "what is in use now? Call sync() with its profile before, or pass it as old="
            )
        _check_contexts(modem, self._new)
        self._journal = Journal(journal)
        self._entry = None  # as the journal has it while the rotation is under way
        self._old = None

    def add_op(self):
        """Operation: write and verify the new objects and set the contexts to them. Returns True
        if they must be tried, False if they are in force already."""
        return _once_op(self._modem, self._add_op())

    def _add_op(self):
        modem = self._modem
        ch = modem.channel
        journal = self._journal
        entry = journal.read(modem)
        new = self._new
        if _same(new, active_profile(self._given, entry)):
            yield from _sync_op(modem, self._given, False, False, None, journal)
            return ch.set_result(False)
        if entry and (
            entry["state"] == "drop"
            or (entry["state"] == "add" and not _same(_storable(new), entry["new"]))
        ):
            yield from _sync_op(modem, self._given, False, False, None, journal)
            entry = journal.read(modem)
        if entry and entry["state"] == "add":
            self._old = entry["old"]
            self._entry = entry
        else:
            self._old = active_profile(self._given, entry)
        if not _arrives(new):
            self._check_unused()
        held = yield from self._check_sources_op()
        if self._entry is None:
            self._entry = self._begin_entry(entry, held)
            journal.write(self._entry)
        for item in new["objects"]:
            if item["name"] not in held:
                yield from _write_op(modem, item, None, journal)
        journal.end_series()
        self._check_unused()  # what arrived came over a connection that used them
        try:
            yield from _send_contexts_op(modem, _without_sessions(new))
        except Unsupported:
            yield from _send_contexts_op(modem, new)  # its firmware has no sessions
        return ch.set_result(True)

    def _check_unused(self):
        # ValueError if an open connection uses what is to be removed.
        for name in _gone(self._old, self._new):
            check_unused(self._modem, name)

    def _begin_entry(self, before, held):
        # `before`: the journal's entry, None or "done". `held`: what the module has already.
        replaced = list(before["replaced"] or ()) if before else []
        coming = _credential_names(self._new)
        for profile in (self._given, self._old):
            replaced += [name for name in _credential_names(profile) if name not in replaced]
        return {
            "state": "add",
            "old": _storable(self._old),
            "new": _storable(self._new),
            "kept": held,
            "replaced": [name for name in replaced if name not in coming],
            "since": None,
            "old_proven": bool(before),
            "old_replaced": before and before["replaced"],
            "old_since": before and before["since"],
            "digests": before["digests"] if before else {},
        }

    def _check_sources_op(self):
        # The new sources are judged; what has the name of an old object must be that object.
        # Returns the names of those that the module has already.
        old = {item["name"]: item["kind"] for item in self._old["objects"]}
        held = []
        for item in self._new["objects"]:
            name = item["name"]
            same = False
            if old.get(name, item["kind"]) == item["kind"]:
                same = yield from _compare_op(self._modem, item)
            if name in old and same is False:
                raise ValueError(
                    "%s is in use with other content; give the new one another name" % name
                )
            if same:
                held.append(name)
        return held

    def judge(self, verdict):
        """Take what a trial function returned: False is a refusal, all else is none."""
        if verdict is False:
            raise ModemError("the trial refused the new identity")

    def conclude_op(self):
        """Operation: remove the old objects, or, after an error, the new ones; then raise it."""
        return _once_op(self._modem, self._conclude_op())

    def _conclude_op(self):
        modem = self._modem
        journal = self._journal
        entry = self._entry
        if self.error is None:
            new = self._new
            yield from _send_contexts_op(modem, new)
            digests = {}
            for item in new["objects"]:
                code = yield from _module_digest_op(modem, item)
                if code:
                    digests[item["name"]] = code
            entry["digests"] = digests
            entry["state"] = "drop"
            entry["since"] = _now()
            journal.write(entry)
            before = yield from _list_all_op(modem)
            for name in _leftovers(entry, new):
                yield from _remove_op(modem, name)
            yield from _confirm_op(modem, entry["new"], before, *_proven_digests(entry))
            _finish_journal(journal, entry)
            modem.profile = self._given
            return modem.channel.set_result(True)
        if entry:
            yield from _send_contexts_op(modem, self._old)
            for name in _leftovers(entry, self._old):
                yield from _remove_op(modem, name)
            journal.end_series()
            _finish_journal(journal, entry)
            modem.profile = self._given
        raise self.error


def _arrives(profile):
    # True if a source brings what comes through the module itself, see cert_upload.
    return bool([item for item in profile["objects"] if hasattr(item.get("source"), "fetch")])


def _gone(old, new):
    names = [item["name"] for item in new["objects"]]
    return [item["name"] for item in old["objects"] if item["name"] not in names]


def _same(profile, other):
    # True if two profiles mean the same objects and contexts.
    return [(item["name"], item["kind"]) for item in profile["objects"]] == [
        (item["name"], item["kind"]) for item in other["objects"]
    ] and profile["contexts"] == other["contexts"]


def _without_sessions(profile):
    # For the trial: a session that is resumed proves nothing of the new identity.
    contexts = []
    for context in profile["contexts"]:
        contexts.append(dict(context, session=False))
    return {"objects": profile["objects"], "contexts": contexts}


def rotate(modem, profile, trial, old, journal):
    """`rotate` of the blocking front."""
    rotation = Rotation(modem, profile, trial, old, journal)
    try:
        if not modem.run_operation(rotation.add_op()):
            return False
        if rotation.endpoint:
            host, port, ssl_id = rotation.endpoint
            modem.connect(host, port, modem.tls(ssl_id)).close()
        else:
            rotation.judge(trial(modem))
    except Exception as error:
        rotation.error = error
    return modem.run_operation(rotation.conclude_op())


async def rotate_async(modem, profile, trial, old, journal):
    """`rotate` of the asyncio front."""
    rotation = Rotation(modem, profile, trial, old, journal)
    adding = rotation.add_op()
    try:
        while (added := await modem.run_operation(_part_op(modem.channel, adding))) not in _ENDS:
            await added.fetch()
        if not added:
            return False
        if rotation.endpoint:
            host, port, ssl_id = rotation.endpoint
            stream = await modem.connect(host, port, modem.tls(ssl_id))
            stream.close()
            await stream.wait_closed()
        else:
            rotation.judge(await trial(modem))
    except Exception as error:
        rotation.error = error
    finally:
        adding.close()  # what was being written, if fetching failed
    return await modem.run_operation(rotation.conclude_op())


def _part_op(ch, adding):
    # Drive Rotation.add_op to its end, or up to a source that has to fetch its next piece, which
    # is the result then: while it does others may talk to the module.
    for source in adding:
        if source:
            return ch.set_result(source)
        yield


def find_endpoint(profile, trial):
    """host, port and ssl_id of the connection that decides: `trial`, a dict as config.json's
    "endpoint", or that of the profile."""
    trial = trial or profile.get("endpoint")
    if not isinstance(trial, dict):
        raise ValueError(
            'the trial needs an endpoint, {"host": ..., "port": ..., "ssl_id": ...}, or a function'
        )
    if "ssl_id" not in trial and profile["contexts"]:
        trial = dict(trial, ssl_id=profile["contexts"][0]["ssl_id"])
    check_endpoint(trial)
    return trial["host"], trial["port"], trial["ssl_id"]


# What both do


def _check_contexts(modem, profile):
    # ValueError and Unsupported before anything is sent.
    model = modem.require_model()
    for i in range(len(profile["contexts"])):
        context = profile["contexts"][i]
        if context["ssl_id"] >= model.ssl_ids:
            raise ValueError(
                "contexts[%d].ssl_id is %d; it must be an integer from 0 to %d on %s"
                % (i, context["ssl_id"], model.ssl_ids - 1, model)
            )
        TLSContext(modem, context["ssl_id"]).configure(send=False, **settings(context))


def _list_all_op(modem):
    # [(name, kind, size), ...] of all that the module has.
    found = []
    for kind in (CERT, KEY, PSK) if modem.require_model().psk else (CERT, KEY):
        listed = yield from list_op(modem, kind)
        found += [(name, kind, size) for name, size in listed]
    return found


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


def _confirm_op(modem, wanted, before, digests, fixed):
    # The end of a sync or a rotation: the module has all that is wanted, as it was written, and
    # nothing that was not there before. VerifyError.
    for item in wanted["objects"]:
        if hasattr(item.get("source"), "readinto") and _position(item["source"]) is None:
            same = yield from _is_stored_op(modem, item, None)  # the stream is spent
        else:
            same = yield from _holds_op(modem, item, digests, fixed)
        if not same and item["kind"] == "psk":  # some modules give no check code for one
            same = (yield from _module_digest_op(modem, item)) is None
        if not same:
            raise VerifyError(
                "%s is not in the module as it was written a moment ago; call sync() again"
                % item["name"]
            )
    known = [name for name, _, _ in before] + [item["name"] for item in wanted["objects"]]
    strays = [item for item in (yield from _list_all_op(modem)) if item[0] not in known]
    for name, _, size in strays and (yield from _list_all_op(modem)):
        if name in [item[0] for item in strays]:
            modem.tell(
                "stray",
                "%s, %s bytes, is in the module, and nobody wrote it: a name may have been "
                "damaged on the line; certs.remove() removes it" % (name, size),
            )


def _module_digest_op(modem, item):
    # The module's check code of an object; None if it gives none.
    try:
        return (yield from find_digest_op(modem.channel, item["name"]))
    except CommandError:
        if KIND[item["kind"]] != PSK:
            raise
        return None


def _is_stored_op(modem, item, digest):
    # True if the module has the object, with this digest if one is known.
    if (yield from find_op(modem.channel, item["name"], KIND[item["kind"]])) is None:
        return False
    digest = item.get("md5") or digest
    if digest is None:
        return True
    return (yield from _module_digest_op(modem, item)) in (digest.lower(), None)


def _holds_op(modem, item, digests, fixed):
    # True if the module has what is wanted: what the source holds, or, for the names in `fixed`,
    # what was proven.
    proven = digests.get(item["name"])
    same = yield from _compare_op(modem, item, proven)
    if same is False and proven and item["name"] in fixed:
        same = yield from _is_stored_op(modem, item, proven)
        if same:
            modem.tell(
                "identity",
                "%s stays as it was proven by a rotation, though %s holds something else; give "
                "that another name and call rotate()" % (item["name"], item["source"]),
            )
    return same is True


def _compare_op(modem, item, proven=None):
    # True if the module holds the object as its source is, None if it has none of that name.
    name = item["name"]
    kind = KIND[item["kind"]]
    source = item.get("source")
    try:
        if source is None:
            raise OSError(_MISSING_FILE, "%s has no source" % name)
        if kind == PSK:
            from .cert_psk import compare_psk_op

            return (yield from compare_psk_op(modem, name, _read_psk(item)))
        uploader = _uploader(modem)
        position = _position(source)
        try:
            uploader.prepare(name, source, kind, item.get("size"))
            while uploader.read_on():
                yield
            stored = yield from uploader.compare_op()
        finally:
            uploader.close()
            if position is not None:
                source.seek(position)
        if stored is True:
            uploader.remember(source)
        return None if stored is None else stored is True
    except OSError as error:
        if isinstance(error, ModemError) or error.args[0] != _MISSING_FILE:
            raise
        # Products remove a key's file once the module has it: then what is there is right.
        if (yield from _is_stored_op(modem, item, proven)):
            return True
        if (yield from find_op(modem.channel, name, kind)) is not None:
            raise VerifyError(
                "%s is in the module with another digest than expected, and its source is gone; "
                "give it a source, or remove it" % name
            )
        raise error


def _write_op(modem, item, progress, journal):
    # The name is remembered over a reset of the host, which may cut the upload off. If it is not,
    # nothing but a reboot of the module ends that upload.
    broken_off = journal.open_series()
    if broken_off != item["name"]:
        journal.begin_series(item["name"])
    for attempt in range(3):
        try:
            yield from _write_once_op(modem, item, progress)
            return
        except CommandError as error:
            if error.code != _SERIES_OPEN or attempt == 2:
                raise
        if attempt == 0 and broken_off:
            yield from discard_op(modem, broken_off)
        else:
            from .reboot import reboot_op

            modem.tell(
                "reboot",
                "the module is rebooted once: it still waits for the rest of an object that was "
                "cut off (765), and nobody knows its name",
            )
            yield from reboot_op(modem, RESYNC_MS)
            broken_off = None


def _write_once_op(modem, item, progress):
    name = item["name"]
    kind = KIND[item["kind"]]
    if kind == PSK:
        from .cert_psk import write_psk_op

        yield from write_psk_op(modem, name, _read_psk(item))
        return
    report = None
    if progress:

        def report(done, total):
            progress(name, done, total)

    source = item["source"]
    position = _position(source)
    size = item.get("size")
    yield from _uploader(modem).write_op(name, source, kind, size, False, report)
    if position is not None:
        source.seek(position)


def _position(source):
    # Where a stream stands, so that it can be read again; None for a path, or if it cannot.
    try:
        position = source.tell()
        source.seek(position)
        return position
    except (AttributeError, OSError):
        return None


def _read_psk(item):
    source = item["source"]
    if not isinstance(source, str):
        source.seek(0)
        return source.read(PAYLOAD_MAX + 2).rstrip(b"\r\n")
    with open(source, "rb") as file:
        return file.read(PAYLOAD_MAX + 2).rstrip(b"\r\n")


def _remove_op(modem, name):
    ch = modem.channel
    try:
        yield from remove_op(modem, name, True, True)
    except CommandError:
        # Not while a connection uses it (manual 3.6): one of before the host's reset may.
        if modem.connections:
            raise
        for number in range(modem.require_model().connections):
            ch.command(b"+MIPCLOSE=").number(number).send(REPLY_MS)
            try:
                while ch.poll() != DONE:
                    yield
            except CommandError:
                pass  # it was closed
        yield from remove_op(modem, name, True, True)


def _set_contexts_op(modem, profile, dry_run, done):
    for context in profile["contexts"]:
        ssl_id = context["ssl_id"]
        tls = TLSContext(modem, ssl_id) if dry_run else modem.tls(ssl_id)
        tls.configure(send=False, **settings(context))
        if (yield from tls.difference_op()):
            done.append(("configure", ssl_id))
            if not dry_run:
                yield from tls.apply_op()


def _send_contexts_op(modem, profile):
    # What differs is known: one damaged answer must not make it look the same.
    for context in profile["contexts"]:
        tls = modem.tls(context["ssl_id"])
        tls.configure(send=False, **settings(context))
        yield from tls.apply_op()
