# SPDX-License-Identifier: MIT
"""codes: every code has a text and a remedy."""

import pytest
from onemo import error_texts

SSL = {50, *range(750, 755), *range(760, 770)}  # manual 5.2
SOCKETS = {*range(550, 563), *range(570, 573), *range(575, 578), *range(580, 583)}
SEEN = {-1, 1, 3, 10, 11, 12, 13, 14, 16}  # failed MIPOPENs; 3GPP TS 27.007, 9.2


def test_every_code_is_there_once():
    known = list(error_texts.every())
    assert len(known) == len(set(known)) == 16 + 22 + 9
    assert set(known) == SSL | SOCKETS | SEEN


@pytest.mark.parametrize("code", sorted(SSL | SOCKETS | SEEN))
def test_each_has_a_text_and_a_remedy(code):
    text, remedy = error_texts.describe(code)
    assert len(text) > 5
    assert len(remedy) > 10
    assert "|" not in text + remedy
    assert not remedy.endswith((".", " ")) and not text.endswith((".", " "))
    assert error_texts.explain(code) == f"{text}: {remedy}"


def test_texts_tell_codes_apart():
    texts = [error_texts.describe(code)[0] for code in error_texts.every()]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("code", "text", "remedy"),
    [
        (10, "no SIM", "insert"),
        (50, "parameter error", "manual"),
        (552, "id in use", "MIPCLOSE"),
        (575, "no APN", "apn="),
        (580, "host name", "DNS"),
        (752, "failed verification", "CA"),
        (753, "timed out", "negotime_s"),
        (754, "handshake failed", "ciphersuite"),
        (761, "invalid", "PEM"),
        (762, "no such", "certs.list"),
        (763, "name is taken", "certs.remove"),
        (768, "too large", "8192"),
        (-1, "no reason", "port"),
        (1, "NB", "certificates"),
    ],
)
def test_they_say_what_the_manual_says_and_what_to_do(code, text, remedy):
    said = error_texts.describe(code)
    assert text in said[0]
    assert remedy in said[1]


@pytest.mark.parametrize("code", [0, 2, 999, None, "752"])
def test_an_unknown_code_is_no_error_of_its_own(code):
    text, remedy = error_texts.describe(code)
    assert "unknown" in text
    assert "manual" in remedy
