# SPDX-License-Identifier: MIT
"""UF2 files: what one drops onto a board in its boot loader, as an image of the flash and back."""

import struct
from pathlib import Path

from ..errors import BoardError

XIP = 0x10000000
_BLOCK = struct.Struct("<8I476sI")
_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_NOT_FLASH, _HAS_FAMILY = 0x00000001, 0x00002000
_RP2040 = 0xE48BFF56
_PAYLOAD = 256


def read(path: Path) -> dict[int, bytes]:
    """A firmware's parts, offset in flash -> content: of a .uf2, or of a .bin, which is one part
    from 0 on. BoardError for what is neither, or for another chip."""
    data = path.read_bytes()
    if not data:
        raise BoardError(f"{path} is empty, no firmware")
    if struct.unpack_from("<I", data.ljust(4))[0] != _MAGIC[0]:
        if path.suffix == ".uf2":
            raise BoardError(f"{path} is no UF2 file: it does not begin as one")
        return {0: data}
    if len(data) % _BLOCK.size:
        raise BoardError(f"{path} is cut off: it has {len(data)} bytes, not blocks of 512")
    parts: dict[int, bytes] = {}
    for at in range(0, len(data), _BLOCK.size):
        first, second, flags, address, size, _, _, family, payload, end = _BLOCK.unpack_from(
            data, at
        )
        if (first, second, end) != _MAGIC or size > len(payload):
            raise BoardError(f"{path} is damaged in its block {at // _BLOCK.size}")
        if flags & _NOT_FLASH:
            continue
        if flags & _HAS_FAMILY and family != _RP2040:
            raise BoardError(f"{path} is for another chip (family {family:08x}), not the RP2040")
        if not XIP <= address < XIP + (16 << 20):
            raise BoardError(f"{path} has a block for {address:08x}, which is no flash")
        parts[address - XIP] = payload[:size]
    return parts


def write(image: bytes) -> bytes:
    """The UF2 of an image that begins where flash does."""
    count = -(-len(image) // _PAYLOAD)
    blocks = []
    for number in range(count):
        at = number * _PAYLOAD
        payload = image[at : at + _PAYLOAD].ljust(_PAYLOAD, b"\xff")
        blocks.append(
            _BLOCK.pack(
                *_MAGIC[:2], _HAS_FAMILY, XIP + at, _PAYLOAD, number, count, _RP2040, payload,
                _MAGIC[2],
            )
        )  # fmt: skip
    return b"".join(blocks)
