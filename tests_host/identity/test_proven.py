# SPDX-License-Identifier: MIT
"""What was proven stays until another is proven, or its removal is asked for by name."""

import io
import json
import os
from pathlib import Path

import pytest
from onemo.errors import CommandError, VerifyError
from onemo_tools.proofs.outage import HOST, PORT, pem, profile, stored

from .conftest import start


@pytest.fixture
def rotated(device):
    """B was proven by a rotation; its sources and A's are gone. `told` hears events."""
    device.modem.sync(device.a, journal=device.journal)
    device.modem.rotate(device.b, journal=device.journal)
    device.wanted = stored(device.b)
    for item in device.a["objects"] + device.b["objects"]:
        os.remove(item["source"])
    start(device)
    device.told = []
    device.modem.on_event(lambda kind, text: device.told.append((kind, text)))
    return device


def edited(given, **settings):
    return {**given, "contexts": [{**given["contexts"][0], **settings}]}


@pytest.mark.parametrize("of", ["a", "b"])
@pytest.mark.parametrize(
    "settings",
    [
        {"negotime_s": 60},
        {"session": False},
        {"ciphersuite": 0xC030},
        {"version": 255, "ignorestamp": True},
        {},
    ],
)
def test_settings_of_either_profile_may_change(rotated, of, settings):
    given = edited(getattr(rotated, of), **settings)
    for _ in range(2):
        rotated.modem.sync(given, journal=rotated.journal)
        objects = {k: v for k, v in rotated.store.objects.items() if k in rotated.wanted}
        assert objects == rotated.wanted
        assert rotated.rig.module.contexts.names(1) == ("ca-B.pem", "client-B.pem", "client-B.key")
    assert rotated.modem.sync(given, journal=rotated.journal) == []


@pytest.mark.parametrize("of", ["a", "b"])
def test_further_objects_and_contexts_may_come(rotated, of, tmp_path):
    (tmp_path / "more.pem").write_bytes(pem(b"CERTIFICATE", "M", 4))
    given = dict(getattr(rotated, of))
    more = {"name": "more.pem", "kind": "cert", "source": str(tmp_path / "more.pem")}
    given["objects"] = [*given["objects"], more]
    given["contexts"] = [*given["contexts"], {"ssl_id": 2, "auth": "server", "ca": "more.pem"}]
    done = rotated.modem.sync(given, journal=rotated.journal)
    assert ("write", "more.pem") in done
    assert not [what for what in done if what[0] == "remove"]
    assert rotated.rig.module.contexts.names(1)[2] == "client-B.key"
    assert rotated.rig.module.contexts.names(2)[0] == "more.pem"
    assert {k: rotated.store.objects[k] for k in rotated.wanted} == rotated.wanted


def test_going_back_is_a_rotation(device):
    device.modem.sync(device.a, journal=device.journal)
    device.modem.rotate(device.b, journal=device.journal)
    assert device.modem.sync(device.a, journal=device.journal) == []
    assert device.identity(device.a, device.b) == 1
    assert device.modem.rotate(device.a, journal=device.journal) is True
    assert device.identity(device.a, device.b) == 0
    assert device.modem.sync(device.b, journal=device.journal) == []
    assert device.identity(device.a, device.b) == 0


@pytest.mark.parametrize(("number", "label"), [(1, b"CERTIFICATE"), (2, b"PRIVATE KEY")])
def test_a_file_that_changed_replaces_nothing_that_was_proven(device, number, label):
    device.modem.sync(device.a, journal=device.journal)
    device.modem.rotate(device.b, journal=device.journal)
    item = device.b["objects"][number]
    before = stored(device.b)
    Path(item["source"]).write_bytes(pem(label, "Q", 3))
    told = []
    device.modem.on_event(lambda kind, text: told.append(text))
    assert device.modem.sync(device.b, journal=device.journal) == []
    assert {k: device.store.objects[k] for k in before} == before
    assert item["name"] + " stays as it was proven" in told[0]


def test_a_firmware_without_sessions_can_rotate(device):
    device.rig.module.quirks.absent_options = frozenset({"session"})
    device.modem.sync(device.a, journal=device.journal)
    assert device.modem.rotate(device.b, journal=device.journal) is True
    assert device.identity(device.a, device.b) == 1


def test_sync_rewrites_nothing_that_a_connection_uses(device):
    device.modem.sync(device.a, journal=device.journal)
    stream = device.modem.connect(HOST, PORT, device.modem.tls(1))
    before = dict(device.store.objects)
    Path(device.a["objects"][2]["source"]).write_bytes(pem(b"PRIVATE KEY", "Q", 3))
    with pytest.raises(ValueError, match=r"client-A\.key is in use"):
        device.modem.sync(device.a, journal=device.journal)
    assert device.store.objects == before
    stream.close()
    assert device.modem.sync(device.a, journal=device.journal) == [("write", "client-A.key")]


class Tape:
    """A source that cannot be rewound."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def readinto(self, buf):
        return self._file.readinto(buf)


@pytest.mark.parametrize("work", ["sync", "rotate"])
def test_a_source_that_cannot_be_rewound(device, work):
    device.modem.sync(device.a, journal=device.journal)
    objects = []
    for item in device.b["objects"]:
        data = Path(item["source"]).read_bytes()
        objects.append({**item, "source": Tape(data), "size": len(data)})
    wanted = {**device.b, "objects": objects}
    getattr(device.modem, work)(wanted, journal=device.journal)
    assert {k: device.store.objects[k] for k in stored(device.b)} == stored(device.b)


def test_a_proven_key_that_is_lost_and_has_no_source_is_an_error(rotated):
    del rotated.store.objects[2, "client-B.key"]
    with pytest.raises(OSError, match=r"client-B\.key"):
        rotated.modem.sync(rotated.a, journal=rotated.journal)
    rotated.store.objects[2, "client-B.key"] = pem(b"PRIVATE KEY", "Z", 3)
    with pytest.raises(VerifyError, match="another digest"):
        rotated.modem.sync(rotated.a, journal=rotated.journal)


def test_a_refused_rotation_leaves_the_proven_one(rotated, tmp_path):
    third = profile("C", tmp_path)
    rotated.modem.sync(rotated.a, journal=rotated.journal)
    with pytest.raises(CommandError):
        rotated.modem.rotate(third, journal=rotated.journal)
    assert rotated.modem.sync(rotated.a, journal=rotated.journal) == []
    assert {k: rotated.store.objects[k] for k in rotated.wanted} == rotated.wanted
    assert (2, "client-C.key") not in rotated.store.objects


# identity()


def test_identity_tells_what_is_in_force_since_when_and_what_is_under_way(device, monkeypatch):
    modem = device.modem
    names = lambda made: {item["name"]: True for item in made["objects"]}  # noqa: E731
    assert modem.identity(device.journal)["objects"] == {}
    modem.sync(device.a, journal=device.journal)
    found = modem.identity(device.journal)
    assert (found["objects"], found["proven"], found["since"]) == (names(device.a), False, None)

    def trial(modem):
        found = modem.identity(device.journal)
        assert found["objects"] == names(device.a)
        assert (found["proven"], found["under_way"]) == (False, "add")
        assert found["coming"] == [item["name"] for item in device.b["objects"]]

    modem.rotate(device.b, trial, journal=device.journal)
    found = modem.identity(device.journal)
    assert (found["objects"], found["proven"]) == (names(device.b), True)
    assert found["since"].startswith("20") and found["since"].endswith("Z")
    assert (found["under_way"], found["coming"], found["leaving"]) == (None, [], [])
    device.store.objects[2, "client-B.key"] = pem(b"PRIVATE KEY", "Z", 3)
    assert modem.identity(device.journal)["objects"]["client-B.key"] is False
    del device.store.objects[1, "client-B.pem"]
    assert modem.identity(device.journal)["objects"]["client-B.pem"] is False


def test_a_clock_that_was_never_set_tells_no_time(device, monkeypatch):
    monkeypatch.setattr("time.gmtime", lambda: (2000, 1, 1, 0, 3, 0, 5, 1, 0))
    device.modem.sync(device.a, journal=device.journal)
    device.modem.rotate(device.b, journal=device.journal)
    assert device.modem.identity(device.journal)["since"] is None


# The trial


def test_the_trial_does_not_resume_a_session(device):
    device.modem.sync(device.a, journal=device.journal)
    seen = []

    def trial(modem):
        seen.append(modem.tls(1).read()["session"])

    device.modem.rotate(device.b, trial, journal=device.journal)
    assert seen == [False]
    assert device.modem.tls(1).read()["session"] is True


def test_an_object_that_is_there_already_needs_no_source(device):
    device.modem.sync(device.a, journal=device.journal)
    key = device.b["objects"][2]
    device.modem.certs.write(key["name"], key["source"], 2)  # at the factory
    content = Path(key["source"]).read_bytes()
    os.remove(key["source"])
    assert device.modem.rotate(device.b, journal=device.journal) is True
    assert device.store.objects[2, "client-B.key"] == content
    assert (2, "client-A.key") not in device.store.objects


def test_a_refused_rotation_leaves_an_object_that_was_there_before(device):
    device.modem.sync(device.a, journal=device.journal)
    key = device.b["objects"][2]
    device.modem.certs.write(key["name"], key["source"], 2)
    os.remove(key["source"])
    with pytest.raises(Exception, match="refused"):
        device.modem.rotate(device.b, lambda modem: False, journal=device.journal)
    assert (2, "client-B.key") in device.store.objects
    assert (1, "client-B.pem") not in device.store.objects


@pytest.mark.parametrize("right", [True, False])
def test_a_digest_says_which_object_must_be_there(device, right):
    import hashlib

    device.modem.sync(device.a, journal=device.journal)
    key = dict(device.b["objects"][2])
    content = Path(key["source"]).read_bytes()
    device.modem.certs.write(key["name"], key.pop("source"), 2)
    key["md5"] = hashlib.md5(content if right else b"").hexdigest().upper()
    wanted = {**device.b, "objects": [*device.b["objects"][:2], key]}
    if right:
        assert device.modem.rotate(wanted, journal=device.journal) is True
    else:
        with pytest.raises(VerifyError, match="another digest"):
            device.modem.rotate(wanted, journal=device.journal)
        assert {k: device.store.objects[k] for k in stored(device.a)} == stored(device.a)
        assert device.store.objects[2, "client-B.key"] == content


def test_sources_may_be_streams(device):
    device.modem.sync(device.a, journal=device.journal)
    wanted = dict(device.b)
    wanted["objects"] = [
        {**item, "source": io.BytesIO(Path(item["source"]).read_bytes())}
        for item in device.b["objects"]
    ]
    assert device.modem.rotate(wanted, journal=device.journal) is True
    assert "source" not in json.loads(Path(device.journal).read_text())["new"]["objects"][0]
    for item in device.b["objects"]:
        os.rename(item["source"], item["source"] + ".gone")
    start(device)
    assert device.modem.sync(device.a, journal=device.journal) == []
    for item in device.b["objects"]:
        os.rename(item["source"] + ".gone", item["source"])
    assert device.identity(device.a, device.b) == 1


# The store says so


@pytest.mark.parametrize("answer", [b"OK", b"+CME ERROR: 762"])
def test_a_removal_that_did_not_happen_is_no_success(device, answer):
    device.modem.sync(device.a, journal=device.journal)
    device.rig.module.reply(b"AT+MSSLRM", answer)
    with pytest.raises(VerifyError, match="still in the module"):
        device.modem.certs.remove("client-A.key", missing_ok=True)
    assert device.modem.certs.remove("client-A.key") is True


@pytest.mark.parametrize("step", ["rotate", "sync"])
def test_what_vanishes_meanwhile_is_noticed_at_the_end(device, step):
    device.modem.sync(device.a, journal=device.journal)
    configured = []

    def trace(line):
        if line.startswith(b'AT+MSSLCFG="ignoreverify",1,') and not configured:
            configured.append(line)
            device.store.objects.pop((1, "ca-B.pem"), None)

    device.rig.module.on_command = trace
    if not hasattr(type(device.rig.module), "on_command"):
        commands = device.rig.module.commands

        class Watched(list):
            def append(self, line):
                trace(bytes(line))
                super().append(line)

        device.rig.module.commands = Watched(commands)
    with pytest.raises((VerifyError, CommandError)):
        if step == "rotate":
            device.modem.rotate(device.b, journal=device.journal)
        else:
            device.modem.sync(device.b, journal=device.journal)
    assert configured


def test_a_stray_object_is_told(device):
    told = []
    device.modem.on_event(lambda kind, text: told.append((kind, text)))
    commands = device.rig.module.commands

    class Watched(list):
        def append(self, line):
            if bytes(line).startswith(b'AT+MSSLCHECK="client-A.key"'):
                device.store.objects[2, "client-B.key"] = b"x" * 77
            super().append(line)

    device.rig.module.commands = Watched(commands)
    device.modem.sync(device.a, journal=device.journal)
    assert [kind for kind, _ in told] == ["stray"]
    assert "client-B.key, 77 bytes" in told[0][1]


# In use


def test_what_a_connection_uses_is_not_removed_unless_told(device):
    device.modem.sync(device.a, journal=device.journal)
    stream = device.modem.connect(HOST, PORT, device.modem.tls(1))
    before = len(device.rig.module.commands)
    for name in ("ca-A.pem", "client-A.pem", "client-A.key"):
        with pytest.raises(ValueError, match=f"{name} is in use by connection 0"):
            device.modem.certs.remove(name)
    assert len(device.rig.module.commands) == before
    assert device.modem.certs.remove("foreign.pem") is True
    assert device.modem.certs.remove("client-A.key", in_use_ok=True) is True
    stream.close()
    assert device.modem.certs.remove("ca-A.pem") is True


# A series that was left open


def test_a_series_under_a_name_that_nobody_remembers_ends_in_one_reboot(device):
    from onemo_simulator.store import Series

    told = []
    device.modem.on_event(lambda kind, text: told.append((kind, text)))
    boots = device.rig.module.boots
    device.store.series = Series(1, "old.pem", 500, True, device.rig.module.moment, 1)
    done = device.modem.sync(device.a, journal=device.journal)
    assert ("write", "client-A.key") in done
    assert device.identity(device.a) == 0
    assert device.rig.module.boots == boots + 1
    assert [kind for kind, _ in told].count("reboot") >= 1
    assert "765" in " ".join(text for _, text in told)
    assert device.modem.sync(device.a, journal=device.journal) == []
    assert device.rig.module.boots == boots + 1


def test_a_name_that_a_file_remembers_needs_no_reboot(device):
    from onemo.provisioning_journal import Journal
    from onemo_simulator.store import Series

    Journal(device.journal).begin_series("old.pem")
    boots = device.rig.module.boots
    device.store.series = Series(1, "old.pem", 500, True, device.rig.module.moment, 1)
    device.modem.sync(device.a, journal=device.journal)
    assert device.identity(device.a) == 0
    assert device.rig.module.boots == boots
    assert not os.path.exists(device.journal + ".open")
