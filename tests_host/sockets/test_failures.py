# SPDX-License-Identifier: MIT
"""Whatever goes wrong is a typed error within its deadline, and the next connection works; on both
fronts, on a virtual clock."""

import pytest
from onemo.errors import (
    CommandError,
    ConnectionLost,
    ModemError,
    ModemReset,
    Timeout,
    Unsupported,
    VerifyError,
)
from onemo_simulator import Fault

from .conftest import HOST, Talker, network


class Both:
    """One rig, driven by either front."""

    def __init__(self, rig, front):
        self.rig = rig
        self.front = front
        if front == "blocking":
            rig.modem.start()

    def run(self, work):
        """Runs work(modem, wait), a coroutine function that awaits through `wait`."""
        if self.front == "asyncio":

            async def wait(thing):
                return await thing

            return self.rig.run(work(self.rig.aio, wait))

        async def same(thing):
            return thing

        coroutine = work(self.rig.modem, same)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("the blocking front waited in asyncio")


@pytest.fixture(params=["blocking", "asyncio"])
def both(request, aios):
    return lambda **settings: Both(aios(**settings), request.param)


async def exchange(stream, wait):
    """A line there and back."""
    stream.write(b"hello\n")
    assert await wait(stream.readline()) == b"hello\n"


async def works(modem, wait):
    stream = await wait(modem.connect(HOST, 7))
    await exchange(stream, wait)
    stream.close()


@pytest.mark.parametrize(
    ("host", "port", "code"), [(HOST, 8, 557), ("nowhere.example", 7, 580)], ids=["refused", "dns"]
)
def test_no_connection(both, host, port, code):
    both = both()

    async def go(modem, wait):
        for _ in range(8):  # more than there are ids
            with pytest.raises(CommandError) as caught:
                await wait(modem.connect(host, port))
            assert caught.value.code == code
            assert host in caught.value.command
        await works(modem, wait)

    both.run(go)


@pytest.mark.parametrize("code", [752, 753, 754])
def test_tls_is_refused(both, code):
    both = both()

    async def go(modem, wait):
        tls = modem.tls(1)
        await wait(tls.configure(0, negotime_s=10))
        with pytest.raises(CommandError) as caught:
            await wait(modem.connect(HOST, code, tls=tls, timeout_ms=20000))
        assert caught.value.code == code
        assert str(code) in str(caught.value)
        await works(modem, wait)

    both.run(go)


@pytest.mark.parametrize("code", [-1, 1, 550, 558, 559, 570, 751, 769])
def test_any_other_code(both, code):
    both = both()

    async def go(modem, wait):
        both.rig.module.quirks.open_result = code
        with pytest.raises(CommandError) as caught:
            await wait(modem.connect(HOST, 7))
        assert caught.value.code == code
        both.rig.module.quirks.open_result = None
        await works(modem, wait)

    both.run(go)


@pytest.mark.parametrize("where", ["before", "after"])
def test_the_result_may_come_before_the_ok(both, where):
    both = both(open_urc=where)
    both.run(works)


def test_a_module_that_never_says_how_it_went(both):
    both = both(open_urc="never")

    async def go(modem, wait):
        before = both.rig.clock.now()
        with pytest.raises(Timeout, match="MIPOPEN"):
            await wait(modem.connect(HOST, 7, timeout_ms=20000))
        assert 19 < both.rig.clock.now() - before < 25
        both.rig.module.quirks.open_urc = "after"
        await works(modem, wait)
        assert both.rig.network.connections[0].closed  # nobody would have known of it

    both.run(go)


def test_others_live_on_when_one_is_not_opened(both):
    both = both()

    async def go(modem, wait):
        stream = await wait(modem.connect(HOST, 7))
        both.rig.module.quirks.open_urc = "never"
        with pytest.raises(Timeout):
            await wait(modem.connect(HOST, 7, timeout_ms=6000))
        both.rig.module.quirks.open_urc = "after"
        with pytest.raises(CommandError):
            await wait(modem.connect(HOST, 8))
        await works(modem, wait)
        await exchange(stream, wait)

    both.run(go)


@pytest.mark.parametrize(("state", "word"), [(2, "reset"), (3, "PDP")])
def test_a_connection_that_breaks(both, state, word):
    net = network()
    net.listen(HOST, 20, Talker(b"abc", end=state))
    both = both(network=net)

    async def go(modem, wait):
        stream = await wait(modem.connect(HOST, 20))
        assert await wait(stream.read(3)) == b"abc"
        with pytest.raises(ConnectionLost, match=word):
            await wait(stream.read(1))
        await works(modem, wait)

    both.run(go)


def test_the_pdp_context_is_lost(both):
    both = both()

    async def go(modem, wait):
        stream = await wait(modem.connect(HOST, 7))
        await exchange(stream, wait)
        both.rig.module.modem.active.clear()
        both.rig.module.sockets.pdp_gone()
        with pytest.raises(ConnectionLost, match="PDP"):
            await wait(stream.read(1))
        with pytest.raises(CommandError) as caught:
            await wait(modem.connect(HOST, 7))
        assert caught.value.code == 570
        await wait(modem.attach())
        await works(modem, wait)

    both.run(go)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("what", ["read", "write", "command"])
def test_the_module_reboots(both, what, silent):
    both = both(matready=not silent, strict=False)

    async def go(modem, wait):
        tls = modem.tls(1)
        await wait(tls.configure(0))
        streams = [await wait(modem.connect(HOST, 7, tls=tls)) for _ in range(2)]
        await exchange(streams[0], wait)
        before = both.rig.clock.now()
        both.rig.module.reboot()
        with pytest.raises(ModemError) as caught:
            if what == "read":
                await wait(streams[0].read(1))
            elif what == "write":
                for _ in range(20):
                    streams[0].write(b"x")
                    if both.front == "asyncio":
                        await streams[0].drain()
            else:
                for _ in range(20):
                    await wait(modem.command("+MIPSTATE=9"))
        assert isinstance(caught.value, (ModemReset, Timeout, ConnectionLost, CommandError))
        assert both.rig.clock.now() - before < 40
        both.rig.clock.advance(5)
        stream = await wait(modem.connect(HOST, 7, tls=tls))
        await exchange(stream, wait)
        assert both.rig.network.connections[-1].tls is not None  # the context was sent again
        for dead in streams:
            with pytest.raises(ModemError):
                await wait(dead.read(1))
            dead.close()
        await exchange(stream, wait)

    both.run(go)


@pytest.mark.parametrize("way", ["<", ">"])
@pytest.mark.parametrize("what", ["read", "write", "connect", "close"])
def test_the_uart_falls_silent(both, what, way):
    both = both(strict=False)
    rig = both.rig

    async def go(modem, wait):
        stream = await wait(modem.connect(HOST, 7))
        await exchange(stream, wait)
        stream.settimeout(8)
        before = rig.clock.now()
        rig.line.add(Fault("sever", way, rig.line.counts[way], seconds=45))
        with pytest.raises(ModemError):
            if what == "read":
                await wait(stream.read(1))
            elif what == "write":
                stream.write(b"x")
                if both.front == "asyncio":
                    await stream.drain()
            elif what == "close":
                stream.close()
                if both.front == "asyncio":
                    await stream.wait_closed()  # says nothing: it is to be over, and is
                    raise ModemError("closed")
            else:
                await wait(modem.connect(HOST, 7))
        assert rig.clock.now() - before < 35
        rig.clock.advance(60)
        await works(modem, wait)

    both.run(go)


def test_tls_that_the_module_does_not_keep_is_no_connection(both):
    both = both(ignored_mipcfg=frozenset({"ssl"}))

    async def go(modem, wait):
        tls = modem.tls(1)
        await wait(tls.configure(0))
        with pytest.raises(VerifyError):
            await wait(modem.connect(HOST, 7, tls=tls))
        assert both.rig.network.connections == []
        await works(modem, wait)

    both.run(go)


def test_a_model_without_tls_on_sockets_says_so(both):
    both = both(model="MN316")

    async def go(modem, wait):
        tls = modem.tls(1)
        await wait(tls.configure(0))
        for _ in range(8):
            with pytest.raises(Unsupported):
                await wait(modem.connect(HOST, 7, tls=tls))
        await works(modem, wait)

    both.run(go)


@pytest.mark.parametrize(
    ("host", "port", "timeout_ms", "error"),
    [
        ('x",1', 7, 60000, ValueError),
        (b"x", 7, 60000, TypeError),
        ("x", 0, 60000, ValueError),
        ("x", "7", 60000, TypeError),
        ("x", 7, 5999, ValueError),
    ],
)
def test_a_callers_mistake_is_told_before_anything_is_sent(both, host, port, timeout_ms, error):
    both = both()

    async def go(modem, wait):
        before = len(both.rig.module.commands)
        with pytest.raises(error):
            await wait(modem.connect(host, port, timeout_ms=timeout_ms))
        assert len(both.rig.module.commands) == before

    both.run(go)
