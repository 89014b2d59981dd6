# SPDX-License-Identifier: MIT
"""Small PEM files, and what cert_pem says of one."""

import base64

from onemo import cert_pem

from tests_host.pure.der import base64_of, der

SMALLEST = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----" % base64.b64encode(der(9))


def block(label: str, body: bytes | None = None) -> bytes:
    if body is None:
        body = base64_of(64, label)
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label.encode(), body, label.encode())


CERTIFICATE = block("CERTIFICATE", base64_of(64, size=50) + b"\nAAA=")
PKCS8 = block("PRIVATE KEY", base64_of(64, "PRIVATE KEY", size=49) + b"\nAA==")
RSA = block("RSA PRIVATE KEY")
EC = block("EC PRIVATE KEY")
PARAMETERS = block("EC PARAMETERS", b"BggqhkjOPQMBBw==")


def judge(data: bytes, kind: int, sizes: list[int] | None = None) -> cert_pem.PemScanner | str:
    """The judge after the whole of data, or what it said; sizes of the buffers, repeated."""
    it = cert_pem.PemScanner(kind)
    buffer = bytearray(b"\xaa" * max(*(sizes or []), len(data), 1))
    at = turn = kept = 0
    while at < len(data):
        part = data[at : at + (sizes[turn % len(sizes)] if sizes else len(data))]
        buffer[: len(part)] = part
        n = it.feed(buffer if turn % 2 else memoryview(buffer), len(part))
        kept += it.carried + n
        at += len(part)
        turn += 1
    assert it.total == len(data)
    assert it.fault or it.size == kept
    try:
        it.finish()
    except ValueError as error:
        assert it.fault
        return str(error)
    assert not it.fault
    return it


def verdict(data, kind, sizes=None):
    it = judge(data, kind, sizes)
    return it if isinstance(it, str) else it.blocks
