# SPDX-License-Identifier: MIT
#
# Uploads over a line that takes its time, with a simulated module at its other end.

import io
import select
from time import ticks_diff, ticks_us

import plain
from modules import PROVISIONING, front, load

_FILENO = 10  # ioctl: the descriptor behind a stream


class FdUart(io.IOBase):
    """A non-blocking descriptor as a UART. Counts bytes."""

    def __init__(self, fd):
        self._fd = fd
        self._file = open(fd, "r+b")
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLIN)
        self.count = 0

    def any(self):
        for _ in self._poller.ipoll(0):
            return 64
        return 0

    def readinto(self, buf, n=None):
        n = self._file.readinto(buf) if n is None else self._file.readinto(buf, n)
        self.count += n or 0
        return n

    def read(self):
        data = self._file.read(256) or b""
        self.count += len(data)
        return data

    def write(self, buf, at=0, n=None):
        if n is None:
            n = len(buf)
        n = self._file.write(buf, at, n)
        self.count += n or 0
        return n

    def ioctl(self, op, arg):
        return self._fd if op == _FILENO else 0


def ours(fd, baud, path, packet, runs):
    """[(microseconds, bytes in both directions), ...] of verified writes into an empty store."""
    load(PROVISIONING)
    uart = FdUart(fd)
    modem = front()(uart, baud=baud, packet=packet)
    modem.start()
    found = []
    for _ in range(runs):
        before = uart.count
        start = ticks_us()
        if not modem.certs.write("ca.pem", path):
            raise RuntimeError("the store was not empty")
        found.append((ticks_diff(ticks_us(), start), uart.count - before))
        modem.certs.remove("ca.pem")
    return found


def peer(fd, path, runs):
    """The same of the plain script, which verifies nothing and uses one packet."""
    uart = FdUart(fd)
    plain.command(uart, "E0")
    found = []
    for _ in range(runs):
        before = uart.count
        start = ticks_us()
        plain.upload(uart, "ca.pem", path)
        found.append((ticks_diff(ticks_us(), start), uart.count - before))
        plain.command(uart, '+MSSLRM="ca.pem"')
    return found
