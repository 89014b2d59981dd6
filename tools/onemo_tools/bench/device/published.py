# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# micropython-am7020 drives another modem. These functions use its primitives as its own methods
# do. Both check that they worked, because the driver carries on after a MemoryError.

import sys

ATTEMPT_MS = 2000
PIECE = 256  # characters of a file at a time


class _Pin:
    # On MicroPython for a PC, which has neither pins nor UARTs.
    OUT = 1
    ALT = 3

    def __init__(self, *number, **settings):
        pass


class _Machine:
    Pin = _Pin

    def __init__(self, uart):
        self.uart = uart

    def UART(self, number, **settings):
        return self.uart


def on_a_pc(uart):
    """Lets the driver find `uart` where it looks for a board's."""
    sys.modules["machine"] = _Machine(uart)


def imported():
    """Its class."""
    return __import__("am7020.am7020_nb", None, None, ("AM7020NB",)).AM7020NB


def opened(baud=115200, tx=4, rx=5, reset=6):
    return imported()(1, baud, tx, rx, reset)


def command(modem):
    """AT+CSQ, its result included."""
    modem.sendAT("+CSQ")
    modem.waitResponse(ATTEMPT_MS, "+CSQ: ")
    strength = modem.streamGetIntBefore(",", ATTEMPT_MS)
    if strength != 24 or modem.waitResponse(ATTEMPT_MS) != 1:
        raise MemoryError("AT+CSQ failed")
    return strength


def upload(modem, name, path):
    """The PEM in one packet, a piece at a time; nothing is verified."""
    with open(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        modem.sendAT('+MSSLCERTWR="', name, '",0,', size)
        found = modem.waitResponse(ATTEMPT_MS, ">")
        while size:
            piece = file.read(PIECE)
            modem.streamWrite(piece)
            size -= len(piece)
    if found != 1 or modem.waitResponse(ATTEMPT_MS) != 1:
        raise MemoryError("the upload failed")
