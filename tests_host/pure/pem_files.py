# SPDX-License-Identifier: MIT
"""Small PEM files, and what cert_pem says of one."""

import json
from base64 import b64encode
from pathlib import Path

from onemo import cert_pem
from onemo.cert_pem import CERT, KEY

CASES = Path(__file__).parents[1] / "pem_cases"


def der(content: bytes) -> bytes:
    """A SEQUENCE of that content."""
    size = len(content)
    if size < 0x80:
        return bytes((0x30, size)) + content
    if size < 0x100:
        return bytes((0x30, 0x81, size)) + content
    return b"\x30\x82" + size.to_bytes(2, "big") + content


def block(label: str, body: bytes = b"AAAA") -> bytes:
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label.encode(), body, label.encode())


def armour(label: str, content: bytes, width: int = 64) -> bytes:
    """A block of any bytes, in lines of `width` characters."""
    text = b64encode(content)
    return block(label, b"\n".join(text[i : i + width] for i in range(0, len(text), width)))


VERSION_3 = b"\xa0\x03\x02\x01\x02"
OID = b"\x06\x03\x2a\x03\x04"


def certificate(size: int, width: int = 64) -> bytes:
    """One whose TBSCertificate has `size` bytes behind its version."""
    return armour("CERTIFICATE", der(der(VERSION_3 + bytes(i & 0xFF for i in range(size)))), width)


def pkcs8(size: int) -> bytes:
    return der(b"\x02\x01\x00" + der(OID) + bytes(size))


def rsa(size: int) -> bytes:
    return der(b"\x02\x01\x00\x02" + bytes(size))


def sec1(size: int) -> bytes:
    return der(b"\x02\x01\x01\x04" + bytes(size))


# What may be under a label, as bytes
CERTIFICATE_3 = der(der(VERSION_3 + bytes(40)))
CERTIFICATE_1 = der(der(b"\x02\x01\x05" + der(OID) + bytes(40)))
CERTIFICATE_1_SERIAL_0 = der(der(b"\x02\x01\x00" + der(OID) + bytes(40)))
REQUEST = der(der(b"\x02\x01\x00" + der(b"\x31" + bytes(20)) + bytes(40)))
LONG_REQUEST = der(der(b"\x02\x01\x00" + der(b"\x31" + bytes(300)) + bytes(40)))
CRL_1 = der(der(der(OID) + der(b"\x31" + bytes(20)) + b"\x17\x0d" + bytes(13)) + bytes(40))
ATTRIBUTES = der(der(b"\x02\x01\x01" + der(b"\xa0\x20" + bytes(32)) + bytes(40)))
PUBLIC = der(der(OID) + bytes(40))
RSA_PUBLIC = der(b"\x02\x20" + bytes(32) + b"\x02\x03\x01\x00\x01")
ENCRYPTED = der(der(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d" + bytes(20)) + bytes(40))
PKCS12 = der(b"\x02\x01\x03" + der(OID) + bytes(40))
PKCS7 = der(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + bytes(40))


def version_1(issuer: int, behind: bytes, algorithm: int = 9) -> bytes:
    """What begins as a certificate of version 1 with serial number 1, and goes on with `behind`
    after an issuer of `issuer` bytes."""
    name = der(b"\x06" + bytes([algorithm]) + bytes(algorithm) + b"\x05\x00")
    head = b"\x02\x01\x01" + name + der(bytes(i & 0xFF for i in range(issuer)))
    return der(der(head + behind + bytes(60)) + name + bytes(65))


SMALLEST = armour("CERTIFICATE", der(der(VERSION_3[:2]))).rstrip()
CERTIFICATE = certificate(53)  # in two lines, the second one ends in "="
PKCS8 = armour("PRIVATE KEY", pkcs8(40))
RSA = armour("RSA PRIVATE KEY", rsa(60))
EC = armour("EC PRIVATE KEY", sec1(37))
PARAMETERS = block("EC PARAMETERS", b"BggqhkjOPQMBBw==")


def cases() -> list[dict]:
    """Files that people have, with what is to become of them: see tests_host/pem_cases."""
    return json.loads((CASES / "index.json").read_text())


def case(row: dict) -> tuple[bytes, int]:
    """Content and kind of one."""
    return (CASES / row["file"]).read_bytes(), CERT if row["kind"] == "cert" else KEY


def scan(
    data: bytes, kind: int, sizes: list[int] | None = None
) -> tuple[cert_pem.PemScanner, bytes]:
    """The scanner after the whole of data, not finished, and what it left of it; sizes of the
    buffers, repeated."""
    it = cert_pem.PemScanner(kind)
    kept = b""
    at = turn = 0
    while at < len(data):
        part = data[at : at + (sizes[turn % len(sizes)] if sizes else len(data))]
        buffer = bytearray(part)
        if turn % 2:
            buffer.extend(b"\xaa" * 20)
            it.feed(buffer, len(part))
        else:
            it.feed(buffer)
        kept += buffer
        at += len(part)
        turn += 1
    assert it.size == len(data)
    assert it.kept == len(kept)
    return it, kept


def judge(data: bytes, kind: int, sizes: list[int] | None = None) -> cert_pem.PemScanner | str:
    """The scanner after the whole of data, or what it said; sizes of the buffers, repeated."""
    it, _ = scan(data, kind, sizes)
    try:
        it.finish()
    except ValueError as error:
        assert it.fault
        return str(error)
    assert not it.fault
    return it


def kept(data: bytes, kind: int, sizes: list[int] | None = None) -> bytes:
    """What is sent of a good file."""
    it, left = scan(data, kind, sizes)
    it.finish()
    return left


def verdict(data, kind, sizes=None):
    it = judge(data, kind, sizes)
    return it if isinstance(it, str) else it.blocks
