# SPDX-License-Identifier: MIT
#
# MQTT over mutual TLS in asyncio, with this project's mqtt.py: publish and subscribe with QoS 1,
# every wait has a deadline, and other tasks go on meanwhile. main.py does it for a whole product.

import asyncio

from machine import UART
from onemo import AUTH_MUTUAL
from onemo.aio import Modem

from mqtt import Client

HOST, PORT = "broker.example", 8883


async def main():
    modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
    await modem.start()
    await modem.attach()
    await modem.clock()
    tls = modem.tls(1)
    await tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")

    received = asyncio.Event()

    def on_message(topic, message):
        print("received", topic, message)
        received.set()

    client = Client(await modem.connect(HOST, PORT, tls), on_message)
    try:
        await client.connect("device-0001")
        await client.subscribe("devices/device-0001/commands")
        await client.publish("devices/device-0001/commands", b'{"valve": "open"}')  # to itself
        await asyncio.wait_for(received.wait(), 10)
    finally:
        await client.close()


asyncio.run(main())
