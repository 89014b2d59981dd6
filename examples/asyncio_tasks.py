# SPDX-License-Identifier: MIT
#
# Two tasks share the modem: one talks to a server, the other reads the signal meanwhile. Their
# commands take turns by themselves.

import asyncio

from machine import UART
from onemo import AUTH_MUTUAL
from onemo.aio import Modem

HOST, PORT = "echo.example", 8443


async def talk(modem, tls):
    async with await modem.connect(HOST, PORT, tls) as stream:
        for number in range(3):
            stream.write(f"reading {number}\n")
            await stream.drain()
            print("echo of", (await stream.readline()).decode().strip())


async def watch_signal(modem):
    while True:
        print("signal", (await modem.info(identifiers=False))["rssi_dbm"], "dBm")
        await asyncio.sleep(1)


async def main():
    modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
    await modem.start()
    await modem.attach()
    await modem.clock()
    tls = modem.tls(1)
    await tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")

    watching = asyncio.create_task(watch_signal(modem))
    try:
        await talk(modem, tls)
    finally:
        watching.cancel()  # a task that is cancelled leaves the modem usable for the others


asyncio.run(main())
