# SPDX-License-Identifier: MIT
#
# The loop of cert_pem.py over base64 in machine code, for which the board's own compiler or that
# of `deploy` makes it: some 40 cycles a byte. Where there is none, _pem_plain.py takes its place.

import micropython


@micropython.viper
def run(buf: ptr8, at: int, stop: int, seen: ptr32) -> int:
    """Take base64 and line ends from buf[at:stop]; returns where something else stands, a blank
    line, or a CR without its LF. seen: an array of 32-bit ints, to which are added [0] characters
    and [2] lines; [1] is the column."""
    first = int(buf)
    at += first  # addresses from here on: `at` is in a register, and needs no sum
    stop += first
    begin = at
    line = at - int(seen[1])  # where the line begins, perhaps before the buffer
    ends = 0  # bytes
    lines = 0
    while at < stop:
        # One comparison tells a range, for what is below it is large without a sign.
        if uint((int(ptr8(at)[0]) | 0x20) - 0x61) > uint(25):
            byte = int(ptr8(at)[0])
            if uint(byte - 0x2F) > uint(10):
                if byte <= 0x0D:
                    if at == line:
                        break
                    if byte == 0x0D:
                        if at + 1 == stop:
                            break
                        if int(ptr8(at)[1]) != 0x0A:
                            break
                        at += 1
                        ends += 1
                    elif byte != 0x0A:
                        break
                    ends += 1
                    lines += 1
                    line = at + 1
                elif byte != 0x2B:
                    break
        at += 1
    seen[0] = int(seen[0]) + at - begin - ends
    seen[1] = at - line
    seen[2] = int(seen[2]) + lines
    return at - first
