# SPDX-License-Identifier: MIT
#
# asyncio: one task talks to a server over mutual TLS, another asks for the signal meanwhile. They
# share one modem, whose operations take turns. Who to talk to is set before:
#
#     mpremote exec "host, port = 'broker.example', 8883" run tasks.py
#
# mypy: ignore-errors
# ruff: noqa: F821 (host and port are set before)
import asyncio
import json

from onemo import AUTH_MUTUAL
from onemo.aio import Modem
from onemo.uart import open_uart


async def echo(modem, tls):
    async with await modem.connect(host, port, tls) as stream:
        for number in range(1, 4):
            stream.write(f"reading {number}\n")
            await stream.drain()
            print("echo of", (await stream.readline()).decode().strip())
            await asyncio.sleep(0.2)


async def watch_signal(modem):
    for _ in range(3):
        info = await modem.info(identifiers=False)
        print(f"signal {info['rssi_dbm']} dBm, {info['operator']}")
        await asyncio.sleep(0.2)


async def main():
    with open("config.json") as file:
        settings = json.load(file)["uart"]
    modem = Modem(open_uart(settings), baud=settings["baud"])
    await modem.start()
    await modem.attach()
    tls = modem.tls(2)
    await tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
    await asyncio.gather(echo(modem, tls), watch_signal(modem))


asyncio.run(main())
