# SPDX-License-Identifier: MIT
#
# MD5 (RFC 1321) for ports whose hashlib has none: stm32 without SSL, rp2 before 1.27. Shipped as
# source in every package: mpy-cross compiles viper for one architecture only, the board compiles
# it for its own. Updating allocates nothing.

from binascii import unhexlify

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
        self._state = bytearray(_START)
        self._block = bytearray(_BLOCK)
        self._size = 0  # bytes so far

    def update(self, data):
        _feed(0, 0, 0, self._state, self._block, self._size, data, len(data))
        self._size += len(data)

    def digest(self):
        """The 16 bytes; nothing can be added afterwards."""
        size = self._size
        self.update(b"\x80" + bytes((_BLOCK - 9 - size) % _BLOCK))
        self.update((size * 8).to_bytes(8, "little"))
        return bytes(self._state)


@micropython.viper
def _feed(b: uint, c: uint, d: uint, state_in, block_in, size: int, data_in, count: int):
    # Viper keeps the first three locals in registers, so that these are arguments without being
    # given. Its words are the machine's, 64 bits on a PC: what is rotated is cut to 32 before. And
    # ~ would change the register that it is asked of.
    state = ptr32(state_in)
    block = ptr8(block_in)
    data = ptr8(data_in)
    sines = ptr32(_SINES)
    mask = (uint(1) << 31 << 1) - uint(1)
    filled = size & 63
    at = 0
    while at < count:
        words = ptr32(block_in)
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
        a = uint(state[0])
        b = uint(state[1])
        c = uint(state[2])
        d = uint(state[3])
        i = 0
        while i < 16:
            x = (a + (d ^ (b & (c ^ d))) + uint(sines[i]) + uint(words[i])) & mask
            a = b + ((x << 7) | (x >> 25))
            x = (d + (c ^ (a & (b ^ c))) + uint(sines[i + 1]) + uint(words[i + 1])) & mask
            d = a + ((x << 12) | (x >> 20))
            x = (c + (b ^ (d & (a ^ b))) + uint(sines[i + 2]) + uint(words[i + 2])) & mask
            c = d + ((x << 17) | (x >> 15))
            x = (b + (a ^ (c & (d ^ a))) + uint(sines[i + 3]) + uint(words[i + 3])) & mask
            b = c + ((x << 22) | (x >> 10))
            i += 4
        while i < 32:
            x = (a + (c ^ (d & (b ^ c))) + uint(sines[i]) + uint(words[(5 * i + 1) & 15])) & mask
            a = b + ((x << 5) | (x >> 27))
            x = d + (b ^ (c & (a ^ b))) + uint(sines[i + 1])
            x = (x + uint(words[(5 * i + 6) & 15])) & mask
            d = a + ((x << 9) | (x >> 23))
            x = c + (a ^ (b & (d ^ a))) + uint(sines[i + 2])
            x = (x + uint(words[(5 * i + 11) & 15])) & mask
            c = d + ((x << 14) | (x >> 18))
            x = (b + (d ^ (a & (c ^ d))) + uint(sines[i + 3]) + uint(words[5 * i & 15])) & mask
            b = c + ((x << 20) | (x >> 12))
            i += 4
        while i < 48:
            x = (a + (b ^ c ^ d) + uint(sines[i]) + uint(words[(3 * i + 5) & 15])) & mask
            a = b + ((x << 4) | (x >> 28))
            x = (d + (a ^ b ^ c) + uint(sines[i + 1]) + uint(words[(3 * i + 8) & 15])) & mask
            d = a + ((x << 11) | (x >> 21))
            x = (c + (d ^ a ^ b) + uint(sines[i + 2]) + uint(words[(3 * i + 11) & 15])) & mask
            c = d + ((x << 16) | (x >> 16))
            x = (b + (c ^ d ^ a) + uint(sines[i + 3]) + uint(words[(3 * i + 14) & 15])) & mask
            b = c + ((x << 23) | (x >> 9))
            i += 4
        while i < 64:
            x = (a + (c ^ (b | (d ^ mask))) + uint(sines[i]) + uint(words[7 * i & 15])) & mask
            a = b + ((x << 6) | (x >> 26))
            x = d + (b ^ (a | (c ^ mask))) + uint(sines[i + 1])
            x = (x + uint(words[(7 * i + 7) & 15])) & mask
            d = a + ((x << 10) | (x >> 22))
            x = c + (a ^ (d | (b ^ mask))) + uint(sines[i + 2])
            x = (x + uint(words[(7 * i + 14) & 15])) & mask
            c = d + ((x << 15) | (x >> 17))
            x = b + (d ^ (c | (a ^ mask))) + uint(sines[i + 3])
            x = (x + uint(words[(7 * i + 5) & 15])) & mask
            b = c + ((x << 21) | (x >> 11))
            i += 4
        state[0] = uint(state[0]) + a
        state[1] = uint(state[1]) + b
        state[2] = uint(state[2]) + c
        state[3] = uint(state[3]) + d
