# SPDX-License-Identifier: MIT
"""cert_pem_faults: whole sentences, for files of which two of them might be said."""

import pytest
from onemo.cert_pem import CERT, KEY

from tests_host.pure.pem_files import (
    CERTIFICATE,
    CERTIFICATE_3,
    CRL_1,
    ENCRYPTED,
    OID,
    RSA,
    SMALLEST,
    armour,
    block,
    der,
    judge,
    pkcs8,
    sec1,
)

NOT_PEM = "not PEM, there is no -----BEGIN line: give the PEM file, or convert with openssl"
IN_DER = "DER, not PEM: openssl x509 -inform DER -in FILE -out PEM (for a key: openssl pkey)"
BINARY = "UTF-16 or other binary data, not PEM: iconv -f UTF-16 -t UTF-8 FILE > PEM"
MISPLACED = (
    "a -----BEGIN that does not begin its line: put it on a line of its own, without what stands "
    "before it"
)
BEGIN_MISSPELT = (
    "a -----BEGIN line that is misspelt: five dashes, BEGIN, one space, the label in capitals, "
    "five dashes and nothing else"
)
NOT_BASE64 = (
    "a character that base64 does not have (spaces count), or an -----END line that is misspelt: "
    "copy the file again; if spaces took the place of line breaks, quote the variable: "
    'echo "$PEM"'
)
NOT_ASCII = (
    "a byte inside a block that is not printable ASCII, as in binary data, or as the long dashes "
    "that a word processor makes of -----END: copy the file again"
)
CUT_SHORT = "cut short, the last block has no -----END line: copy the whole file again"
LINE_ENDS = r"line ends other than LF or CR LF: tr -s '\r' '\n' < FILE > PEM"
ESCAPED = (
    r"escaped line breaks: \n stands as two characters, as in JSON or an environment variable: "
    r"""printf '%b\n' "$(cat FILE)" > PEM"""
)
ANOTHER_LABEL = (
    "the -----END line is not that of the -----BEGIN line: copy the file again, or give both the "
    "same label"
)
QUOTED = (
    "its lines are in quotes, as in program text: "
    r"""sed -n 's/^[^"]*"\([^"\\]*\).*/\1/p' FILE > PEM"""
)
ONE_LINE = (
    r"all in one line, its line breaks are lost: sed -E 's/(BEGIN [A-Z ]+-----) */\1\n/g; "
    r"s/ *(-----END [A-Z ]+-----) */\n\1\n/g' FILE > PEM, and quote variables: "
    'echo "$PEM"'
)

END = b"-----END CERTIFICATE-----\n"
UNENDED = CERTIFICATE.removesuffix(END)  # three lines


@pytest.mark.parametrize(
    ("data", "kind", "line", "words"),
    [
        pytest.param(b"MIT License", CERT, 1, NOT_PEM, id="MI, but words"),
        pytest.param(b"01 January", CERT, 1, NOT_PEM, id="0, but words"),
        pytest.param(b"01234567\0", CERT, 1, BINARY, id="0, and no DER"),
        pytest.param(b"\x30\x82\x0b\xb8\x30\x82\x0a\xa0\xa0\3", CERT, 1, IN_DER, id="long DER"),
        pytest.param(b"\x30\x80" * 9, CERT, 1, IN_DER, id="DER of unknown length"),
        pytest.param(b"X" + CERTIFICATE, CERT, 1, MISPLACED, id="a letter in front"),
        pytest.param(
            "\u3000".encode() + CERTIFICATE, CERT, 1, BEGIN_MISSPELT, id="a wide space in front"
        ),
        pytest.param(UNENDED + b"-----E-----", CERT, 4, NOT_BASE64, id="all but END's letters"),
        pytest.param(UNENDED + b"-----END", CERT, 4, CUT_SHORT, id="cut in END"),
        pytest.param(UNENDED + END[:-1] + b"\\n", CERT, 4, ESCAPED, id="escaped at the end"),
        pytest.param(CERTIFICATE.rstrip() + b"\r\r\n", CERT, 4, LINE_ENDS, id="END, CR CR LF"),
        pytest.param(
            CERTIFICATE.rstrip() + b"\r" + CERTIFICATE, CERT, 4, LINE_ENDS, id="joined by CR"
        ),
        pytest.param(
            RSA.replace(b"END RSA", b"END EC").replace(b"\n", b"\r\n"),
            KEY,
            len(RSA.splitlines()),
            ANOTHER_LABEL,
            id="another label, CR LF",
        ),
        pytest.param(CERTIFICATE.replace(b"AgEC", b"A~EC"), CERT, 2, NOT_BASE64, id="tilde"),
        pytest.param(CERTIFICATE.replace(b"AgEC", b"A\x7fEC"), CERT, 2, NOT_ASCII, id="DEL"),
        pytest.param(SMALLEST.replace(b"\nM", b"'\nM"), CERT, 1, QUOTED, id="a quote behind"),
        pytest.param(SMALLEST.replace(b"\nM", b"',\nM"), CERT, 1, QUOTED, id="quote and comma"),
        pytest.param(SMALLEST.replace(b"\n", b""), CERT, 1, ONE_LINE, id="one line"),
        pytest.param(
            block("CERTIFICATE", b"XXXX").replace(b"\n", b""), CERT, 1, ONE_LINE, id="placeholder"
        ),
    ],
)
def test_the_sentence(data, kind, line, words):
    for sizes in (None, [1], [7, 30]):
        assert judge(data, kind, sizes) == f"PEM refused at line {line}: {words}"


NEITHER = (
    "something else, no DER of a certificate or key: give the right file, or correct the label"
)
PKCS8_AS = "a private key (PKCS#8), whose label is PRIVATE KEY"
EC_AS = "an EC private key, whose label is EC PRIVATE KEY"
KEY_APART = "give the certificate; write the key as kind KEY under its own label"
RELABEL = "correct the label in its BEGIN and END lines"
DECRYPT = (
    "an encrypted private key: "
    "decrypt it, for modules take no passphrase: openssl pkey -in KEY -out PLAIN"
)
PKCS12_CIPHER = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03"


@pytest.mark.parametrize(
    ("label", "content", "found"),
    [
        ("CERTIFICATE", pkcs8(40), f"{PKCS8_AS}: {KEY_APART}"),
        ("RSA PRIVATE KEY", pkcs8(40), f"{PKCS8_AS}: {RELABEL}"),
        ("CERTIFICATE", sec1(80), f"{EC_AS}: {KEY_APART}"),
        ("PRIVATE KEY", sec1(80), f"{EC_AS}: {RELABEL}"),
        (
            "PRIVATE KEY",
            CERTIFICATE_3,
            "a certificate: give the key; write the certificate as kind CERT under its own label",
        ),
        ("PRIVATE KEY", ENCRYPTED, DECRYPT),
        ("PRIVATE KEY", der(der(PKCS12_CIPHER + bytes(20)) + bytes(40)), DECRYPT),
        (
            "CERTIFICATE",
            CRL_1,
            "a certificate revocation list (CRL): modules take none; give the certificate of the "
            "authority that signed it",
        ),
        # A SEQUENCE in a SEQUENCE, but no algorithm in it
        ("CERTIFICATE", der(der(der(b"\2\1\5" + bytes(20)) + bytes(40))), NEITHER),
        # As PKCS#8, but of version 2
        ("RSA PRIVATE KEY", der(b"\2\1\2" + der(OID) + bytes(40)), NEITHER),
    ],
)
def test_the_sentence_of_what_is_inside(label, content, found):
    # The verdict falls at the END line.
    data = armour(label, content)
    assert judge(data, CERT if label == "CERTIFICATE" else KEY) == (
        f"PEM refused at line {len(data.splitlines())}: the label says {label}, inside is {found}"
    )


def test_the_sentence_of_two_lengths():
    content = der(b"\2\1\0" + der(OID) + bytes(100))
    assert judge(armour("PRIVATE KEY", content[:-10]), KEY) == (
        f"PEM refused at line 5: the length that its DER says is {len(content)} bytes, but the "
        f"base64 has {len(content) - 10}; a line may be lost or doubled: copy the whole file again"
    )
