# SPDX-License-Identifier: MIT
#
# Bytes of heap that a TLS connection takes once warm: opened, a message there and back, closed.

import gc

from life import HOST, PORT, profile
from paced import FdUart

_WARM = 3
_TIMES = 4
_MESSAGE = b"a message of thirty-two bytes..."


def _counted(act, times):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(times):
        act()
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken / times


def main(fd, baud, path):
    """Bytes of a whole connection, and of a message in one that stands."""
    from onemo import Modem

    modem = Modem(FdUart(fd), baud=baud)
    modem.start()
    modem.attach()
    modem.sync(profile(path))
    tls = modem.tls(1)
    buffer = bytearray(len(_MESSAGE))

    def exchange(stream):
        stream.write(_MESSAGE)
        count = 0
        while count < len(_MESSAGE):
            count += stream.readinto(buffer) or 0
        assert buffer == _MESSAGE

    def connection():
        stream = modem.connect(HOST, PORT, tls)
        exchange(stream)
        stream.close()

    for _ in range(_WARM):
        connection()
    found = {"tls_connection": _counted(connection, _TIMES)}
    stream = modem.connect(HOST, PORT, tls)
    for _ in range(_WARM):
        exchange(stream)
    found["tls_message"] = _counted(lambda: exchange(stream), 2 * _TIMES)
    stream.close()
    return found
