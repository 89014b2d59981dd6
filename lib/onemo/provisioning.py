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
# "for" in the journal is the fingerprint of the profile that the application gave, and that the
# journal stands for while it gives that one: after a rotation it may go on giving the old one.
# As soon as it gives another, such as the new one that it has saved at last, that one is in force,
# what the journal knows and that one does not need goes, and so does the journal.


import json
import os

from ._port import const
from .at_channel import DONE, REPLY_MS
from .at_syntax import PAYLOAD_MAX
from .cert_list import find_op, list_op
from .cert_store import CERT, KEY, PSK, remove_op
from .errors import CommandError, ModemError
from .profile import KIND, checked, fingerprint, settings
from .tls import TLSContext

_MISSING_FILE = const(2)  # errno


class Journal:
    """How far a rotation is, in a small file. A power cut leaves the old content or the new one:
    it is written beside, then renamed."""

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
                pass  # there is none, or it was not written to its end
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


def active_profile(profile, entry):
    """The profile that the module must have while the application gives `profile`."""
    if entry is None or entry["for"] != fingerprint(profile):
        return profile
    return entry["old" if entry["state"] == "add" else "new"]


def sync_op(modem, profile, dry_run, remove_foreign, progress, journal):
    """Make the module have what `profile` says: see BaseModem.sync. ValueError, Unsupported at
    once."""
    profile = checked(profile)
    _check_contexts(modem, profile)
    return _sync_op(modem, profile, dry_run, remove_foreign, progress, Journal(journal))


def _sync_op(modem, profile, dry_run, remove_foreign, progress, journal):
    entry = journal.read()
    wanted = active_profile(profile, entry)
    leftovers = _leftovers(entry, wanted)
    unwanted = []
    if leftovers or remove_foreign:
        unwanted = yield from _unwanted_op(modem, wanted, leftovers, remove_foreign)
    to_write = []
    for item in wanted["objects"]:  # all sources are judged before anything is touched
        same = False
        if item["name"] not in unwanted:  # else it goes with one of another kind
            same = yield from _compare_op(modem, item)
        if not same:
            to_write.append(item)
    done = []
    for name in unwanted:
        done.append(("remove", name))
        if not dry_run:
            yield from _remove_op(modem, name)
    if not dry_run:
        for name in leftovers:
            if name not in unwanted:
                yield from _remove_op(modem, name)  # it may have been half written
    for item in to_write:
        done.append(("write", item["name"]))
        if not dry_run:
            yield from _write_op(modem, item, progress)
    yield from _set_contexts_op(modem, wanted, dry_run, done)
    if not dry_run:
        _finish_journal(journal, profile, entry)
        modem.profile = profile
    return modem.channel.set_result(done)


def _finish_journal(journal, profile, entry):
    # Nothing is under way any more. What the application gives and what is active may differ.
    if entry is None:
        return
    given = fingerprint(profile)
    active = active_profile(profile, entry)
    if fingerprint(active) == given:
        journal.remove()
    elif entry["state"] != "done":
        journal.write({"for": given, "state": "done", "new": active})


class Rotation:
    """One rotation, in two operations: `add_op`, then the trial, whose outcome is put into
    `error`, then `conclude_op`: see rotate().

    endpoint: host, port and ssl_id of the connection that decides; None for a trial function."""

    def __init__(self, modem, profile, trial, old, journal):
        self.endpoint = None if callable(trial) else find_endpoint(profile, trial)
        self.error = None
        self._modem = modem
        self._new = checked(profile)
        self._given = modem.profile if old is None else checked(old)
        if self._given is None:
            raise ValueError(
                "what is in use now? Call sync() with its profile before, or pass it as old="
            )
        _check_contexts(modem, self._new)
        self._journal = Journal(journal)
        self._old = None
        self._begun = False

    def add_op(self):
        """Operation: write and verify the new objects and set the contexts to them. Returns True
        if they must be tried, False if they are in force already."""
        modem = self._modem
        ch = modem.channel
        entry = self._journal.read()
        given = fingerprint(self._given)
        new = fingerprint(self._new)
        if new == fingerprint(active_profile(self._given, entry)):
            yield from _sync_op(modem, self._given, False, False, None, self._journal)
            return ch.set_result(False)
        if entry and (
            entry["for"] != given
            or entry["state"] == "drop"
            or (entry["state"] == "add" and fingerprint(entry["new"]) != new)
        ):
            yield from _sync_op(modem, self._given, False, False, None, self._journal)
            entry = self._journal.read()
        self._old = active_profile(self._given, entry)
        yield from self._check_sources_op()
        self._journal.write({"for": given, "state": "add", "old": self._old, "new": self._new})
        self._begun = True
        for item in self._new["objects"]:
            yield from _write_op(modem, item, None)
        yield from _set_contexts_op(modem, self._new, False, [])
        return ch.set_result(True)

    def _check_sources_op(self):
        # The new sources are judged; what has the name of an old object must be that object.
        old = {item["name"]: item["kind"] for item in self._old["objects"]}
        for item in self._new["objects"]:
            name = item["name"]
            same = False
            if old.get(name, item["kind"]) == item["kind"]:
                same = yield from _compare_op(self._modem, item)
            if name in old and same is False:
                raise ValueError(
                    "%s is in use with other content; give the new one another name" % name
                )

    def judge(self, verdict):
        """Take what a trial function returned: False is a refusal, all else is none."""
        if verdict is False:
            raise ModemError("the trial refused the new identity")

    def conclude_op(self):
        """Operation: remove the old objects, or, after an error, the new ones; then raise it."""
        modem = self._modem
        journal = self._journal
        if self.error is None:
            given = fingerprint(self._given)
            entry = {"for": given, "state": "drop", "old": self._old, "new": self._new}
            journal.write(entry)
            for name in _leftovers(entry, self._new):
                yield from _remove_op(modem, name)
            _finish_journal(journal, self._given, entry)
            modem.profile = self._given
            return modem.channel.set_result(True)
        if self._begun:
            entry = journal.read()
            yield from _set_contexts_op(modem, self._old, False, [])
            for name in _leftovers(entry, self._old):
                yield from _remove_op(modem, name)
            _finish_journal(journal, self._given, entry)
            modem.profile = self._given
        raise self.error


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
    try:
        if not await modem.run_operation(rotation.add_op()):
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
    return await modem.run_operation(rotation.conclude_op())


def find_endpoint(profile, trial):
    """host, port and ssl_id of the connection that decides: `trial`, a dict as config.json's
    "endpoint", or that of the profile."""
    trial = trial or profile.get("endpoint")
    try:
        return trial["host"], trial["port"], trial.get("ssl_id", profile["contexts"][0]["ssl_id"])
    except (TypeError, KeyError, IndexError, AttributeError):
        raise ValueError(
            'the trial needs an endpoint, {"host": ..., "port": ..., "ssl_id": ...}, or a function'
        )


# What both do


def _check_contexts(modem, profile):
    # ValueError and Unsupported before anything is sent.
    for context in profile["contexts"]:
        modem.tls(context["ssl_id"])  # ValueError if the model has not so many
        TLSContext(modem, context["ssl_id"]).configure(send=False, **settings(context))


def _leftovers(entry, wanted):
    # Names that the journal knows and that are not wanted.
    if entry is None:
        return []
    keep = [item["name"] for item in wanted["objects"]]
    found = []
    for profile in (entry.get("old"), entry["new"]):
        for item in profile["objects"] if profile else ():
            if item["name"] not in keep and item["name"] not in found:
                found.append(item["name"])
    return found


def _unwanted_op(modem, wanted, leftovers, foreign):
    # Names of what the module lists and must not have.
    keep = [(item["name"], KIND[item["kind"]]) for item in wanted["objects"]]
    found = []
    for kind in (CERT, KEY, PSK) if modem.require_model().psk else (CERT, KEY):
        listed = yield from list_op(modem, kind)
        for name, _ in listed:
            if (name in leftovers or foreign) and (name, kind) not in keep and name not in found:
                found.append(name)
    return found


def _compare_op(modem, item):
    # True if the module holds the object as its source is, None if it has none of that name.
    name = item["name"]
    kind = KIND[item["kind"]]
    try:
        if kind == PSK:
            from .cert_psk import compare_psk_op

            return (yield from compare_psk_op(modem, name, _read_psk(item)))
        uploader = modem.certs.uploader()
        try:
            uploader.prepare(name, item["source"], kind, None)
            stored = yield from uploader.compare_op()
        finally:
            uploader.close()
        if stored is True:
            uploader.remember(item["source"])
        return None if stored is None else stored is True
    except OSError as error:
        if isinstance(error, ModemError) or error.args[0] != _MISSING_FILE:
            raise
        # Products remove a key's file once the module has it: then what is there is right.
        if (yield from find_op(modem.channel, name, kind)) is None:
            raise error
        return True


def _write_op(modem, item, progress):
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

    yield from modem.certs.uploader().write_op(name, item["source"], kind, None, False, report)


def _read_psk(item):
    with open(item["source"], "rb") as file:
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
