# SPDX-License-Identifier: MIT
"""PEM files of any size that have the shape of certificates and keys, and no more than that: a
DER SEQUENCE of the right length which begins as the label says. No TLS stack loads them."""

from __future__ import annotations

import base64

_LINE = 64

# What stands in the outer SEQUENCE first; a certificate has one more SEQUENCE around it.
_FIRST = {
    b"CERTIFICATE": b"\xa0\x03\x02\x01\x02",
    b"PRIVATE KEY": b"\x02\x01\x00\x30\x0d\x06\x09",
    b"RSA PRIVATE KEY": b"\x02\x01\x00\x02",
    b"EC PRIVATE KEY": b"\x02\x01\x01\x04",
    b"CERTIFICATE REQUEST": b"\x02\x01\x00\x30\x0b\x31",
    b"PUBLIC KEY": b"\x06\x09",
}
_NESTED = (b"CERTIFICATE", b"CERTIFICATE REQUEST", b"PUBLIC KEY")


def _header(size: int) -> bytes:
    """Tag and length of a SEQUENCE that has `size` bytes with them."""
    if size < 0x82:
        return bytes((0x30, size - 2))
    if size < 0x103:
        return bytes((0x30, 0x81, size - 3))
    return b"\x30\x82" + (size - 4).to_bytes(2, "big")


def body(label: bytes, characters: int, filler: bytes = b"A") -> bytes:
    """Base64 of `characters` (a multiple of 4, 8 or more), without line ends: all `filler` but
    for its head."""
    size = characters // 4 * 3
    head = _header(size)
    if label in _NESTED:
        head += _header(size - len(head))
    head += _FIRST[label]
    text = base64.b64encode(head.ljust(-(-len(head) // 3) * 3, b"\x18"))
    return (text + filler * characters)[:characters]


def lines(label: bytes, filler: bytes, count: int) -> bytes:
    """A file of one block of `count` lines."""
    text = body(label, _LINE * count, filler)
    return block(label, [text[at : at + _LINE] for at in range(0, len(text), _LINE)]) + b"\n"


def block(label: bytes, rows: list[bytes], end: bytes = b"\n") -> bytes:
    """BEGIN, rows, END; no line end behind it."""
    return end.join((b"-----BEGIN " + label + b"-----", *rows, b"-----END " + label + b"-----"))


def pem(
    size: int, label: bytes = b"CERTIFICATE", end: bytes = b"\n", filler: bytes = b"A"
) -> bytes:
    """A file of exactly `size` bytes, 62 or more for a certificate, with line ends `end`: one
    block, and nothing around it. Lines that are shorter than others make up for what whole groups
    of four characters do not; with CR LF an odd size has one LF."""
    frame = len(block(label, [])) - 1
    for characters in range((size - frame) // 4 * 4, 4, -4):
        room = size - frame - characters  # for line ends
        ends, odd = divmod(room + len(end) - 1, len(end))
        for last in (1, 0):
            rows = ends - 1 - last
            if -(-characters // _LINE) <= rows <= characters:
                text = block(label, _rows(body(label, characters, filler), rows), end) + end * last
                return text.replace(b"\r\n", b"\n", 1) if len(end) == 2 and not odd else text
    raise ValueError(f"no PEM of {size} bytes")


def _rows(text: bytes, count: int) -> list[bytes]:
    rows = []
    while text:
        count -= 1
        width = min(_LINE, len(text) - count)  # each row left gets a character at least
        rows.append(text[:width])
        text = text[width:]
    return rows
