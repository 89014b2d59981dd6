# SPDX-License-Identifier: MIT
"""cert_pem.PemScanner: what is left of a file, what is refused, and in which words."""

import json
from base64 import b64encode

import pytest
from onemo import cert_pem
from onemo.cert_pem import CERT, KEY

from tests_host.pure.pem_files import (
    ATTRIBUTES,
    CERTIFICATE,
    CERTIFICATE_1,
    CERTIFICATE_1_SERIAL_0,
    CERTIFICATE_3,
    CRL_1,
    EC,
    ENCRYPTED,
    LONG_REQUEST,
    OID,
    PARAMETERS,
    PKCS7,
    PKCS8,
    PKCS12,
    PUBLIC,
    REQUEST,
    RSA,
    RSA_PUBLIC,
    SMALLEST,
    armour,
    block,
    case,
    cases,
    certificate,
    der,
    judge,
    kept,
    pkcs8,
    rsa,
    sec1,
    version_1,
)

CUTS = ([1], [7, 1, 30], [32], [77], [256], [20000])

# Files that are sent as they are

CRLF = CERTIFICATE.replace(b"\n", b"\r\n")
CLEAN = [
    pytest.param(SMALLEST, CERT, 1, id="the smallest"),
    pytest.param(SMALLEST + b"\n", CERT, 1, id="final newline"),
    pytest.param(SMALLEST.replace(b"\n", b"\r\n"), CERT, 1, id="CR LF"),
    pytest.param(SMALLEST.replace(b"\n", b"\r\n") + b"\r", CERT, 1, id="CR at the very end"),
    pytest.param(CERTIFICATE * 3, CERT, 3, id="bundle"),
    pytest.param(CERTIFICATE + CRLF + CERTIFICATE, CERT, 3, id="mixed line ends"),
    pytest.param(CRLF.replace(b"\r\n", b"\n", 2), CERT, 1, id="mixed in a block"),
    pytest.param(certificate(3000, 5000), CERT, 1, id="one long line"),
    pytest.param(certificate(54, 1), CERT, 1, id="one character a line"),
    pytest.param(certificate(54, 1).replace(b"\n", b"\r\n"), CERT, 1, id="likewise, CR LF"),
    pytest.param(certificate(53, 3).replace(b"==", b"=\n="), CERT, 1, id="padding on two lines"),
    *(pytest.param(certificate(size), CERT, 1, id=f"{size} bytes") for size in (0, 1, 2, 110)),
    *(pytest.param(certificate(size), CERT, 1, id=f"{size} bytes") for size in range(238, 260)),
    pytest.param(armour("CERTIFICATE", CERTIFICATE_3), CERT, 1, id="version 3"),
    pytest.param(armour("CERTIFICATE", CERTIFICATE_1), CERT, 1, id="version 1"),
    pytest.param(armour("CERTIFICATE", CERTIFICATE_1_SERIAL_0), CERT, 1, id="version 1, serial 0"),
    *(
        pytest.param(armour(label, form(size)), KEY, 1, id=f"{label} of {size}")
        for label, form in (("PRIVATE KEY", pkcs8), ("RSA PRIVATE KEY", rsa))
        for size in (1, 20, 100, 200, 300, 1200)
    ),
    *(pytest.param(armour("EC PRIVATE KEY", sec1(n)), KEY, 1, id=f"EC {n}") for n in (30, 130)),
    pytest.param(
        armour("PRIVATE KEY", der(b"\2\1\1" + der(b"\x06\x03\x2b\x65\x70") + b"\4\x22" * 20)),
        KEY,
        1,
        id="PKCS#8 of version 2",
    ),
]


@pytest.mark.parametrize("sizes", CUTS)
@pytest.mark.parametrize(("data", "kind", "blocks"), CLEAN)
def test_blocks_are_left_as_they_are(data, kind, blocks, sizes):
    it = judge(data, kind, sizes)
    assert not isinstance(it, str), it
    assert (it.blocks, it.size, it.kept) == (blocks, len(data), len(data))
    assert kept(data, kind, sizes) == data


# Files with something around their blocks

TEXT = [
    b"\n\n",
    b"\r\n \r\n",
    b"Subject: C=BE, O=x\t(=/+-_)\n\n",
    b'# Label: "root - R1"\n',
    "# 根证书,请勿删除\n".encode(),
    "# 根证书\r\n".encode("gbk"),
    "NetLock Arany (F\u0151tan\u00fas\u00edtv\u00e1ny)\n====\n".encode(),
    bytes(range(1, 10)) + bytes(range(11, 256)) + b"\n",
    b"\0" * 300 + b"\n",
    b"# -----\n-- x\n-----------\nAAA=\n\n",
    b"-" * 70 + b"\n",
    b"    friendlyName: device\nKey Attributes: <No Attributes>\n",
    b"x" * 5000 + b"\n",
    b"a\n" * 700,
    b"# the END of it, BEGIN here\n",
    b"\\n\\n 'quoted' \x1b[0m\n",
    b"\xef\xbc\x88\xef\xbc\x89\n",
]


@pytest.mark.parametrize("sizes", CUTS)
@pytest.mark.parametrize("text", TEXT)
def test_text_around_blocks_is_passed_over(text, sizes):
    assert kept(text + CERTIFICATE + text + CRLF + text, CERT, sizes) == CERTIFICATE + CRLF
    assert kept(text + PKCS8 + text[:-1], KEY, sizes) == PKCS8
    assert kept(text + EC.rstrip(), KEY, sizes) == EC.rstrip()


@pytest.mark.parametrize("sizes", CUTS)
@pytest.mark.parametrize("spaces", [b" ", b"\t", b"  \t ", b" " * 60])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_spaces_at_line_ends_are_passed_over(spaces, end, sizes):
    clean = (CERTIFICATE * 2).replace(b"\n", end)
    assert kept(clean.replace(end, spaces + end), CERT, sizes) == clean
    assert kept(CERTIFICATE.rstrip() + spaces, CERT, sizes) == CERTIFICATE.rstrip()


@pytest.mark.parametrize("sizes", CUTS)
def test_a_byte_order_mark_is_passed_over(sizes):
    mark = b"\xef\xbb\xbf"
    assert kept(mark + CERTIFICATE + mark + CERTIFICATE, CERT, sizes) == CERTIFICATE * 2
    assert kept(mark + b"text\n" + RSA, KEY, sizes) == RSA


@pytest.mark.parametrize("sizes", CUTS)
@pytest.mark.parametrize(
    "parameters",
    [PARAMETERS, PARAMETERS.replace(b"\n", b" \r\n"), block("EC PARAMETERS", b"MIH/")],
)
def test_parameters_before_their_key_are_passed_over(parameters, sizes):
    assert kept(parameters + EC, KEY, sizes) == EC
    assert kept(b"x\n" + parameters + b"\n" + EC, KEY, sizes) == EC


def padded(size: int, end: bytes = b"\n") -> bytes:
    """A chain whose blocks have exactly so many bytes: two certificates, the second one with as
    many short lines as it takes."""
    first = certificate(1500).replace(b"\n", end)
    for body in range((size - len(first)) * 3 // 4 - 120, 0, -1):
        text = certificate(body).replace(b"\n", end)
        missing = size - len(first) - len(text)
        if missing >= 0 and missing % len(end) == 0:
            lines = text.split(end)
            head, long, rest = lines[0], lines[1], lines[2:]
            parts = missing // len(end)
            if parts < 60:
                cut = [long[i : i + 1] for i in range(parts)] + [long[parts:]]
                return first + end.join([head, *cut, *rest])
    raise AssertionError(size)


@pytest.mark.parametrize("sizes", CUTS)
@pytest.mark.parametrize("text", [b"", b"# a comment\n", b"\n" * 3000, b"x" * 20000 + b"\n"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_limit_is_8192_bytes_of_blocks(text, end, sizes):
    exact = padded(8192, end)
    assert len(exact) == 8192
    assert kept(text + exact + text, CERT, sizes) == exact
    over = text + padded(8193 if end == b"\n" else 8194, end) + text
    assert judge(over, CERT, sizes).startswith("PEM refused: its blocks are longer than 8192 ")
    assert "longer than 8192" in judge(text + exact + text + CERTIFICATE, CERT, sizes)


def test_what_is_wrong_before_the_limit_is_told_first():
    for sizes in CUTS:
        assert "padding" in judge(
            CERTIFICATE.replace(b"Q=\n", b"=QQ\n") + padded(8192), CERT, sizes
        )
        assert "longer than" in judge(
            padded(8192) + CERTIFICATE.replace(b"\nM", b"\n*"), CERT, sizes
        )


def test_an_endless_source_ends():
    it = cert_pem.PemScanner(CERT)
    fed = 0
    while not it.fault:
        it.feed(bytearray(4096))
        fed += 4096
        assert fed < 2 << 20
    with pytest.raises(ValueError, match=r"^PEM refused: over 1 MB of text"):
        it.finish()


# Files that people have


@pytest.mark.parametrize("row", cases(), ids=lambda row: row["id"])
def test_files_that_people_have(row):
    data, kind = case(row)
    said = {
        judge(data, kind, sizes) for sizes in CUTS if isinstance(judge(data, kind, sizes), str)
    }
    if row["want"] == "refuse":
        assert said
    if row["want"] in ("accept", "warn"):
        assert not said
    if said:
        (words,) = said
        assert all(isinstance(judge(data, kind, sizes), str) for sizes in CUTS)
        assert any(word in words.lower() for word in row["message"])
    else:
        sent = {kept(data, kind, sizes) for sizes in CUTS}
        assert len(sent) == 1
        (blocks,) = sent
        assert blocks.startswith(b"-----BEGIN ")
        assert blocks.rstrip().endswith(b"-----")
        assert blocks.replace(b"\n", b"") in data.replace(b"\n", b"").replace(b" \r", b"").replace(
            b" -", b"-"
        ) or row["id"] in ("trailing-spaces-body", "x509-text-rsa4096-chain")


# Files that are refused

ONE_LINE = CERTIFICATE.replace(b"-----\nM", b"-----M").replace(b"\n-----E", b"-----E")
BODY = CERTIFICATE.split(b"\n")[1]
BAD = [
    pytest.param(b"", CERT, "file is empty", id="empty"),
    pytest.param(b"", KEY, "file is empty", id="empty key"),
    pytest.param(b"hello\n", CERT, "not PEM", id="text"),
    pytest.param(b"0\t2026\tx\n1\t2027\ty\n", CERT, "not PEM, there is no", id="a table"),
    pytest.param(b"MIIDTzCCAjegAwIB\nAAAA\n", KEY, "without its -----BEGIN", id="bare base64"),
    pytest.param(b"0\x82\x05\x11\x30", CERT, "DER, not PEM", id="DER"),
    pytest.param(b"\x30\x77\x02\x01\x01", KEY, "DER, not PEM", id="short DER"),
    pytest.param(CERTIFICATE_3 * 90, CERT, "DER, not PEM", id="DER over 8192 bytes"),
    pytest.param(PKCS12, CERT, "openssl pkcs12", id="PKCS#12"),
    pytest.param(der(b"\2\1\3" + bytes(3000)), KEY, "openssl pkcs12", id="long PKCS#12"),
    pytest.param(PKCS7, CERT, "openssl pkcs7", id="PKCS#7 in DER"),
    pytest.param(b"\xfe\xed\xfe\xed\0\0\0\2", CERT, "keytool", id="JKS"),
    pytest.param(SMALLEST.decode().encode("utf-16"), CERT, "UTF-16", id="UTF-16 with BOM"),
    pytest.param(SMALLEST.decode().encode("utf-16-le"), CERT, "UTF-16", id="UTF-16 LE"),
    pytest.param(SMALLEST.decode().encode("utf-16-be"), CERT, "UTF-16", id="UTF-16 BE"),
    pytest.param(b64encode(CERTIFICATE), CERT, "base64 -d", id="base64 of PEM"),
    pytest.param(b"\n" + b64encode(RSA), KEY, "base64 -d", id="base64 of a key"),
    pytest.param(
        armour("CERTIFICATE", CERTIFICATE), CERT, "base64 -d", id="base64 of PEM within PEM"
    ),
    pytest.param(
        json.dumps({"certificateArn": "arn", "certificatePem": CERTIFICATE.decode()}).encode(),
        CERT,
        "jq -r",
        id="JSON",
    ),
    pytest.param(json.dumps({"a": PKCS8.decode()}, indent=2).encode(), KEY, "jq -r", id="JSON 2"),
    pytest.param(json.dumps([CERTIFICATE.decode()]).encode(), CERT, "jq -r", id="JSON's list"),
    pytest.param(b"<!DOCTYPE html>\n<html>\n", CERT, "HTML", id="HTML"),
    pytest.param(b"PuTTY-User-Key-File-3: ecdsa\n", KEY, "puttygen", id="PuTTY"),
    pytest.param(b"ssh-rsa AAAAB3NzaC1yc2EA me@host\n", KEY, "a public key", id="ssh-rsa"),
    pytest.param(b"ecdsa-sha2-nistp256 AAAAE2Vj me\n", KEY, "a public key", id="ssh-ecdsa"),
    pytest.param(
        ("\ufeff" + "\u6839\u8bc1\u4e66" * 30).encode("utf-16-le"),
        CERT,
        "UTF-16",
        id="Chinese, LE",
    ),
    pytest.param(
        ("\ufeff" + "\u6839\u8bc1\u4e66" * 30).encode("utf-16-be"),
        CERT,
        "UTF-16",
        id="Chinese, BE",
    ),
    pytest.param(b" -----BEGIN CERTIFICATE-----", CERT, "indented", id="no more than a BEGIN"),
    pytest.param(CERTIFICATE.replace(b"\n", b"\\n"), CERT, "escaped", id="escaped"),
    pytest.param(CERTIFICATE.replace(b"\n", b"\\r\\n"), CERT, "escaped", id="escaped CR LF"),
    pytest.param(CERTIFICATE.replace(b"\n", b"\\n\n"), CERT, "escaped", id="escaped and broken"),
    pytest.param(RSA.replace(b"\n", b"\\n", 2), KEY, "escaped", id="escaped in part"),
    pytest.param(CERTIFICATE.replace(b"\n-----E", b"\\n-----E"), CERT, "escaped", id="one escape"),
    pytest.param(CERTIFICATE.replace(b"\n", b""), CERT, "one line", id="one line"),
    pytest.param(CERTIFICATE.replace(b"\n", b" "), CERT, "one line", id="one line of words"),
    pytest.param(ONE_LINE, CERT, "one line", id="BEGIN and base64"),
    pytest.param(CERTIFICATE.replace(b"\n-----E", b"-----E"), CERT, "a dash", id="base64 and END"),
    pytest.param(CERTIFICATE.rstrip() + CERTIFICATE, CERT, "same line", id="joined"),
    pytest.param(
        CERTIFICATE.rstrip() + b" " + CERTIFICATE, CERT, "same line", id="joined by space"
    ),
    pytest.param(
        b"".join(b'"%s\\n"\n' % line for line in CERTIFICATE.splitlines()),
        CERT,
        "in quotes",
        id="program text",
    ),
    pytest.param(b"const char ca[] = '" + CERTIFICATE, CERT, "in quotes", id="a quote in front"),
    pytest.param(CERTIFICATE.replace(b"-----\nM", b'-----"\nM'), CERT, "in quotes", id="behind"),
    pytest.param(CERTIFICATE.replace(b"-----\nM", b"-----,\nM"), CERT, "in quotes", id="comma"),
    pytest.param(b"\x7f" + CERTIFICATE, CERT, "does not begin its line", id="DEL in front"),
    pytest.param(
        CERTIFICATE.replace(b"\n", b"\n  ").join((b"  ", b"\n")), CERT, "indented", id="YAML"
    ),
    pytest.param(CERTIFICATE.replace(b"\n", b"\n\t"), CERT, "indented", id="tabs but the first"),
    pytest.param(
        CERTIFICATE + b"  " + CERTIFICATE.replace(b"\n", b"\n  "),
        CERT,
        "indented",
        id="second one",
    ),
    pytest.param(SMALLEST.replace(b"\n", b"\n \n"), CERT, "line of spaces", id="spaces alone"),
    pytest.param(b"ca: " + CERTIFICATE, CERT, "does not begin its line", id="behind a name"),
    pytest.param(b"L" + CERTIFICATE, CERT, "does not begin its line", id="behind a letter"),
    pytest.param(b"ca: " + CERTIFICATE[:40], CERT, "does not begin its line", id="that and cut"),
    pytest.param(CERTIFICATE.replace(b"AgEC", b"A\0EC"), CERT, "not printable ASCII", id="NUL"),
    pytest.param(
        CERTIFICATE.replace(b"AgEC", b"A\xe4EC"), CERT, "not printable ASCII", id="umlaut"
    ),
    pytest.param(CERTIFICATE[:60], CERT, "cut short", id="cut in base64"),
    pytest.param(CERTIFICATE[:-28], CERT, "cut short", id="no END"),
    pytest.param(CERTIFICATE[:-8], CERT, "cut short", id="cut in END"),
    pytest.param(CERTIFICATE[:-2], CERT, "cut short", id="cut in END's dashes"),
    pytest.param(CERTIFICATE[:20], CERT, "cut short", id="cut in BEGIN"),
    pytest.param(CERTIFICATE[:-26] + CERTIFICATE, CERT, "cut short", id="BEGIN within a block"),
    pytest.param(CERTIFICATE[28:], CERT, "without its -----BEGIN", id="no BEGIN"),
    pytest.param(CERTIFICATE[1:], CERT, "-----BEGIN line that is misspelt", id="BEGIN, 4 dashes"),
    pytest.param(
        CERTIFICATE.replace(b"END C", b"END X509 C"), CERT, "END line that is misspelt", id="label"
    ),
    pytest.param(
        CERTIFICATE.rstrip().replace(b"END C", b"END X509 C"),
        CERT,
        "END line that is misspelt",
        id="label in the last line, without its end",
    ),
    pytest.param(
        RSA.replace(b"END RSA PRIVATE KEY-----", b"END EC PRIVATE KEY-----x"),
        KEY,
        "END line that is misspelt",
        id="label, and more behind",
    ),
    pytest.param(
        CRLF.replace(b"END C", b"END X509 C"), CERT, "END line that is misspelt", id="label, CR LF"
    ),
    pytest.param(CERTIFICATE.replace(b"-----END", b"----END"), CERT, "END line that", id="4 END"),
    pytest.param(CERTIFICATE.replace(b"-----END", b"-----END "), CERT, "END line that", id="E  C"),
    pytest.param(RSA.replace(b"END RSA", b"END EC"), KEY, "not that of the", id="labels of keys"),
    pytest.param(EC.replace(b"END EC", b"END RSA"), KEY, "not that of the", id="END RSA"),
    pytest.param(EC.replace(b"END EC ", b"END "), KEY, "not that of the", id="END PRIVATE KEY"),
    pytest.param(
        EC.replace(b"END EC PRIVATE KEY", b"END CERTIFICATE"),
        KEY,
        "not that of the",
        id="END CERTIFICATE",
    ),
    pytest.param(CERTIFICATE.replace(b"AgEC", b"A*EC", 1), CERT, "base64 does not", id="*"),
    pytest.param(CERTIFICATE.replace(b"AgEC", b"A EC"), CERT, "spaces count", id="space"),
    pytest.param(CERTIFICATE.replace(b"AgEC", b"A_EC"), CERT, "base64url", id="base64url"),
    pytest.param(CERTIFICATE.replace(b"\nJ", b"\n-"), CERT, "base64 does not", id="dash first"),
    pytest.param(CERTIFICATE.replace(b"\nJ", b"\n-----A"), CERT, "base64 does not", id="dashes"),
    pytest.param(
        CERTIFICATE.replace(b"\nJ", b"\n-----BEGINJ"), CERT, "base64 does not", id="dashes, BEGIN"
    ),
    pytest.param(CERTIFICATE.replace(b"-----E", b"-----e"), CERT, "-----END line", id="small END"),
    pytest.param(
        CERTIFICATE.replace(b"-----END", b"END"), CERT, "-----END line", id="END, no dashes"
    ),
    pytest.param(
        CERTIFICATE.replace(b"-----END", "\u2014\u2014END".encode()),
        CERT,
        "long dashes",
        id="END, long dashes",
    ),
    pytest.param(
        CERTIFICATE.replace(b"Q=\n", b"Q\n"), CERT, "multiple of 4", id="three characters"
    ),
    pytest.param(block("CERTIFICATE", b"MAQwAqAD="), CERT, "multiple of 4", id="one pad more"),
    pytest.param(
        block("CERTIFICATE", b"").replace(b"\n\n", b"\n"), CERT, "without content", id="0"
    ),
    pytest.param(block("CERTIFICATE", b"A==="), CERT, "padding", id="three pads"),
    pytest.param(
        CERTIFICATE.replace(b"Q=\n", b"Q=\nAAAA\n"), CERT, "padding", id="pads, then more"
    ),
    pytest.param(CERTIFICATE.replace(b"AgEC", b"A=EC"), CERT, "padding", id="pad within"),
    pytest.param(CERTIFICATE.replace(b"\nJ", b"\n\nJ"), CERT, "blank line", id="blank line"),
    pytest.param(CRLF.replace(b"\nJ", b"\n\r\nJ"), CERT, "blank line", id="blank line, CR LF"),
    pytest.param(
        CERTIFICATE.replace(b"TE-----", b"TE----", 1), CERT, "misspelt", id="four dashes behind"
    ),
    pytest.param(
        CERTIFICATE.replace(b"TE-----", b"TE------", 1), CERT, "misspelt", id="six dashes behind"
    ),
    pytest.param(
        CERTIFICATE.replace(b"CATE---", b"CATE ---", 1), CERT, "misspelt", id="CERTIFICATE _"
    ),
    pytest.param(CERTIFICATE.replace(b"BEGIN C", b"BEGIN  C"), CERT, "misspelt", id="two spaces"),
    pytest.param(CERTIFICATE.replace(b"TE-", b"te-", 1), CERT, "misspelt", id="small letters"),
    pytest.param(block("ENCRYPTED PRIVATE KEY"), KEY, "no passphrase", id="encrypted PKCS#8"),
    pytest.param(
        block("RSA PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"),
        KEY,
        "no passphrase",
        id="encrypted traditional",
    ),
    pytest.param(block("CERTIFICATE", b"Comment: x\n\nAAAA"), CERT, "a header", id="header"),
    pytest.param(block("CERTIFICATE", b"A" * 23 + b": x"), CERT, "a header", id="long header"),
    pytest.param(
        block("CERTIFICATE", b"A" * 24 + b": x"), CERT, "base64 does not", id="no header"
    ),
    pytest.param(block("PUBLIC KEY"), KEY, "a public key", id="public key"),
    pytest.param(
        block("PUBLIC KEY").replace(b"\n", b"\r\n"), KEY, "a public key", id="public key, CR LF"
    ),
    pytest.param(block("RSA PUBLIC KEY"), CERT, "a public key", id="RSA public key"),
    pytest.param(block("CERTIFICATE REQUEST"), CERT, "certificate request", id="request"),
    pytest.param(block("NEW CERTIFICATE REQUEST"), KEY, "certificate request", id="new request"),
    pytest.param(block("X509 CRL"), CERT, "revocation list", id="CRL"),
    pytest.param(block("PKCS7"), CERT, "openssl pkcs7", id="PKCS#7"),
    pytest.param(block("CMS"), CERT, "openssl pkcs7", id="CMS"),
    pytest.param(block("OPENSSH PRIVATE KEY"), KEY, "ssh-keygen", id="OpenSSH key"),
    pytest.param(
        armour("PRIVATE KEY", b"openssh-key-v1\0" + bytes(50)),
        KEY,
        "ssh-keygen",
        id="OpenSSH, too",
    ),
    pytest.param(block("DSA PRIVATE KEY"), KEY, "not this block", id="DSA key"),
    pytest.param(block("TRUSTED CERTIFICATE"), CERT, "openssl x509", id="trusted certificate"),
    pytest.param(block("X509 CERTIFICATE"), CERT, "openssl x509", id="X509 certificate"),
    pytest.param(block("TRUSTED CERTIFICATE"), KEY, "a certificate where", id="trusted for key"),
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
    pytest.param(CERTIFICATE.replace(b"AgEC", b"A\rEC"), CERT, "line ends", id="CR within"),
    pytest.param(block("CERTIFICATE", BODY[:64]), CERT, "line may be lost", id="no last line"),
    pytest.param(
        CERTIFICATE.replace(BODY, BODY + b"\n" + BODY), CERT, "lost or doubled", id="a line twice"
    ),
    pytest.param(block("CERTIFICATE", b"YOURCERTIFICATE="), CERT, "no DER", id="placeholder"),
    pytest.param(CERTIFICATE.replace(b"\nM", b"\nN", 1), CERT, "no DER", id="first character"),
    pytest.param(block("PRIVATE KEY", b"MIQAAAAA"), KEY, "no DER", id="a length of 4 bytes"),
    pytest.param(block("PRIVATE KEY", b"MIAAAAAA"), KEY, "no DER", id="no length"),
    pytest.param(armour("CERTIFICATE", der(b"")), CERT, "inside is something else", id="30 00"),
]


@pytest.mark.parametrize(("data", "kind", "words"), BAD)
def test_bad_files_are_refused_in_words(data, kind, words):
    said = judge(data, kind)
    assert isinstance(said, str), "accepted"
    assert words in said
    assert ": " in said  # what is wrong, then what to do
    for sizes in CUTS:
        assert judge(data, kind, sizes) == said


REQUESTED = ("a certificate request: ", "a certificate, a request or a revocation list: ")
INSIDE = {  # and how what it is called begins
    "CERTIFICATE": (CERTIFICATE_3, "a certificate: "),
    "PRIVATE KEY": (pkcs8(40), "a private key (PKCS#8), whose label is PRIVATE KEY: "),
    "long PRIVATE KEY": (pkcs8(1400), "a private key (PKCS#8), whose label is PRIVATE KEY: "),
    "RSA PRIVATE KEY": (rsa(600), "an RSA private key, whose label is RSA PRIVATE KEY: "),
    "EC PRIVATE KEY": (sec1(80), "an EC private key, whose label is EC PRIVATE KEY: "),
    "CERTIFICATE REQUEST": (REQUEST, REQUESTED),
    "long CERTIFICATE REQUEST": (LONG_REQUEST, REQUESTED),
    "ATTRIBUTE CERTIFICATE": (ATTRIBUTES, ("something else, ", "a certificate, a request or ")),
    "X509 CRL": (CRL_1, "a certificate revocation list (CRL): "),
    "PUBLIC KEY": (PUBLIC, "a public key: "),
    "RSA PUBLIC KEY": (RSA_PUBLIC, "an RSA public key: "),
    "ENCRYPTED PRIVATE KEY": (ENCRYPTED, "an encrypted private key: "),
    "NO KEY": (der(b"\2\1\0\5\0" + bytes(40)), "something else, no DER of a certificate or key: "),
    "NO VERSION": (der(b"\2\1\7" + der(OID) + bytes(40)), "something else, no DER of a "),
    "PKCS12": (PKCS12, "PKCS#12: "),
    "PKCS7": (PKCS7, "PKCS#7: "),
}


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize(
    "label", ["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]
)
def test_what_is_inside_is_looked_at(label, inside):
    content, name = INSIDE[inside]
    kind = CERT if label == "CERTIFICATE" else KEY
    for width in (64, 5):
        it = judge(armour(label, content, width), kind)
        if inside.removeprefix("long ") == label:
            assert not isinstance(it, str), it
        else:
            assert f"the label says {label}, inside is " in it
            assert it.partition("inside is ")[2].startswith(name)
            assert judge(armour(label, content, width), kind, [1]) == it


@pytest.mark.parametrize("size", [*range(100, 128), *range(230, 256)])
def test_what_is_inside_is_known_at_every_length_of_its_length(size):
    # Of a SEQUENCE it has one byte below 128, two below 256, then three.
    assert "PRIVATE KEY: " in judge(armour("RSA PRIVATE KEY", pkcs8(size)), KEY)
    assert "RSA PRIVATE KEY: " in judge(armour("PRIVATE KEY", rsa(size)), KEY)
    for content, name in (
        (der(der(OID) + bytes(size)), "a public key: "),
        (der(der(b"\xa0\3\2\1\2" + bytes(size)) + bytes(40)), "a certificate: "),
        (der(b"\6\3\x2b\x65\x70" + bytes(size)), "PKCS#7: "),
    ):
        assert f"inside is {name}" in judge(armour("PRIVATE KEY", content), KEY)


@pytest.mark.parametrize("size", [20, 127, 128, 255, 256, 300, 513, 1000])
def test_both_lengths_are_told_of_a_block_that_lost_a_line(size):
    content = der(b"\2\1\0" + der(OID) + bytes(size))
    short = armour("PRIVATE KEY", content[:-12])
    said = judge(short, KEY)
    assert f"says is {len(content)} bytes, but the base64 has {len(content) - 12};" in said


DATES = {"17": b"\x17\x0d" + bytes(13), "18": b"\x18\x0f" + bytes(15)}


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("algorithm", [3, 8, 9])
def test_a_list_of_revoked_certificates_is_no_certificate(date, algorithm):
    # It is told from one of version 1 behind the issuer, wherever lines and buffers end.
    for issuer in (*range(14, 24), 127, 128, 255, 256, 500):
        content = version_1(issuer, DATES[date], algorithm)
        real = version_1(issuer, der(DATES[date] * 2), algorithm)
        for width in (5, 64):
            listed = armour("CERTIFICATE", content, width)
            said = judge(listed, CERT)
            assert "a certificate revocation list (CRL)" in said, issuer
            assert judge(armour("CERTIFICATE", real, width), CERT).blocks == 1, issuer
            assert judge(CERTIFICATE + listed, CERT, [97]).endswith(said.partition(": ")[2])
        for sizes in ([31], [3, 7]):
            assert judge(listed, CERT, sizes) == said
            assert judge(armour("CERTIFICATE", real, width), CERT, sizes).blocks == 1


@pytest.mark.parametrize("size", range(1, 23))
def test_a_serial_number_of_any_length(size):
    content = der(der(b"\2" + bytes([size]) + b"\5" * size + der(OID) + bytes(300)) + bytes(65))
    for sizes in ([1], [31], [20000]):
        assert judge(armour("CERTIFICATE", content), CERT, sizes).blocks == 1


def test_a_list_of_revoked_certificates_that_says_so():
    for label in ("X509 CRL", "CERTIFICATE"):
        assert "(CRL)" in judge(armour(label, version_1(40, DATES["17"])), CERT)
    assert "(CRL)" in judge(armour("CERTIFICATE", CRL_1), CERT)


def test_every_verdict_has_words_and_a_test():
    from onemo import cert_pem_faults

    met = set()
    for data, kind in [
        *(param.values[:2] for param in BAD),
        (CERTIFICATE * 90, CERT),
        (b"\n" * (2 << 20), CERT),
        (armour("PRIVATE KEY", PKCS12), KEY),
    ]:
        it = cert_pem.PemScanner(kind)
        it.feed(bytearray(data))
        with pytest.raises(ValueError, match="PEM refused"):
            it.finish()
        it.fault = 0 if it.fault > len(cert_pem_faults._VERDICTS) else it.fault
        met.add(cert_pem_faults._verdict(it))
    assert met == set(range(len(cert_pem_faults._TEXTS)))


def test_no_words_quote_the_file():
    for param in BAD:
        data, kind, _ = param.values
        said = judge(data, kind)
        for line in data.splitlines():
            assert len(line) < 24 or b"-----" in line or line.decode("latin-1") not in said


def test_the_file_is_named_where_its_name_is_known():
    for name, start in (("ca.pem", "ca.pem: PEM refused"), (None, "PEM refused")):
        with pytest.raises(ValueError, match=f"^{start} at line 1: the file is empty"):
            cert_pem.PemScanner(CERT).finish(name)


def test_the_first_line_in_error_is_named():
    assert "line 2:" in judge(CERTIFICATE.replace(b"AgEC", b"A*EC"), CERT)
    assert "line 12:" in judge(b"x\n" * 10 + CERTIFICATE.replace(b"AgEC", b"A*EC"), CERT)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"x\n-----BEGIN FOO-----\nAAAA\n", 2),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", 1),
        (b"x\n\n-----END CERTIFICATE-----\n", 3),
        (CERTIFICATE.replace(b"-----END", b"\n-----END"), len(CERTIFICATE.splitlines())),
        (CERTIFICATE.replace(b"Q=\n", b"Q\n"), len(CERTIFICATE.splitlines())),
        (b"x\n  -----BEGIN CERTIFICATE-----\n", 2),
        (json.dumps({"a": 1, "b": PKCS8.decode()}, indent=2).encode(), 1),
        (b"MIIDTzCCAjegAwIB\nAAAA\nAAAA\n", 1),
        (b"<!DOCTYPE html>\n<html>\n", 1),
        (CERTIFICATE_3 + b"\n\n\n", 1),
        (b"x\ny\nz: -----BEGIN CERTIFICATE-----\nAAAA\nAAAA\n", 3),
    ],
)
def test_a_line_that_is_wrong_as_a_whole_is_the_one_that_is_named(data, line):
    for sizes in CUTS:
        assert f"at line {line}:" in judge(data, CERT, sizes)


def test_only_certificates_and_keys_can_be_judged():
    with pytest.raises(ValueError, match="kind 3"):
        cert_pem.PemScanner(3)


def test_nothing_of_a_key_stays():
    it = cert_pem.PemScanner(KEY)
    it.feed(bytearray(EC[:60]))
    it.begin(CERT)
    assert not any(it.head)
    assert not it.line
