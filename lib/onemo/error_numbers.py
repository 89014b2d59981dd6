# SPDX-License-Identifier: MIT
#
# The codes of connections as the errno that users of `socket` test for. Loaded only when a command
# was refused with one.

import errno

_NAMES = (
    ("ENOTCONN", (551, 553)),
    ("EADDRINUSE", (552, 555, 576)),
    ("ENOBUFS", (554, 751)),
    ("ECONNREFUSED", (557,)),
    ("ETIMEDOUT", (558, 753)),
    ("ECONNRESET", (560, 561)),
    ("ECONNABORTED", (562, 750, 752, 754)),
    # No network, no such name, or an opening that failed without a reason
    ("EHOSTUNREACH", (-1, 1, 559, 570, 571, 572, 575, 577, 580, 581)),
)


def errno_of(code):
    """The port's own number for a code of +CME ERROR or +MIPOPEN; EIO where none says more."""
    for name, codes in _NAMES:
        if code in codes:
            return getattr(errno, name)
    return errno.EIO
