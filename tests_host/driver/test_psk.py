# SPDX-License-Identifier: MIT
"""Pre-shared keys (manual 3.7), and secrets: no key and no PSK is ever shown."""

import io

import pytest
from onemo import AUTH_NONE, CERT, ESCAPED, HEX, KEY, PSK
from onemo.errors import CommandError, ModemError, ProtocolError, Timeout, Unsupported, VerifyError
from onemo_simulator import Fault

from .conftest import md5

NB = ("MN316", "MN316-S", "MN326")
SECRET = "pA55-w0rd/0123456789+abcdef"
ROOM = 1024 - len('AT+MSSLPSK="",""\r')  # for pskid and psk in the default line


@pytest.mark.parametrize("series", NB)
@pytest.mark.parametrize("psk", ["2", SECRET, SECRET.encode(), bytearray(b"bytes"), "x" * 500])
def test_a_psk_is_written_and_verified_by_its_digest(rigs, series, psk):
    rig = rigs(series)
    certs = rig.modem.certs
    assert certs.write_psk("123", psk) is True
    stored = psk.encode() if isinstance(psk, str) else bytes(psk)
    assert rig.module.store.psks == {"123": stored}
    assert certs.psk_verified == "MSSLCHECK"
    assert certs.list(PSK) == [("123", len(stored))]
    assert certs.digest("123") == md5(stored)
    assert certs.remove("123") is True
    assert certs.list(PSK) == []


@pytest.mark.parametrize("series", NB)
def test_it_is_verified_by_its_length_where_there_is_no_digest(rigs, series):
    rig = rigs(series, check_psk=False)
    rig.modem.certs.write_psk("123", SECRET)
    assert rig.modem.certs.psk_verified == "MSSLLIST"
    assert rig.module.store.psks == {"123": SECRET.encode()}


@pytest.mark.parametrize("quotes", [True, False])
@pytest.mark.parametrize("repeat", ["replace", "763"])
def test_the_same_id_again(rigs, repeat, quotes):
    rig = rigs("MN316", psk_repeat=repeat, list_quotes=quotes)
    for psk in ("first", "second", "second"):
        rig.modem.certs.write_psk("123", psk)
        assert rig.module.store.psks == {"123": psk.encode()}


def test_an_id_that_cannot_be_removed_nor_replaced(rigs):
    rig = rigs("MN316", psk_repeat="763", rm_psk=False)
    rig.modem.certs.write_psk("123", "first")
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.write_psk("123", "second")
    assert caught.value.code == 763
    assert rig.module.store.psks == {"123": b"first"}


def strays(modem):
    told = []
    modem.on_event(lambda kind, text: told.append(text) if kind == "stray" else None)
    return told


def test_what_an_unanswered_write_left_under_a_damaged_name_is_removed_by_the_next(rigs):
    rig = rigs("MN316")
    told = strays(rig.modem)
    rig.module.reply(b"AT+MSSLPSK", None)
    with pytest.raises(Timeout):
        rig.modem.certs.write_psk("meter", SECRET)
    rig.module.store.objects[PSK, "metr"] = SECRET.encode()
    rig.modem.certs.write_psk("meter", SECRET)
    assert rig.module.store.psks == {"meter": SECRET.encode()}
    assert told == [
        "meter was written under the name metr, which was damaged on the line; that was removed"
    ]


def test_a_name_that_nobody_can_have_given_is_removed_whatever_it_holds(rigs):
    rig = rigs("MN316", strict=False)  # no name has such a byte but by damage
    told = strays(rig.modem)
    rig.module.reply(b"AT+MSSLPSK", b"OK")
    rig.module.store.objects[PSK, "met\xe5r"] = b"damaged as well"
    with pytest.raises((CommandError, VerifyError)):
        rig.modem.certs.write_psk("meter", SECRET)
    assert rig.module.store.psks == {}
    assert told == [
        "meter was written under the name b'met\\xe5r', which was damaged on the line; that was "
        "removed"
    ]


@pytest.mark.parametrize("checked", [True, False])
def test_one_that_arrived_otherwise_is_removed(rigs, checked):
    rig = rigs("MN316", check_psk=checked, strict=False)
    at = rig.line.counts[">"] + len('AT+MSSLLIST=3\rAT+MSSLPSK="123","pA')
    kind = "corrupt" if checked else "drop"
    rig.line.add(Fault(kind, ">", at))
    with pytest.raises(VerifyError, match=r"PSK 123 .*removed") as caught:
        rig.modem.certs.write_psk("123", SECRET)
    assert SECRET[8:] not in str(caught.value)
    assert rig.module.store.psks == {}
    rig.modem.certs.write_psk("123", SECRET)
    assert rig.module.store.psks == {"123": SECRET.encode()}


@pytest.mark.parametrize(
    ("psk", "error"),
    [
        ("", ValueError),
        ('a"b', ValueError),
        ("a\nb", ValueError),
        ("a\rb", ValueError),
        ("a\\b", ValueError),
        ("\x00", ValueError),
        ("zz\x7f", ValueError),
        ("schlüssel", ValueError),
        (b"\xff\xfe", ValueError),
        ("x" * (ROOM - 2), ValueError),
        ("x" * 8193, ValueError),
        (None, TypeError),
        (12345, TypeError),
        (["a"], TypeError),
    ],
)
def test_bad_psks_are_refused_unseen(rigs, psk, error):
    rig = rigs("MN316")
    sent = rig.uart.bytes_written
    with pytest.raises(error) as caught:
        rig.modem.certs.write_psk("123", psk)
    assert rig.uart.bytes_written == sent
    if psk:
        assert str(psk) not in str(caught.value)


@pytest.mark.parametrize("pskid", ["", "i" * 65, 'a"b', "a\nb", "a,b", "é"])
def test_bad_ids_are_refused(rigs, pskid):
    rig = rigs("MN316")
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="pskid"):
        rig.modem.certs.write_psk(pskid, SECRET)
    with pytest.raises(ValueError, match="pskid"):
        rig.modem.tls(0).configure(AUTH_NONE, pskid=pskid)
    assert rig.uart.bytes_written == sent


def test_the_longest_psk_fills_the_line(rigs):
    rig = rigs("MN316", max_line=1023)
    rig.modem.certs.write_psk("123", "x" * (ROOM - 3))
    assert len(rig.module.store.psks["123"]) == ROOM - 3
    rig = rigs("MN316", max_line=8300, driver={"line": 8300})
    rig.modem.certs.write_psk("i" * 64, "x" * 8192)
    assert len(rig.module.store.psks["i" * 64]) == 8192


@pytest.mark.parametrize(
    "faults",
    [  # of the ten characters of the name
        [("corrupt", 2), ("corrupt", 9)],
        [("drop", 0), ("corrupt", 7)],
        [("duplicate", 4), ("drop", 9)],
        [("drop", 3), ("drop", 6)],
        [("duplicate", 1), ("duplicate", 8)],
    ],
)
def test_nothing_stays_under_a_name_that_was_damaged_twice(rigs, faults):
    rig = rigs("MN316", strict=False)
    rig.modem.certs.write_psk("meter-2024", "another one")
    # Behind the list of what is there and the command up to the name.
    begin = rig.line.counts[">"] + len("AT+MSSLLIST=3\r") + len('AT+MSSLPSK="')
    for kind, at in faults:
        rig.line.add(Fault(kind, ">", begin + at, mask=0x02))
    with pytest.raises(VerifyError, match="meter-2025"):
        rig.modem.certs.write_psk("meter-2025", SECRET)
    assert len(rig.line.struck) == 2
    assert list(rig.module.store.psks) == ["meter-2024"]


@pytest.mark.parametrize(
    ("psk", "sentence"),
    [
        ("", "psk has 0 bytes; the module takes 1 to 8192"),
        ("x" * 8193, "psk has 8193 bytes; the module takes 1 to 8192"),
        (
            "x" * (ROOM - 2),
            f"psk has {ROOM - 2} bytes, but the module's command line has room for {ROOM - 3}; "
            "raise Modem(line=...) if it takes more",
        ),
        *(
            (psk, "psk holds at 4 what cannot be written in a command; use printable ASCII "
            "without quote or backslash")
            for psk in ('key "', "key \\", b'key "', b"key \\", "key \x1f", "key \x7f", "key é")
        ),
    ],
)  # fmt: skip
def test_the_sentences_about_psks(rigs, psk, sentence):
    with pytest.raises(ValueError) as caught:
        rigs("MN316").modem.certs.write_psk("123", psk)
    assert str(caught.value) == sentence


def test_the_first_and_the_last_printable_character_are_fine(rigs):
    rig = rigs("MN316")
    rig.modem.certs.write_psk("123", " ~ ")
    assert rig.module.store.psks == {"123": b" ~ "}


def test_the_sentence_about_one_that_arrived_otherwise(rigs):
    rig = rigs("MN316", strict=False)
    at = rig.line.counts[">"] + len('AT+MSSLLIST=3\rAT+MSSLPSK="123","pA')
    rig.line.add(Fault("corrupt", ">", at))
    with pytest.raises(VerifyError) as caught:
        rig.modem.certs.write_psk("123", SECRET)
    assert str(caught.value) == (
        "PSK 123 is not in the module as it was sent, MSSLCHECK says; it was removed, write "
        "it again"
    )


@pytest.mark.parametrize(
    "codes",  # of MSSLCHECK's answers
    [(b"ERROR",), (b"+CME ERROR: 762", b"ERROR"), (b"+CME ERROR: 762", b"+CME ERROR: 50")],
)
def test_a_refused_check_removes_what_stands_under_a_damaged_name(rigs, codes):
    rig = rigs("MN316", strict=False)
    begin = rig.line.counts[">"] + len("AT+MSSLLIST=3\r") + len('AT+MSSLPSK="')
    rig.line.add(Fault("corrupt", ">", begin + 2))
    for code in codes:
        rig.module.reply(b'AT+MSSLCHECK="meter-2025"', code)
    with pytest.raises(CommandError):
        rig.modem.certs.write_psk("meter-2025", SECRET)
    assert rig.module.store.psks == {}


@pytest.mark.parametrize("between", [False, True])
def test_after_a_write_without_a_verdict_the_next_one_looks_for_it(rigs, between):
    rig = rigs("MN316", strict=False)
    certs = rig.modem.certs
    begin = rig.line.counts[">"] + len("AT+MSSLLIST=3\r") + len('AT+MSSLPSK="')
    rig.line.add(Fault("corrupt", ">", begin + 2))
    rig.module.reply(b"AT+MSSLCHECK", None)
    with pytest.raises(Timeout):
        certs.write_psk("meter-2025", SECRET)
    assert len(rig.module.store.psks) == 1
    if between:  # another name's write is no reason to forget it
        assert certs.list(PSK)
    certs.write_psk("meter-2025", SECRET)
    assert list(rig.module.store.psks) == ["meter-2025"]
    before = len(rig.module.commands)
    certs.write_psk("meter-2025", SECRET)  # which is no reason to look any more
    assert rig.module.commands[before:].count(b"AT+MSSLLIST=1") == 1  # for the removal


@pytest.mark.parametrize(
    "answers",
    [(b"OK",), (b"+CME ERROR: 762", b"OK"), (b"OK", b"OK", b"+CME ERROR: 762")],
)
def test_a_check_that_is_answered_without_a_code(rigs, answers):
    rig = rigs("MN316", strict=False)
    for answer in answers:
        rig.module.reply(b"AT+MSSLCHECK", answer)
    with pytest.raises(ProtocolError) as caught:
        rig.modem.certs.write_psk("123", SECRET)
    assert str(caught.value) == 'AT+MSSLCHECK="123" was answered without a code'


@pytest.mark.parametrize("series", ["ML302A", "ML307R", "ML307S"])
def test_4g_models_have_none(rigs, series):
    rig = rigs(series)
    sent = rig.uart.bytes_written
    with pytest.raises(Unsupported, match=f"{series} has no PSKs"):
        rig.modem.certs.write_psk("123", SECRET)
    with pytest.raises(Unsupported, match=f"{series} has no PSKs"):
        rig.modem.tls(0).configure(AUTH_NONE, pskid="123")
    with pytest.raises(Unsupported, match=f"{series} has no PSKs"):
        rig.modem.tls(0).read_all("psk")
    assert rig.uart.bytes_written == sent
    assert "pskid" in rig.modem.tls(0).read()


def test_a_context_is_bound_to_a_psk_and_freed_again(rigs):
    rig = rigs("MN316")
    tls = rig.modem.tls(1)
    tls.configure(AUTH_NONE, pskid="1")
    assert rig.module.contexts.get(1, "psk") == ("1",)
    assert tls.read()["pskid"] == "1"
    assert tls.read_all("psk") == [(0, None), (1, "1"), (2, None), (3, None), (4, None)]
    tls.configure(AUTH_NONE)
    assert tls.read()["pskid"] is None


# What must not be seen


@pytest.mark.parametrize(
    "plan",
    [None, b"ERROR", b"+CME ERROR: 764", b"+CME ERROR: CERTS/KEYS write error", "silent"],
)
@pytest.mark.parametrize("echo", [True, False])
def test_a_psk_is_in_no_trace_error_or_repr(rigs, plan, echo):
    seen = []
    rig = rigs(
        "MN316",
        strict=False,
        driver={"trace": lambda direction, data: seen.append(direction.encode() + data)},
    )
    rig.module.echo = echo
    if plan:
        rig.module.reply(b"AT+MSSLPSK", None if plan == "silent" else plan)
    error = None
    try:
        rig.modem.certs.write_psk("device", SECRET)
    except ModemError as caught:
        error = caught
        seen += [str(caught).encode(), repr(caught).encode(), str(caught.args).encode()]
        seen.append(getattr(caught, "command", "").encode())
    assert (error is None) == (plan is None)
    rig.modem.command("+CSQ")
    modem = rig.modem
    seen += [repr(thing).encode() for thing in (modem, modem.certs, modem.channel, modem.tls(0))]
    everything = b"\n".join(seen)
    assert b'>AT+MSSLPSK="device"' in everything
    assert b"+CSQ: " in everything  # what comes later is shown again
    for at in range(len(SECRET) - 7):
        assert SECRET[at : at + 8].encode() not in everything


@pytest.mark.parametrize(
    ("series", "fault"),
    [(series, fault) for series in ("MN316", "MN316-S") for fault in (None, "silent", "late")]
    + [("ML307R", None), ("ML307R", "silent")],
)
@pytest.mark.parametrize("encoding", [ESCAPED, HEX])
def test_a_key_is_in_no_trace_and_no_error(rigs, series, encoding, fault, manual_key):
    seen = []
    rig = rigs(
        series,
        strict=False,
        baud=9600,
        driver={"trace": lambda direction, data: seen.append(data), "baud": 9600},
        uart={"baud": 9600},
    )
    if series == "MN316-S":
        rig.modem.certs.encoding = encoding
    rig.module.echo = True
    if fault == "silent":
        rig.module.reply(b"AT+MSSLKEYWR", None)
    if fault == "late":
        rig.line.add(Fault("stall", ">", rig.line.counts[">"] + 300, seconds=50.0))
    try:
        rig.modem.certs.write("test.key", io.BytesIO(manual_key), KEY)
    except (Timeout, CommandError, VerifyError) as error:
        seen.append(repr(error).encode() + str(error).encode())
    for _ in range(4):
        try:
            rig.modem.command("+CSQ")
            break
        except Timeout:
            pass
    else:
        raise AssertionError("no answer any more")
    assert (CERT, "test.key") not in rig.module.store.objects
    everything = b"".join(seen)
    assert b"test.key" in everything
    body = manual_key.split(b"\n", 1)[1]
    for at in range(0, len(body) - 16, 8):
        piece = body[at : at + 16]
        if b"-----" not in piece:
            assert piece.split(b"\n")[0] not in everything or len(piece.split(b"\n")[0]) < 8
            assert piece.hex().encode() not in everything


def test_a_psk_that_is_there_after_its_removal_is_told(rigs):
    rig = rigs("MN316")
    rig.modem.certs.write_psk("123", "first")
    rig.module.reply(b"AT+MSSLRM", b"OK")  # said, and not done
    with pytest.raises(VerifyError) as caught:
        rig.modem.certs.remove("123")
    assert str(caught.value).startswith(
        "123 is still in the module, which answered OK to its removal"
    )
    assert rig.modem.certs.remove("123") is True
