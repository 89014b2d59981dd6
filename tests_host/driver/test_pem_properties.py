# SPDX-License-Identifier: MIT
"""cert_pem.PemScanner: real files and any, whatever the cuts, without allocating."""

import base64
import json
import re

import on_micropython
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onemo.cert_pem import CERT, KEY
from onemo_tools.servers import pki

from tests_host.pure.pem_files import (
    CERTIFICATE,
    EC,
    PARAMETERS,
    PKCS8,
    RSA,
    SMALLEST,
    VERSION_3,
    armour,
    case,
    cases,
    certificate,
    der,
    judge,
    kept,
    verdict,
)
from tests_host.pure.test_pem import BAD


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
@given(
    body=st.binary(max_size=400),
    width=st.integers(1, 100),
    crlf=st.booleans(),
    sizes=st.lists(st.integers(1, 90), min_size=1),
)
def test_any_base64_passes_and_no_foreign_character_does(body, width, crlf, sizes):
    data = armour("CERTIFICATE", der(der(VERSION_3 + body)), width)
    ends = data.replace(b"\n", b"\r\n") if crlf else data
    assert kept(ends, CERT, sizes) == ends
    last = data.splitlines()[-2]
    for foreign in (b"!", b".", b"@", b"[", b"`", b"{", b"_", b"\x7f", b"\x80", b"\xff"):
        bad = data.replace(b"\n" + last, b"\n" + foreign + last[1:])
        assert isinstance(verdict(bad, CERT, sizes), str)


ANY_TEXT = st.lists(
    st.one_of(
        st.binary(max_size=90).map(lambda line: line.replace(b"\n", b"")),
        st.text(max_size=40).map(lambda line: line.replace("\n", "").encode()),
        st.sampled_from([b"-----", b"--", b"-----BEGINNER", b"# -----END", b"\xef\xbb", b"   "]),
    ),
    max_size=6,
).map(lambda lines: b"".join(line + b"\n" for line in lines))


@settings(deadline=None)
@given(
    texts=st.lists(ANY_TEXT, min_size=2, max_size=4),
    spaces=st.sampled_from([b"", b" ", b"\t \t"]),
    sizes=st.lists(st.integers(1, 90), min_size=1),
)
def test_any_text_around_blocks_is_passed_over(texts, spaces, sizes):
    block = CERTIFICATE.replace(b"\n", spaces + b"\n")
    data = block.join(texts)
    assume(not any(re.search(rb"-----(BEGIN|END) ", text) for text in texts))  # no text
    assert kept(data, CERT, sizes) == CERTIFICATE * (len(texts) - 1)


@settings(deadline=None)
@given(
    at=st.integers(28, len(CERTIFICATE) - 28),
    size=st.integers(1, 80),
    by=st.sampled_from([b"", b"A", b"AAAA", b"A" * 64]),
)
def test_a_block_that_lost_or_won_something_is_refused(at, size, by):
    size = min(size, len(CERTIFICATE) - 27 - at)
    lost = CERTIFICATE[:at] + by + CERTIFICATE[at + size :]
    if len(lost.replace(b"\n", b"")) != len(CERTIFICATE.replace(b"\n", b"")):
        assert isinstance(verdict(lost, CERT), str)


HEAP_SCRIPT = """
import binascii, gc, json, micropython
from onemo import cert_pem
ZEROS = bytes(16)
buf = bytearray(256 + 48)
buf[256:] = b""
def feed_all(judge, data, left):
    at = size = 0
    while at < len(data):
        while len(buf) < 256:
            buf.extend(ZEROS)
        n = min(len(data) - at, 100 + at % 157)
        for i in range(n):
            buf[i] = data[at + i]
        judge.feed(buf, n)
        for i in range(len(buf)):
            left[size] = buf[i]
            size += 1
        at += n
    return size
result = {}
size = grown = before = 0
for name, path, kind in CASES:
    with open(path, "rb") as file:
        data = file.read()
    judge = cert_pem.PemScanner(kind)
    left = bytearray(len(data))
    gc.collect()
    before = gc.mem_alloc()
    micropython.heap_lock()
    size = feed_all(judge, data, left)
    micropython.heap_unlock()
    grown = gc.mem_alloc() - before
    try:
        judge.finish()
        said = judge.blocks
    except ValueError as error:
        said = str(error)
    result[name] = [grown, said, binascii.b2a_base64(left[:size]).decode()]
print(json.dumps(result))
"""


def test_feeding_allocates_nothing_on_micropython_and_judges_alike(tmp_path):
    inputs = [(row["id"], *case(row)) for row in cases()]
    inputs += [
        ("bundle", pki.Authority("pem test CA").bundle(8192), CERT),
        ("comments", b"text -\t\r\n" * 9 + CERTIFICATE, CERT),
        ("spaces", (CERTIFICATE * 9).replace(b"\n", b" \t\r\n"), CERT),
        ("short lines", certificate(1000, 1), CERT),
        ("key", PARAMETERS + EC, KEY),
        ("wrong kind", PKCS8, CERT),
        ("damaged", CERTIFICATE.replace(b"AgEC", b"A*EC"), CERT),
        ("too long", CERTIFICATE * 90, CERT),
    ]
    inputs += [(param.id.replace("/", " "), *param.values[:2]) for param in BAD]
    paths = []
    for name, data, kind in inputs:
        (tmp_path / name).write_bytes(data)
        paths.append((name, str(tmp_path / name), kind))
    found = on_micropython.run(f"CASES = {paths!r}\n" + HEAP_SCRIPT, heap="1M")
    assert set(found) == {name for name, _, _ in inputs}
    for name, data, kind in inputs:
        grown, said, left = found[name]
        assert (grown, said) == (0, verdict(data, kind)), name
        if not isinstance(said, str):
            assert base64.b64decode(left) == kept(data, kind), name


SPEED_SCRIPT = """
import json, time
from onemo import cert_pem
line = b"Q" * 64 + END
start = bytearray(b"-----BEGIN CERTIFICATE-----" + END + line)
text = bytearray(b"        Serial: 77:15:4f:ad:f5:ce\\n" * 240)
buf = bytearray(line * 120)
def nothing(n):
    for i in range(n):
        pass
judge = cert_pem.PemScanner(cert_pem.CERT)
def timed(act, data):
    best = 1 << 30
    for _ in range(30):
        judge.begin(cert_pem.CERT)
        if data is buf:
            judge.feed(start[:])
        copy = data[:]
        t = time.ticks_us()
        act(copy)
        best = min(best, time.ticks_diff(time.ticks_us(), t))
        assert judge.fault == 0
    return best / len(data)
found = [timed(judge.feed, buf), timed(judge.feed, text)]
print(json.dumps(found + [timed(lambda b: nothing(len(b)), buf)]))
"""


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_costs_no_more_than_a_few_turns_of_an_empty_loop(end):
    base64_byte, text_byte, empty = on_micropython.run(f"END = {end!r}\n" + SPEED_SCRIPT)
    found = json.dumps([base64_byte, text_byte, empty])
    assert base64_byte < 4 * empty, found  # measured: 1.6
    assert text_byte < 2 * empty, found  # measured: 0.3
