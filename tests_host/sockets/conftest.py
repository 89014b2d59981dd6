# SPDX-License-Identifier: MIT
"""Connections: rigs on a virtual clock for both fronts, peers, and a thread for real time."""

import asyncio

import pytest
from onemo import aio
from onemo_simulator import EchoPeer, LoopNetwork, Peer
from onemo_tools.proofs.rig import Rig
from rigs import making

HOST = "echo.example"


class Sink(Peer):
    """Takes all and says nothing."""


class Talker(Peer):
    """Sends `data` as soon as a connection stands, in pieces of `piece` bytes; then ends, in
    state `end` (None: it does not)."""

    def __init__(self, data, piece=5000, end=1):
        self.data, self.piece, self.end = data, piece, end

    def on_connect(self, conn):
        for at in range(0, len(self.data), self.piece):
            conn.reply(self.data[at : at + self.piece], 0.001 * (at // self.piece))
        if self.end:
            conn.end(self.end, 0.001 * (len(self.data) // self.piece + 1))


class Verdict(Peer):
    """Ends every TLS handshake with a code."""

    def __init__(self, code):
        self.code = code

    def verdict(self, tls):
        return self.code


class AioRig(Rig):
    """A rig with the asyncio front as well: `aio`, and run() for a coroutine. Naps move the
    clock; `naps` counts them, on_nap(number) is called before each."""

    def __init__(self, *args, driver=None, **settings):
        super().__init__(*args, driver=driver, **settings)
        self.aio = aio.Modem(self.uart, **(driver or {}))
        self.naps = 0
        self.on_nap = None
        self._sleep = aio.sleep_ms
        aio.sleep_ms = self.nap

    async def nap(self, ms):
        self.naps += 1
        if self.on_nap:
            self.on_nap(self.naps)
        now = self.clock.now()
        event = self.uart.next_event()
        until = now + ms / 1000 if event is None else min(now + ms / 1000, max(event, now))
        self.clock.advance_to(max(until, now + 0.0002))
        await asyncio.sleep(0)

    def cancel(self, task, nap):
        """Cancels a task as nap number `nap` begins."""
        self.on_nap = lambda number: task.cancel() if number == nap else None

    async def sleep(self, seconds):
        """Lets time pass, for a task that has nothing to do."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            await self.nap(20)

    def run(self, coroutine):
        """Runs a coroutine, after `start`, within a minute of real time."""

        async def all_of_it():
            await self.aio.start()
            return await asyncio.wait_for(coroutine, 60)

        return asyncio.run(all_of_it())

    def close(self):
        aio.sleep_ms = self._sleep
        super().close()


def network():
    """A network with an echo, a sink, a talker and TLS servers of every verdict."""
    net = LoopNetwork()
    net.listen(HOST, 7, EchoPeer())
    net.listen(HOST, 9, Sink())
    net.listen(HOST, 19, Talker(b"first line\nsecond\nlast without end"))
    for code in (752, 753, 754):
        net.listen(HOST, code, Verdict(code))
    return net


def talker(data, **how):
    """The same, and a talker at port 20."""
    net = network()
    net.listen(HOST, 20, Talker(data, **how))
    return net


@pytest.fixture
def rigs():
    """Makes rigs with the blocking front; at the end no module has seen a violation."""
    with making(network=network) as make:
        yield make


@pytest.fixture
def aios():
    """Makes rigs with the asyncio front."""
    with making(AioRig, network) as make:
        yield lambda *args, **settings: make(*args, started=False, **settings)


@pytest.fixture
def rig(rigs):
    return rigs()


def sends(rig):
    """The lengths of all MIPSENDs so far."""
    return [
        int(command.split(b",")[1])
        for command in rig.module.commands
        if command.startswith(b"AT+MIPSEND")
    ]


def waited(rig, work):
    """Seconds that it takes, and what it gives or raises."""
    began = rig.clock.now()
    try:
        found = work()
    except Exception as error:
        found = error
    return round(rig.clock.now() - began, 1), found


def commands(rig, prefix):
    return [command for command in rig.module.commands if command.startswith(prefix)]
