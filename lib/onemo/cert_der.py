# SPDX-License-Identifier: MIT
#
# PEM files as DER, which MicroPython's `ssl` takes on every port: for TLS on the board, see
# docs/tls-where.md.

from binascii import a2b_base64

_BEGIN = b"-----BEGIN "
_END = b"-----END "
_PARAMETERS = b"-----BEGIN EC PARAMETERS-----"  # before a key, which names its curve itself


def ders(path):
    """Iterate the blocks of a PEM file (certificates or a key) as DER: bytes, one block in RAM at
    a time. ValueError for a file without a whole block, with one that is not whole, or with an
    encrypted one."""
    found = False
    lines = None
    with open(path, "rb") as file:
        while line := file.readline():
            line = line.strip()
            if line.startswith(_BEGIN):
                if lines is not None:
                    break  # the block before has no end
                if line == _PARAMETERS:
                    continue
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
    """The one block of a PEM file as DER: `context.load_verify_locations(cadata=der(path))`.
    ValueError for a file with several, of which `ssl` would use the first and pass over the
    others; else as `ders`."""
    found = None
    for data in ders(path):
        if found is not None:
            raise ValueError(
                "%s has several blocks, and of DER MicroPython's ssl takes one: a bundle of CAs "
                "one by one, for ca in ders(path): context.load_verify_locations(cadata=ca); a "
                "client's chain, where the firmware reads PEM (ESP32), by load_cert_chain("
                "open(path).read(), open(key_path).read()), else by the module (tls=); "
                "next(ders(path)) is the first alone, for servers that know the rest" % path
            )
        found = data
    return found


def _refuse_encrypted(path):
    raise ValueError("%s: the key is encrypted; openssl pkey decrypts it" % path)
