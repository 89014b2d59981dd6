# SPDX-License-Identifier: MIT
#
# What the measurements share: a started driver, long answers, a sink.

from scripted import OK, Uart

NAME = "ca.pem"


def lines(prefix, count):
    """`count` information lines that begin with `prefix`."""
    return b"".join([b"\r\n" + prefix + b' "others%03d.pem",1261\r\n' % i for i in range(count)])


def listing(uart, command, prefix, count):
    """Lets the module answer `command` with so many lines."""
    uart.answer(command, lines(prefix, count) + OK)


def store(uart, path, size, digest):
    """Lets the module take and hold the PEM at `path`."""
    uart.upload(digest.encode())
    with open(path, "rb") as file:
        pem = file.read()
    uart.answer(b"AT+MSSLCERTRD=", b"\r\n+MSSLCERTRD: %d," % size, pem, b"\r\n" + OK)


def started(uart, **settings):
    """A blocking driver that has done its first steps."""
    from onemo import Modem

    modem = Modem(uart, **settings)
    modem.start()
    return modem


class Sink:
    """Where a read-back goes."""

    def __init__(self):
        self.size = 0

    def write(self, piece):
        self.size += len(piece)


def scripted(room=12000):
    return Uart(room)
