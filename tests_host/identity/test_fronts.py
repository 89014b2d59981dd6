# SPDX-License-Identifier: MIT
"""The same with asyncio, and on MicroPython."""

import asyncio
import json

import pytest
from onemo import aio
from onemo.errors import CommandError
from onemo_simulator import LoopNetwork, Module
from onemo_tools.proofs.outage import HOST, PORT, Server, profile, stored
from sockets.device import run


@pytest.fixture
def tasks(device, monkeypatch):
    """An asyncio modem on the device's line; its naps move the clock."""

    async def nap(ms):
        clock = device.rig.clock
        event = device.rig.uart.next_event()
        until = clock.now() + max(ms, 0.2) / 1000
        clock.advance_to(until if event is None else max(clock.now(), min(until, event)))
        await asyncio.sleep(0)

    monkeypatch.setattr(aio, "sleep_ms", nap)
    return aio.Modem(device.rig.uart)


def test_asyncio(device, tasks, tmp_path):
    async def go():
        await tasks.start()
        await tasks.attach()
        assert len(await tasks.sync(device.a, dry_run=True, journal=device.journal)) == 4
        assert len(await tasks.sync(device.a, journal=device.journal)) == 4
        assert await tasks.sync(device.a, journal=device.journal) == []
        assert await tasks.rotate(device.b, journal=device.journal) is True
        assert await tasks.rotate(device.b, journal=device.journal) is False
        device.server.accept(device.b)
        with pytest.raises(CommandError):
            await tasks.rotate(device.a, journal=device.journal)
        device.server.accept(device.a, device.b)

        async def trial(modem):
            assert (await modem.tls(1).read())["cert"] == "client-A.pem"

        assert await tasks.rotate(device.a, trial, journal=device.journal) is True

    asyncio.run(asyncio.wait_for(go(), 60))
    device.modem.sync(device.a, journal=device.journal)
    assert device.identity(device.a, device.b) == 0


def test_asyncio_cancelled_in_the_trial(device, tasks):
    async def go():
        await tasks.start()
        await tasks.attach()
        await tasks.sync(device.a, journal=device.journal)

        async def trial(modem):
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await tasks.rotate(device.b, trial, journal=device.journal)
        await tasks.sync(device.a, journal=device.journal)

    asyncio.run(asyncio.wait_for(go(), 60))
    device.modem.sync(device.a, journal=device.journal)
    assert device.identity(device.a, device.b) == 0


BLOCKING = """
import json
from onemo import Modem
from onemo.errors import CommandError
modem = Modem(uart)
modem.start()
modem.attach()
done = [modem.sync(A, dry_run=True, journal=JOURNAL), modem.sync(A, journal=JOURNAL)]
done.append(modem.rotate(B, journal=JOURNAL))
done.append(modem.sync(A, journal=JOURNAL))
try:
    modem.rotate(C, journal=JOURNAL)
except CommandError as error:
    done.append(error.code)
done.append(modem.sync(B, journal=JOURNAL))
print(json.dumps(done))
"""

TASKS = (
    "import asyncio\nasync def main():\n    "
    + BLOCKING.replace("from onemo import", "from onemo.aio import")
    .strip()
    .replace("\n", "\n    ")
    + "\nasyncio.run(main())\n"
)
for method in ("start", "attach", "sync", "rotate"):
    TASKS = TASKS.replace(f"modem.{method}(", f"await modem.{method}(")


@pytest.mark.parametrize("script", [BLOCKING, TASKS], ids=["blocking", "asyncio"])
def test_micropython(tmp_path, script):
    server = Server()
    net = LoopNetwork()
    net.listen(HOST, PORT, server)
    a, b, c = (profile(tag, tmp_path) for tag in "ABC")
    server.accept(a, b)
    module = Module("ML307R", network=net, register_delay=0.05)
    out = run(module, script, heap="320K", A=a, B=b, C=c, JOURNAL=str(tmp_path / "onemo.rotate"))
    planned, done, rotated, again, refused, left = json.loads(out.splitlines()[-1])
    assert planned == done
    assert len(done) == 4
    assert (rotated, again, refused, left) == (True, [], 752, [])
    assert module.store.objects == stored(b)
    assert module.violations == []
