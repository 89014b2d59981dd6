# SPDX-License-Identifier: MIT
"""Content that has the outside of DER: type and length are right, the rest is filler. For tests
that need files of an exact size; files with certificates that a TLS stack loads come from
onemo_tools.servers.pki."""

import base64

_BEGINS = {
    "CERTIFICATE": b"\x30%s\xa0",
    "PRIVATE KEY": b"\x02\x01\x00\x30",
    "RSA PRIVATE KEY": b"\x02\x01\x00\x02",
    "EC PRIVATE KEY": b"\x02\x01\x01\x04",
    "CERTIFICATE REQUEST": b"\x30%s\x02\x01\x00",
    "PUBLIC KEY": b"\x30%s\x06",
}


def _length(rest: int) -> tuple[bytes, int]:
    """The length octets of what `rest` bytes, they included, hold."""
    if rest - 1 < 0x80:
        return bytes([rest - 1]), rest - 1
    if rest - 2 < 0x100:
        return bytes([0x81, rest - 2]), rest - 2
    return b"\x82" + (rest - 3).to_bytes(2, "big"), rest - 3


def der(size: int, label: str = "CERTIFICATE", filler: bytes = b"\x00") -> bytes:
    """`size` bytes, 7 or more, that begin as what belongs under `label`."""
    octets, inside = _length(size - 1)
    begin = _BEGINS.get(label, b"")
    if b"%s" in begin:
        begin = begin.replace(b"%s", _length(inside - 1)[0])
    start = b"\x30" + octets + begin
    return (start + filler * size)[: max(size, len(start))]


def base64_of(
    characters: int, label: str = "CERTIFICATE", letter: str = "A", size: int | None = None
) -> bytes:
    """The first `characters` of base64 of `size` bytes of that (all of them without it); behind
    the start they are `letter`."""
    start = base64.b64encode(der(size or characters // 4 * 3, label))[:16]
    return (start + letter.encode() * characters)[:characters]
