# SPDX-License-Identifier: MIT
"""The asyncio front from outside: how long it sleeps between two looks, what it does with a task
that is cancelled, and what its streams make of their arguments."""

import asyncio

import pytest
from onemo import aio, aio_socket
from onemo.errors import CommandError, ConnectionLost, ModemReset, ProtocolError, Timeout

from .conftest import HOST, AioRig, Talker, commands, network, sends, talker

GROWING = [1, 2, 3, 4, 6, 8, 11, 14, 18, 20, 20, 20]  # ms, a quarter more each time


@pytest.fixture
def naps(monkeypatch):
    """The sleeps in ms, as they are asked for."""
    asked = []
    nap = AioRig.nap

    async def noted(rig, ms):
        asked.append(ms)
        await nap(rig, ms)

    monkeypatch.setattr(AioRig, "nap", noted)
    return asked


def test_sleeps_grow_while_nothing_comes(aios, naps):
    rig = aios()

    async def go():
        rig.module.delay(b"AT+CSQ", 0.5)
        naps.clear()
        await rig.aio.command("+CSQ")

    rig.run(go())
    command = naps.index(1, 1) if naps[0] == 1 and naps[1] == 1 else 0
    assert any(naps[at : at + len(GROWING)] == GROWING for at in range(command + 3)), naps[:20]
    assert max(naps) == 20


def test_what_comes_is_looked_at_at_once(aios, naps):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        naps.clear()
        task = asyncio.create_task(stream.readexactly(4))
        await rig.sleep(0.4)
        before = len(naps)
        rig.module.urc(b'+CEREG: 1,"1234"')
        await rig.sleep(0.1)
        task.cancel()
        return naps[:before], naps[before:]

    silent, busy = rig.run(go())
    assert 20 in silent
    waiter = [ms for ms in busy if ms != 20]
    assert waiter[:2] == [0, 1] or waiter[:3] == [0, 0, 1], busy


def test_a_wait_is_as_long_as_it_says(aios, naps):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        stream.settimeout(0.5)
        naps.clear()
        began = rig.clock.now()
        with pytest.raises(Timeout, match="nothing to read from connection 0 within 500 ms"):
            await stream.readexactly(1)
        return rig.clock.now() - began

    assert rig.run(go()) == pytest.approx(0.5, abs=0.03)
    assert naps[: len(GROWING)] == GROWING
    assert all(ms >= 0 for ms in naps)


def test_a_module_that_never_says_how_it_went_is_waited_for_a_minute(aios):
    rig = aios(open_urc="never")

    async def go():
        began = rig.clock.now()
        with pytest.raises(Timeout, match="within 60000 ms"):
            await rig.aio.connect(HOST, 7)
        return rig.clock.now() - began

    assert rig.run(go()) == pytest.approx(60, abs=1)
    assert commands(rig, b"AT+MIPOPEN")[0].endswith(b",55,2")


def test_connect_passes_everything_on(aios):
    rig = aios("MN316", mipcfg_ssl=True)

    async def go():
        tls = rig.aio.tls(1)
        await tls.configure(0)
        stream = await rig.aio.connect(HOST, 7, tls, 20000, id=3)
        assert stream.get_extra_info("peername") == (HOST, 7)

    rig.run(go())
    assert commands(rig, b'AT+MIPCFG="ssl",3,') == [b'AT+MIPCFG="ssl",3,1,1']
    assert commands(rig, b"AT+MIPOPEN") == [b'AT+MIPOPEN=3,"TCP","%b",7,15,2' % HOST.encode()]


def test_tls_on_the_board_gets_everything(aios, monkeypatch):
    rig = aios()
    seen = []

    async def open_tls(*arguments):
        seen.append(arguments)
        return "stream"

    monkeypatch.setattr(aio_socket, "open_tls", open_tls)
    assert rig.run(rig.aio.connect(HOST, 7, None, 9000, ssl="context", id=2)) == "stream"
    assert seen == [(rig.aio, HOST, 7, None, 9000, "context", 2)]


def test_a_connection_that_did_not_come_about_leaves_its_id(aios):
    rig = aios()

    async def go():
        for _ in range(7):
            with pytest.raises(CommandError):
                await rig.aio.connect(HOST, 8)
        task = asyncio.create_task(rig.aio.connect(HOST, 7))
        await rig.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stream = await rig.aio.connect(HOST, 7)
        stream.write(b"x")
        assert await stream.read(1) == b"x"

    rig.run(go())


@pytest.mark.parametrize("shield", [False, True])
def test_a_shielded_operation_is_ended_before_its_task(aios, shield):
    rig = aios()
    done = []

    def operation():
        for _ in range(5):
            yield
        done.append(1)
        rig.aio.channel.set_result("result")

    async def go():
        task = asyncio.create_task(rig.aio.run_operation(operation(), True, shield))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [1] * shield
        assert await rig.aio.run_operation(operation()) == "result"
        assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]

    rig.run(go())


@pytest.mark.parametrize("recover", [False, True])
def test_an_operation_begins_in_step(aios, recover):
    rig = aios()

    def operation():
        rig.aio.channel.set_result(None)
        yield

    async def go():
        rig.module.reply(b"AT+CSQ", None)
        with pytest.raises(Timeout):
            await rig.aio.command("+CSQ", timeout_ms=100)
        rig.module.commands.clear()
        await rig.aio.run_operation(operation(), recover)
        return list(rig.module.commands)

    assert (b"AT+CMEE?" in rig.run(go())) is recover


def test_turns_are_handed_on_past_a_waiter_that_gave_up(aios):
    rig = aios()
    order = []

    async def ask(number):
        await rig.aio.command("+CSQ")
        order.append(number)

    async def go():
        rig.module.delay(b"AT+CSQ", 0.1)
        tasks = [asyncio.create_task(ask(number)) for number in range(5)]
        await rig.sleep(0.02)
        tasks[1].cancel()
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ask(9)

    rig.run(go())
    assert order == [0, 2, 4, 9]


def test_run_looks_every_20_ms_and_leaves_others_alone(aios, naps):
    rig = aios()
    heard = []

    async def go():
        rig.aio.on_urc(b"+CEREG:", heard.append)
        task = asyncio.create_task(rig.aio.run())
        await rig.aio.command("+CSQ")
        rig.module.urc(b"+CEREG: 1")
        naps.clear()
        await rig.sleep(0.2)
        task.cancel()

    rig.run(go())
    assert heard == [b"+CEREG: 1"]
    assert set(naps) == {20}


# Streams


def test_small_pieces_of_reading(aios):
    rig = aios(network=talker(b"0123456789" * 500))

    async def go():
        stream = await rig.aio.connect(HOST, 20)
        await rig.sleep(1)
        assert await stream.read(0) == b""
        assert await stream.read(3) == b"012"
        assert await stream.readexactly(4) == b"3456"
        assert await stream.readexactly(0) == b""
        got = await stream.read(100000)
        assert 0 < len(got) <= 4 * 256
        buf = bytearray(5)
        assert await stream.readinto(buf) == 5
        rest = await stream.read()
        assert b"0123456" + got + bytes(buf) + rest == b"0123456789" * 500
        assert await stream.read(1) == b"" == await stream.read() == await stream.readline()
        with pytest.raises(EOFError) as caught:
            await stream.readexactly(3)
        assert str(caught.value) == "the stream ended after 0 of 3 bytes"

    rig.run(go())


@pytest.mark.parametrize(("seconds", "lasts"), [(0.0001, 0.001), (0.5, 0.5), (2, 2)])
def test_timeouts(aios, seconds, lasts):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        stream.settimeout(seconds)
        began = rig.clock.now()
        with pytest.raises(Timeout, match=f"within {round(lasts * 1000)} ms"):
            await stream.readexactly(1)
        took = rig.clock.now() - began
        stream.settimeout(None)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stream.readexactly(1), 0.05)
        return took

    assert rig.run(go()) == pytest.approx(lasts, abs=0.03)


@pytest.mark.parametrize("way", ["read", "drain", "wait_closed"])
def test_a_stream_gets_in_step_before_it_says_anything(aios, way):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        await stream.awrite(b"x")
        rig.module.reply(b"AT+CSQ", None)
        with pytest.raises(Timeout):
            await rig.aio.command("+CSQ", timeout_ms=100)
        if way == "drain":
            stream.write(b"y")
        rig.module.commands.clear()
        await getattr(stream, way)(*[1] * (way == "read"))

    rig.run(go())
    assert rig.module.commands[0] == b"AT+CMEE?"
    said = {"read": b"AT+MIPRD=0", "drain": b"AT+MIPSEND=0", "wait_closed": b"AT+MIPCLOSE=0"}
    assert rig.module.commands[-1].startswith(said[way])


def test_a_task_that_is_cancelled_while_it_closes_has_closed(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        rig.module.delay(b"AT+MIPCLOSE", 0.2)
        task = asyncio.create_task(stream.wait_closed())
        await rig.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        rig.module.commands.clear()
        await rig.aio.connect(HOST, 7)

    rig.run(go())
    assert rig.module.commands[0].startswith(b"AT+MIPCFG")  # nothing has to be found out before


def test_what_is_written_goes_with_the_next_drain_read_or_close(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        stream.write("ä")
        assert sends(rig) == []
        assert await stream.readexactly(2) == "ä".encode()
        assert sends(rig) == [2]
        await stream.awrite(b"abc")
        assert sends(rig) == [2, 3]
        stream.writelines([b"de", b"f"])
        assert not stream.is_closing()
        stream.close()
        assert stream.is_closing()
        stream.close()
        await stream.wait_closed()
        await stream.wait_closed()
        assert sends(rig) == [2, 3, 3]
        assert commands(rig, b"AT+MIPCLOSE") == [b"AT+MIPCLOSE=0"]
        with pytest.raises(ConnectionLost):
            stream.write(b"x")

    rig.run(go())


@pytest.mark.parametrize("error", [None, ValueError])
@pytest.mark.parametrize("way", ["wait_closed", "aclose", "async with"])
def test_what_could_not_be_sent_before_closing_is_told_once(aios, way, error):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        rig.module.reply(b"AT+MIPSEND", b"+CME ERROR: 559", times=9)
        wanted = CommandError
        if way == "async with":
            wanted = error or CommandError
            with pytest.raises(wanted):
                async with stream:
                    stream.write(b"lost")
                    if error:
                        raise error
        else:
            stream.write(b"lost")
            with pytest.raises(wanted):
                await getattr(stream, way)()
        await stream.wait_closed()
        assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]

    rig.run(go())
    assert commands(rig, b"AT+MIPCLOSE") == [b"AT+MIPCLOSE=0"]


def test_a_close_that_is_not_confirmed_is_told(aios):
    rig = aios()

    async def go():
        stream = await rig.aio.connect(HOST, 7)
        rig.module.power_off()
        with pytest.raises(Timeout):
            await stream.wait_closed()
        await stream.wait_closed()  # once

    rig.run(go())


def test_a_line_that_does_not_end(aios):
    rig = aios(network=talker(b"x" * 500))

    async def go():
        stream = await rig.aio.connect(HOST, 20)
        stream.line_max = 300
        with pytest.raises(ProtocolError) as caught:
            await stream.readline()
        assert str(caught.value).endswith(
            "of connection 0: read(n) or readline(n) takes them, "
            "a greater line_max allows longer lines"
        )
        assert await stream.readline(7) == b"x" * 7
        assert await stream.read() == b"x" * 493

    rig.run(go())


def test_an_open_stream_is_over_after_a_reboot(aios):
    net = network()
    net.listen(HOST, 21, Talker(b"", end=None))
    rig = aios(network=net)

    async def go():
        stream = await rig.aio.connect(HOST, 21)
        task = asyncio.create_task(stream.read(1))
        await rig.sleep(0.1)
        rig.module.reboot()
        with pytest.raises(ModemReset):
            await task

    rig.run(go())


def test_suites_are_the_same_each_time(aios):
    rig = aios()

    async def go():
        ciphers = rig.aio.ciphers()
        assert aiter(ciphers) is ciphers
        first = [suite async for suite in ciphers]
        with pytest.raises(StopAsyncIteration):
            await anext(ciphers)
        assert len(first) > 10 and len(set(first)) == len(first)
        assert len(commands(rig, b"AT+MSSLCIPHER")) == 1

    rig.run(go())
    assert aio.Modem.front == "aio_"
