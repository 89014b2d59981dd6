# SPDX-License-Identifier: MIT
#
# Key rotation, `modem.rotate`: over to another identity. Loaded when first used.
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
# Which profile is in force is told by provisioning_entry.

from ._port import const
from .cert_store import check_unused
from .errors import ModemError, Unsupported
from .profile import check_endpoint, checked, settings
from .provisioning import check_contexts, sync_checked_op
from .provisioning_entry import (
    active_profile,
    credential_names,
    leftovers,
    proven_digests,
)
from .provisioning_journal import Journal
from .provisioning_objects import (
    compare_op,
    confirm_op,
    list_all_op,
    module_digest_op,
    once_op,
    remove_object_op,
    write_object_op,
)

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_YEAR_MIN = const(2024)  # a board's clock that says less was never set
_ENDS = (True, False)  # what Rotation.add_op returns


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        front: str

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
        check_contexts(modem, self._new)
        self._journal = Journal(journal)
        self._entry = None  # as the journal has it while the rotation is under way
        self._old = None

    def add_op(self):
        """Operation: write and verify the new objects and set the contexts to them. Returns True
        if they must be tried, False if they are in force already."""
        return once_op(self._modem, self._add_op())

    def _add_op(self):
        modem = self._modem
        ch = modem.channel
        journal = self._journal
        entry = journal.read(modem)
        new = self._new
        if _same(new, active_profile(self._given, entry)):
            yield from sync_checked_op(modem, self._given, False, False, None, journal)
            return ch.set_result(False)
        if entry and (
            entry["state"] == "drop"
            or (entry["state"] == "add" and not _same(_storable(new), entry["new"]))
        ):
            yield from sync_checked_op(modem, self._given, False, False, None, journal)
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
                yield from write_object_op(modem, item, None, journal)
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
        coming = credential_names(self._new)
        for profile in (self._given, self._old):
            replaced += [name for name in credential_names(profile) if name not in replaced]
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
                same = yield from compare_op(self._modem, item)
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
        return once_op(self._modem, self._conclude_op())

    def _conclude_op(self):
        modem = self._modem
        journal = self._journal
        entry = self._entry
        if self.error is None:
            new = self._new
            yield from _send_contexts_op(modem, new)
            digests = {}
            for item in new["objects"]:
                code = yield from module_digest_op(modem, item)
                if code:
                    digests[item["name"]] = code
            entry["digests"] = digests
            entry["state"] = "drop"
            entry["since"] = _now()
            journal.write(entry)
            before = yield from list_all_op(modem)
            for name in leftovers(entry, new):
                yield from remove_object_op(modem, name)
            yield from confirm_op(modem, entry["new"], before, *proven_digests(entry))
            journal.finish(entry)
            modem.profile = self._given
            return modem.channel.set_result(True)
        if entry:
            yield from _send_contexts_op(modem, self._old)
            for name in leftovers(entry, self._old):
                yield from remove_object_op(modem, name)
            journal.end_series()
            journal.finish(entry)
            modem.profile = self._given
        raise self.error


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


def _send_contexts_op(modem, profile):
    # What differs is known: one damaged answer must not make it look the same.
    for context in profile["contexts"]:
        tls = modem.tls(context["ssl_id"])
        tls.configure(send=False, **settings(context))
        yield from tls.apply_op()


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
