# SPDX-License-Identifier: MIT
#
# The receive path and the payload loop under micropython.heap_lock(): the UART locks the heap as
# an answer or a payload begins and unlocks it as the last bytes are handed over. An allocation
# in between is a MemoryError.

import hashlib
import io
from binascii import hexlify

from common import NAME, lines, started, store
from onemo.cert_store import find_op
from scripted import OK, CutUart

WHOLE = b"\xff"
CUTS = {"whole": WHOLE, "bytes": b"\x01", "odd": b"\x07\x01\x0d\x40\x02\x1f"}


class _Urcs:
    def __init__(self):
        self.count = 0
        self.last = 0

    def look(self, buf, start, end):
        self.count += 1
        self.last = buf[end - 1]


class _HashSink:
    def __init__(self):
        self.hash = hashlib.md5()

    def write(self, piece):
        self.hash.update(piece)


def _guarded(uart, act, payload=False):
    # Warm, then under the lock: what `act` gives, and how many bytes went by meanwhile.
    act()
    uart.guard_payload = payload
    uart.guard_answers = not payload
    uart.seen = 0
    try:
        return act(), uart.seen
    finally:
        uart.guard_payload = uart.guard_answers = False
        uart.unlock()


def _no_wait():
    pass


def received(cut):
    """Lines that are not the result, then the one that is, then URCs; all in one answer."""
    uart = CutUart(12000, CUTS[cut])
    modem = started(uart)
    urcs = _Urcs()
    modem.channel.on_urc(b"+MIPURC:", urcs.look)
    uart.answer(
        b"AT+MSSLLIST=",
        lines(b"+MSSLLIST:", 20),
        b'\r\n+MSSLLIST: "ca.pem",1234\r\n',
        b"\r\n+NOBODY KNOWS: this line\r\n",
        lines(b"+MIPURC:", 20),
        OK,
    )
    size, seen = _guarded(uart, lambda: modem.run_operation(find_op(modem.channel, NAME, 1)))
    return {"size": size, "urcs": urcs.count, "last": urcs.last, "seen": seen}


def idle(cut):
    """URCs while no command is under way."""
    uart = CutUart(12000, CUTS[cut])
    modem = started(uart)
    urcs = _Urcs()
    ch = modem.channel
    ch.on_urc(b"+MIPURC:", urcs.look)
    uart.answer(b"URCS", lines(b"+MIPURC:", 20))

    def act():
        uart.write(b"URCS")
        while uart.any():
            ch.poll()

    seen = _guarded(uart, act)[1]
    return {"urcs": urcs.count, "last": urcs.last, "seen": seen}


def written(cut, pem, packet, buffer):
    """A PEM goes out: read, judged, hashed and pushed with the heap locked; `seen` counts."""
    size, path, digest = pem
    uart = CutUart(12000, CUTS[cut])
    modem = started(uart, packet=packet, buffer=buffer)
    store(uart, path, size, digest)
    with open(path, "rb") as file:
        stream = io.BytesIO(file.read())

    def act():
        stream.seek(0)
        return modem.certs.write(NAME, stream)

    done, seen = _guarded(uart, act, True)
    return {"done": done, "seen": seen}


def read_back(cut, pem, buffer):
    """It comes back, into a hash."""
    size, path, digest = pem
    uart = CutUart(12000, CUTS[cut])
    # A byte at a time needs no nap of its own: at this speed, and without waiting for more.
    modem = started(uart, baud=921600, buffer=buffer)
    modem.wait = _no_wait
    store(uart, path, size, digest)
    sink = _HashSink()

    def act():
        sink.hash = hashlib.md5()
        return modem.certs.read(NAME, sink)

    got, seen = _guarded(uart, act)
    return {"size": got, "digest": hexlify(sink.hash.digest()).decode(), "seen": seen}


def control(cut):
    """The harness itself: a URC handler that allocates, which has to be noticed."""
    uart = CutUart(12000, CUTS[cut])
    modem = started(uart)
    modem.on_urc(b"+MIPURC:", lambda line: None)  # gets a copy of the line
    uart.answer(b"AT+MSSLLIST=", lines(b"+MIPURC:", 9), OK)  # more than one read takes
    try:
        _guarded(uart, lambda: modem.run_operation(find_op(modem.channel, NAME, 1)))
    except MemoryError:
        return "noticed"
    return "not noticed"
