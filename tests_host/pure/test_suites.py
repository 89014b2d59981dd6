# SPDX-License-Identifier: MIT
"""suites: the appendix of the manual (5.1), and what of it is safe."""

import pytest
from onemo import suites

from tests_host.pure.manual import SUITES as TABLE


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
