# SPDX-License-Identifier: MIT
"""Rotation: another identity, without a moment of none."""

import copy
import io
import json
import os
from pathlib import Path

import pytest
from onemo.errors import CommandError, ModemError
from onemo.provisioning_journal import Journal
from onemo_tools.proofs.outage import FOREIGN, HOST, PORT, pem, profile, stored

from .conftest import start


@pytest.fixture
def synced(device):
    """Identity A is in use."""
    device.modem.sync(device.a, journal=device.journal)
    return device


def entry(device):
    return json.loads(Path(device.journal).read_text())


def interrupted(modem):
    raise KeyboardInterrupt


def test_it_switches_and_cleans_up(synced):
    assert synced.modem.rotate(synced.b, journal=synced.journal) is True
    assert synced.identity(synced.a, synced.b) == 1
    assert entry(synced)["state"] == "done"


def test_the_old_one_stays_whole_until_the_trial_has_decided(synced):
    seen = []

    def trial(modem):
        objects = dict(synced.store.objects)
        objects.pop(FOREIGN)
        seen.append(objects)
        assert entry(synced)["state"] == "add"
        assert modem.tls(1).read()["cert"] == "client-B.pem"

    assert synced.modem.rotate(synced.b, trial, journal=synced.journal) is True
    assert seen == [{**stored(synced.a), **stored(synced.b)}]
    assert synced.identity(synced.a, synced.b) == 1


def test_the_application_may_go_on_giving_the_old_profile(synced):
    synced.modem.rotate(synced.b, journal=synced.journal)
    start(synced)
    assert synced.modem.sync(synced.a, journal=synced.journal) == []
    assert synced.identity(synced.a, synced.b) == 1


def test_it_may_give_the_new_one_from_now_on(synced):
    synced.modem.rotate(synced.b, journal=synced.journal)
    assert synced.modem.sync(synced.b, journal=synced.journal) == []
    before = Path(synced.journal).read_text()
    assert synced.modem.sync(synced.b, journal=synced.journal) == []
    assert synced.identity(synced.a, synced.b) == 1
    assert Path(synced.journal).read_text() == before  # flash wears out


def test_a_third_profile_is_followed_and_what_was_proven_stays(synced, tmp_path):
    synced.modem.rotate(synced.b, journal=synced.journal)
    third = profile("C", tmp_path)
    synced.server.accept(synced.b, third)
    told = []
    synced.modem.on_event(lambda kind, text: told.append((kind, text)))
    done = synced.modem.sync(third, journal=synced.journal, remove_foreign=True)
    assert [what for what in done if what[0] == "remove"] == [("remove", "foreign.pem")]
    assert {name for _, name in synced.rig.module.store.objects} >= {
        item["name"] for item in synced.b["objects"] + third["objects"]
    }
    assert [kind for kind, _ in told] == ["identity"]
    assert "client-B.key" in told[0][1]
    assert "stays" in told[0][1]
    assert synced.modem.sync(synced.a, journal=synced.journal) == [("configure", 1)]


def test_a_server_that_refuses_it(synced):
    synced.server.accept(synced.a)
    with pytest.raises(CommandError) as caught:
        synced.modem.rotate(synced.b, journal=synced.journal)
    assert caught.value.code == 752
    assert synced.identity(synced.a, synced.b) == 0
    assert not os.path.exists(synced.journal)


@pytest.mark.parametrize("error", [ModemError("no"), OSError(5, "no"), RuntimeError("no")])
def test_a_trial_that_raises(synced, error):
    def trial(modem):
        raise error

    with pytest.raises(type(error), match="no"):
        synced.modem.rotate(synced.b, trial, journal=synced.journal)
    assert synced.identity(synced.a, synced.b) == 0


def test_a_trial_that_returns_false(synced):
    with pytest.raises(ModemError, match="refused"):
        synced.modem.rotate(synced.b, lambda modem: False, journal=synced.journal)
    assert synced.identity(synced.a, synced.b) == 0


def test_a_trial_may_use_the_modem(synced):
    def trial(modem):
        with modem.connect(HOST, PORT, modem.tls(1)) as stream:
            stream.write(b"hello")
            return stream.read(5) == b"hello"

    assert synced.modem.rotate(synced.b, trial, journal=synced.journal) is True


def test_there_and_back_and_there_again(synced, tmp_path):
    third = profile("C", tmp_path)
    synced.server.accept(synced.a, synced.b, third)
    for wanted, index in ((synced.b, 1), (third, 2), (synced.a, 0), (synced.b, 1)):
        assert synced.modem.rotate(wanted, journal=synced.journal) is True
        start(synced)
        assert synced.modem.sync(synced.a, journal=synced.journal) == []
        assert synced.identity(synced.a, synced.b, third) == index
        assert os.path.exists(synced.journal)


def test_what_is_in_force_already(synced):
    before = list(synced.rig.module.commands)
    assert synced.modem.rotate(synced.a, journal=synced.journal) is False
    wrote = [line for line in synced.rig.module.commands[len(before) :] if b"WR=" in line]
    assert wrote == []
    assert synced.identity(synced.a) == 0


def test_a_refusal_after_an_earlier_rotation_goes_back_to_that(synced, tmp_path):
    third = profile("C", tmp_path)
    synced.modem.rotate(synced.b, journal=synced.journal)
    with pytest.raises(CommandError):
        synced.modem.rotate(third, journal=synced.journal)
    start(synced)
    assert synced.modem.sync(synced.a, journal=synced.journal) == []
    assert synced.identity(synced.a, synced.b, third) == 1


def test_an_object_that_both_have(synced, tmp_path):
    shared = copy.deepcopy(synced.b)
    shared["objects"][0] = synced.a["objects"][0]
    shared["contexts"][0]["ca"] = "ca-A.pem"
    ca_writes = sum(line.startswith(b'AT+MSSLCERTWR="ca-A') for line in synced.rig.module.commands)
    for accepted in ([synced.a], [synced.a, shared]):
        synced.server.accept(*accepted)
        try:
            synced.modem.rotate(shared, journal=synced.journal)
        except CommandError as error:
            assert error.code == 754
        assert synced.identity(synced.a, shared) == len(accepted) - 1
    again = sum(line.startswith(b'AT+MSSLCERTWR="ca-A') for line in synced.rig.module.commands)
    assert again == ca_writes


@pytest.mark.parametrize("kind", ["cert", "key"])
def test_a_name_in_use_with_other_content(synced, tmp_path, kind):
    clash = copy.deepcopy(synced.b)
    label = b"CERTIFICATE" if kind == "cert" else b"PRIVATE KEY"
    (tmp_path / "other").write_bytes(pem(label, "Q", 2))
    clash["objects"].append({"name": "ca-A.pem", "kind": kind, "source": str(tmp_path / "other")})
    before = dict(synced.store.objects)
    with pytest.raises(ValueError, match=r"ca-A\.pem is in use"):
        synced.modem.rotate(clash, journal=synced.journal)
    assert synced.store.objects == before
    assert not os.path.exists(synced.journal)


def test_a_bad_source_changes_nothing(synced, tmp_path):
    (tmp_path / "client-B.key").write_bytes(b"no PEM")
    before = dict(synced.store.objects)
    with pytest.raises(ValueError):
        synced.modem.rotate(synced.b, journal=synced.journal)
    assert synced.store.objects == before
    assert not os.path.exists(synced.journal)


def test_a_full_store_leaves_the_old_identity_and_no_orphan(synced):
    synced.store.most = 6
    with pytest.raises(CommandError) as caught:
        synced.modem.rotate(synced.b, journal=synced.journal)
    assert caught.value.code == 764
    assert synced.identity(synced.a, synced.b) == 0


def test_what_is_in_use_has_to_be_known(device):
    with pytest.raises(ValueError, match="sync"):
        device.modem.rotate(device.b, journal=device.journal)
    device.modem.sync(device.a, journal=device.journal)
    start(device)
    assert device.modem.rotate(device.b, old=device.a, journal=device.journal) is True
    assert device.identity(device.a, device.b) == 1


@pytest.mark.parametrize("trial", [{"host": HOST}, "broker.example", 7])
def test_a_trial_that_is_none(synced, trial):
    with pytest.raises(ValueError, match="endpoint"):
        synced.modem.rotate(synced.b, trial, journal=synced.journal)
    bare = {name: synced.b[name] for name in ("objects", "contexts")}
    with pytest.raises(ValueError, match="endpoint"):
        synced.modem.rotate(bare, journal=synced.journal)
    assert synced.identity(synced.a, synced.b) == 0


def test_an_old_object_that_a_forgotten_connection_uses(synced, tmp_path):
    # The host was reset; the module holds its old connections, and does not let their certificates
    # go (manual 3.6).
    synced.modem.rotate(synced.b, journal=synced.journal)
    third = profile("C", tmp_path)
    synced.modem.connect(HOST, PORT, synced.modem.tls(1))
    start(synced)
    synced.modem.sync(synced.a, journal=synced.journal)
    synced.rig.module.reply(b'AT+MSSLRM="ca-B.pem"', b"+CME ERROR: 767")
    synced.server.accept(third)
    synced.modem.rotate(third, lambda modem: None, journal=synced.journal)
    assert synced.identity(third) == 0
    assert any(line.startswith(b"AT+MIPCLOSE=") for line in synced.rig.module.commands)


def test_an_old_object_that_our_own_connection_uses(synced):
    stream = synced.modem.connect(HOST, PORT, synced.modem.tls(1))
    before = len(synced.rig.module.commands)
    with pytest.raises(ValueError, match="in use by connection 0"):
        synced.modem.rotate(synced.b, journal=synced.journal)
    assert len(synced.rig.module.commands) == before
    assert not os.path.exists(synced.journal)
    stream.close()
    assert synced.modem.rotate(synced.b, journal=synced.journal) is True
    assert synced.identity(synced.a, synced.b) == 1


@pytest.mark.parametrize("half_way", [False, True])
def test_what_is_in_force_already_is_made_whole(synced, tmp_path, half_way):
    third = profile("C", tmp_path)
    if half_way:  # another one was on its way
        with pytest.raises(KeyboardInterrupt):
            synced.modem.rotate(third, interrupted, journal=synced.journal)
        start(synced)
        synced.modem.profile = synced.a
    synced.store.objects.pop((1, "client-A.pem"))
    assert synced.modem.rotate(synced.a, journal=synced.journal) is False
    assert synced.identity(synced.a, third) == 0


class Arriving(io.BytesIO):
    """A source that brings what comes through the module, and has all of it."""

    fetch = None

    @property
    def ready(self):
        return len(self.getbuffer()) - self.tell()


def test_what_arrives_over_a_connection_that_uses_old_objects(synced):
    # It may be open until all has arrived, and no longer.
    stream = synced.modem.connect(HOST, PORT, synced.modem.tls(1))
    new = copy.deepcopy(synced.b)
    content = Path(new["objects"][1]["source"]).read_bytes()
    new["objects"][1].update(source=Arriving(content), size=len(content))
    before = len(synced.rig.module.commands)
    with pytest.raises(ValueError, match="in use by connection 0"):
        synced.modem.rotate(new, journal=synced.journal)
    written = [line for line in synced.rig.module.commands[before:] if b"WR=" in line]
    assert len({line.split(b",")[0] for line in written}) == len(new["objects"])
    assert synced.identity(synced.a, synced.b) == 0
    stream.close()
    new["objects"][1]["source"].seek(0)
    assert synced.modem.rotate(new, journal=synced.journal) is True
    assert synced.identity(synced.a, synced.b) == 1


# The journal


def _damages():
    yield from ("", "{", "null", "[]", "7", '{"for": "x"}', '"done"')
    yield lambda text: text[:-2]
    yield lambda text: text.replace("new", "n")
    yield lambda text: text.replace('"done"', '"almost"')
    yield lambda text: text.replace('"done"', '"add"')
    yield lambda text: text.replace("client-B.key", 'client\\"\\rAT+MREBOOT\\r')
    yield lambda text: text.replace('"cert"', '"certificate"')
    yield lambda text: text.replace('"ssl_id": 1', '"ssl_id": "1"')
    yield lambda text: json.dumps({**json.loads(text), "digests": {"a": "b,c"}})
    yield lambda text: json.dumps({**json.loads(text), "digests": 5})
    yield lambda text: json.dumps({**json.loads(text), "replaced": ['a"b']})
    yield lambda text: json.dumps({**json.loads(text), "since": 5})


@pytest.mark.parametrize("damage", list(_damages()))
def test_a_journal_that_is_no_journal_is_set_aside_and_removes_nothing(synced, damage):
    synced.modem.rotate(synced.b, journal=synced.journal)
    whole = Path(synced.journal).read_text()
    text = damage(whole) if callable(damage) else damage
    assert text != whole
    Path(synced.journal).write_text(text)
    start(synced)
    told = []
    synced.modem.on_event(lambda kind, sentence: told.append((kind, sentence)))
    before = len(synced.rig.module.commands)
    synced.modem.sync(synced.a, journal=synced.journal, dry_run=True)
    synced.modem.sync(synced.b, journal=synced.journal)
    assert not [c for c in synced.rig.module.commands[before:] if b"MSSLRM" in c or b"REBOOT" in c]
    assert [kind for kind, _ in told] == ["journal"]
    assert Path(synced.journal + ".bad").read_text() == text
    assert synced.identity(synced.a, synced.b) == 1


def test_a_journal_of_0_1_0_is_read(synced):
    synced.modem.rotate(synced.b, journal=synced.journal)
    plain = {name: synced.b[name] for name in ("objects", "contexts")}
    old = {"for": "5d41402abc4b2a76b9719d911017c592", "state": "done", "new": plain}
    Path(synced.journal).write_text(json.dumps(old))
    for source in synced.b["objects"]:
        os.remove(source["source"])
    start(synced)
    edited = {**synced.a, "contexts": [{**synced.a["contexts"][0], "negotime_s": 60}]}
    assert synced.modem.sync(edited, journal=synced.journal) == [("configure", 1)]
    assert synced.rig.module.contexts.value(1, "negotime") == 60
    assert synced.rig.module.contexts.names(1)[2] == "client-B.key"


def test_bytes_that_are_no_text(synced):
    Path(synced.journal).write_bytes(b"\xff\xfe\x00")
    assert Journal(synced.journal).read() is None


def test_one_that_was_written_and_not_renamed_counts_where_there_is_no_other(tmp_path):
    journal = Journal(str(tmp_path / "j"))
    plain = {"objects": [], "contexts": []}
    one = {"state": "done", "new": plain}
    journal.write(one)
    (tmp_path / "j.new").write_text(json.dumps({**one, "state": "add", "old": plain}))
    assert journal.read()["state"] == "done"
    os.remove(tmp_path / "j")  # as FAT has it for a moment
    assert journal.read()["state"] == "add"
    (tmp_path / "j.new").write_text("{")
    assert journal.read() is None
    journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_another_certificate_for_the_same_key(synced):
    """docs/renewal.md: the key stays where it is; the certificate comes from RAM."""
    content = pem(b"CERTIFICATE", "N", 4)
    first, key = synced.a["objects"][1]["name"], synced.a["objects"][2]
    new = {"objects": [synced.a["objects"][0], {"name": "client-2.pem", "kind": "cert"}, key]}
    new["objects"][1]["source"] = io.BytesIO(content)
    new["contexts"] = [dict(synced.a["contexts"][0], cert="client-2.pem")]
    assert synced.modem.rotate(new, lambda modem: None, journal=synced.journal) is True
    kept = dict(synced.store.objects)
    assert kept.pop((1, "client-2.pem")) == content
    assert (1, first) not in kept
    assert kept[2, key["name"]] == Path(key["source"]).read_bytes()
    start(synced)
    assert synced.modem.sync(synced.a, journal=synced.journal) == []
    assert synced.modem.tls(1).read()["cert"] == "client-2.pem"
