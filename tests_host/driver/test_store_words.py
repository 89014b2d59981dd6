# SPDX-License-Identifier: MIT
"""The store's commands to the letter, its errors to the word, its waits to the millisecond."""

import io

import pytest
from onemo import CERT, KEY, PSK, SHA1, cert_upload
from onemo.errors import CommandError, ModemReset, ProtocolError, Timeout, Unsupported, VerifyError
from onemo_simulator import Fault

from .conftest import Tape, md5, pem


def commands(rig, work):
    """What was sent while that was done."""
    before = len(rig.module.commands)
    work()
    return [bytes(line) for line in rig.module.commands[before:]]


def error(kind, work):
    """What is said."""
    with pytest.raises(kind) as caught:
        work()
    return str(caught.value)


def silence(rig):
    """From now on nothing of what the module says arrives."""
    rig.line.add(Fault("drop", "<", rig.line.counts["<"], count=100000))


# To the letter


def test_a_certificate_in_packets(rigs, manual_ca):
    rig = rigs(driver={"packet": 500})
    assert commands(rig, lambda: rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))) == [
        b"AT+MSSLLIST=1",
        b"AT+MSSLLIST=2",
        b'AT+MSSLCERTWR="ca.pem",761,500',
        b'AT+MSSLCERTWR="ca.pem",261,500',
        b'AT+MSSLCERTWR="ca.pem",0,261',
        b'AT+MSSLCHECK="ca.pem"',
    ]
    assert commands(rig, lambda: rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))) == [
        b"AT+MSSLLIST=1",
        b"AT+MSSLLIST=2",
        b'AT+MSSLCHECK="ca.pem"',
    ]
    assert rig.modem.certs.newline is None  # that is inline models'


def test_a_key_in_place_of_another(rig, manual_key):
    rig.modem.certs.write("a.key", io.BytesIO(pem(200, "PRIVATE KEY")), KEY)
    work = lambda: rig.modem.certs.write("a.key", io.BytesIO(manual_key), KEY)  # noqa: E731
    assert commands(rig, work) == [
        b"AT+MSSLLIST=1",
        b"AT+MSSLLIST=2",
        b'AT+MSSLRM="a.key"',
        b"AT+MSSLLIST=2",
        b"AT+MSSLLIST=1",
        b'AT+MSSLKEYWR="a.key",0,1674',
        b'AT+MSSLCHECK="a.key"',
    ]


def test_everything_else(rig, manual_ca):
    certs = rig.modem.certs
    certs.write("ca.pem", io.BytesIO(manual_ca))
    assert commands(rig, lambda: certs.list(PSK)) == [b"AT+MSSLLIST=3", b"AT+CMEE?"]
    assert commands(rig, certs.list) == [b"AT+MSSLLIST=1", b"AT+CMEE?"]  # was it all of it?
    assert commands(rig, lambda: certs.digest("ca.pem")) == [b'AT+MSSLCHECK="ca.pem"']
    assert commands(rig, lambda: certs.read("ca.pem", io.BytesIO())) == [
        b"AT+MSSLLIST=1",
        b'AT+MSSLCERTRD="ca.pem"',
    ]
    assert commands(rig, lambda: certs.remove("ca.pem")) == [
        b"AT+MSSLLIST=2",
        b"AT+MSSLLIST=1",
        b'AT+MSSLRM="ca.pem"',
        b"AT+MSSLLIST=2",
        b"AT+MSSLLIST=1",
    ]


def test_a_psk(rigs):
    rig = rigs("MN316")
    assert rig.modem.certs.psk_verified is None
    assert rig.modem.certs.uploader()._encoding_sent is None
    assert commands(rig, lambda: rig.modem.certs.write_psk("id", "0123456789abcdef")) == [
        b"AT+MSSLLIST=3",
        b'AT+MSSLPSK="id","0123456789abcdef"',
        b'AT+MSSLCHECK="id"',
    ]


# To the word: what a caller got wrong


@pytest.mark.parametrize("method", ["write", "read", "remove", "digest"])
def test_a_bad_name(rig, method):
    more = {"write": (io.BytesIO(),), "read": (io.BytesIO(),)}.get(method, ())
    said = error(ValueError, lambda: getattr(rig.modem.certs, method)("", *more))
    assert said == "name '' has 0 characters; the module takes 1 to 64"


def test_bad_numbers(rig, manual_ca):
    certs = rig.modem.certs
    assert error(ValueError, lambda: certs.list(4)) == "kind is 4; it must be 1 to 3"
    assert error(TypeError, lambda: certs.list("x")) == "kind must be an int, not str"
    assert error(ValueError, lambda: certs.digest("a", 4)) == "algorithm is 4; it must be 0 to 3"
    assert (
        error(TypeError, lambda: certs.digest("a", None))
        == "algorithm must be an int, not NoneType"
    )
    assert (
        error(Unsupported, lambda: certs.digest("a", SHA1))
        == "ML307R checks by MD5 only (manual 3.8, note 8)"
    )
    assert (
        error(ValueError, lambda: certs.write("a", io.BytesIO(manual_ca), 3))
        == "kind is 3; it must be CERT (1) or KEY (2), PSKs go through write_psk"
    )


def test_bad_sources(rig, manual_ca, tmp_path):
    write = rig.modem.certs.write
    path = str(tmp_path / "none.pem")
    with pytest.raises(OSError, match="cannot be opened") as caught:
        write("ca.pem", path)
    assert caught.value.args == (
        2,
        f"{path}, which is to be ca.pem, cannot be opened: is it there, and is the path right?",
    )
    assert (
        error(ValueError, lambda: write("ca.pem", io.BytesIO(manual_ca), size=1262))
        == "size is 1262, but the source of ca.pem has 1261 bytes"
    )
    assert (
        error(ValueError, lambda: write("ca.pem", Tape(manual_ca)))
        == "ca.pem needs size=, in bytes: its source cannot be rewound"
    )
    for size in (0, 8193):
        assert (
            error(ValueError, lambda size=size: write("ca.pem", Tape(manual_ca), size=size))
            == f"size is {size}; it must be 1 to 8192"
        )
    assert (
        error(ValueError, lambda: write("ca.pem", Tape(manual_ca[:500]), size=1261))
        == "the source of ca.pem ended before its 1261 bytes"
    )
    assert error(ValueError, lambda: write("ca.pem", io.BytesIO(b"x\n"))).startswith(
        "ca.pem: PEM refused at line 2: "
    )
    bad = manual_ca[:600] + b"\x00" + manual_ca[601:]
    assert error(ValueError, lambda: write("ca.pem", Tape(bad), size=len(bad))).startswith(
        "ca.pem: PEM refused at line 10: "
    )


def test_a_namesake(rig, manual_ca, manual_key):
    write = rig.modem.certs.write
    write("a", io.BytesIO(manual_ca), CERT)
    write("b", io.BytesIO(manual_key), KEY)
    assert (
        error(ValueError, lambda: write("a", io.BytesIO(manual_key), KEY))
        == "a is the name of a certificate already: give each its own name"
    )
    assert (
        error(ValueError, lambda: write("b", io.BytesIO(manual_ca), CERT))
        == "b is the name of a key already: give each its own name"
    )


# To the word: what the module got wrong


@pytest.mark.parametrize(("answer", "shown"), [(b"", "None"), (b"0" * 32, "0" * 32)])
def test_a_digest_that_is_not_ours(rig, manual_ca, answer, shown):
    line = b"+MSSLCHECK: " + answer + b"\r\n\r\n" if answer else b""
    rig.module.reply(b"AT+MSSLCHECK", line + b"OK")
    assert (
        error(VerifyError, lambda: rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)))
        == f"ca.pem: the module's digest is {shown}, not ours; "
        "the object was removed, write it again"
    )
    assert rig.modem.certs.list() == []


def test_ok_without_the_answer(rig):
    rig.module.reply(b"AT+MSSLC", b"OK", 2)
    assert rig.modem.certs.digest("ca.pem") is None
    sink = io.BytesIO()
    assert (
        error(ProtocolError, lambda: rig.modem.certs.read("ca.pem", sink))
        == 'AT+MSSLCERTRD="ca.pem": OK, but no data came'
    )


def test_an_empty_object_is_read(rig):
    rig.module.reply(b"AT+MSSLCERTRD", b"+MSSLCERTRD: 0,\r\n\r\nOK")
    assert rig.modem.certs.read("ca.pem", io.BytesIO()) == 0


def test_digests_are_told_in_small_letters(rig, manual_ca):
    code = md5(manual_ca)
    rig.module.reply(b"AT+MSSLCHECK", b'+MSSLCHECK: "%s"\r\n\r\nOK' % code.upper().encode())
    assert rig.modem.certs.digest("ca.pem") == code


def test_a_list_with_a_size_that_is_none(rig):
    rig.module.reply(b"AT+MSSLLIST", b'+MSSLLIST: "a",x\r\n+MSSLLIST: "b"\r\n\r\nOK')
    assert rig.modem.certs.list() == [("a", None), ("b", None)]


# What is left behind


def test_a_refused_write_leaves_nothing_to_be_removed_later(rig, manual_ca):
    certs = rig.modem.certs
    rig.module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: 50")
    with pytest.raises(CommandError):
        certs.write("ca.pem", io.BytesIO(manual_ca))
    assert b'AT+MSSLRM="ca.pem"' in rig.module.commands
    rig.module.reply(b"AT+CSQ", None)
    with pytest.raises(Timeout):
        rig.modem.command("+CSQ")
    assert not any(b"MSSLRM" in line for line in commands(rig, lambda: rig.modem.command("+CSQ")))


def test_a_write_that_succeeded_leaves_nothing_either(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(b"AT+CSQ", None)
    with pytest.raises(Timeout):
        rig.modem.command("+CSQ")
    assert not any(b"MSSLRM" in line for line in commands(rig, lambda: rig.modem.command("+CSQ")))


def test_a_write_that_broke_off_is_removed_before_the_next_command(rigs, manual_ca):
    rig = rigs(strict=False)

    def halt(done, total):
        rig.module.reboot()

    with pytest.raises((ModemReset, Timeout)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca), progress=halt)
    sent = commands(rig, lambda: rig.modem.command("+CSQ"))
    assert sent.index(b'AT+MSSLRM="ca.pem"') < sent.index(b"AT+CSQ")
    assert not any(b"MSSLRM" in line for line in commands(rig, lambda: rig.modem.command("+CSQ")))


def test_progress_is_told_when_left_overs_were_in_the_way(rig, manual_ca):
    told = []
    rig.module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: 763")
    rig.modem.certs.write(
        "ca.pem", io.BytesIO(manual_ca), progress=lambda *counts: told.append(counts)
    )
    assert told[-1] == (1261, 1261)


@pytest.mark.parametrize("end", ["right", "refused", "missing digest"])
def test_a_file_that_was_opened_is_closed(rig, manual_ca, tmp_path, monkeypatch, end):
    opened = []

    def watched(*arguments):
        opened.append(open(*arguments))
        return opened[-1]

    monkeypatch.setattr(cert_upload, "open", watched, raising=False)
    path = tmp_path / "ca.pem"
    path.write_bytes(manual_ca if end != "refused" else b"x")
    if end == "missing digest":
        rig.module.reply(b"AT+MSSLCHECK", b"OK")
    try:
        assert rig.modem.certs.write("ca.pem", str(path)) is True
    except (OSError, ValueError):
        assert end != "right"
    assert len(opened) == 1
    assert opened[0].closed


def test_a_stream_of_ones_own_stays_open(rig, manual_ca):
    stream = io.BytesIO(manual_ca)
    rig.modem.certs.write("ca.pem", stream)
    assert not stream.closed


# To the millisecond


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda certs: certs.list(), "AT+MSSLLIST=1: no answer within 10014 ms"),
        (lambda certs: certs.digest("a"), 'AT+MSSLCHECK="a": no answer within 10017 ms'),
        (lambda certs: certs.remove("a"), "AT+MSSLLIST=2: no answer within 10014 ms"),
        (
            lambda certs: certs.read("a", io.BytesIO()),
            "AT+MSSLLIST=1: no answer within 10014 ms",
        ),
        (
            lambda certs: certs.write("a", io.BytesIO(pem(100))),
            "AT+MSSLLIST=1: no answer within 10014 ms",
        ),
    ],
)
def test_waits_are_bounded(rigs, work, said):
    rig = rigs(baud=9600, driver={"baud": 9600}, strict=False)
    rig.module.reply(b"AT+MSSL", None)
    assert error(Timeout, lambda: work(rig.modem.certs)) == said


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        (b"AT+MSSLCERTWR", 'AT+MSSLCERTWR="a",0,1261: no prompt within 10026 ms'),
        (b"AT+MSSLCHECK", 'AT+MSSLCHECK="a": no answer within 10017 ms'),
    ],
)
def test_waits_of_a_write_are_bounded(rigs, manual_ca, prefix, said):
    rig = rigs(baud=9600, driver={"baud": 9600}, strict=False)
    rig.module.reply(prefix, None)
    assert error(Timeout, lambda: rig.modem.certs.write("a", io.BytesIO(manual_ca))) == said


def test_the_wait_for_a_packet_is_that_of_its_bytes_and_of_the_flash(rigs, manual_ca):
    rig = rigs(baud=9600, driver={"baud": 9600}, strict=False)

    def halt(done, total):
        if done == total:
            silence(rig)

    work = lambda: rig.modem.certs.write("a", io.BytesIO(manual_ca), progress=halt)  # noqa: E731
    assert error(Timeout, work) == 'AT+MSSLCERTWR="a",0,1261: no answer within 31313 ms'


def test_a_source_that_has_nothing_yet_is_waited_for_within_the_packets_time(rigs, manual_ca):
    class Slow(Tape):
        def readinto(self, buf):
            self.asked = getattr(self, "asked", 0) + 1
            return None if self.asked % 5 == 1 else super().readinto(buf)

    rig = rigs()
    assert rig.modem.certs.write("a", Slow(manual_ca), size=1261) is True

    rig = rigs(strict=False)

    class Stuck(Tape):
        def readinto(self, buf):
            silence(rig)

    began = rig.clock.now()
    said = error(Timeout, lambda: rig.modem.certs.write("a", Stuck(manual_ca), size=1261))
    assert said == 'AT+MSSLCERTWR="a",0,1261: no answer within 30109 ms'
    assert 30 <= rig.clock.now() - began < 32


def test_a_list_that_nothing_confirms_is_none(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(b"AT+CMEE?", None)
    with pytest.raises(ProtocolError, match="nothing confirms"):
        rig.modem.certs.list()
    assert rig.modem.certs.list() == [("ca.pem", len(manual_ca))]
