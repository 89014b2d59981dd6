# SPDX-License-Identifier: MIT
#
# The codes of connections as the errno that users of `socket` test for. Loaded only when a command
# was refused with one.

from ._port import const

# Linux's numbers, which lwIP and MicroPython's errno have as well: ENOTCONN 107, EADDRINUSE 98,
# ENOBUFS 105, ECONNREFUSED 111, ETIMEDOUT 110, EHOSTUNREACH 113, ECONNRESET 104, ECONNABORTED 103.
_EIO = const(5)
_EHOSTUNREACH = const(113)

# fmt: off
_FROM_550 = bytes((
    5, 107, 98, 107, 105, 98, 98, 111, 110, 113,  # 550 ..
    104, 104, 103, 5, 5, 5, 5, 5, 5, 5,  # 560 ..
    113, 113, 113, 5, 5, 113, 98, 113, 5, 5,  # 570 ..
    113, 113, 5,  # 580 ..
))
_FROM_750 = bytes((103, 105, 103, 110, 103))
# fmt: on


def errno_of(code):
    """The errno of a code of +CME ERROR or +MIPOPEN; EIO where none says more."""
    if code in (1, -1):  # of an opening, without the reason
        return _EHOSTUNREACH
    for first, numbers in ((550, _FROM_550), (750, _FROM_750)):
        if 0 <= code - first < len(numbers):
            return numbers[code - first]
    return _EIO
