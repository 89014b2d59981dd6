# SPDX-License-Identifier: MIT
#
# Microseconds: the library and the plain script in turn, in one run, so that both see the same
# machine. The UART answers at once, and nobody waits for it: what is timed is the driver's own
# work.

import gc
import hashlib
from time import ticks_diff, ticks_us

import plain
from common import NAME, Sink, listing, scripted, started, store
from onemo import _port
from onemo.cert_store import find_op

LINES = (1, 10, 25, 50, 100)
_REPEAT = 4  # calls a timing, for some take a few microseconds only


def timed(act):
    gc.collect()
    start = ticks_us()
    for _ in range(_REPEAT):
        act()
    return ticks_diff(ticks_us(), start) / _REPEAT


def _acts(pems):
    # (what, of how much, act), each leaving the UART as the next one needs it.
    uart = scripted()
    modem = started(uart, packet=8192)
    _port.sleep_ms = lambda ms: None
    certs = modem.certs
    sink = Sink()
    acts = [
        ("command ours", 0, None, lambda: modem.command("+CSQ")),
        ("command plain", 0, None, lambda: plain.command(uart, "+CSQ")),
    ]
    for count in LINES:
        for what, command, prefix, act in (
            ("lines ours", b"AT+MSSLLIST=", b"+MSSLLIST:", lambda: _find(modem)),
            ("lines kept ours", b"AT+X", b"+X:", lambda: modem.command("+X")),
            ("lines kept plain", b"AT+X", b"+X:", lambda: plain.command(uart, "+X")),
        ):
            setup = _answering(uart, command, prefix, count)
            acts.append((what, count, setup, act))
    for size, path, digest in pems:
        setup = _storing(uart, path, size, digest)
        for what, act in (
            ("upload ours", _calling(certs.write, NAME, path)),
            ("upload plain", _calling(plain.upload, uart, NAME, path)),
            ("read back ours", _calling(certs.read, NAME, sink)),
            ("read back plain", _calling(plain.read_back, uart, NAME)),
        ):
            acts.append((what, size, setup, act))
        acts.append(("judge", size, None, _calling(_judge, path)))
        acts.append(("hash", size, None, _calling(_hash, path)))
    return acts


def _find(modem):
    return modem.run_operation(find_op(modem.channel, NAME, 1))


def _answering(uart, command, prefix, count):
    return lambda: listing(uart, command, prefix, count)


def _storing(uart, path, size, digest):
    def setup():
        uart.answer(b"AT+MSSLLIST=", b"\r\nOK\r\n")
        store(uart, path, size, digest)

    return setup


def _calling(act, *args):
    return lambda: act(*args)


def _judge(path):
    from onemo.cert_pem import PemScanner

    judge = PemScanner(1)
    buffer = bytearray(256)
    with open(path, "rb") as file:
        while n := file.readinto(buffer):
            judge.feed(buffer, n)
    judge.finish()


def _hash(path):
    hashed = hashlib.md5()
    buffer = bytearray(256)
    with open(path, "rb") as file:
        while file.readinto(buffer):
            hashed.update(buffer)


def main(pems, rounds):
    """What -> how much -> the best time of `rounds` and the median, microseconds."""
    acts = _acts(pems)
    found = {}
    for turn in range(rounds + 1):
        for what, size, setup, act in acts:
            if setup:
                setup()
            spent = timed(act)
            if turn:  # the first one warms up
                found.setdefault(what, {}).setdefault(size, []).append(spent)
    for sizes in found.values():
        for size, taken in sizes.items():
            taken.sort()
            sizes[size] = (taken[0], taken[len(taken) // 2])
    return found
