# SPDX-License-Identifier: MIT
"""The certificate store: manual 3.2 to 3.9 golden vectors, and what is left open."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import pytest
from onemo_simulator import fill_store
from onemo_simulator.suites import SUITE_IDS

GOLDEN = "9e5e120bc7827646a0c4b007ec3e1453"


def escaped(data: bytes) -> str:
    return data.decode().replace("\r\n", "\n").replace("\n", "\\r\\n")


def test_the_manuals_own_objects(host, manual_key, manual_ca):
    assert (len(manual_key), len(manual_ca)) == (1674, 1261)
    assert hashlib.md5(manual_key).hexdigest() == GOLDEN
    assert host.write("test.key", manual_key, what="KEY") == [b"OK"]
    assert host.write("baidu.cer", manual_ca) == [b"OK"]
    answer = b"\r\n+MSSLCHECK: " + GOLDEN.encode() + b"\r\n\r\nOK\r\n"
    assert host.command('AT+MSSLCHECK="test.key"') == answer
    assert host.lines("AT+MSSLLIST=1") == [b'+MSSLLIST: "baidu.cer",1261', b"OK"]
    assert host.lines("AT+MSSLLIST=2") == [b'+MSSLLIST: "test.key",1674', b"OK"]
    assert host.lines("AT+MSSLLIST=3") == [b"OK"]
    read = host.command('AT+MSSLCERTRD="baidu.cer"')
    assert read == b"\r\n+MSSLCERTRD: 1261," + manual_ca + b"\r\n\r\nOK\r\n"
    assert host.code('AT+MSSLCERTRD="test.key"') == 766
    assert host.module.violations == []


@pytest.mark.parametrize("packet", [1, 63, 64, 1000, 2048, 8192])
def test_packets_of_every_size_give_the_same_object(host, manual_ca, packet):
    answers = host.write("a", manual_ca, packet)
    assert set(answers) == {b"OK"}
    assert host.module.store.certs == {"a": manual_ca}
    assert host.module.violations == []


def test_test_forms(host):
    assert host.lines("AT+MSSLCERTWR=?") == [b"OK"]
    assert host.lines("AT+MSSLKEYWR=?") == [b"OK"]
    assert host.lines("AT+MSSLCHECK=?") == [b"+MSSLCHECK: ,(0)", b"OK"]


@pytest.mark.parametrize(
    "command, code",
    [
        ('AT+MSSLCERTWR="a",0,0', 50),
        ('AT+MSSLCERTWR="a",0,8193', 768),
        ('AT+MSSLCERTWR="a",8192,1', 768),
        ('AT+MSSLCERTWR="a",-1,1', 50),
        ('AT+MSSLCERTWR="a",0', 50),
        ('AT+MSSLCERTWR="",0,1', 50),
        (f'AT+MSSLCERTWR="{"n" * 65}",0,1', 50),
        (f'AT+MSSLCERTRD="{"n" * 65}"', 50),
        (f'AT+MSSLCERTRD="{"n" * 64}"', 762),
        ('AT+MSSLCHECK="a"', 762),
        ('AT+MSSLCHECK="a",1', 50),
        ('AT+MSSLRM="a"', 762),
        ("AT+MSSLLIST=0", 50),
        ("AT+MSSLLIST=4", 50),
        ('AT+MSSLPSK="1","2345"', "ERROR"),
        ("AT+MSSLCERTWR", "ERROR"),
        ("AT+MSSLCIPHER", "ERROR"),
    ],
)
def test_refusals(host, command, code):
    assert host.code(command) == code


def test_names_of_64_bytes_and_objects_of_8192(host):
    name = "n" * 64
    assert host.write(name, b"x" * 8192, 2048) == [b"OK"] * 4
    assert host.lines("AT+MSSLLIST=1") == [f'+MSSLLIST: "{name}",8192'.encode(), b"OK"]


def test_while_a_series_is_open_others_have_to_wait(host):
    host.command('AT+MSSLCERTWR="a",5,5', 0.1)
    host.module.feed(b"12345")
    host.wait(1)
    assert host.code('AT+MSSLCERTWR="b",0,5') == 765
    assert host.code('AT+MSSLKEYWR="a",0,5') == 765
    assert host.code('AT+MSSLCHECK="a"') == 762
    assert host.lines("AT+MSSLLIST=1") == [b"OK"]
    assert host.code('AT+MSSLRM="a"') == 0
    assert host.write("b", b"12345") == [b"OK"]


@pytest.mark.parametrize("leaves, code", [(True, 765), (False, 0)])
def test_a_timed_out_packet_may_leave_its_series_open(make_host, leaves, code):
    host = make_host(data_timeout=1.0, abort_leaves_series=leaves)
    host.command('AT+MSSLCERTWR="a",0,5', 3)
    prompt = host.command('AT+MSSLCERTWR="b",0,5', 0.1)
    assert prompt == (b"\r\n>" if code == 0 else b"\r\n+CME ERROR: 765\r\n")


def test_a_series_may_end_by_itself_and_ends_with_a_reboot(make_host):
    host = make_host(series_timeout=60.0)
    host.command('AT+MSSLCERTWR="a",5,5', 0.1)
    host.module.feed(b"12345")
    host.wait(61)
    assert host.write("b", b"12345") == [b"OK"]
    host = make_host()
    host.command('AT+MSSLCERTWR="a",5,5', 0.1)
    host.module.feed(b"12345")
    host.wait(1)
    host.module.reboot()
    assert host.wait(5) == b"\r\n+MATREADY\r\n"
    assert host.write("b", b"12345") == [b"OK"]


def test_writing_again_replaces_or_763(make_host):
    host = make_host()
    host.write("a", b"old")
    assert host.write("a", b"newer") == [b"OK"]
    assert host.module.store.certs == {"a": b"newer"}
    host.command('AT+MSSLCERTWR="a",0,3', 0.1)
    assert host.module.store.certs == {}  # gone as soon as the writing begins (note 5)
    host = make_host(same_name="763")
    host.write("a", b"old")
    assert host.write("a", b"new") == [b"+CME ERROR: 763"]
    assert host.module.store.certs == {"a": b"old"}


def test_certificates_and_keys_of_one_name(make_host):
    host = make_host()
    host.write("a", b"cert")
    assert host.write("a", b"key", what="KEY") == [b"OK"]
    assert host.code('AT+MSSLRM="a"') == 0
    assert host.module.store.objects == {}
    host = make_host(cross_type="763")
    host.write("a", b"cert")
    assert host.write("a", b"key", what="KEY") == [b"+CME ERROR: 763"]


def test_a_full_store(make_host):
    host = make_host(store_capacity=1000)
    assert host.write("a", b"x" * 600) == [b"OK"]
    assert host.write("b", b"x" * 600) == [b"+CME ERROR: 764"]
    assert list(host.module.store.certs) == ["a"]
    host = make_host(store_full_code=768)
    fill_store(host.module)
    assert host.write("b", b"x") == [b"+CME ERROR: 768"]
    host = make_host(store_objects=1)
    host.write("a", b"x")
    assert host.write("b", b"x") == [b"+CME ERROR: 764"]


def test_bad_pem_is_noticed_at_write_if_asked(make_host, manual_ca, manual_key):
    host = make_host(pem_check="write")
    assert host.write("a", b"hello") == [b"+CME ERROR: 761"]
    assert host.write("a", manual_key) == [b"+CME ERROR: 761"]
    assert host.write("a", manual_ca[:-20]) == [b"+CME ERROR: 761"]
    assert host.write("a", manual_ca.replace(b"A", b"!", 1)) == [b"+CME ERROR: 761"]
    assert host.write("a", manual_ca * 2) == [b"OK"]
    assert host.write("k", manual_key, what="KEY") == [b"OK"]


def test_a_slow_flash(make_host):
    host = make_host(store_delay=8.0)
    host.command('AT+MSSLCERTWR="a",0,3', 0.1)
    host.module.feed(b"abc")
    assert host.wait(7.9) == b""
    assert host.wait(0.2) == b"\r\nOK\r\n"


def test_lists_without_quotes_and_reads_with_blank_lines(make_host):
    host = make_host(list_quotes=False, certrd_blank=3)
    host.write("a", b"abc")
    assert host.lines("AT+MSSLLIST=1") == [b"+MSSLLIST: a,3", b"OK"]
    answer = b"\r\n+MSSLCERTRD: 3,abc" + b"\r\n" * 3 + b"\r\n\r\nOK\r\n"
    assert host.command('AT+MSSLCERTRD="a"') == answer


@pytest.mark.parametrize("model", ["MN316", "MN316-S", "MN326"])
def test_nb_models_take_data_in_the_command_only(make_host, model, manual_ca):
    host = make_host(model, max_line=2000)
    assert host.code('AT+MSSLCERTWR="a",0,1261') == 50
    crlf = manual_ca.replace(b"\n", b"\r\n")
    assert host.code(f'AT+MSSLCERTWR="a",0,0,"{escaped(manual_ca)}"') == 0
    assert host.module.store.certs["a"] == crlf
    assert host.module.violations == []
    host = make_host(model, max_line=2000, newline_storage="lf", data_mode=True)
    host.code(f'AT+MSSLCERTWR="a",0,0,"{escaped(manual_ca)}"')
    assert host.module.store.certs["a"] == manual_ca
    assert host.write("b", manual_ca) == [b"OK"]


def test_inline_packets_in_a_series(make_host, manual_ca):
    for length in (0, 1):
        host = make_host("MN316")
        left = len(manual_ca)
        for at in range(0, len(manual_ca), 100):
            text = escaped(manual_ca[at : at + 100])
            left = max(0, len(manual_ca) - at - 100)
            if length:  # counted as typed, as the manual says; so is what remains
                size, left = len(text), len(escaped(manual_ca[at + 100 :]))
            else:
                size = 0
            assert host.code(f'AT+MSSLCERTWR="a",{left},{size},"{text}"') == 0
        assert host.module.store.certs["a"] == manual_ca.replace(b"\n", b"\r\n")
        assert host.module.violations == []


@pytest.mark.parametrize("unit, good, bad", [("typed", 8, 6), ("decoded", 6, 8)])
def test_inline_length_as_typed_or_decoded(make_host, unit, good, bad):
    host = make_host("MN316", inline_length=unit)
    assert host.code(f'AT+MSSLCERTWR="a",0,{bad},"AB\\r\\nCD"') == 50
    assert host.code(f'AT+MSSLCERTWR="a",0,{good},"AB\\r\\nCD"') == 0
    assert host.module.store.certs["a"] == b"AB\r\nCD"


def test_inline_hex_and_ascii_on_mn316_s(make_host):
    host = make_host("MN316-S")
    assert host.code('AT+MSSLCFG="encoding",0,1') == 0
    assert host.code('AT+MSSLKEYWR="k",0,3,"410a42"') == 0
    assert host.code('AT+MSSLKEYWR="k",0,6,"410a42"') == 50
    assert host.code('AT+MSSLKEYWR="k",0,0,"41g0"') == 50
    assert host.module.store.keys["k"] == b"A\nB"
    assert host.code('AT+MSSLCFG="encoding",0,0') == 0
    assert host.code('AT+MSSLKEYWR="k",0,4,"A\\nB"') == 0
    assert host.module.store.keys["k"] == b"A\\nB"


def test_inline_data_beyond_8192_is_too_large(make_host):
    host = make_host("MN316", max_line=20000)
    assert host.code(f'AT+MSSLCERTWR="a",0,0,"{"x" * 8193}"') == 768
    assert host.code(f'AT+MSSLCERTWR="a",0,0,"{"x" * 8192}"') == 0


def test_psk(make_host):
    host = make_host("MN316")
    assert host.code('AT+MSSLPSK="123","2345"') == 0
    assert host.lines("AT+MSSLLIST=3") == [b'+MSSLLIST: "123",4', b"OK"]
    md5 = hashlib.md5(b"2345").hexdigest().encode()
    assert host.lines('AT+MSSLCHECK="123"') == [b"+MSSLCHECK: " + md5, b"OK"]
    assert host.code('AT+MSSLCFG="psk",1,"123"') == 0
    assert host.lines('AT+MSSLCFG="psk",1') == [b'+MSSLCFG: "psk",1,"123"', b"OK"]
    assert host.code('AT+MSSLPSK="123","99"') == 0
    assert host.module.store.psks == {"123": b"99"}
    assert host.code('AT+MSSLRM="123"') == 0
    assert host.code('AT+MSSLPSK="123",""') == 50
    host = make_host("MN316", psk_repeat="763", check_psk=False, rm_psk=False)
    host.code('AT+MSSLPSK="123","2345"')
    assert host.code('AT+MSSLPSK="123","2345"') == 763
    assert host.code('AT+MSSLCHECK="123"') == 762
    assert host.code('AT+MSSLRM="123"') == 762


def test_all_four_check_codes_on_mn316_s(make_host):
    host = make_host("MN316-S")
    host.code('AT+MSSLCERTWR="a",0,0,"hello"')
    assert host.lines("AT+MSSLCHECK=?")[0] == b"+MSSLCHECK: ,(0,1,2,3)"
    codes = [host.lines(f'AT+MSSLCHECK="a",{n}')[0].split()[1].decode() for n in range(4)]
    assert codes == [
        hashlib.md5(b"hello").hexdigest(),
        hashlib.sha1(b"hello").hexdigest(),
        hashlib.sha256(b"hello").hexdigest(),
        f"{zlib.crc32(b'hello'):08x}",
    ]


def test_ciphers_are_the_appendix(host, make_host):
    line = host.lines("AT+MSSLCIPHER=?")[0].decode()
    assert line.startswith("+MSSLCIPHER: (0x01,0x02,") and line.endswith("0xCCAE)")
    listed = [int(text, 16) for text in re.findall(r"0x[0-9A-F]+", line)]
    table = (Path(__file__).parent.parent / "data" / "suites.txt").read_text()
    appendix = [
        int(text, 16) for text in re.findall(r"^(?:0x)?([0-9A-Fa-f]+)\s+TLS_", table, re.M)
    ]
    assert len(listed) == 207
    assert listed == appendix == list(SUITE_IDS)
    assert make_host("ML302S").code("AT+MSSLCIPHER=?") == "ERROR"


def test_damage_is_seen_by_the_check_code(host, manual_key):
    host.write("k", manual_key, what="KEY")
    host.module.store.damage("k", 100)
    assert GOLDEN.encode() not in host.command('AT+MSSLCHECK="k"')
    with pytest.raises(KeyError):
        host.module.store.damage("none")
