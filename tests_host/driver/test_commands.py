# SPDX-License-Identifier: MIT
"""Every form of every command, and every way in which an answer ends."""

import hashlib
import io
import zlib

import pytest
from onemo import CERT, CRC, KEY, MD5, PSK, SHA1, SHA256
from onemo.errors import CommandError, Unsupported
from onemo_simulator import Fault
from onemo_simulator.suites import SUITE_IDS

from .conftest import md5, pem

GOLDEN = "9e5e120bc7827646a0c4b007ec3e1453"  # manual 3.8


# Test forms


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("+MSSLCERTWR=?", []),
        ("+MSSLKEYWR=?", []),
        ("+MSSLCHECK=?", [b"+MSSLCHECK: ,(0)"]),
        ("+MSSLLIST=?", [b"+MSSLLIST: (1-3)"]),
    ],
)
def test_test_forms(rig, text, answer):
    assert rig.modem.command(text) == answer


def test_the_test_form_of_mssl_cfg_lists_the_options(rigs):
    for series, options in (("ML307R", 9), ("MN316", 10)):
        lines = rigs(series).modem.command("+MSSLCFG=?")
        assert len(lines) == options
        assert all(line.startswith(b'+MSSLCFG: "') for line in lines)
        assert any(b'"psk"' in line for line in lines) is (series == "MN316")


@pytest.mark.parametrize("text", ["+MSSLCERTWR?", "+MSSLCFG?", "+MSSLCIPHER", "+MSSLCIPHER?"])
def test_forms_that_the_manual_lacks_are_plain_errors(rig, text):
    with pytest.raises(CommandError) as caught:
        rig.modem.command(text)
    assert caught.value.code is None
    assert caught.value.command == "AT" + text


# MSSLCHECK


@pytest.mark.parametrize("algorithm", [MD5, SHA1, SHA256, CRC])
def test_four_algorithms(rigs, manual_key, algorithm):
    rig = rigs("MN316-S", newline_storage="lf")
    rig.modem.certs.write("test.key", io.BytesIO(manual_key), KEY)
    code = {
        MD5: GOLDEN,
        SHA1: hashlib.sha1(manual_key).hexdigest(),
        SHA256: hashlib.sha256(manual_key).hexdigest(),
        CRC: f"{zlib.crc32(manual_key):08x}",
    }[algorithm]
    assert rig.modem.certs.digest("test.key", algorithm) == code
    tail = b",%d" % algorithm if algorithm else b""
    assert rig.module.commands[-1] == b'AT+MSSLCHECK="test.key"' + tail


@pytest.mark.parametrize(("series", "found"), [("MN316-S", [0, 1, 2, 3]), ("ML307R", [0])])
def test_its_test_form_with_the_odd_leading_comma(rigs, series, found):
    assert rigs(series).modem.certs.algorithms() == found


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (b"+MSSLCHECK: ,(0-3)", [0, 1, 2, 3]),
        (b"+MSSLCHECK: (0,1,2,3)", [0, 1, 2, 3]),
        (b"+MSSLCHECK:,(0-1,3)", [0, 1, 3]),
        (b"+MSSLCHECK: ,(0)", [0]),
        (b"+MSSLCHECK: ,()", []),
    ],
)
def test_other_spellings_of_that_list(rig, shown, found):
    rig.module.reply(b"AT+MSSLCHECK=?", shown + b"\r\n\r\nOK")
    assert rig.modem.certs.algorithms() == found


@pytest.mark.parametrize("algorithm", [SHA1, SHA256, CRC])
def test_algorithms_that_a_model_lacks(rig, algorithm):
    sent = rig.uart.bytes_written
    with pytest.raises(Unsupported, match="ML307R checks by MD5 only"):
        rig.modem.certs.digest("ca.pem", algorithm)
    for wrong, error in ((4, ValueError), (-1, ValueError), ("md5", TypeError)):
        with pytest.raises(error):
            rig.modem.certs.digest("ca.pem", wrong)
    assert rig.uart.bytes_written == sent


def test_a_digest_in_capitals_is_the_same(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(
        b"AT+MSSLCHECK", b"+MSSLCHECK: %s\r\n\r\nOK" % md5(manual_ca).upper().encode()
    )
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is False


# MSSLCIPHER: one line of 1.4 KB


@pytest.mark.parametrize("buffer", [32, 64, 256, 4096])
@pytest.mark.parametrize("short", [0.0, 0.6])
def test_all_ciphers_through_any_buffer(rigs, buffer, short):
    rig = rigs(driver={"buffer": buffer}, uart={"seed": 3, "short_reads": short})
    assert tuple(rig.modem.ciphers()) == tuple(SUITE_IDS)


@pytest.mark.parametrize("taken", [0, 1, 50, 206])
def test_left_half_way_the_channel_is_in_step(rigs, taken, manual_ca):
    rig = rigs()
    found = rig.modem.ciphers()
    assert [next(found) for _ in range(taken)] == list(SUITE_IDS[:taken])
    del found
    assert rig.modem.command("+CSQ")[0].startswith(b"+CSQ")
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    assert len(list(rig.modem.ciphers())) == 207


def test_two_lists_at_once_are_no_mixture(rig):
    first, second = rig.modem.ciphers(), rig.modem.ciphers()
    next(first)
    with pytest.raises(RuntimeError, match="under way"):
        next(second)
    assert len(list(first)) == len(SUITE_IDS) - 1


@pytest.mark.parametrize("shown", [b"(0x01,0x16,0x3D)", b"0x01, 0x16 ,0x3d", b"(1,16,3D)"])
def test_other_spellings_of_the_list(rig, shown):
    rig.module.reply(b"AT+MSSLCIPHER", b"+MSSLCIPHER: " + shown + b"\r\n\r\nOK")
    assert list(rig.modem.ciphers()) == [0x01, 0x16, 0x3D]


def test_the_line_is_not_collected(rig):
    most = 0
    for _ in rig.modem.ciphers():
        most = max(most, len(rig.modem.channel._rx))
    assert 0 < most < 500  # its line has 1.4 KB


# MSSLLIST


@pytest.mark.parametrize("quotes", [True, False])
@pytest.mark.parametrize("compact", [True, False])
def test_lists_of_a_hundred_of_each_kind(rigs, quotes, compact):
    rig = rigs("MN316", list_quotes=quotes, compact_lists=compact, store_objects=400)
    for kind, word in ((CERT, "certificate"), (KEY, "key"), (PSK, "psk")):
        for i in range(100):
            name = f"{word}-{i:02}".ljust(64, "x") if i % 10 == 0 else f"{word}-{i:02}"
            rig.module.store.objects[kind, name] = b"x" * (58 + i)
    for kind in (CERT, KEY, PSK):
        expected = [
            (name, len(data)) for (k, name), data in rig.module.store.objects.items() if k == kind
        ]
        assert len(expected) == 100
        assert rig.modem.certs.list(kind) == expected


@pytest.mark.parametrize("kind", [CERT, KEY, PSK])
def test_an_empty_list(rig, kind):
    assert rig.modem.certs.list(kind) == []


@pytest.mark.parametrize("kind", [0, 4, -1, "1", None])
def test_kinds_that_there_are_not(rig, kind):
    sent = rig.uart.bytes_written
    with pytest.raises((ValueError, TypeError), match="kind"):
        rig.modem.certs.list(kind)
    assert rig.uart.bytes_written == sent


def test_a_name_is_found_among_its_longer_likes(rigs):
    rig = rigs(list_quotes=False)
    for name in ("ca", "ca.pem.old", "xca.pem", "ca.pem2"):
        rig.module.store.objects[CERT, name] = pem(300)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(300))) is True
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(300))) is False


# How an answer ends (manual 2.2)


@pytest.mark.parametrize(
    ("final", "code", "says"),
    [
        (b"ERROR", None, "ERROR"),
        (b"+CME ERROR: 762", 762, "no such certificate"),
        (b"+ CME ERROR: 762", 762, "no such certificate"),  # as the manual prints it
        (b"+CME ERROR:762", 762, "no such certificate"),
        (b"+CME ERROR: CERTS/KEYS not exist", None, "CERTS/KEYS not exist"),
        (b"+CMS ERROR: operation not allowed", None, "operation not allowed"),
        (b"+CIS ERROR: Unknown", None, "Unknown"),
        (b"+CME ERROR: 99999", 99999, "unknown code"),
    ],
)
@pytest.mark.parametrize("method", ["digest", "remove", "read", "command"])
def test_every_final_result_ends_a_command(rig, method, final, code, says):
    certs = rig.modem.certs
    calls = {
        "digest": (certs.digest, "a.pem"),
        "remove": (certs.remove, "a.pem"),
        "read": (certs.read, "a.pem", io.BytesIO()),
        "command": (rig.modem.command, "+CSQ"),
    }
    run, *arguments = calls[method]
    rig.module.reply(b"AT+", final)
    began = rig.clock.now()
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert rig.clock.now() - began < 1
    assert caught.value.code == code
    assert says in str(caught.value)
    assert caught.value.command.startswith("AT+")
    assert rig.modem.command("+CSQ")[0].startswith(b"+CSQ")


def test_cmee_2_has_texts(rig):
    rig.modem.command("+CMEE=2")
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.digest("none.pem")
    assert caught.value.code is None
    assert str(caught.value) == 'AT+MSSLCHECK="none.pem": CERTS/KEYS not exist'


def test_cmee_0_has_nothing(rig):
    rig.modem.command("+CMEE=0")
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.digest("none.pem")
    assert caught.value.code is None
    assert str(caught.value) == 'AT+MSSLCHECK="none.pem": ERROR'


# Reading back


@pytest.mark.parametrize("blank", [0, 4])
@pytest.mark.parametrize("buffer", [32, 256])
def test_what_is_in_a_certificate_ends_no_answer(rigs, blank, buffer):
    content = b"OK\r\n\r\nERROR\r\n+CME ERROR: 50\r\n+MATREADY\r\n> \r\n+MSSLCERTRD: 3,abc\r\nOK"
    rig = rigs(certrd_blank=blank, driver={"buffer": buffer})
    rig.module.store.objects[CERT, "odd"] = content
    sink = io.BytesIO()
    assert rig.modem.certs.read("odd", sink) == len(content)
    assert sink.getvalue() == content
    assert rig.modem.command("+CSQ")


def test_a_urc_in_front_of_the_answer(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.urc(b'+MIPURC: "disconn",0,1', "answer")
    sink = io.BytesIO()
    rig.modem.certs.read("ca.pem", sink)
    assert sink.getvalue() == manual_ca


def test_a_removed_name_is_gone_and_a_missing_one_said(rig, manual_ca):
    certs = rig.modem.certs
    certs.write("ca.pem", io.BytesIO(manual_ca))
    assert certs.remove("ca.pem") is True
    assert certs.remove("ca.pem", missing_ok=True) is False
    with pytest.raises(CommandError, match="762"):
        certs.remove("ca.pem")


def test_a_bit_lost_in_a_settings_answer_is_no_crash(rig):
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem")
    for at in range(20, 60, 3):
        rig.line.add(Fault("corrupt", "<", rig.line.counts["<"] + at, mask=0x80))
        try:
            tls.read_all("ciphersuite")
        except OSError:
            pass
    assert rig.modem.command("+CSQ")
