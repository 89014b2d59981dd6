# SPDX-License-Identifier: MIT
#
# How much free heap an operation needs: all is loaded and warm, and the heap is filled up but for
# so many bytes in one piece. Unlike the smallest heap of a whole program this does not depend on
# where the garbage of importing came to lie.

import gc

import plain
from common import NAME, scripted, started
from modules import PROVISIONING, load

_SIZES = (8192, 1024, 128, 32, 0)


def main(who, what, free, size, path, digest):
    """who: blocking, plain. what: command, upload. MemoryError where `free` bytes do not do."""
    load(PROVISIONING)
    uart = scripted(256)
    uart.upload(digest.encode())
    if who == "plain":
        acts = {
            "command": lambda: plain.command(uart, "+CSQ"),
            "upload": lambda: plain.upload(uart, NAME, path),
        }
    else:
        modem = started(uart)
        certs = modem.certs  # holds what an upload loads
        acts = {
            "command": lambda: modem.command("+CSQ"),
            "upload": lambda: certs.write(NAME, path),
        }
    act = acts[what]
    act()
    gc.collect()
    reserve = bytearray(free)
    chain = None
    for _ in range(2):  # what the filling itself leaves behind is filled in turn
        for piece in _SIZES:  # here, for a function's frame would be free again behind it
            try:
                while True:
                    chain = (chain, bytearray(piece) if piece else None)
            except MemoryError:
                pass
        gc.collect()
    reserve = None
    gc.collect()
    left = gc.mem_free()
    act()
    return left if chain and reserve is None else None
