# SPDX-License-Identifier: MIT
"""The asyncio front on a virtual clock: many tasks, one modem."""

import asyncio
import hashlib
import io
import random

import pytest
from onemo import aio
from onemo.errors import CommandError, ConnectionLost, Timeout, Unsupported

from .conftest import HOST, Sink, Talker, network, sends, talker


def test_it_has_every_method_of_the_blocking_front():
    from onemo import blocking

    inner = {"run_operation", "drive", "wait"}
    for name in set(dir(blocking.Modem)) - inner:
        if not name.startswith("_"):
            assert hasattr(aio.Modem, name), name


def test_the_same_commands_awaited(aios, manual_ca):
    rig = aios()

    async def go():
        modem = rig.aio
        assert modem.model == "ML307R"
        assert await modem.command("+CSQ") == [b"+CSQ: 24,99"]
        assert await modem.attach() == ["10.11.12.13"]
        assert await modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
        assert await modem.certs.list() == [("ca.pem", 1261)]
        await modem.tls(1).configure(ca="ca.pem")
        assert (await modem.tls(1).read())["ca"] == "ca.pem"
        with pytest.raises(CommandError):
            await modem.command("+NONSENSE")
        assert (await modem.clock())[0] >= 2024
        assert await modem.command("+CSQ") == [b"+CSQ: 24,99"]

    rig.run(go())


def test_suites_are_iterated_and_may_be_left_half_way(aios):
    rig = aios()

    async def go():
        every = [number async for number in rig.aio.ciphers()]
        assert every == list(rig.modem.ciphers())
        async for number in rig.aio.ciphers():
            assert number == every[0]
            break
        assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]

    rig.modem.start()
    rig.run(go())
    rig = aios("ML307S")

    async def refused():
        with pytest.raises(Unsupported):
            rig.aio.ciphers()

    rig.run(refused())


def test_streams_have_asyncios_methods(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        assert stream.get_extra_info("peername") == (HOST, 7)
        assert stream.get_extra_info("cipher", "?") == "?"
        stream.write(b"one\n")
        stream.writelines([b"two", "\nthrée"])
        assert sends(rig) == []
        await stream.drain()
        await stream.drain()
        assert sends(rig) == [14]
        assert await stream.readline() == b"one\n"
        assert await stream.readexactly(2) == b"tw"
        buf = bytearray(3)
        assert await stream.readinto(buf) == 3
        assert buf == b"o\nt"
        assert await stream.read(100) == "hrée".encode()
        stream.write(b"x" * 5000)
        assert await stream.readexactly(5000) == b"x" * 5000  # what is written goes out first
        stream.write(b"good-bye")
        stream.close()
        assert stream.is_closing()
        await stream.wait_closed()
        await stream.wait_closed()
        await rig.sleep(0.1)
        await rig.aio.command("+CSQ")
        assert rig.network.connections[0].sent.endswith(b"good-bye")
        assert rig.network.connections[0].closed
        with pytest.raises(ConnectionLost):
            stream.write(b"late")
        async with await rig.aio.connect(HOST, 19) as talker:
            assert await talker.read() == b"first line\nsecond\nlast without end"
            with pytest.raises(EOFError):
                await talker.readexactly(1)
            assert await talker.readline() == b""
            assert await talker.read(3) == b""
        await rig.sleep(0.1)
        await rig.aio.command("+CSQ")
        assert rig.network.connections[1].closed

    rig.run(go())


def test_who_waits_for_data_holds_nobody_up(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        reader = asyncio.create_task(stream.readexactly(6))
        for _ in range(5):
            await rig.sleep(0.5)
            before = rig.clock.now()
            assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]
            assert rig.clock.now() - before < 0.1
        assert not reader.done()
        stream.write(b"answer")
        await stream.drain()
        assert await reader == b"answer"

    rig.run(go())


def test_one_task_reads_what_another_writes(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)

        async def write():
            for number in range(300):
                stream.write(b"%d\n" % number)
                await stream.drain()

        writer = asyncio.create_task(write())
        for number in range(300):
            assert await stream.readline() == b"%d\n" % number
        await writer

    rig.run(go())


def test_who_connects_holds_nobody_up(aios):
    net = network()
    net.open_delay = 20
    rig = aios(network=net)

    async def go():
        connecting = asyncio.create_task(rig.aio.connect(HOST, 7))
        await rig.sleep(1)
        before = rig.clock.now()
        assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]
        assert rig.clock.now() - before < 0.1
        assert not connecting.done()
        stream = await connecting
        stream.write(b"x")
        assert await stream.read(1) == b"x"

    rig.run(go())


def test_operations_take_turns_in_the_order_they_came(aios):
    rig = aios()

    async def go():
        order = []

        async def one(number):
            await rig.aio.command("+CSQ")
            order.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(10)]
        await asyncio.sleep(0)
        tasks[4].cancel()  # while it waits for its turn
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [0, 1, 2, 3, 5, 6, 7, 8, 9]

    rig.run(go())


def test_urcs_are_served_while_nobody_talks(aios):
    rig = aios()
    heard = []

    async def go():
        rig.aio.on_urc(b"+CEREG:", heard.append)
        server = asyncio.create_task(rig.aio.run())
        rig.module.urc(b"+CEREG: 5")
        await rig.sleep(0.2)
        assert heard == [b"+CEREG: 5"]
        assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]
        server.cancel()

    rig.run(go())


async def _command(rig):
    assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]


async def _connect(rig):
    async with await rig.aio.connect(HOST, 7) as stream:
        stream.write(b"x")
        assert await stream.readexactly(1) == b"x"


async def _upload(rig):
    await rig.aio.certs.write("ca.pem", io.BytesIO(rig.ca), force=True)


async def _ciphers(rig):
    assert len([number async for number in rig.aio.ciphers()]) > 100


async def _inventory(rig):
    certs = rig.aio.certs
    await certs.write("ca.pem", io.BytesIO(rig.ca))
    assert await certs.list() == [("ca.pem", len(rig.ca))]
    kept = io.BytesIO()
    await certs.read("ca.pem", kept)
    assert kept.getvalue() == rig.ca
    assert await certs.digest("ca.pem") == hashlib.md5(rig.ca).hexdigest()


@pytest.mark.parametrize("work", [_command, _connect, _upload, _ciphers, _inventory])
def test_a_task_cancelled_at_any_moment_leaves_the_modem_usable(aios, manual_ca, work):
    rig = aios(strict=False)  # a command that is left is followed by another too early
    rig.ca = manual_ca
    step = 0
    finished = False

    async def go():
        nonlocal step, finished
        while not finished:
            step += 1 + step // 8
            start = rig.naps
            task = asyncio.create_task(work(rig))
            rig.cancel(task, start + step)
            try:
                await task
                finished = rig.naps < start + step
            except asyncio.CancelledError:
                pass
            rig.on_nap = None
            await _command(rig)
            if step % 3 == 0:
                await _connect(rig)
        await rig.sleep(11)
        streams = [await rig.aio.connect(HOST, 7) for _ in range(6)]  # no id is lost
        for stream in streams:
            await stream.wait_closed()

    rig.run(go())
    assert step > 1
    assert rig.aio.channel.ready()


@pytest.mark.parametrize("how", ["readexactly", "readline", "readinto", "small"])
def test_a_reader_cancelled_at_any_moment_loses_nothing(aios, how):
    data = random.Random(3).randbytes(6000).replace(b"\n", b"-") + b"\n"
    net = network()
    net.listen(HOST, 20, Talker(data, piece=700, end=None))
    rig = aios(network=net)

    async def go():
        for step in range(1, 40, 3):
            stream = await rig.aio.connect(HOST, 20)
            await rig.sleep(0.004)
            start = rig.naps
            buf = bytearray(900)
            work = {
                "readexactly": lambda s=stream: s.readexactly(5000),
                "readline": lambda s=stream: s.readline(),
                "readinto": lambda s=stream, b=buf: s.readinto(b),
                "small": lambda s=stream: s.read(10),
            }[how]
            task = asyncio.create_task(work())
            rig.cancel(task, start + step)
            try:
                got = await task
                got = bytes(buf[:got]) if how == "readinto" else got
            except asyncio.CancelledError:
                got = b""
            rig.on_nap = None
            if not got.endswith(b"\n"):  # it was cancelled in time
                got += await stream.readline()
            assert got == data
            await stream.wait_closed()

    rig.run(go())


def test_writers_cancelled_lose_nothing_and_change_no_order(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 9)

        async def write(number):
            stream.write(b"%04d" % number * 50)
            await stream.drain()

        choice = random.Random(4)
        for number in range(40):
            task = asyncio.create_task(write(number))
            rig.cancel(task, rig.naps + choice.randrange(8))
            other = asyncio.create_task(rig.aio.command("+CSQ"))
            await asyncio.gather(task, other, return_exceptions=True)
        rig.on_nap = None
        await stream.drain()
        sent = bytes(rig.network.connections[0].sent)
        assert sent == b"".join(b"%04d" % number * 50 for number in range(40))

    rig.run(go())


def test_a_time_limit_of_asyncio_is_enough_for_reads(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stream.readexactly(4), 0.05)  # real time
        stream.settimeout(2)
        with pytest.raises(Timeout):
            await stream.readexactly(4)
        stream.write(b"here")
        assert await stream.readexactly(4) == b"here"

    rig.run(go())


def test_a_megabyte_each_way_over_three_connections(aios):
    net = network()
    net.latency = 0
    data = [random.Random(number).randbytes(350000) for number in range(3)]
    for number in range(3):
        net.listen(HOST, number + 30, Sink())
        net.listen(HOST, number + 40, Talker(data[number], piece=3000))
    rig = aios(
        network=net, uart={"seed": 3, "short_reads": 0.3, "short_writes": 0.3, "nothing": 0.05}
    )
    heard = []

    async def read(number):
        stream = await rig.aio.connect(HOST, number + 40)
        choice = random.Random(number)
        got = bytearray()
        while piece := await stream.read(choice.choice([1, 200, 1000])):
            got += piece
            if len(got) > 100000:
                got += await stream.readexactly(min(50000, 350000 - len(got)))
        assert got == data[number]
        await stream.wait_closed()

    async def write(number):
        stream = await rig.aio.connect(HOST, number + 30)
        choice = random.Random(number)
        at = 0
        while at < 350000:
            n = choice.choice([1, 3000, 20000])
            stream.write(data[number][at : at + n])
            await stream.drain()
            at += n
        return stream

    async def chat():
        while True:
            rig.module.urc(b"+CEREG: 1")
            await rig.sleep(0.05)

    async def go():
        rig.aio.on_urc(b"+CEREG:", heard.append)
        chatter = asyncio.create_task(chat())
        await asyncio.gather(*[work(n) for n in range(3) for work in (read, write)])
        chatter.cancel()

    rig.run(go())
    sent = {conn.port: bytes(conn.sent) for conn in net.connections}
    assert [sent[number + 30] for number in range(3)] == data
    assert len(heard) > 20


@pytest.mark.parametrize("what", ["certs.read", "read", "ciphers", "write", "certs.write"])
def test_no_task_is_held_for_long_by_another(aios, manual_ca, what):
    """On an MCU that needs 0.1 ms for a look at its UART, so that a byte more has come by then."""
    big = b"x" * 8000
    rig = aios(
        network=talker(big * 4, end=None),
        uart={"baud": 115200, "rxbuf": 256},
        driver={"baud": 115200},
    )
    rig.module.store.objects[1, "big.pem"] = big
    at_once = rig.uart.any

    def slow():
        rig.clock.advance(0.0001)
        return at_once()

    rig.uart.any = slow
    gaps = []
    last = None

    async def noted(ms):
        nonlocal last
        if last is not None:
            gaps.append(rig.clock.now() - last)
        await rig.nap(ms)
        last = rig.clock.now()

    async def go():
        stream = await rig.aio.connect(HOST, 20)
        echo = await rig.aio.connect(HOST, 7)
        aio.sleep_ms = noted
        sink = io.BytesIO()
        if what == "certs.read":
            assert await rig.aio.certs.read("big.pem", sink) == 8000
            assert sink.getvalue() == big
        elif what == "read":
            assert await stream.readexactly(16000) == big * 2
        elif what == "ciphers":
            assert len([number async for number in rig.aio.ciphers()]) > 100
        elif what == "write":
            echo.write(big)
            await echo.drain()
        else:
            assert await rig.aio.certs.write("ca.pem", io.BytesIO(manual_ca))

    rig.run(go())
    assert rig.uart.overruns == 0
    assert len(gaps) > 20
    assert max(gaps) < 0.025


# No other task is held up


@pytest.mark.parametrize("job", ["upload", "download", "read", "write", "suites"])
def test_no_job_holds_other_tasks_for_more_than_25_ms(aios, manual_ca, job):
    """At 115200 bit/s, with a board that takes 0.1 ms to look at its UART."""
    data = bytes(range(256)) * 64
    rig = aios(network=talker(data), uart={"baud": 115200, "rxbuf": 4096})
    rig.module.store.objects[1, "ca.pem"] = pem = (
        b"A line of a certificate's 64 characters\r\n" * 190
    )
    look, nap, left, held = rig.uart.any, rig.nap, [None], []

    def slow_look():
        rig.clock.advance(0.0001)
        return look()

    async def watched(ms):
        if left[0] is not None:
            held.append(rig.clock.now() - left[0])
        await nap(ms)
        left[0] = rig.clock.now()

    async def go():
        modem = rig.aio
        if job in ("read", "write"):
            stream = await modem.connect(HOST, 20 if job == "read" else 9)
        rig.uart.any, aio.sleep_ms = slow_look, watched
        if job == "upload":
            await modem.certs.write("client.pem", io.BytesIO(manual_ca))
        elif job == "download":
            sink = io.BytesIO()
            assert await modem.certs.read("ca.pem", sink) == len(pem)
            assert sink.getvalue() == pem
        elif job == "read":
            assert await stream.readexactly(len(data)) == data
        elif job == "write":
            stream.write(data)
            await stream.drain()
        else:
            assert [number async for number in modem.ciphers()]

    rig.run(go())
    assert len(held) > 10
    assert max(held) <= 0.025
