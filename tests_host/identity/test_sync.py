# SPDX-License-Identifier: MIT
"""Desired state: what differs is made right, and nothing else is touched."""

import copy
import io
import os

import pytest
from onemo.errors import CommandError, ModemReset, Unsupported, VerifyError
from onemo_tools.proofs.outage import FOREIGN, HOST, PORT, pem, stored
from onemo_tools.proofs.rig import Rig

from .conftest import start

WRITES = (b"AT+MSSLCERTWR", b"AT+MSSLKEYWR", b"AT+MSSLRM", b"AT+MSSLPSK")


def changes(device, since):
    """Commands that changed something."""
    return [
        line
        for line in device.rig.module.commands[since:]
        if line.startswith(WRITES) or (line.startswith(b"AT+MSSLCFG") and line.count(b",") > 1)
    ]


@pytest.mark.parametrize(
    ("place", "name", "value", "said"),
    [
        ("objects", "name", 7, "objects[0].name is 7; it must be"),
        ("objects", "kind", "pem", 'objects[0].kind is "pem"; it must be "cert", "key" or "psk"'),
        ("objects", "path", "/x", "objects[0].path is not known"),
        ("contexts", "auth", 2, "contexts[0].auth is 2; it must be"),
        ("contexts", "session", 1, "contexts[0].session is 1; it must be true or false"),
        ("contexts", "ignoreVerify", True, '("ignoreVerify": did you mean "ignoreverify"?)'),
        ("contexts", "ssl_id", 6, "contexts[0].ssl_id is 6; it must be an integer from 0 to 5"),
        ("contexts", "ca", "ca-B.pem", 'contexts[0].ca is "ca-B.pem"; it must be the name of a'),
        (None, "objectts", [], '("objectts": did you mean "objects"?)'),
        (None, "contexts", {}, "contexts is {}; it must be a list of TLS contexts"),
    ],
)
def test_a_wrong_profile_is_refused_before_anything_is_sent(device, place, name, value, said):
    wrong = copy.deepcopy(device.a)
    (wrong[place][0] if place else wrong)[name] = value
    since = len(device.rig.module.commands)
    for call in (device.modem.sync, device.modem.rotate):
        with pytest.raises(ValueError) as caught:
            call(wrong, journal=device.journal)
        assert said in str(caught.value)
    assert device.rig.module.commands[since:] == []
    assert not os.path.exists(device.journal)


@pytest.mark.parametrize("wrong", [None, [], [1], "config.json", 7])
def test_what_is_no_profile_at_all(device, wrong):
    since = len(device.rig.module.commands)
    with pytest.raises(ValueError, match="it must be an object with"):
        device.modem.sync(wrong, journal=device.journal)
    assert device.rig.module.commands[since:] == []


def test_an_ssl_id_that_the_model_does_not_have_is_named_with_its_place():
    with Rig("MN316") as rig:
        rig.modem.start()
        since = len(rig.module.commands)
        contexts = [{"ssl_id": 4, "auth": "none"}, {"ssl_id": 5, "auth": "none"}]
        with pytest.raises(ValueError, match=r"contexts\[1\].ssl_id is 5; .*0 to 4 on MN316"):
            rig.modem.sync({"objects": [], "contexts": contexts})
        assert rig.module.commands[since:] == []


def test_a_suite_by_name_is_not_set_again(device):
    device.modem.sync(device.a, journal=device.journal)
    done = []
    for suite in ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "0xC030", 0xC030):
        device.a["contexts"][0]["ciphersuite"] = suite
        done += device.modem.sync(device.a, journal=device.journal)
    assert done == [("configure", 1)]
    assert device.rig.module.contexts.get(1, "ciphersuite") == (0xC030,)


def test_an_empty_module_gets_everything_in_order(device):
    done = device.modem.sync(device.a, journal=device.journal)
    assert done == [
        ("write", "ca-A.pem"),
        ("write", "client-A.pem"),
        ("write", "client-A.key"),
        ("configure", 1),
    ]
    assert device.identity(device.a) == 0
    assert not os.path.exists(device.journal)


def test_what_is_right_is_not_touched(device):
    device.modem.sync(device.a, journal=device.journal)
    since = len(device.rig.module.commands)
    assert device.modem.sync(device.a, journal=device.journal) == []
    start(device)
    assert device.modem.sync(device.a, journal=device.journal) == []
    assert changes(device, since) == []
    assert device.identity(device.a) == 0  # and a new driver's context is known to be set
    assert changes(device, since) == []


def test_only_what_differs_is_written(device):
    modem = device.modem
    modem.sync(device.a, journal=device.journal)
    device.store.damage("client-A.pem", 40)
    device.rig.module.contexts.set(1, "ignorestamp", (1,))
    since = len(device.rig.module.commands)
    done = modem.sync(device.a, journal=device.journal)
    assert done == [("write", "client-A.pem"), ("configure", 1)]
    assert not [
        line for line in changes(device, since) if line.startswith(WRITES) and b"ca-A" in line
    ]
    assert device.identity(device.a) == 0


def test_a_dry_run_says_the_same_and_does_nothing(device):
    modem = device.modem
    modem.sync(device.a, journal=device.journal)
    device.store.damage("client-A.key", 40)
    device.rig.module.contexts.set(1, "auth", (0,))
    before = dict(device.store.objects)
    since = len(device.rig.module.commands)
    planned = modem.sync(device.b, dry_run=True, remove_foreign=True, journal=device.journal)
    assert changes(device, since) == []
    assert device.store.objects == before
    assert planned == [
        ("remove", "foreign.pem"),
        ("remove", "ca-A.pem"),
        ("remove", "client-A.pem"),
        ("remove", "client-A.key"),
        ("write", "ca-B.pem"),
        ("write", "client-B.pem"),
        ("write", "client-B.key"),
        ("configure", 1),
    ]
    assert modem.profile["objects"] == device.a["objects"]
    assert modem.sync(device.b, remove_foreign=True, journal=device.journal) == planned
    assert device.store.objects == stored(device.b)


def test_foreign_objects_stay_unless_told_otherwise(device):
    device.modem.sync(device.a, journal=device.journal)
    assert FOREIGN in device.store.objects
    done = device.modem.sync(device.a, remove_foreign=True, journal=device.journal)
    assert done == [("remove", "foreign.pem")]
    assert device.store.objects == stored(device.a)


def test_a_foreign_object_with_a_name_of_ours_and_another_kind(device):
    device.modem.sync(device.a, journal=device.journal)
    device.store.objects[2, "ca-A.pem"] = b"a key, removed by the same command as the certificate"
    done = device.modem.sync(device.a, remove_foreign=True, journal=device.journal)
    assert ("remove", "ca-A.pem") in done
    assert ("write", "ca-A.pem") in done
    assert device.store.objects == stored(device.a)


def damaged(names):
    """The same names, with one bit of one of them wrong in turn, where that leaves a name."""
    for index, name in enumerate(names):
        for at in range(len(name)):
            for bit in (0, 1 + at % 6):
                other = bytearray(name.encode())
                other[at] ^= 1 << bit
                if 0x20 < other[at] < 0x7F and other[at] not in b'",':
                    yield [*names[:index], other.decode(), *names[index + 1 :]]


@pytest.mark.parametrize("look", [0, 1])
@pytest.mark.parametrize("kind", [1, 2])
def test_a_name_that_the_line_damaged_is_neither_removed_nor_reported(device, kind, look):
    modem = device.modem
    modem.sync(device.a, journal=device.journal)
    told = []
    modem.on_event(lambda kind, text: told.append(text))
    listing = b"AT+MSSLLIST=%d" % kind
    names = [name for what, name in device.store.objects if what == kind]
    for lines in damaged(names):
        device.store.objects[FOREIGN] = b"foreign"
        shown = [b'+MSSLLIST: "%s",7' % name.encode() for name in names]
        for _ in range(look):
            device.rig.module.reply(listing, b"OK", lines=shown)
        shown = [b'+MSSLLIST: "%s",7' % name.encode() for name in lines]
        device.rig.module.reply(listing, b"OK", lines=shown)
        done = modem.sync(device.a, remove_foreign=True, journal=device.journal)
        gone = FOREIGN not in device.store.objects
        assert done == [("remove", "foreign.pem")] * gone, lines
        assert gone or look or "foreign.pem" not in lines
        device.store.objects.pop(FOREIGN, None)
        assert device.store.objects == stored(device.a)
    assert told == []


def test_a_stray_that_a_second_look_does_not_show_is_not_told(device):
    module = device.rig.module
    told = []
    device.modem.on_event(lambda kind, text: told.append(text))
    looks = []

    class Watched(list):
        def append(self, line):
            if bytes(line).startswith(b'AT+MSSLCHECK="client-A.key"'):
                looks.append(line)
                if len(looks) == 2:  # the last look at the last object: the list comes next
                    module.reply(b"AT+MSSLLIST=1", b"OK", lines=[b'+MSSLLIST: "ca-B.pem",7'])
            super().append(line)

    module.commands = Watched(module.commands)
    device.modem.sync(device.a, journal=device.journal)
    assert (len(looks), told) == (2, [])


def test_a_bad_file_is_refused_before_anything_is_touched(device, tmp_path):
    device.modem.sync(device.a, journal=device.journal)
    device.store.damage("ca-A.pem", 40)
    before = dict(device.store.objects)
    with open(tmp_path / "client-A.key", "wb") as file:
        file.write(b"-----BEGIN PRIVATE KEY-----\nAAAA")
    with pytest.raises(ValueError, match="END"):
        device.modem.sync(device.a, remove_foreign=True, journal=device.journal)
    assert device.store.objects == before


def test_a_wrong_context_is_refused_before_anything_is_touched(device):
    wrong = copy.deepcopy(device.a)
    wrong["contexts"][0]["negotime_s"] = 5
    since = len(device.rig.module.commands)
    with pytest.raises(ValueError, match="negotime"):
        device.modem.sync(wrong, journal=device.journal)
    assert len(device.rig.module.commands) == since


def test_a_missing_file_is_an_error_only_where_the_module_has_nothing(device, tmp_path):
    os.remove(tmp_path / "client-A.key")
    with pytest.raises(OSError, match="client-A"):
        device.modem.sync(device.a, journal=device.journal)
    assert stored_names(device) == {"foreign.pem"}
    (tmp_path / "client-A.key").write_bytes(pem(b"PRIVATE KEY", "A", 3))
    device.modem.sync(device.a, journal=device.journal)
    os.remove(tmp_path / "client-A.key")
    start(device)
    assert device.modem.sync(device.a, journal=device.journal) == []


def stored_names(device):
    return {name for _, name in device.store.objects}


def test_progress_is_told_by_name(device):
    told = []
    device.modem.sync(device.a, progress=lambda *what: told.append(what), journal=device.journal)
    sizes = {name: len(data) for (_, name), data in stored(device.a).items()}
    assert {name: total for name, _, total in told} == sizes
    assert [what for what in told if what[1] == what[2]] == [
        (name, size, size) for name, size in sizes.items()
    ]


def test_an_error_leaves_the_rest_to_the_next_call(device):
    device.store.most = 3
    with pytest.raises(CommandError) as caught:
        device.modem.sync(device.a, journal=device.journal)
    assert caught.value.code == 764
    device.store.most = 100
    done = device.modem.sync(device.a, journal=device.journal)
    assert done == [("write", "client-A.key"), ("configure", 1)]
    assert device.identity(device.a) == 0


def test_a_setting_that_the_module_ignores_is_an_error(tmp_path, device):
    device.rig.module.quirks.ignored_options |= {"ignorestamp"}
    with pytest.raises(VerifyError, match="ignorestamp"):
        device.modem.sync(device.a, journal=device.journal)


def test_contexts_come_back_after_a_reboot_without_sync(device):
    device.modem.sync(device.a, journal=device.journal)
    device.rig.module.reboot()
    device.rig.clock.advance(5)
    assert device.identity(device.a) == 0


def test_a_reboot_in_the_middle_is_an_error_and_the_next_call_does_the_rest(device):
    device.rig.module.reply(b'AT+MSSLKEYWR="client-A.key"', None)
    module = device.rig.module
    execute = module._execute

    def rebooting(body):
        if body and b"client-A.key" in body and b"KEYWR" in body:
            module._execute = execute
            module._schedule(0.0, module.reboot)
            return
        execute(body)

    module._execute = rebooting
    with pytest.raises(ModemReset):
        device.modem.sync(device.a, journal=device.journal)
    device.modem.attach()
    done = device.modem.sync(device.a, journal=device.journal)
    assert done == [("write", "client-A.key"), ("configure", 1)]
    assert device.identity(device.a) == 0


@pytest.fixture
def nb(tmp_path):
    """MN316-S and a profile with a PSK."""
    (tmp_path / "psk").write_bytes(b"0123456789abcdef\n")
    wanted = {
        "objects": [{"name": "device", "kind": "psk", "source": str(tmp_path / "psk")}],
        "contexts": [{"ssl_id": 0, "auth": "none", "pskid": "device"}],
    }
    return wanted, str(tmp_path / "onemo.rotate"), tmp_path


@pytest.mark.parametrize("told", [True, False])
def test_psks(nb, told):
    wanted, journal, folder = nb
    with Rig("MN316-S", check_psk=told) as rig:
        rig.modem.start()
        assert rig.modem.sync(wanted, journal=journal) == [("write", "device"), ("configure", 0)]
        assert rig.module.store.psks == {"device": b"0123456789abcdef"}
        # Where the module gives no code for a PSK it cannot be compared: it is written again.
        assert rig.modem.sync(wanted, journal=journal) == ([] if told else [("write", "device")])
        (folder / "psk").write_bytes(b"0123456789abcdeF")
        assert rig.modem.sync(wanted, journal=journal) == [("write", "device")]
        assert rig.module.store.psks == {"device": b"0123456789abcdeF"}


def test_psks_where_there_are_none(nb):
    wanted, journal, _ = nb
    with Rig("ML307R") as rig:
        rig.modem.start()
        with pytest.raises(Unsupported):
            rig.modem.sync(wanted, journal=journal)
        assert not [line for line in rig.module.commands if b"MSSL" in line]


def test_a_volatile_model_that_has_lost_all(tmp_path, device):
    with Rig("MN316", newline_storage="lf") as rig:
        rig.modem.start()
        rig.modem.sync(device.a, journal=device.journal)
        rig.module.deep_sleep()
        done = rig.modem.sync(device.a, journal=device.journal)
        assert len(done) == 4
        assert rig.module.store.objects == stored(device.a)
        rig.module.deep_sleep()
        rig.modem.restore()
        assert rig.module.store.objects == stored(device.a)


def test_what_a_sync_found_comes_back_from_deep_sleep_too(tmp_path, device):
    (tmp_path / "psk").write_bytes(b"0123456789abcdef\n")
    psk = {"name": "device", "kind": "psk", "source": str(tmp_path / "psk")}
    wanted = {**device.a, "objects": [*device.a["objects"], psk]}
    with Rig("MN316", newline_storage="lf", check_psk=True) as rig:
        rig.modem.start()
        rig.modem.sync(wanted, journal=device.journal)
        before = dict(rig.module.store.objects)
        assert len(before) == 4
        modem = rig.new_driver()  # the host was reset, the module was not
        modem.start()
        assert modem.sync(wanted, journal=device.journal) == []
        rig.module.deep_sleep()
        modem.restore()
        assert rig.module.store.objects == before


@pytest.mark.parametrize("refusals", [0, 1])
def test_what_was_removed_on_purpose_does_not_come_back_from_deep_sleep(device, refusals):
    with Rig("MN316", newline_storage="lf") as rig:
        rig.modem.start()
        rig.modem.sync(device.a, journal=device.journal)
        rig.module.reply(b"AT+MSSLRM", b"+CME ERROR: 750", times=refusals)
        rig.modem.sync(device.b, remove_foreign=True, journal=device.journal)
        rig.module.deep_sleep()
        rig.modem.restore()
        assert rig.module.store.objects == stored(device.b)


@pytest.mark.parametrize("stream", [True, False])
def test_a_psk_is_read_from_its_beginning_without_line_ends(nb, stream):
    wanted, journal, folder = nb
    (folder / "psk").write_bytes(b"0123456789abcdeX\r\n\n")
    if stream:
        wanted["objects"][0]["source"] = io.BytesIO((folder / "psk").read_bytes())
    with Rig("MN316-S", check_psk=True) as rig:
        rig.modem.start()
        for done in ([("write", "device"), ("configure", 0)], []):
            assert rig.modem.sync(wanted, journal=journal) == done
        assert rig.module.store.psks == {"device": b"0123456789abcdeX"}


@pytest.mark.parametrize("gone", [False, True])
def test_a_connection_of_before_the_hosts_reset_is_closed_for_a_removal(device, gone):
    device.modem.sync(device.a, journal=device.journal)
    device.modem.connect(HOST, PORT, device.modem.tls(1))
    modem = device.rig.new_driver()
    modem.start()
    module = device.rig.module
    module.reply(b'AT+MSSLRM="ca-A.pem"', b"+CME ERROR: 750")
    feed = device.rig.line.feed

    def listen(data):
        if gone and b"MIPCLOSE" in bytes(data):
            module.store.objects.pop((1, "ca-A.pem"), None)
        return feed(data)

    device.rig.line.feed = listen
    module.commands.clear()
    modem.sync(device.b, remove_foreign=True, journal=device.journal)
    closed = [line for line in module.commands if b"MIPCLOSE" in line.upper()]
    assert closed == [b"AT+MIPCLOSE=%d" % number for number in range(6)]
    assert module.store.objects == stored(device.b)


def test_a_removal_that_is_refused_closes_none_of_our_connections(device):
    device.modem.sync(device.a, journal=device.journal)
    device.modem.connect(HOST, PORT, device.modem.tls(1))
    device.rig.module.reply(b'AT+MSSLRM="foreign.pem"', b"+CME ERROR: 750")
    with pytest.raises(CommandError):
        device.modem.sync(device.a, remove_foreign=True, journal=device.journal)
    assert not [line for line in device.rig.module.commands if b"MIPCLOSE" in line]


def test_a_series_that_no_reboot_ends_is_an_error(device, monkeypatch):
    module = device.rig.module
    reboot = module.reboot

    def stuck(*arguments, **settings):
        reboot(*arguments, **settings)
        module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: 765", times=None)

    monkeypatch.setattr(module, "reboot", stuck)
    module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: 765", times=None)
    boots = module.boots
    with pytest.raises(CommandError) as caught:
        device.modem.sync(device.a, journal=device.journal)
    assert caught.value.code == 765
    assert module.boots == boots + 2  # one for either of its attempts
