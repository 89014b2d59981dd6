# SPDX-License-Identifier: MIT
"""pem.Judge: real files and any, whatever the cuts, without allocating."""

import base64
import json

import on_micropython
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo import cert_pem
from onemo.cert_pem import CERT, KEY
from onemo_tools.servers import pki

from tests_host.pure.der import der
from tests_host.pure.pem_files import (
    CERTIFICATE,
    EC,
    PARAMETERS,
    PKCS8,
    RSA,
    SMALLEST,
    block,
    judge,
    verdict,
)


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
    text = base64.b64encode(der(12 + len(body))[:12] + body)
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
        here = cert_pem.PemScanner(kind)
        here.feed(bytearray(text.encode()))
        assert found[name] == [0, verdict(text.encode(), kind), here.size]


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
