# SPDX-License-Identifier: MIT
"""pem.Judge: what is refused and in which words."""

import re

import pytest
from onemo import cert_pem
from onemo.cert_pem import CERT, KEY

from tests_host.pure.der import base64_of
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
    pytest.param(block("CERTIFICATE", base64_of(4000)), CERT, 1, id="one long line"),
    pytest.param(
        block("CERTIFICATE", b"\n".join(bytes([c]) for c in base64_of(12))),
        CERT,
        1,
        id="one character a line",
    ),
    pytest.param(
        block("CERTIFICATE", base64_of(14, size=10) + b"=\n="),
        CERT,
        1,
        id="padding over two lines",
    ),
    pytest.param(PKCS8, KEY, 1, id="PKCS#8"),
    pytest.param(RSA, KEY, 1, id="RSA"),
    pytest.param(EC, KEY, 1, id="EC"),
    pytest.param(PARAMETERS + EC, KEY, 1, id="EC PARAMETERS before its key"),
    pytest.param(b"a comment\n" + PKCS8.rstrip(), KEY, 1, id="comment, no final newline"),
    pytest.param(b"\xef\xbb\xbf" + CERTIFICATE, CERT, 1, id="BOM"),
    pytest.param("# 中文\n".encode() + CERTIFICATE, CERT, 1, id="UTF-8 text"),
    pytest.param("# 中文\n".encode("gbk") + CERTIFICATE * 2, CERT, 2, id="GBK text"),
    pytest.param(b"\x1b[0m\n" + CERTIFICATE + b"\0", CERT, 1, id="control characters"),
    pytest.param(b'subject=O = "A, B"\r\n' + CERTIFICATE, CERT, 1, id="quotes"),
    pytest.param(CERTIFICATE.replace(b"\n", b" \n"), CERT, 1, id="a space at each line's end"),
    pytest.param(CERTIFICATE.replace(b"\n", b"\t \r\n") * 2, CERT, 2, id="tabs, CR LF"),
    pytest.param(CERTIFICATE.rstrip() + b"   ", CERT, 1, id="spaces at the very end"),
    pytest.param(CERTIFICATE + b"\n\n \n" + CERTIFICATE, CERT, 2, id="blank lines between"),
    pytest.param(b"x" * 9000 + b"\n" + CERTIFICATE, CERT, 1, id="much text"),
]


def blocks_of(data):
    """The blocks but EC PARAMETERS, with their line ends and without spaces before them."""
    found = re.findall(
        rb"(?s)-----BEGIN (?!EC PAR)[^\n]+\n.*?-----END [A-Z ]+-----(?:[ \t]*\r?\n|\r\Z)?", data
    )
    return re.sub(rb"[ \t]+(?=\r?(\n|\Z))", b"", b"".join(found))


@pytest.mark.parametrize(("data", "kind", "blocks"), GOOD)
def test_good_files_pass(data, kind, blocks):
    it = judge(data, kind)
    assert not isinstance(it, str), it
    assert (it.blocks, it.size) == (blocks, len(blocks_of(data)))
    assert judge(data, kind, [1]).size == it.size


SMALL = SMALLEST.splitlines()[1]

BAD = [
    pytest.param(b"", CERT, "file is empty", id="empty"),
    pytest.param(b"", KEY, "file is empty", id="empty key"),
    pytest.param(b"hello\n", CERT, "not PEM", id="text"),
    pytest.param(b"AAAA\n", KEY, "not PEM", id="bare base64"),
    pytest.param(b"0\x82\x05\x11\x30", CERT, "DER, not PEM", id="DER"),
    pytest.param(b"\x30\x81\x87\x02\x01\x00", KEY, "DER, not PEM", id="short DER"),
    pytest.param(b"\x30\x77\x02\x01\x01\x04", KEY, "DER, not PEM", id="an EC key's DER"),
    pytest.param(b"\x30\x82\x09\x41\x06\x09", CERT, "openssl pkcs7", id="PKCS#7 in DER"),
    pytest.param(b"\x30\x82\x09\x41\x02\x01\x03\x30", KEY, "PKCS#12", id="PKCS#12"),
    pytest.param(b"LS0tLS1CRUdJTiBDRVJUSUZJ\n", CERT, "base64 -d", id="base64 of PEM"),
    pytest.param(b'{"certificatePem": "-----BEGIN', CERT, "JSON", id="JSON"),
    pytest.param(b'"-----BEGIN CERTIFICATE-----\\nMII', CERT, "escaped", id="a JSON string"),
    pytest.param(b"'\n" + b"x\n'", CERT, "in quotes", id="quotes"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\\nMIIB\\n", CERT, "escaped", id="backslash n"),
    pytest.param(CERTIFICATE.replace(b"\n", b""), CERT, "all on one line", id="one line"),
    pytest.param(CERTIFICATE.replace(b"\n", b" "), CERT, "all on one line", id="spaces for lines"),
    pytest.param(
        b"".join(b"  " + line + b"\n" for line in CERTIFICATE.splitlines()),
        CERT,
        "indented",
        id="indented",
    ),
    pytest.param(CERTIFICATE.replace(b"\nAAA=", b"\n  AAA="), CERT, "indented", id="one line in"),
    pytest.param(
        CERTIFICATE.replace(b"-----END", b"----END"), CERT, "five dashes", id="END, four dashes"
    ),
    pytest.param(
        CERTIFICATE.replace(b"AAA=\n", b""), CERT, "a line may be lost", id="a line lost"
    ),
    pytest.param(block("CERTIFICATE", b"PLACEHOLDERX"), CERT, "is no DER", id="placeholder"),
    pytest.param(block("CERTIFICATE", base64_of(64, "PRIVATE KEY")), CERT, "inside", id="key in"),
    pytest.param(
        block("CERTIFICATE", base64_of(64, "CERTIFICATE REQUEST")), CERT, "request", id="CSR in"
    ),
    pytest.param(block("CERTIFICATE", base64_of(64, "PUBLIC KEY")), CERT, "public", id="SPKI in"),
    pytest.param(block("RSA PRIVATE KEY", base64_of(64, "EC PRIVATE KEY")), KEY, "an EC", id="EC"),
    pytest.param(block("PRIVATE KEY", base64_of(64)), KEY, "a certificate", id="cert in key"),
    pytest.param(
        CERTIFICATE.rstrip() + CERTIFICATE, CERT, "on the same line", id="joined END and BEGIN"
    ),
    pytest.param(block("PKCS7"), CERT, "PKCS#7", id="PKCS#7"),
    pytest.param(SMALLEST.decode().encode("utf-16"), CERT, "UTF-16", id="UTF-16 with BOM"),
    pytest.param(SMALLEST.decode().encode("utf-16-le"), CERT, "UTF-16", id="UTF-16 LE"),
    pytest.param(SMALLEST.decode().encode("utf-16-be"), CERT, "UTF-16", id="UTF-16 BE"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"A\0A="), CERT, "base64 does not", id="NUL within"),
    pytest.param(CERTIFICATE[:60], CERT, "cut short", id="cut in base64"),
    pytest.param(CERTIFICATE[:-28], CERT, "cut short", id="no END"),
    pytest.param(CERTIFICATE[:-8], CERT, "cut short", id="cut in END"),
    pytest.param(CERTIFICATE[:-2], CERT, "cut short", id="cut in END's dashes"),
    pytest.param(CERTIFICATE[:20], CERT, "cut short", id="cut in BEGIN"),
    pytest.param(
        CERTIFICATE[: CERTIFICATE.index(b"-----END")] + CERTIFICATE,
        CERT,
        "cut short",
        id="BEGIN within a block",
    ),
    pytest.param(CERTIFICATE[28:], CERT, "without its -----BEGIN", id="no BEGIN"),
    pytest.param(
        CERTIFICATE.replace(b"END C", b"END X509 C"), CERT, "-----END line is", id="labels"
    ),
    pytest.param(RSA.replace(b"END RSA", b"END EC"), KEY, "-----END line is", id="labels of keys"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"A*A="), CERT, "base64 does not", id="*"),
    pytest.param(CERTIFICATE.replace(b"MDAw", b"MD w", 1), CERT, "spaces within", id="space"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"-AA="), CERT, "base64 does not", id="dash first"),
    pytest.param(CERTIFICATE.replace(b"AAA=", b"-----AA="), CERT, "base64 does not", id="dashes"),
    pytest.param(SMALLEST.replace(SMALL, b"AAA"), CERT, "multiple of 4", id="three characters"),
    pytest.param(SMALLEST.replace(SMALL + b"\n", b""), CERT, "multiple of 4", id="nothing inside"),
    pytest.param(SMALLEST.replace(SMALL, b"A==="), CERT, "padding", id="three pads"),
    pytest.param(SMALLEST.replace(SMALL, b"AA==\nAAAA"), CERT, "padding", id="pads, then more"),
    pytest.param(SMALLEST.replace(SMALL, b"AA=A"), CERT, "padding", id="pad within"),
    pytest.param(SMALLEST.replace(SMALL, b"AAAA\n\n"), CERT, "blank line", id="blank line"),
    pytest.param(block("DSA PRIVATE KEY"), KEY, "not this block", id="DSA key"),
    pytest.param(
        CERTIFICATE.replace(b"CATE-----\nM", b"CATE -----\nM"), CERT, "misspelt", id="space"
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
    pytest.param(block("X509 CRL"), CERT, "revocation list", id="CRL"),
    pytest.param(block("OPENSSH PRIVATE KEY"), KEY, "ssh-keygen", id="OpenSSH key"),
    pytest.param(block("TRUSTED CERTIFICATE"), CERT, "own form", id="trusted certificate"),
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
        it.feed(bytearray(data))
        with pytest.raises(ValueError, match="PEM refused"):
            it.finish()
        met.add(it.fault)
    too_long = cert_pem.PemScanner(CERT)
    too_long.feed(bytearray(block("CERTIFICATE", base64_of(9000))))
    words = {n for n, text in enumerate(cert_pem_faults._TEXTS, 1) if text}
    assert met | {too_long.fault} == words


@pytest.mark.parametrize("around", [b"", b"# text\n" * 2000])
@pytest.mark.parametrize("sizes", [[1], [77], [256], [4096], [30000]])
def test_8192_bytes_of_blocks_are_the_limit(around, sizes):
    rest = 8192 - len(CERTIFICATE) - len(block("CERTIFICATE", b""))
    exact = CERTIFICATE + block("CERTIFICATE", base64_of(rest // 4 * 4))
    exact = exact.replace(b"\n", b"\r\n", 8192 - len(exact))
    assert len(exact) == 8192
    it = judge(around + exact + around, CERT, sizes)
    assert not isinstance(it, str), it
    assert it.size == 8192
    longer = exact[:-1] + (b"\r\n" if exact[-2:] != b"\r\n" else b"")
    assert len(longer) == 8193
    assert "longer than 8192" in judge(around + longer + around, CERT, sizes)


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
