# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# ruff: noqa: E731
# On a board with a real machine.UART, the emulated RP2040: marks tell the host which cycles
# belong to what. At the UART is a script with the answers of a module (bench/silicon.py).

import asyncio
import gc
import json
from time import sleep_ms, ticks_diff, ticks_ms, ticks_us

import machine
import plain
from common import Sink
from onemo.cert_pem import PemScanner
from onemo.cert_store import find_op
from onemo.uart import open_uart

MARKS = 0x40070000
UART = {"id": 1, "baud": 115200, "tx": 4, "rx": 5}
# Costs are measured on a line that keeps nobody waiting, and stops when the board does not follow.
FAST = 3_000_000
RTS = 7
TICK_MS = 5
POLLS = 100
PATIENCE_MS = 1500  # of the plain script, where bytes are lost

_wait = plain.wait
plain.wait = lambda uart, end: _wait(uart, end, PATIENCE_MS)


def marked(number, act):
    """Runs `act` between two marks; the second is `number`, the first 0. It begins with a
    millisecond, as what waits for whole ones would differ from run to run."""
    gc.collect()
    now = ticks_ms()
    while ticks_ms() == now:
        pass
    machine.mem32[MARKS] = 0
    act()
    machine.mem32[MARKS] = number


def opened(baud=115200, rxbuf=None, rts=None):
    settings = dict(UART)
    settings.update({"baud": baud, "rxbuf": rxbuf, "rts": rts})
    uart = open_uart(settings)
    sleep_ms(20)
    while uart.any():
        uart.read()
    return uart


def started(uart, baud=115200):
    from onemo import Modem

    modem = Modem(uart, baud=baud, packet=8192, model="ML307R")
    modem.start()
    return modem


def costs(who, sizes):
    """The marks: 1: nothing; 2: AT+CSQ; 10, 11: no and 40 lines kept; 12: 40 passed over; 13: so
    many polls of a line that is silent; 14: the largest PEM judged; then for each size 100 + n:
    upload, 200 + n: read-back."""
    uart = opened(FAST, rts=RTS)
    if who == "ours":
        modem = started(uart, FAST)
        command = modem.command
        certs = modem.certs  # who keeps it keeps what it has loaded
        upload = lambda size: certs.write(f"{size}.pem", f"/{size}.pem")
        read_back = lambda size: certs.read(f"{size}.pem", Sink())
    else:
        command = lambda text: plain.command(uart, text)
        upload = lambda size: plain.upload(uart, f"{size}.pem", f"/{size}.pem")
        read_back = lambda size: plain.read_back(uart, f"{size}.pem")
    acts = [(1, lambda: None), (2, lambda: command("+CSQ"))]
    acts += [(10, lambda: command("+X=0")), (11, lambda: command("+X=40"))]
    if who == "ours":
        acts.append((12, lambda: modem.run_operation(find_op(modem.channel, "none", 2))))
        acts.append((13, lambda: polled(modem.channel)))
        acts.append((14, lambda: judged(f"/{sizes[-1]}.pem")))
    for n, size in enumerate(sizes):
        acts.append((100 + n, lambda size=size: upload(size)))
        acts.append((200 + n, lambda size=size: read_back(size)))
    for turn in range(2):  # the first one warms up
        for number, act in acts:
            marked(number if turn else 0, act)


def of_published():
    """The marks of the published driver: 1: nothing; 2: AT+CSQ. Its UART has no RTS."""
    import published

    modem = published.opened(FAST)
    for turn in range(2):  # as above
        marked(turn, lambda: None)
        marked(2 * turn, lambda: published.command(modem))


def polled(ch):
    for _ in range(POLLS):
        ch.poll()


def judged(path):
    scanner = PemScanner(1)
    buffer = bytearray(256)
    with open(path, "rb") as file:
        while n := file.readinto(buffer):
            scanner.feed(buffer, n)
    scanner.finish()


def share(who, size):
    """Marks 1 and 2 around an upload and a read-back at the usual speed."""
    uart = opened()
    name = f"{size}.pem"
    if who == "ours":
        certs = started(uart).certs
        certs.write("1024.pem", "/1024.pem")  # loads what that needs
        certs.read("1024.pem", Sink())
        marked(1, lambda: certs.write(name, "/" + name))
        marked(2, lambda: certs.read(name, Sink()))
    else:
        marked(1, lambda: plain.upload(uart, name, "/" + name))
        marked(2, lambda: plain.read_back(uart, name))


def losses(who, baud, rxbuf, size):
    """One read-back of `size` bytes, or one list (None); whether all of it came."""
    uart = opened(baud, rxbuf)
    modem = started(uart, baud) if who == "ours" else None
    name = f"{size}.pem"
    got = None
    try:
        if size is None:
            if modem:
                modem.run_operation(find_op(modem.channel, "none", 2))
            else:
                plain.command(uart, "+MSSLLIST=2")
        elif modem:
            sink = Sink()
            modem.certs.read(name, sink)
            got = sink.size
        else:
            got = len(plain.read_back(uart, name))
    except OSError:
        got = -1
    print(json.dumps(got == size))


async def _gaps(found):
    last = ticks_us()
    while True:
        await asyncio.sleep_ms(TICK_MS)
        now = ticks_us()
        found[0] = max(found[0], ticks_diff(now, last))
        last = now


async def _aio(size):
    from onemo.aio import Modem

    modem = Modem(opened(), baud=115200, packet=8192, model="ML307R")
    await modem.start()
    name = f"{size}.pem"
    certs = modem.certs
    await certs.write("1024.pem", "/1024.pem")  # loads what that needs
    await certs.read("1024.pem", Sink())
    longest = []
    for act in (
        lambda: certs.write(name, "/" + name),
        lambda: certs.read(name, Sink()),
    ):
        gc.collect()
        found = [0]
        task = asyncio.create_task(_gaps(found))
        await asyncio.sleep_ms(0)
        await act()
        task.cancel()
        longest.append(found[0])
    return longest


def gaps(who, size):
    """Microseconds for which a task that wants to run every 5 ms did not, at most, during an
    upload and a read-back: with asyncio; the plain script lets no task run until it is through."""
    if who == "ours":
        found = asyncio.run(_aio(size))
    else:
        uart = opened()
        name = f"{size}.pem"
        found = []
        for act in (
            lambda: plain.upload(uart, name, "/" + name),
            lambda: plain.read_back(uart, name),
        ):
            start = ticks_ms()
            act()
            found.append(ticks_diff(ticks_ms(), start) * 1000)
    print(json.dumps(found))
