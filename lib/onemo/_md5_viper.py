# SPDX-License-Identifier: MIT
#
# MD5 (RFC 1321) for ports whose hashlib has none: stm32 without SSL, rp2 before 1.27. Shipped as
# source in every package: mpy-cross compiles viper for one architecture only, the board compiles
# it for its own. Updating allocates nothing.

from binascii import unhexlify
from builtins import len  # noqa: A004 (as in at_channel)

import micropython

# The sines of RFC 1321 3.4 as little-endian words.
_SINES = unhexlify(
    b"78a46ad756b7c7e8db702024eecebdc1af0f7cf52ac68747134630a8019546fd"
    b"d8988069aff7448bb15bffffbed75c892211906b937198fd8e4379a62108b449"
    b"62251ef640b340c0515a5e26aac7b6e95d102fd65314440281e6a1d8c8fbd3e7"
    b"e6cde121d60737c3870dd5f4ed145a4505e9e3a9f8a3effcd9026f678a4c2a8d"
    b"4239faff81f6718722619d6d0c38e5fd44eabea4a9cfde4b604bbbf670bcbfbe"
    b"c67e9b28fa27a1ea8530efd4051d880439d0d4d9e599dbe6f87ca21f6556acc4"
    b"442229f497ff2a43a72394ab39a093fcc3595b6592cc0c8f7df4efffd15d8485"
    b"4f7ea86fe0e62cfe144301a3a111084e827e53f735f23abdbbd2d72a91d386eb"
)
_START = b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10"
_BLOCK = 64  # bytes


class MD5:
    """As hashlib.md5: update(buffer), then digest() once."""

    def __init__(self):
        # Four words of state, the bytes so far, nothing, and what is there of a block: 64 bytes,
        # and once more when it is added.
        self._work = bytearray(32 + 2 * _BLOCK)
        self._work[:16] = _START

    def update(self, data):
        _feed(0, 0, self._work, data, len(data))

    def digest(self):
        """The 16 bytes; nothing can be added afterwards."""
        work = self._work
        size = work[16] | work[17] << 8 | work[18] << 16 | work[19] << 24
        self.update(b"\x80" + bytes((_BLOCK - 9 - size) % _BLOCK))
        self.update((size * 8).to_bytes(8, "little"))
        return bytes(work[:16])


@micropython.viper
def _feed(b: uint, c: uint, work_in, data_in, count: int):
    # Viper keeps the first two locals in registers, so these are arguments without being given. An
    # index costs the least if it is a constant: words and sines are pointers that move on, and the
    # block lies there twice, for the later rounds go around in it. Viper's words are the
    # machine's, 64 bits on a PC: what is rotated is cut to 32 before. And ~ would change the
    # register that it is asked of.
    work = ptr32(work_in)
    block = ptr8(int(work) + 32)
    data = ptr8(data_in)
    first = int(ptr32(_SINES))
    mask = (uint(1) << 31 << 1) - uint(1)
    filled = int(work[4]) & 63
    work[4] = int(work[4]) + count
    at = 0
    while at < count:
        words = ptr32(block)
        if filled == 0 and count - at >= 64 and (int(data) + at) & 3 == 0:
            words = ptr32(int(data) + at)  # as they lie there
            at += 64
        else:
            block[filled] = data[at]
            at += 1
            filled += 1
            if filled < 64:
                continue
            filled = 0
        a = uint(work[0])
        b = uint(work[1])
        c = uint(work[2])
        d = uint(work[3])
        sines = ptr32(first)
        twice = ptr32(block)
        turns = 4
        while turns:
            a = ((((c ^ d) & b) ^ d) + a + uint(words[0]) + uint(sines[0])) & mask
            a = ((a << 7) | (a >> 25)) + b
            d = ((((b ^ c) & a) ^ c) + d + uint(words[1]) + uint(sines[1])) & mask
            d = ((d << 12) | (d >> 20)) + a
            c = ((((a ^ b) & d) ^ b) + c + uint(words[2]) + uint(sines[2])) & mask
            c = ((c << 17) | (c >> 15)) + d
            b = ((((d ^ a) & c) ^ a) + b + uint(words[3]) + uint(sines[3])) & mask
            b = ((b << 22) | (b >> 10)) + c
            twice[0] = twice[16] = words[0]
            twice[1] = twice[17] = words[1]
            twice[2] = twice[18] = words[2]
            twice[3] = twice[19] = words[3]
            twice = ptr32(int(twice) + 16)
            words = ptr32(int(words) + 16)
            sines = ptr32(int(sines) + 16)
            turns -= 1
        words = ptr32(block)
        turns = 4
        while turns:
            a = ((((b ^ c) & d) ^ c) + a + uint(words[1]) + uint(sines[0])) & mask
            a = ((a << 5) | (a >> 27)) + b
            d = ((((a ^ b) & c) ^ b) + d + uint(words[6]) + uint(sines[1])) & mask
            d = ((d << 9) | (d >> 23)) + a
            c = ((((d ^ a) & b) ^ a) + c + uint(words[11]) + uint(sines[2])) & mask
            c = ((c << 14) | (c >> 18)) + d
            b = ((((c ^ d) & a) ^ d) + b + uint(words[0]) + uint(sines[3])) & mask
            b = ((b << 20) | (b >> 12)) + c
            words = ptr32(int(words) + 16)
            sines = ptr32(int(sines) + 16)
            turns -= 1
        words = ptr32(int(block) + 64)
        turns = 4
        while turns:
            a = (((b ^ c) ^ d) + a + uint(words[5]) + uint(sines[0])) & mask
            a = ((a << 4) | (a >> 28)) + b
            d = (((a ^ b) ^ c) + d + uint(words[8]) + uint(sines[1])) & mask
            d = ((d << 11) | (d >> 21)) + a
            c = (((d ^ a) ^ b) + c + uint(words[11]) + uint(sines[2])) & mask
            c = ((c << 16) | (c >> 16)) + d
            b = (((c ^ d) ^ a) + b + uint(words[14]) + uint(sines[3])) & mask
            b = ((b << 23) | (b >> 9)) + c
            words = ptr32(int(words) - 16)
            sines = ptr32(int(sines) + 16)
            turns -= 1
        words = ptr32(int(block) + 64)
        turns = 4
        while turns:
            a = ((((d ^ mask) | b) ^ c) + a + uint(words[0]) + uint(sines[0])) & mask
            a = ((a << 6) | (a >> 26)) + b
            d = ((((c ^ mask) | a) ^ b) + d + uint(words[7]) + uint(sines[1])) & mask
            d = ((d << 10) | (d >> 22)) + a
            c = ((((b ^ mask) | d) ^ a) + c + uint(words[14]) + uint(sines[2])) & mask
            c = ((c << 15) | (c >> 17)) + d
            b = ((((a ^ mask) | c) ^ d) + b + uint(words[5]) + uint(sines[3])) & mask
            b = ((b << 21) | (b >> 11)) + c
            words = ptr32(int(words) - 16)
            sines = ptr32(int(sines) + 16)
            turns -= 1
        work[0] = uint(work[0]) + a
        work[1] = uint(work[1]) + b
        work[2] = uint(work[2]) + c
        work[3] = uint(work[3]) + d
