# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# ruff: noqa: F821 (HOST, PORT, UART are set before)
# The main job on a board, asyncio, beside a task that wants to run every 5 ms.
import asyncio
import io

from onemo import AUTH_MUTUAL, CERT, KEY
from onemo.aio import Modem
from onemo.uart import open_uart

ticks = 0


async def tick():
    global ticks
    while True:
        await asyncio.sleep_ms(5)
        ticks += 1


async def main():
    other = asyncio.create_task(tick())
    modem = Modem(open_uart(UART), baud=UART["baud"])
    await modem.start()
    print("model", modem.model)
    certs = modem.certs
    for name, kind in (("ca.pem", CERT), ("client.pem", CERT), ("client.key", KEY)):
        print("write", name, await certs.write(name, "/certs/" + name, kind))
    print("again", await certs.write("ca.pem", "/certs/ca.pem"))
    print("list", sorted(await certs.list(CERT)))
    back = io.BytesIO()
    size = await certs.read("ca.pem", back)
    with open("/certs/ca.pem", "rb") as file:
        print("read", size, back.getvalue() == file.read())
    await modem.attach()
    tls = modem.tls(1)
    await tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
    stream = await modem.connect(HOST, PORT, tls)
    total = 0
    for number in range(4):
        sent = b"%d " % number * 200 + b"\n"
        stream.write(sent)
        await stream.drain()
        total += await stream.readline() == sent
    stream.close()
    await stream.wait_closed()
    print("exchanged", total)
    other.cancel()
    print("ticks", ticks > 100)


asyncio.run(main())
