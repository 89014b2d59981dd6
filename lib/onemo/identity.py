# What a device is to have: `modem.sync` makes the module so, `modem.rotate` goes over to another
# identity. Loaded when first used.
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
# "for" in the journal is the digest of the profile that the application gave, and that the journal
# stands for as long as the application gives it: after a rotation it may go on giving the old one.
# As soon as it gives another, such as the new one that it has saved at last, that one is in force,
# what the journal knows and that one does not need goes, and so does the journal.


from ._port import const
from .certs import CERT, KEY, PSK
from .channel import DONE
from .errors import CommandError, ModemError
from .inventory import find, listing
from .journal import Journal
from .profile import KIND, checked, digest, settings
from .restore import forget
from .tls import TLSContext
from .upload import form

_MISSING_FILE = const(2)  # errno
_CLOSE_MS = const(5000)
_PSK_MAX = const(8192)  # bytes (manual 3.7)


def in_force(profile, entry):
    """The profile that the module is to have where the application gives `profile`."""
    if entry is None or entry["for"] != digest(profile):
        return profile
    return entry["old" if entry["state"] == "add" else "new"]


def sync(
    modem, profile, *, dry_run=False, remove_foreign=False, progress=None, journal="onemo.rotate"
):
    """Makes the module have what `profile` says (see profile.py), touching only what differs:
    removes, writes, verifies, sets contexts, reads them back. A rotation that was cut off is
    finished, or undone if it was not proven (see identity.py). What was done, in order:
    [("remove", name), ("write", name), ("configure", ssl_id), ...].

    `dry_run`: only says what it would do. `remove_foreign`: removes what the profile does not
    name, which is left alone otherwise. progress(name, done, total) is told bytes. An object
    whose file is missing is left as it is if the module has one of that name and kind.

    ValueError before anything is changed for a wrong profile or file; else as `certs.write`
    and `TLSContext.configure`. After an error, the next call does the rest."""
    profile = checked(profile)
    _try_contexts(modem, profile)
    return modem.run_operation(
        _sync(modem, profile, dry_run, remove_foreign, progress, Journal(journal))
    )


def _sync(modem, profile, dry_run, remove_foreign, progress, journal):
    ch = modem.channel
    entry = journal.read()
    wanted = in_force(profile, entry)
    drop = _others(entry, wanted)
    gone = []
    if drop or remove_foreign:
        yield from _surplus(modem, wanted, drop, remove_foreign)
        gone = ch.result
    writing = []
    for item in wanted["objects"]:  # all sources are judged before anything is touched
        if item["name"] not in gone:  # else it goes with one of another kind
            yield from _compare(modem, item)
        if item["name"] in gone or not ch.result:
            writing.append(item)
    done = []
    for name in gone:
        done.append(("remove", name))
        if not dry_run:
            yield from _remove(modem, name)
    if not dry_run:
        for name in drop:
            if name not in gone:
                yield from _remove(modem, name)  # it may have been half written
    for item in writing:
        done.append(("write", item["name"]))
        if not dry_run:
            yield from _write(modem, item, progress)
    yield from _contexts(modem, wanted, dry_run, done)
    if not dry_run:
        _settled(journal, profile, entry)
        modem.profile = profile
    ch.result = done


def _settled(journal, profile, entry):
    # Nothing is under way any more. What the application gives and what is in force may differ.
    if entry is None:
        return
    given = digest(profile)
    force = in_force(profile, entry)
    if digest(force) == given:
        journal.remove()
    elif entry["state"] != "done":
        journal.write({"for": given, "state": "done", "new": force})


class Rotation:
    """One rotation, in two operations: `addition`, then the trial, whose outcome is put into
    `error`, then `conclusion`. The fronts' `rotate` does these three."""

    def __init__(self, modem, profile, old, journal):
        self.error = None
        self._modem = modem
        self._new = checked(profile)
        self._given = modem.profile if old is None else checked(old)
        if self._given is None:
            raise ValueError(
                "what is in use now? Call sync() with its profile before, or pass it as old="
            )
        _try_contexts(modem, self._new)
        self._journal = Journal(journal)
        self._old = None
        self._begun = False

    def addition(self):
        """Operation: the new objects in, verified, and the contexts set to them; in result whether
        they are to be tried. False: they are in force already."""
        modem = self._modem
        ch = modem.channel
        entry = self._journal.read()
        if digest(self._new) == digest(in_force(self._given, entry)):
            yield from _sync(modem, self._given, False, False, None, self._journal)
            ch.result = False
            return
        if entry and (
            entry["for"] != digest(self._given)
            or entry["state"] == "drop"
            or (entry["state"] == "add" and digest(entry["new"]) != digest(self._new))
        ):
            yield from _sync(modem, self._given, False, False, None, self._journal)
            entry = self._journal.read()
        self._old = in_force(self._given, entry)
        yield from self._look()
        given = digest(self._given)
        self._journal.write({"for": given, "state": "add", "old": self._old, "new": self._new})
        self._begun = True
        for item in self._new["objects"]:
            yield from _write(modem, item, None)
        yield from _contexts(modem, self._new, False, [])
        ch.result = True

    def _look(self):
        # The new sources are judged; what has the name of an old object must be that object.
        ch = self._modem.channel
        old = {item["name"]: item["kind"] for item in self._old["objects"]}
        for item in self._new["objects"]:
            name = item["name"]
            if name in old and old[name] != item["kind"]:
                same = False
            else:
                yield from _compare(self._modem, item)
                same = ch.result
            if name in old and same is False:
                raise ValueError(
                    "%s is in use with other content; give the new one another name" % name
                )

    def conclusion(self):
        """Operation: the old objects go, or, after an error, the new ones; then it is raised."""
        modem = self._modem
        journal = self._journal
        if self.error is None:
            given = digest(self._given)
            entry = {"for": given, "state": "drop", "old": self._old, "new": self._new}
            journal.write(entry)
            for name in _others(entry, self._new):
                yield from _remove(modem, name)
            _settled(journal, self._given, entry)
            modem.profile = self._given
            modem.channel.result = True
            return
        if self._begun:
            entry = journal.read()
            yield from _contexts(modem, self._old, False, [])
            for name in _others(entry, self._old):
                yield from _remove(modem, name)
            _settled(journal, self._given, entry)
            modem.profile = self._given
        raise self.error

    def judge(self, verdict):
        """Takes what a trial function returned: False is a refusal, all else is none."""
        if verdict is False:
            raise ModemError("the trial refused the new identity")


def rotate(modem, profile, trial=None, *, old=None, journal="onemo.rotate"):
    """Goes over to another identity: its objects, under names of their own, come in beside the
    old ones and are verified, the contexts are set to them, a connection decides, and only
    then do the old ones go. True: `profile` is in force. False: it was already. An error: the
    old identity is in use again, and nothing of the new one is left. Should that not have been
    possible (no power, no answer), the next `sync` or `rotate` sees to it.

    `trial`: a dict such as {"host": ..., "port": ..., "ssl_id": ...}, by default the
    profile's "endpoint"; or a function that is called with the modem, and refuses by raising
    or by returning False. `old`: the profile in use, by default that of the last `sync`. The
    application may go on giving `sync` the old profile, or the new one from now on. Files of
    the old identity have to stay until the new one is in force. Close connections that use the
    old objects before."""
    where = None if callable(trial) else endpoint(profile, trial)
    rotation = Rotation(modem, profile, old, journal)
    try:
        if not modem.run_operation(rotation.addition()):
            return False
        if where:
            host, port, ssl_id = where
            modem.connect(host, port, modem.tls(ssl_id)).close()
        else:
            rotation.judge(trial(modem))
    except Exception as error:
        rotation.error = error
    return modem.run_operation(rotation.conclusion())


async def rotate_async(modem, profile, trial, old, journal):
    """`rotate` of the asyncio front."""
    where = None if callable(trial) else endpoint(profile, trial)
    rotation = Rotation(modem, profile, old, journal)
    try:
        if not await modem.run_operation(rotation.addition()):
            return False
        if where:
            host, port, ssl_id = where
            stream = await modem.connect(host, port, modem.tls(ssl_id))
            stream.close()
            await stream.wait_closed()
        else:
            rotation.judge(await trial(modem))
    except Exception as error:
        rotation.error = error
    return await modem.run_operation(rotation.conclusion())


def endpoint(profile, trial):
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


def _try_contexts(modem, profile):
    # ValueError and Unsupported before anything is sent.
    for context in profile["contexts"]:
        modem.tls(context["ssl_id"])  # whether the model has so many
        TLSContext(modem, context["ssl_id"]).configure(send=False, **settings(context))


def _others(entry, wanted):
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


def _surplus(modem, wanted, drop, foreign):
    # Operation: names of what the module lists and is to go.
    ch = modem.channel
    keep = [(item["name"], KIND[item["kind"]]) for item in wanted["objects"]]
    found = []
    for kind in (CERT, KEY, PSK) if modem.needed_model().psk else (CERT, KEY):
        yield from listing(ch, kind)
        for name, _ in ch.result:
            if (name in drop or foreign) and (name, kind) not in keep and name not in found:
                found.append(name)
    ch.result = found


def _compare(modem, item):
    # Operation: in result whether the module holds the object as its source is; None: not at all.
    name = item["name"]
    kind = KIND[item["kind"]]
    ch = modem.channel
    try:
        if kind == PSK:
            from .psk import comparing

            yield from comparing(modem, name, _psk(modem, item))
        else:
            source = form(modem)
            try:
                yield from source.there(name, item["source"], kind, None)
            finally:
                source.close()
            if ch.result is not None:
                ch.result = ch.result is True
            if ch.result:
                source.remember(item["source"], None)
    except OSError as error:
        if isinstance(error, ModemError) or error.args[0] != _MISSING_FILE:
            raise
        # Products remove a key's file once the module has it: then what is there is right.
        yield from find(ch, name, kind)
        if ch.result is None:
            raise error
        ch.result = True


def _write(modem, item, progress):
    name = item["name"]
    kind = KIND[item["kind"]]
    if kind == PSK:
        from .psk import writing

        yield from writing(modem, name, _psk(modem, item))
        return
    told = None
    if progress:

        def told(done, total):
            progress(name, done, total)

    yield from form(modem).write(name, item["source"], kind, None, False, told)


def _psk(modem, item):
    from .psk import checked as checked_psk

    with open(item["source"], "rb") as file:
        psk = file.read(_PSK_MAX + 2)
    return checked_psk(modem, item["name"], psk.rstrip(b"\r\n"))


def _remove(modem, name):
    ch = modem.channel
    try:
        yield from modem.certs.removal(name)
    except CommandError:
        # Not while a connection uses it (manual 3.6): one of before the host's reset may.
        if modem.links is not None:
            raise
        for number in range(modem.needed_model().connections):
            ch.begin(b"+MIPCLOSE=").number(number).go(_CLOSE_MS)
            try:
                while ch.poll() != DONE:
                    yield
            except CommandError:
                pass  # it was closed
        yield from modem.certs.removal(name)
    forget(modem, name)


def _contexts(modem, profile, dry_run, done):
    ch = modem.channel
    for context in profile["contexts"]:
        ssl_id = context["ssl_id"]
        tls = TLSContext(modem, ssl_id) if dry_run else modem.tls(ssl_id)
        tls.configure(send=False, **settings(context))
        yield from tls.difference()
        if ch.result:
            done.append(("configure", ssl_id))
            if not dry_run:
                yield from tls.applied()
