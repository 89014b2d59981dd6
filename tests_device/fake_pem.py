# SPDX-License-Identifier: MIT
#
# A file that has the shape of a certificate, as much as the driver looks at: a DER SEQUENCE of the
# right length, in it another one, and in that a version.

from binascii import b2a_base64


def pem(lines, end=b"\n"):
    """One block of so many lines, 6 or more, of 64 characters."""
    size = 48 * lines
    head = bytearray(b"\x30\x82\0\0\x30\x82\0\0\xa0\x03\x02\x01")
    for at in (0, 4):
        head[at + 2] = (size - at - 4) >> 8
        head[at + 3] = (size - at - 4) & 0xFF
    body = b2a_base64(bytes(head)).rstrip() + b"A" * 48 + end + (b"A" * 64 + end) * (lines - 1)
    return b"-----BEGIN CERTIFICATE-----" + end + body + b"-----END CERTIFICATE-----" + end
