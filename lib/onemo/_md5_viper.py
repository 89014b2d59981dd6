# SPDX-License-Identifier: MIT
#
# MD5 (RFC 1321) for ports whose hashlib has none: stm32 without SSL, rp2 before 1.27. Shipped as
# source in every package: mpy-cross compiles viper for one architecture only, the board compiles
# it for its own. Some 200 instructions a byte; updating allocates nothing.

from binascii import unhexlify

import micropython

# The sines of RFC 1321 3.4 as little-endian words, then the rotations of the four rounds.
_TABLE = unhexlify(
    b"78a46ad756b7c7e8db702024eecebdc1af0f7cf52ac68747134630a8019546fd"
    b"d8988069aff7448bb15bffffbed75c892211906b937198fd8e4379a62108b449"
    b"62251ef640b340c0515a5e26aac7b6e95d102fd65314440281e6a1d8c8fbd3e7"
    b"e6cde121d60737c3870dd5f4ed145a4505e9e3a9f8a3effcd9026f678a4c2a8d"
    b"4239faff81f6718722619d6d0c38e5fd44eabea4a9cfde4b604bbbf670bcbfbe"
    b"c67e9b28fa27a1ea8530efd4051d880439d0d4d9e599dbe6f87ca21f6556acc4"
    b"442229f497ff2a43a72394ab39a093fcc3595b6592cc0c8f7df4efffd15d8485"
    b"4f7ea86fe0e62cfe144301a3a111084e827e53f735f23abdbbd2d72a91d386eb"
    b"070c1116"
    b"05090e14"
    b"040b1017"
    b"060a0f15"
)
_START = b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10"
_BLOCK = 64  # bytes


class MD5:
    """As hashlib.md5: update(buffer), then digest() once."""

    def __init__(self):
        self._state = bytearray(_START + bytes(4))  # four words, and one to reckon in
        self._block = bytearray(_BLOCK)
        self._size = 0  # bytes so far

    def update(self, data):
        _feed(self._state, self._block, self._size, data, len(data))
        self._size += len(data)

    def digest(self):
        """The 16 bytes; nothing can be added afterwards."""
        size = self._size
        self.update(b"\x80" + bytes((_BLOCK - 9 - size) % _BLOCK))
        self.update((size * 8).to_bytes(8, "little"))
        return bytes(self._state[:16])


@micropython.viper
def _feed(state_in, block_in, size: int, data_in, count: int):
    # Viper's words are the machine's, 64 bits on a PC: a word that is rotated goes through memory,
    # which cuts it to 32.
    state = ptr32(state_in)
    block = ptr8(block_in)
    words = ptr32(block_in)
    data = ptr8(data_in)
    sines = ptr32(_TABLE)
    turns = ptr8(_TABLE)
    filled = size & 63
    at = 0
    while at < count:
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
        while i < 64:
            if i < 16:
                f = (b & c) | (d & ~b)
                g = i
            elif i < 32:
                f = (d & b) | (c & ~d)
                g = 5 * i + 1
            elif i < 48:
                f = b ^ c ^ d
                g = 3 * i + 5
            else:
                f = c ^ (b | ~d)
                g = 7 * i
            turn = uint(turns[256 + (i >> 4 << 2) + (i & 3)])
            state[4] = a + f + uint(sines[i]) + uint(words[g & 15])
            f = uint(state[4])
            state[4] = b + ((f << turn) | (f >> (uint(32) - turn)))
            a = d
            d = c
            c = b
            b = uint(state[4])
            i += 1
        state[0] = uint(state[0]) + a
        state[1] = uint(state[1]) + b
        state[2] = uint(state[2]) + c
        state[3] = uint(state[3]) + d
