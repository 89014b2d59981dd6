# SPDX-License-Identifier: MIT
"""sync, rotate and identity as the module hears them, the application and the journal: see
tests_host/talks.py."""

import json
import re
import tempfile
from pathlib import Path

import pytest
from onemo_tools.proofs.outage import FOREIGN, Device, pem, profile

from tests_host import talks

JSON = re.compile(r"\(Expecting .*\(char \d+\)\);")  # other versions of Python say it otherwise
SINCE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
A, B, C = "A", "B", "C"
NOTHING = object()  # what a trial function returns that has no return


# Steps of a scene: a method of Play and its arguments. A scene begins with a module that has one
# foreign certificate, and a host that has three identities in files.
def sync(tag, **settings):
    return ("sync", tag, settings)


def rotate(tag, trial=None, **settings):
    return ("rotate", tag, trial, settings)


HAS_A = ("provision", A)
IDENTITY = ("identity",)
ANEW = ("anew",)  # the host starts again


def reply(command, answer, times=1, *lines):
    return ("reply", command, answer, times, lines)


def gone(name):
    return ("gone", name)


def edit(tag, place, **changes):
    return ("edit", tag, place, changes)


def entry(**parts):
    return ("entry", parts)


def damage(name, at=40):
    return ("damage", name, at)


SERIES = b"+CME ERROR: 765"
WRITE = b"AT+MSSLCERTWR"
KEY_WRITE, OPEN, REMOVAL = b"MSSLKEYWR", b"MIPOPEN", b"MSSLRM"

SCENES = {
    "all is new, then all is there": (sync(A), sync(A), IDENTITY),
    "only to say": (sync(A, dry_run=True), sync(A), damage("client-A.pem"), sync(A, dry_run=True)),
    "foreign is removed": (
        sync(A, remove_foreign=True, dry_run=True),
        sync(A, remove_foreign=True),
    ),
    "what is damaged": (HAS_A, damage("client-A.pem"), IDENTITY, sync(A), sync(A)),
    "what is lost": (HAS_A, ("lose", "client-A.key"), IDENTITY, sync(A)),
    "a context that differs": (
        HAS_A,
        ("context", "ignorestamp", 1),
        sync(A, dry_run=True),
        sync(A),
    ),
    "the key's file is gone": (
        HAS_A,
        gone("client-A.key"),
        sync(A),
        ("lose", "client-A.key"),
        sync(A),
    ),
    "a file is gone, and the digest is another": (
        HAS_A,
        gone("client-A.pem"),
        edit(A, ("objects", 1), md5="0" * 32),
        sync(A),
    ),
    "a file is gone, and the digest is known": (
        HAS_A,
        ("digest", A, 1),
        gone("client-A.pem"),
        sync(A),
        damage("client-A.pem"),
        sync(A),
    ),
    "only a context differs, and there is more in the module": (
        HAS_A,
        edit(A, ("contexts", 0), negotime_s=60),
        sync(A),
    ),
    "a stray turns up": (HAS_A, damage("client-A.pem"), ("stray", "clienu-A.pem"), sync(A)),
    "what is written is not there": (
        reply(b'AT+MSSLCHECK="client-A.pem"', b"+CME ERROR: 762", 9),
        sync(A),
    ),
    "an open series that nobody knows": (reply(WRITE, SERIES, 2), sync(A)),
    "an open series that stays": (reply(WRITE, SERIES, 9), sync(A)),
    "an open series that is on file": (("open", "client-A.key"), reply(WRITE, SERIES, 1), sync(A)),
    "a series file that holds none": (("open", 7), reply(WRITE, SERIES, 1), sync(A)),
    "a removal that is refused": (
        HAS_A,
        damage("ca-A.pem"),
        reply(b"AT+MSSLRM", b"+CME ERROR: 3", 1),
        ANEW,
        sync(A),
    ),
    "a write that is refused": (reply(WRITE, b"+CME ERROR: 764", 9), sync(A), sync(A)),
    "a profile that is refused": (edit(A, ("contexts", 0), ssl_id=9), sync(A), rotate(A)),
    # Rotations
    "a rotation": (
        HAS_A,
        rotate(B),
        IDENTITY,
        rotate(B),
        sync(A),
        sync(B),
        ANEW,
        IDENTITY,
        sync(A),
    ),
    "a rotation, and foreign goes": (HAS_A, rotate(B), sync(A, remove_foreign=True), sync(B)),
    "there, on and back": (HAS_A, rotate(B), rotate(C), IDENTITY, rotate(A), IDENTITY, sync(A)),
    "nothing is in use": (rotate(B),),
    "what is in use is given": (HAS_A, ANEW, rotate(B, old=A), IDENTITY),
    "the trial says no": (HAS_A, rotate(B, False), IDENTITY, sync(A)),
    "the trial says nothing": (HAS_A, rotate(B, NOTHING), IDENTITY),
    "the trial raises": (HAS_A, rotate(B, ValueError), IDENTITY),
    "the server says no": (HAS_A, ("accept", A), rotate(B), IDENTITY, sync(A)),
    "the server says no to the second": (
        HAS_A,
        rotate(B),
        ("accept", B),
        rotate(C),
        IDENTITY,
        sync(A),
    ),
    "no endpoint": (HAS_A, edit(B, (), endpoint=None), rotate(B)),
    "another endpoint": (HAS_A, rotate(B, {"host": "nowhere.example", "port": 1}), IDENTITY),
    "a name that is in use": (HAS_A, ("same name", A, B), rotate(B)),
    "one that is shared": (HAS_A, ("share", A, B), rotate(B), IDENTITY, rotate(A), IDENTITY),
    "one that is there already": (
        HAS_A,
        ("preload", "client-B.key"),
        gone("client-B.key"),
        rotate(B),
        IDENTITY,
    ),
    "one that is there already, and no": (
        HAS_A,
        ("preload", "client-B.key"),
        gone("client-B.key"),
        rotate(B, False),
        IDENTITY,
    ),
    "a new file is gone": (HAS_A, gone("client-B.key"), rotate(B), IDENTITY, sync(A)),
    "a new file is bad": (HAS_A, ("bad", "client-B.pem"), rotate(B), IDENTITY),
    "a session is not there": (("absent", "session"), sync(A), rotate(B)),
    "the old one's file is another": (
        HAS_A,
        rotate(B),
        ("rewrite", "client-B.pem"),
        sync(B),
        IDENTITY,
    ),
    "a third profile": (HAS_A, rotate(B), sync(C), IDENTITY, sync(A)),
    "the old profile with more": (
        HAS_A,
        rotate(B),
        edit(A, ("contexts", 0), negotime_s=60),
        sync(A),
        IDENTITY,
    ),
    # Cut off
    "cut off while it is added": (
        HAS_A,
        ("cut", B, KEY_WRITE),
        ANEW,
        IDENTITY,
        sync(A),
        IDENTITY,
    ),
    "cut off while it is added, and gone on with": (
        HAS_A,
        ("cut", B, KEY_WRITE),
        ANEW,
        rotate(B, old=A),
        IDENTITY,
    ),
    "cut off, and another is wanted": (
        HAS_A,
        ("cut", B, OPEN),
        ANEW,
        rotate(C, old=A),
        IDENTITY,
    ),
    "cut off once it was proven": (
        HAS_A,
        ("cut", B, REMOVAL),
        ANEW,
        IDENTITY,
        sync(A),
        IDENTITY,
    ),
    "cut off once it was proven, and rotated": (
        HAS_A,
        ("cut", B, REMOVAL),
        ANEW,
        rotate(C, old=A),
        IDENTITY,
    ),
    "cut off after one that was proven": (
        HAS_A,
        rotate(B),
        ("cut", C, KEY_WRITE),
        ANEW,
        IDENTITY,
        sync(A),
        IDENTITY,
    ),
    # Journals
    "no journal at all": (
        HAS_A,
        ("journal", "{"),
        sync(A),
        ("journal", "[]"),
        sync(A),
        ("journal", "7"),
        IDENTITY,
    ),
    "a state that is none": (HAS_A, rotate(B), entry(state="begun"), sync(A)),
    "a name that is none": (HAS_A, rotate(B), entry(replaced=["a\nb"]), sync(A)),
    "a digest that is none": (HAS_A, rotate(B), entry(digests={"x": "y" * 33}), sync(A)),
    "a time that is none": (HAS_A, rotate(B), entry(since=5), sync(A)),
    "of an earlier version": (
        HAS_A,
        rotate(B),
        entry(replaced=None, digests=None, since=None, kept=None, old_proven=None),
        sync(A),
        IDENTITY,
    ),
    "written beside, and not renamed": (HAS_A, rotate(B), ("beside",), IDENTITY, sync(A)),
}


class Play:
    """A scene being played: what each step brought about."""

    def __init__(self, folder):
        self.folder = folder
        self.device = Device(folder)
        self.store = self.device.rig.module.store
        self.store.objects[FOREIGN] = b"foreign"
        self.path = folder / "onemo.rotate"
        self.profiles = {tag: profile(tag, folder) for tag in (A, B, C)}
        self.device.server.accept(*self.profiles.values())
        self.told = []
        self.anew()

    def plain(self, text):
        """Text without what is different each time."""
        text = text.replace(str(self.folder), "FOLDER")
        for pattern, word in (SINCE, "SINCE"), (JSON, "(JSON);"):
            text = pattern.sub(word, text)
        return text

    def outcome(self, work):
        """Does a step's work; all that there was to see of it."""
        commands = self.device.rig.module.commands
        commands.clear()
        self.told.clear()
        given = talks.outcome(work)
        # "Configure" says the same each time, and tests of TLS contexts look at it.
        said = [line for line in commands if not line.startswith(b"AT+MSSLCFG")]
        files = {path.name: path.read_text() for path in sorted(self.folder.glob("onemo.rotate*"))}
        found = {
            "given": self.plain(given),
            "said": talks.shortened(said),
            "configured": len(commands) - len(said),
            "told": [self.plain(text) for text in self.told],
            "store": sorted(name for _, name in self.store.objects),
            "files": {
                name: self.plain(json.dumps(json.loads(text), sort_keys=True))
                if text[:2] == '{"'
                else text
                for name, text in files.items()
            },
        }
        return {name: part for name, part in found.items() if part}

    # Steps that are looked at

    def sync(self, tag, settings):
        progress = []
        settings = settings | {"progress": lambda *parts: progress.append(parts)}
        found = self.outcome(
            lambda: self.device.modem.sync(self.profiles[tag], journal=str(self.path), **settings)
        )
        ends = [part for part in progress if part[1] == part[2]]
        return found | ({"progress": ends} if ends else {})

    def rotate(self, tag, trial, settings):
        if "old" in settings:
            settings = {"old": self.profiles[settings["old"]]}
        if trial is False or trial is NOTHING or trial is ValueError:
            kind = trial

            def trial(modem):
                if kind is ValueError:
                    raise ValueError("no")
                return False if kind is False else None

        return self.outcome(
            lambda: self.device.modem.rotate(
                self.profiles[tag], trial, journal=str(self.path), **settings
            )
        )

    def identity(self):
        return self.outcome(lambda: self.device.modem.identity(str(self.path)))

    # What happens in between

    def anew(self):
        modem = self.device.power_on()
        modem.start()
        modem.attach()
        modem.on_event(lambda kind, text: self.told.append(f"{kind}: {text}"))

    def provision(self, tag):
        self.sync(tag, {})

    def reply(self, command, answer, times, lines):
        self.device.rig.module.reply(command, answer, times=times, lines=lines)

    def accept(self, *tags):
        self.device.server.accept(*(self.profiles[tag] for tag in tags))

    def damage(self, name, at):
        self.store.damage(name, at)

    def key_of(self, name):
        return (2 if name.endswith(".key") else 1, name)

    def lose(self, name):
        del self.store.objects[self.key_of(name)]

    def on_write(self, mark, act):
        """Calls `act()` before the host writes what holds `mark`; gives the way back."""
        write = self.device.rig.uart.write

        def watched(buf, *arguments):
            if mark in bytes(buf):
                act()
            return write(buf, *arguments)

        self.device.rig.uart.write = watched
        return write

    def stray(self, name):
        """Comes into the store as a certificate is written."""
        self.on_write(
            b"MSSLCERTWR", lambda: self.store.objects.__setitem__(self.key_of(name), b"stray")
        )

    def preload(self, name):
        self.store.objects[self.key_of(name)] = (self.folder / name).read_bytes()

    def context(self, option, value):
        self.device.rig.module.contexts.set(1, option, (value,))

    def gone(self, name):
        (self.folder / name).unlink()

    def bad(self, name):
        (self.folder / name).write_bytes(b"-----BEGIN CERTIFICATE-----\n")

    def rewrite(self, name):
        (self.folder / name).write_bytes(pem(b"CERTIFICATE", "Z", 4))

    def edit(self, tag, place, changes):
        part = self.profiles[tag]
        for step in place:
            part = part[step]
        for name, value in changes.items():
            if value is None:
                del part[name]
            else:
                part[name] = value

    def digest(self, tag, number):
        item = self.profiles[tag]["objects"][number]
        item["md5"] = talks.md5(Path(item["source"]).read_bytes())

    def same_name(self, one, other):
        """The other's CA gets the name of the one's, with its own content."""
        name = self.profiles[one]["objects"][0]["name"]
        self.profiles[other]["objects"][0]["name"] = name
        self.profiles[other]["contexts"][0]["ca"] = name

    def share(self, one, other):
        """The other has the same CA."""
        self.profiles[other]["objects"][0] = self.profiles[one]["objects"][0]
        self.profiles[other]["contexts"][0]["ca"] = self.profiles[one]["contexts"][0]["ca"]
        self.device.server.accept(self.profiles[one], self.profiles[other])

    def absent(self, option):
        self.device.rig.module.quirks.absent_options = frozenset({option})
        self.device.rig.module.quirks.mssl_test = "list"

    def open(self, name):
        Path(f"{self.path}.open").write_text(json.dumps(name))

    def cut(self, tag, mark):
        """The host loses power in a rotation, before it writes what holds `mark`."""

        def lose_power():
            raise KeyboardInterrupt

        write = self.on_write(mark, lose_power)
        with pytest.raises(KeyboardInterrupt):
            self.device.modem.rotate(self.profiles[tag], journal=str(self.path))
        self.device.rig.uart.write = write
        self.device.rig.module.reboot()
        self.device.rig.clock.advance(5)

    def entry(self, parts):
        held = json.loads(self.path.read_text()) | parts
        self.path.write_text(
            json.dumps({name: part for name, part in held.items() if part is not None})
        )

    def journal(self, text):
        self.path.write_text(text)

    def beside(self):
        self.path.rename(f"{self.path}.new")


def talk(*scene):
    """The scene played: of each step that is looked at, what there was to see."""
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder))
        try:
            found = []
            for what, *arguments in scene:
                seen = getattr(play, what.replace(" ", "_"))(*arguments)
                if seen is not None:
                    found.append({"step": what} | seen)
            return json.loads(json.dumps(found))
        finally:
            play.device.close()


@pytest.mark.parametrize("name", SCENES)
def test_identity(name):
    assert talk(*SCENES[name]) == talks.kept("identity.test_talks")[name]
