# SPDX-License-Identifier: MIT
"""pem.Judge: what is refused and in which words, whatever the cuts, without allocating."""

import base64
import json

import on_micropython
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo import cert_pem
from onemo.cert_pem import CERT, KEY
from onemo_tools.servers import pki

SMALLEST = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def block(label: str, body: bytes = b"AAAA") -> bytes:
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label.encode(), body, label.encode())


CERTIFICATE = block("CERTIFICATE", b"TUlJ" * 16 + b"\nAAA=")
PKCS8 = block("PRIVATE KEY", b"TUlJ" * 16 + b"\nAA==")
RSA = block("RSA PRIVATE KEY")
EC = block("EC PRIVATE KEY")
PARAMETERS = block("EC PARAMETERS", b"BggqhkjOPQMBBw==")


def judge(data: bytes, kind: int, sizes: list[int] | None = None) -> cert_pem.PemScanner | str:
    """The judge after the whole of data, or what it said; sizes of the buffers, repeated."""
    it = cert_pem.PemScanner(kind)
    buffer = bytearray(b"\xaa" * max(*(sizes or []), len(data), 1))
    at = turn = 0
    while at < len(data):
        part = data[at : at + (sizes[turn % len(sizes)] if sizes else len(data))]
        buffer[: len(part)] = part
        it.feed(buffer if turn % 2 else memoryview(buffer), len(part))
        at += len(part)
        turn += 1
    assert it.size == len(data)
    try:
        it.finish()
    except ValueError as error:
        assert it.fault
        return str(error)
    assert not it.fault
    return it


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


def test_real_files_pass_and_real_mistakes_do_not():
    authority = pki.Authority("pem test CA")
    device = authority.issue("device")
    curve = authority.issue("curve", algorithm="ec")
    for data, kind in (
        (authority.pem, CERT),
        (device.chain, CERT),
        (device.key, KEY),
        (device.key_traditional, KEY),
        (curve.key, KEY),
        (curve.key_traditional, KEY),
        (authority.bundle(8192), CERT),
    ):
        assert not isinstance(judge(data, kind, [256]), str)
        assert isinstance(judge(data, CERT + KEY - kind, [256]), str)
    loaded = serialization.load_pem_private_key(device.key, None)
    for form in (
        serialization.PrivateFormat.PKCS8,
        serialization.PrivateFormat.TraditionalOpenSSL,
    ):
        secret = loaded.private_bytes(
            serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"x")
        )
        assert "no passphrase" in judge(secret, KEY)
    der = base64.b64decode(b"".join(device.key.splitlines()[1:-1]))
    assert "DER, not PEM" in judge(der, KEY)


def test_only_certificates_and_keys_can_be_judged():
    with pytest.raises(ValueError, match="kind 3"):
        cert_pem.PemScanner(3)


PIECES = st.sampled_from(
    [CERTIFICATE, PKCS8, RSA, EC, PARAMETERS, SMALLEST, b"text -\r\n", b"\n", b"="]
)
NEARLY = st.lists(PIECES, max_size=5).map(b"".join)


@st.composite
def damaged(draw):
    data = bytearray(draw(NEARLY))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(
            st.sampled_from([b"", b"\r", b"-", b"\0", b"A", b":\n"])
        )
    return bytes(data)


def verdict(data, kind, sizes=None):
    it = judge(data, kind, sizes)
    return it if isinstance(it, str) else it.blocks


@settings(deadline=None)
@given(
    data=damaged(),
    kind=st.sampled_from([CERT, KEY]),
    sizes=st.lists(st.integers(1, 200), min_size=1),
)
def test_cuts_do_not_change_the_verdict(data, kind, sizes):
    whole = verdict(data, kind)
    assert verdict(data, kind, [1]) == whole
    assert verdict(data, kind, sizes) == whole


@settings(deadline=None)
@given(body=st.binary(min_size=1, max_size=400), width=st.integers(1, 100), crlf=st.booleans())
def test_any_base64_passes_and_no_foreign_character_does(body, width, crlf):
    text = base64.b64encode(body)
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    data = block("CERTIFICATE", b"\n".join(lines))
    ends = data.replace(b"\n", b"\r\n") if crlf else data
    assert verdict(ends, CERT, [31]) == 1
    for foreign in (b"!", b".", b"@", b"[", b"`", b"{", b"_", b"\x7f", b"\x80", b"\xff"):
        assert isinstance(verdict(data.replace(lines[-1], foreign + lines[-1][1:]), CERT), str)


HEAP_SCRIPT = """
import gc, json, micropython
from onemo import cert_pem
result = {}
for name, text, kind in CASES:
    data = text.encode()
    buf = bytearray(256)
    view = memoryview(buf)
    judge = cert_pem.PemScanner(kind)
    for source in (buf, view):
        judge = cert_pem.PemScanner(kind)
        gc.collect()
        before = gc.mem_alloc()
        micropython.heap_lock()
        at = 0
        while at < len(data):
            n = min(len(data) - at, 100 + at % 157)
            for i in range(n):
                buf[i] = data[at + i]
            judge.feed(source, n)
            at += n
        micropython.heap_unlock()
        grown = gc.mem_alloc() - before
        try:
            judge.finish()
            said = judge.blocks
        except ValueError as error:
            said = str(error)
    result[name] = [grown, said, judge.size]
print(json.dumps(result))
"""


def test_feeding_allocates_nothing_on_micropython_and_judges_alike():
    cases = [
        ("bundle", pki.Authority("pem test CA").bundle(8192).decode(), CERT),
        ("comments", (b"text -\t\r\n" * 9 + CERTIFICATE).decode(), CERT),
        ("key", (PARAMETERS + EC).decode(), KEY),
        ("wrong kind", PKCS8.decode(), CERT),
        ("damaged", CERTIFICATE.replace(b"AAA=", b"A*A=").decode(), CERT),
        ("too long", "A" * 9000, CERT),
    ]
    found = on_micropython.run(f"CASES = {cases!r}\n" + HEAP_SCRIPT)
    assert set(found) == {name for name, _, _ in cases}
    for name, text, kind in cases:
        assert found[name] == [0, verdict(text.encode(), kind), len(text)]


SPEED_SCRIPT = """
import json, time
from onemo import cert_pem
buf = bytearray((b"Q" * 64 + b"\\n") * 120)
start = bytearray(b"-----BEGIN CERTIFICATE-----\\n")
def nothing(n):
    for i in range(n):
        pass
judge = cert_pem.PemScanner(cert_pem.CERT)
best = [1 << 30, 1 << 30]
for _ in range(30):
    judge.__init__(cert_pem.CERT)
    judge.feed(start)
    t = time.ticks_us()
    judge.feed(buf)
    best[0] = min(best[0], time.ticks_diff(time.ticks_us(), t))
    t = time.ticks_us()
    nothing(len(buf))
    best[1] = min(best[1], time.ticks_diff(time.ticks_us(), t))
assert judge.fault == 0
print(json.dumps(best))
"""


def test_a_byte_costs_no_more_than_a_few_turns_of_an_empty_loop():
    judged, empty = on_micropython.run(SPEED_SCRIPT)
    assert judged < 8 * empty, json.dumps([judged, empty])  # measured: 3
