# SPDX-License-Identifier: MIT
"""The product's MQTT client (mqtt.py), away for a while, at whatever broker there is."""

import asyncio

from onemo import AUTH_MUTUAL

from mqtt import Client

TOPIC = "away/commands"


def back_from_away(rig, host, port, sender):
    """A device subscribes, loses its connection, and comes back; what `sender`, a SmallMqtt,
    published with QoS 1 in between comes in its order, and not once more."""

    async def visit(until, subscribing=False):
        """Connects; what comes until `until` has come, and the client."""
        stream = await rig.aio.connect(host, port, tls=rig.aio.tls(1))
        came, arrived = [], asyncio.Event()

        def told(topic, message):
            assert topic == TOPIC
            came.append(message)
            if message == until:
                arrived.set()

        client = Client(stream, told)
        await client.connect("device-away")
        if subscribing:
            await client.subscribe(TOPIC)
            sender.publish(TOPIC.encode(), until, 1)
        async with asyncio.timeout(20):
            await arrived.wait()
        await client.publish("away/telemetry", b"x")  # goes after the acknowledgement of `until`
        return came, client

    async def go():
        tls = rig.aio.tls(1)
        await tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
        came, client = await visit(b"here", subscribing=True)
        assert came == [b"here"]
        rig.module.sockets.pdp_gone()  # without a good-bye
        await client.close()
        for message in (b"one", b"two"):
            sender.publish(TOPIC.encode(), message, 1)
        # The session has the subscription, so the messages come without a new one.
        came, client = await visit(b"two")
        assert came == [b"one", b"two"]
        await client.close()
        # They were acknowledged, so they do not come again; main.py subscribes each time.
        came, client = await visit(b"three", subscribing=True)
        assert came == [b"three"]
        await client.close()
        # A clean session has nothing of all that.
        sender.publish(TOPIC.encode(), b"four", 1)
        stream = await rig.aio.connect(host, port, tls=rig.aio.tls(1))
        client = Client(stream, lambda topic, message: came.append(message))
        await client.connect("device-away", clean_session=True)
        await client.publish("away/telemetry", b"x")
        await client.close()
        assert came == [b"three"]

    sender.connect()
    try:
        rig.run(go())
    finally:
        sender.disconnect()
