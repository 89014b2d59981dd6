# SPDX-License-Identifier: MIT
#
# PEM files as DER, which MicroPython's `ssl` takes on every port: for TLS on the board, see
# docs/tls-where.md.

from binascii import a2b_base64

_BEGIN = b"-----BEGIN "
_END = b"-----END "


def ders(path):
    """Iterate the blocks of a PEM file (certificates or a key) as DER: bytes, one block in RAM at
    a time. ValueError for a file without a whole block, or with an encrypted one."""
    found = False
    lines = None
    with open(path, "rb") as file:
        while line := file.readline():
            line = line.strip()
            if line.startswith(_BEGIN):
                lines = b""
                if b" ENCRYPTED " in line:
                    _refuse_encrypted(path)
            elif line.startswith(_END) and lines is not None:
                found = True
                yield a2b_base64(lines)
                lines = None
            elif lines is not None:
                if b":" in line:
                    _refuse_encrypted(path)
                lines += line
    if lines is not None or not found:
        raise ValueError("%s has no whole PEM block" % path)


def der(path):
    """The first block of a PEM file as DER: `context.load_verify_locations(cadata=der(path))`.
    Exceptions: see `ders`."""
    for data in ders(path):
        return data


def _refuse_encrypted(path):
    raise ValueError("%s: the key is encrypted; openssl pkey decrypts it" % path)
