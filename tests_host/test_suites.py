# SPDX-License-Identifier: MIT
"""suites: the appendix of the manual (5.1), what of it is safe, and what it costs on a board."""

import json
from pathlib import Path

import on_micropython
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo import suites

# Id and name, line by line as the manual's appendix prints them.
TABLE = {
    int(number, 16): name
    for number, name in (
        line.split()
        for line in (Path(__file__).parent / "data/suites.txt").read_text().splitlines()
    )
}


def test_every_suite_of_the_manual_and_no_other():
    assert len(TABLE) == 207
    assert list(suites.ids()) == sorted(TABLE)
    assert {number: suites.name(number) for number in suites.ids()} == TABLE
    assert {name: suites.id(name) for name in TABLE.values()} == {n: i for i, n in TABLE.items()}


def test_strength_follows_from_the_cipher():
    for number, name in TABLE.items():
        cipher = name.partition("_WITH_")[2]
        if any(part in cipher.split("_") for part in ("NULL", "RC4", "DES", "3DES", "MD5")):
            expected = "broken"
        elif "CBC" in cipher:
            expected = "legacy"
        else:
            assert any(part in cipher for part in ("GCM", "CCM", "CHACHA20"))
            expected = "sound"
        assert suites.strength(number) == expected, name


def test_forward_secrecy_follows_from_the_key_exchange():
    for number, name in TABLE.items():
        exchange = name.removeprefix("TLS_").partition("_WITH_")[0].split("_")[0]
        assert suites.forward_secret(number) == (exchange in ("DHE", "ECDHE", "ECJPAKE")), name


@pytest.mark.parametrize(
    ("name", "number", "strength", "forward_secret"),
    [
        ("TLS_RSA_WITH_NULL_MD5", 0x01, "broken", False),
        ("TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", 0x16, "broken", True),
        ("TLS_RSA_WITH_AES_256_CBC_SHA256", 0x3D, "legacy", False),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC02F, "sound", True),
        ("TLS_PSK_WITH_AES_128_CCM_8", 0xC0A8, "sound", False),
        ("TLS_ECJPAKE_WITH_AES_128_CCM_8", 0xC0FF, "sound", True),
        ("TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256", 0xCCAE, "sound", False),
    ],
)
def test_examples(name, number, strength, forward_secret):
    assert (suites.name(number), suites.id(name)) == (name, number)
    assert suites.strength(number) == strength
    assert suites.forward_secret(number) is forward_secret


@pytest.mark.parametrize("ask", [suites.name, suites.strength, suites.forward_secret])
def test_an_unknown_id_is_named_with_what_to_do(ask):
    for number in (0, 3, 0x1301, 0xC02F + 0x10000, 0xCD2F, -1):
        with pytest.raises(ValueError, match=rf"0x{number:X} .*ciphers"):
            ask(number)
    with pytest.raises(TypeError, match=r"'2D'.*int"):
        ask("2D")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "TLS_",
        "TLS_RSA_WITH_",
        "TLS__WITH_NULL_MD5",
        "TLS_PSK_WITH_NULL_MD5",
        "TLS_RSA_WITH_AES_128",
        "RSA_WITH_NULL_MD5",
        "tls_rsa_with_null_md5",
        "TLS_RSA PSK_WITH_NULL_SHA",
        "TLS_AES_128_GCM_SHA256",
    ],
)
def test_an_unknown_name_is_named_with_what_to_do(name):
    with pytest.raises(ValueError, match=r"manual 5\.1; modem\.ciphers") as error:
        suites.id(name)
    assert repr(name) in str(error.value)


@settings(deadline=None)
@given(st.integers(-70000, 70000))
def test_any_number_is_a_suite_of_the_table_or_refused(number):
    if number in TABLE:
        assert suites.name(number) == TABLE[number]
    else:
        with pytest.raises(ValueError, match="cipher suite"):
            suites.name(number)


MICROPYTHON = """
import gc, json, sys
import onemo
from onemo import at_channel
gc.collect()
empty = gc.mem_alloc()
from onemo import suites
gc.collect()
imported = gc.mem_alloc() - empty
before = gc.mem_alloc()
name = suites.name(0xC08A)
gc.collect()
kept = gc.mem_alloc() - before
gc.collect()
before = gc.mem_alloc()
gc.disable()
strength = suites.strength(0xC08A), suites.forward_secret(0xC08A)
churned = gc.mem_alloc() - before
gc.enable()
number = suites.id(name)
count = 0
for i in suites.ids():
    assert suites.id(suites.name(i)) == i
    count += 1
del suites, sys.modules["onemo.suites"], onemo.suites
gc.collect()
left = gc.mem_alloc() - empty
print(json.dumps([imported, kept, churned, left, name, number, count, list(strength)]))
"""


def test_on_micropython_it_is_small_and_can_be_dropped(tmp_path):
    lib = on_micropython.compiled(tmp_path, "suites", "at_channel", "at_syntax", "errors")
    flash = (tmp_path / "onemo" / "suites.mpy").stat().st_size
    imported, kept, churned, left, *facts = on_micropython.run(MICROPYTHON, lib=lib)
    assert facts == [TABLE[0xC08A], 0xC08A, 207, ["sound", True]]
    # Measured on 64 bit: 3185 bytes of flash; 4832 of heap while loaded, of which 864 (interned
    # names, which MicroPython never forgets) stay when it is dropped; a name 128, a strength none.
    found = json.dumps([flash, imported, kept, churned, left])
    assert flash < 3328, found
    assert kept <= 200, found
    assert churned <= 32, found
    assert imported < 5200, found
    assert left < 1200, found
