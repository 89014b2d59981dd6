# SPDX-License-Identifier: MIT
"""Small PEM files, and what cert_pem says of one."""

from onemo import cert_pem

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


def verdict(data, kind, sizes=None):
    it = judge(data, kind, sizes)
    return it if isinstance(it, str) else it.blocks
