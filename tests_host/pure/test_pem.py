# SPDX-License-Identifier: MIT
"""pem.Judge: what is refused and in which words."""

import pytest
from onemo import cert_pem
from onemo.cert_pem import CERT, KEY

from tests_host.pure.pem_files import (
    CERTIFICATE,
    EC,
    PARAMETERS,
    PKCS8,
    RSA,
    SMALLEST,
    block,
    judge,
)

GOOD = [
    pytest.param(SMALLEST, CERT, 1, id="the smallest, 58 bytes"),
    pytest.param(SMALLEST + b"\n", CERT, 1, id="final newline"),
    pytest.param(SMALLEST.replace(b"\n", b"\r\n"), CERT, 1, id="CR LF"),
    pytest.param(SMALLEST.replace(b"\n", b"\r\n") + b"\r", CERT, 1, id="CR at the very end"),
    pytest.param(CERTIFICATE * 3, CERT, 3, id="bundle"),
    pytest.param(CERTIFICATE + b"\r\n" + CERTIFICATE.replace(b"\n", b"\r\n"), CERT, 2, id="mixed"),
    pytest.param(
        b"\n\nSubject: C=BE, O=x\t(=/+-_)\n\n" + CERTIFICATE * 2, CERT, 2, id="text before"
    ),
    pytest.param(CERTIFICATE + b"# -----\n-- x\n-----------\nAAA=\n\n", CERT, 1, id="text behind"),
    pytest.param(CERTIFICATE + b"-" * 70 + b"\n" + CERTIFICATE, CERT, 2, id="a ruler between"),
    pytest.param(block("CERTIFICATE", b"A" * 4000), CERT, 1, id="one long line"),
    pytest.param(block("CERTIFICATE", b"A\nB\nC\nD"), CERT, 1, id="one character a line"),
    pytest.param(block("CERTIFICATE", b"AA=\n="), CERT, 1, id="padding over two lines"),
    pytest.param(PKCS8, KEY, 1, id="PKCS#8"),
    pytest.param(RSA, KEY, 1, id="RSA"),
    pytest.param(EC, KEY, 1, id="EC"),
    pytest.param(PARAMETERS + EC, KEY, 1, id="EC PARAMETERS before its key"),
    pytest.param(b"a comment\n" + PKCS8.rstrip(), KEY, 1, id="comment, no final newline"),
]


@pytest.mark.parametrize(("data", "kind", "blocks"), GOOD)
def test_good_files_pass(data, kind, blocks):
    it = judge(data, kind)
    assert not isinstance(it, str), it
    assert (it.blocks, it.size) == (blocks, len(data))


BAD = [
    pytest.param(b"", CERT, "file is empty", id="empty"),
    pytest.param(b"", KEY, "file is empty", id="empty key"),
    pytest.param(b"hello\n", CERT, "not PEM", id="text"),
    pytest.param(b"AAAA\n", KEY, "not PEM", id="bare base64"),
    pytest.param(b"0\x82\x05\x11\x30", CERT, "DER, not PEM", id="DER"),
    pytest.param(b"\x30\x77\x02\x01\x01", KEY, "DER, not PEM", id="short DER"),
    pytest.param(SMALLEST.decode().encode("utf-16"), CERT, "UTF-16", id="UTF-16 with BOM"),
    pytest.param(SMALLEST.decode().encode("utf-16-le"), CERT, "UTF-16", id="UTF-16 LE"),
    pytest.param(SMALLEST.decode().encode("utf-16-be"), CERT, "UTF-16", id="UTF-16 BE"),
    pytest.param(SMALLEST.decode().encode("utf-8-sig"), CERT, "byte order mark", id="BOM"),
    pytest.param(CERTIFICATE + b"\0", CERT, "binary", id="NUL behind"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"A\0A="), CERT, "binary", id="NUL within"),
    pytest.param("Müller\n".encode() + CERTIFICATE, CERT, "not printable ASCII", id="UTF-8 text"),
    pytest.param(b"\x1b[0m" + CERTIFICATE, CERT, "not printable ASCII", id="control character"),
    pytest.param(CERTIFICATE[:60], CERT, "cut short", id="cut in base64"),
    pytest.param(CERTIFICATE[:-28], CERT, "cut short", id="no END"),
    pytest.param(CERTIFICATE[:-8], CERT, "cut short", id="cut in END"),
    pytest.param(CERTIFICATE[:-2], CERT, "cut short", id="cut in END's dashes"),
    pytest.param(CERTIFICATE[:20], CERT, "cut short", id="cut in BEGIN"),
    pytest.param(CERTIFICATE[:-26] + CERTIFICATE, CERT, "cut short", id="BEGIN within a block"),
    pytest.param(CERTIFICATE[28:], CERT, "without its -----BEGIN", id="no BEGIN"),
    pytest.param(
        CERTIFICATE.replace(b"END C", b"END X509 C"), CERT, "-----END line is", id="labels"
    ),
    pytest.param(RSA.replace(b"END RSA", b"END EC"), KEY, "-----END line is", id="labels of keys"),
    pytest.param(SMALLEST.replace(b"E-----\nA", b"E-----\nA*A"), CERT, "base64 does not", id="*"),
    pytest.param(CERTIFICATE.replace(b"TUlJ", b"TU J", 1), CERT, "spaces count", id="space"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"-AA="), CERT, "base64 does not", id="dash first"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"-----AA="), CERT, "base64 does not", id="dashes"),
    pytest.param(SMALLEST.replace(b"AAAA", b"AAA"), CERT, "multiple of 4", id="three characters"),
    pytest.param(SMALLEST.replace(b"AAAA\n", b""), CERT, "multiple of 4", id="nothing inside"),
    pytest.param(SMALLEST.replace(b"AAAA", b"A==="), CERT, "padding", id="three pads"),
    pytest.param(SMALLEST.replace(b"AAAA", b"AA==\nAAAA"), CERT, "padding", id="pads, then more"),
    pytest.param(SMALLEST.replace(b"AAAA", b"AA=A"), CERT, "padding", id="pad within"),
    pytest.param(SMALLEST.replace(b"AAAA", b"AAAA\n\n"), CERT, "blank line", id="blank line"),
    pytest.param(
        SMALLEST.replace(b"--\n", b"-- \n"), CERT, "spaces behind", id="space behind BEGIN"
    ),
    pytest.param(
        CERTIFICATE.replace(b"TE-----", b"TE----", 1), CERT, "misspelt", id="four dashes"
    ),
    pytest.param(block("ENCRYPTED PRIVATE KEY"), KEY, "no passphrase", id="encrypted PKCS#8"),
    pytest.param(
        block("RSA PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"),
        KEY,
        "no passphrase",
        id="encrypted traditional",
    ),
    pytest.param(block("CERTIFICATE", b"Comment: x\n\nAAAA"), CERT, "a header", id="header"),
    pytest.param(block("PUBLIC KEY"), KEY, "a public key", id="public key"),
    pytest.param(block("RSA PUBLIC KEY"), CERT, "a public key", id="RSA public key"),
    pytest.param(block("CERTIFICATE REQUEST"), CERT, "certificate request", id="request"),
    pytest.param(block("NEW CERTIFICATE REQUEST"), KEY, "certificate request", id="new request"),
    pytest.param(block("X509 CRL"), CERT, "not this block", id="CRL"),
    pytest.param(block("OPENSSH PRIVATE KEY"), KEY, "not this block", id="OpenSSH key"),
    pytest.param(block("TRUSTED CERTIFICATE"), CERT, "not this block", id="trusted certificate"),
    pytest.param(block("L" * 90), CERT, "-----BEGIN line", id="endless label"),
    pytest.param(PKCS8, CERT, "private key where a certificate", id="key for certificate"),
    pytest.param(EC + CERTIFICATE, CERT, "private key where a certificate", id="key first"),
    pytest.param(
        block("ENCRYPTED PRIVATE KEY"), CERT, "private key where", id="encrypted for cert"
    ),
    pytest.param(CERTIFICATE + PKCS8, CERT, "also contains a private key", id="cert and key"),
    pytest.param(CERTIFICATE, KEY, "certificate where a private key", id="certificate for key"),
    pytest.param(RSA + CERTIFICATE, KEY, "also contains a certificate", id="key and cert"),
    pytest.param(RSA + EC, KEY, "second private key", id="two keys"),
    pytest.param(PARAMETERS, KEY, "EC PARAMETERS without", id="parameters alone"),
    pytest.param(PARAMETERS + RSA, KEY, "EC PARAMETERS without", id="parameters before RSA"),
    pytest.param(SMALLEST.replace(b"\n", b"\r"), CERT, "line ends", id="CR alone"),
    pytest.param(SMALLEST.replace(b"\n", b"\r\r\n"), CERT, "line ends", id="CR CR LF"),
]


@pytest.mark.parametrize(("data", "kind", "words"), BAD)
def test_bad_files_are_refused_in_words(data, kind, words):
    said = judge(data, kind)
    assert isinstance(said, str), "accepted"
    assert words in said
    assert ": " in said  # what is wrong, then what to do
    assert judge(data, kind, [1]) == said


def test_every_verdict_has_words_and_a_test():
    from onemo import cert_pem_faults

    met = set()
    for case in BAD:
        data, kind, _ = case.values
        it = cert_pem.PemScanner(kind)
        it.feed(data)
        with pytest.raises(ValueError, match="PEM refused"):
            it.finish()
        met.add(it.fault)
    too_long = cert_pem.PemScanner(CERT)
    too_long.feed(bytes(b"A" * 9000))
    assert met | {too_long.fault} == set(range(1, len(cert_pem_faults._TEXTS) + 1))


@pytest.mark.parametrize("fill", [b"\n", b"A"])
def test_8192_bytes_are_the_limit(fill):
    exact = CERTIFICATE + fill * (8192 - len(CERTIFICATE))
    it = judge(exact, CERT, [256])
    assert not isinstance(it, str)
    assert it.size == 8192
    for sizes in ([1], [256], [4096], [8193]):
        assert "longer than 8192" in judge(exact + fill, CERT, sizes)


def test_the_first_line_in_error_is_named():
    assert "line 3:" in judge(CERTIFICATE.replace(b"AAA=", b"A*A="), CERT)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"x\n-----BEGIN FOO-----\nAAAA\n", 2),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", 1),
        (b"x\n\n-----END CERTIFICATE-----\n", 3),
        (CERTIFICATE.replace(b"-----END", b"\n-----END"), len(CERTIFICATE.splitlines())),
        (CERTIFICATE.replace(b"AAA=", b"AAA"), len(CERTIFICATE.splitlines())),
    ],
)
def test_a_line_that_is_wrong_as_a_whole_is_the_one_that_is_named(data, line):
    for sizes in ([1], [4096]):
        assert f"at line {line}:" in judge(data, CERT, sizes)


def test_only_certificates_and_keys_can_be_judged():
    with pytest.raises(ValueError, match="kind 3"):
        cert_pem.PemScanner(3)
