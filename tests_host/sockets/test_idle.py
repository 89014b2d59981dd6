# SPDX-License-Identifier: MIT
"""A connection on which nothing goes on: how often the module is asked, and about what."""

import asyncio

import pytest
from onemo.errors import ConnectionLost, Timeout

from .conftest import HOST, commands

LOOKS = (b"AT+MIPSTATE=0", b"AT+MIPRD=0")


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 3", b"+CME ERROR: 14", b"ERROR"])
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("times", [1, 2, 4])
def test_one_refusal_of_an_idle_connection_ends_nothing(rigs, refusal, look, times):
    rig = rigs(strict=False)
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(20)
    rig.module.reply(look, refusal, times)
    with pytest.raises(Timeout):
        stream.read(1)
    stream.write(b"still there")
    assert stream.read(11) == b"still there"


@pytest.mark.parametrize("look", LOOKS)
def test_a_connection_that_stays_refused_is_lost(rigs, look):
    rig = rigs(strict=False)
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(60)
    rig.module.reply(look, b"+CME ERROR: 3", None)
    began = rig.clock.now()
    with pytest.raises(ConnectionLost):
        stream.read(1)
    assert rig.clock.now() - began < 30


def test_a_silent_connection_is_asked_at_doubling_intervals(aios):
    rig = aios()
    asked = []

    async def idle():
        stream = await rig.aio.connect(HOST, 9)
        reader = asyncio.create_task(stream.read(1))
        mark = len(rig.module.commands)
        began = rig.clock.now()
        for _ in range(2 * 3600):
            await rig.sleep(1)
            new = commands(rig, b"AT+MIPSTATE=")
            while len(asked) < len(new) - 1:  # the first looked whether it is open
                asked.append(round(rig.clock.now() - began))
        reader.cancel()
        return len(rig.module.commands) - mark

    rig.run(idle())
    gaps = [b - a for a, b in zip([0, *asked], asked, strict=False)]
    assert gaps[:7] == pytest.approx([10, 20, 40, 80, 160, 320, 600], abs=2)
    steady = gaps[7:]
    assert len(steady) >= 8 and min(steady) >= 599
    # Two commands each: at most 12 an hour.
    mark = commands(rig, b"AT+MIP")
    assert len([c for c in mark if c.startswith(LOOKS)]) <= 2 * (len(asked) + 2)


def test_an_idle_modem_without_a_connection_is_asked_nothing(aios):
    rig = aios()

    async def idle():
        runner = asyncio.create_task(rig.aio.run())
        before = len(rig.module.commands)
        await rig.sleep(3600)
        runner.cancel()
        return len(rig.module.commands) - before

    assert rig.run(idle()) == 0


def test_what_a_lost_urc_told_brings_the_short_interval_back(rigs):
    rig = rigs(strict=False)
    stream = rig.modem.connect(HOST, 7)
    stream.settimeout(None)
    connection = stream._connection
    connection.silence_ms = 160000
    stream.write(b"answer")
    rig.clock.advance(0.1)
    rig.uart.readinto(bytearray(4096), rig.uart.any())  # the URC is lost
    began = rig.clock.now()
    assert stream.read(6) == b"answer"
    assert 150 < rig.clock.now() - began < 170
    assert connection.silence_ms == 10000
