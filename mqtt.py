# SPDX-License-Identifier: MIT
#
# MQTT 3.1.1 in asyncio, on the streams of onemo.aio: publish and subscribe with QoS 0 and 1.
# Every wait has a deadline. A failure ends the connection, and whoever waits gets it, an OSError.

import asyncio
import struct


class MqttError(OSError):
    """The broker refused, went away, or broke the protocol."""


def _text(text):
    return struct.pack("!H", len(text.encode())) + text.encode()


class Client:
    def __init__(self, stream, on_message, *, keepalive_s=60, timeout_s=20, max_size=4096):
        """on_message(topic, message) gets str and bytes, and must not wait; message is None if it
        had more than `max_size` bytes. `keepalive_s`: after this many seconds of silence the
        connection is lost. `timeout_s`: seconds for each answer of the broker."""
        self._stream, self._on_message = stream, on_message
        self._keepalive_s, self._timeout_s, self._max_size = keepalive_s, timeout_s, max_size
        self._packet_id, self._pending = 0, {}  # last packet id; id -> [event, return code]
        self._error, self._over, self._tasks = None, asyncio.Event(), []

    async def connect(self, client_id, clean=False):
        """Sends CONNECT and waits for CONNACK. Unless `clean`, the broker keeps subscriptions, and
        messages with QoS 1, while the device is away. No password: the certificate identifies the
        device."""
        self._stream.settimeout(self._timeout_s)
        head = b"\0\4MQTT\4" + bytes((clean << 1,)) + struct.pack("!H", self._keepalive_s)
        await self._send(0x10, head + _text(client_id))
        if await self._header() != (0x20, 2):
            raise MqttError("the peer is not an MQTT broker")
        if code := (await self._read(2))[1]:
            raise MqttError("the broker refused: code %d (MQTT 3.1.1, 3.2.2.3)" % code)
        self._stream.settimeout(self._keepalive_s)
        for work in (self._serve(), self._ping()):
            self._tasks.append(asyncio.create_task(self._guard(work)))

    async def subscribe(self, topic, qos=1):
        if await self._request(0x82, b"", _text(topic) + bytes((qos,))) > 2:
            raise MqttError("the broker refused the subscription to " + topic)

    async def publish(self, topic, message, qos=1):
        """`message` is bytes. With QoS 1, returns once the broker has acknowledged it."""
        if qos:
            return await self._request(0x32, _text(topic), message)
        await self._send(0x30, _text(topic) + message)

    async def wait(self, seconds):
        """Waits for `seconds`; raises as soon as the connection fails."""
        await self._wait_for(self._over, seconds)

    async def close(self):
        """Sends DISCONNECT if it can, and closes the stream."""
        for task in self._tasks:
            task.cancel()
        try:
            self._stream.write(b"\xe0\0")
            await self._stream.wait_closed()
        except OSError:
            await self._stream.wait_closed()  # it has gone already

    async def _send(self, first, body):
        head = bytearray((first,))
        size = len(body)
        while size > 0x7F:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        head.append(size)
        self._stream.write(head + body)  # whole: other tasks write as well
        await self._stream.drain()

    async def _wait_for(self, event, seconds):
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        if self._error:
            raise self._error
        return True

    async def _request(self, first, before, after):
        self._packet_id = packet_id = self._packet_id % 65535 + 1
        pending = self._pending[packet_id] = [asyncio.Event(), None]
        try:
            await self._send(first, before + struct.pack("!H", packet_id) + after)
            if not await self._wait_for(
                self._over if self._error else pending[0], self._timeout_s
            ):
                raise MqttError("no acknowledgement within %d s" % self._timeout_s)
            return pending[1]
        finally:
            del self._pending[packet_id]

    async def _read(self, n):
        try:
            return await self._stream.readexactly(n)
        except EOFError:
            raise MqttError("the broker closed the connection") from None

    async def _header(self):
        first = (await self._read(1))[0]
        size = 0
        for shift in (0, 7, 14, 21):
            byte = (await self._read(1))[0]
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                return first, size
        raise MqttError("the broker sent a packet of impossible length")

    async def _serve(self):
        while True:
            first, size = await self._header()
            if first >> 4 == 3:
                await self._message(first >> 1 & 3, size)
            elif (first, size) in ((0x40, 2), (0x90, 3)):
                body = await self._read(size)
                if pending := self._pending.get(body[0] << 8 | body[1]):
                    pending[1] = body[2] if size > 2 else 0
                    pending[0].set()
            elif (first, size) != (0xD0, 0):
                raise MqttError("the broker sent a packet %#x of %d bytes" % (first, size))

    async def _message(self, qos, size):
        length = struct.unpack("!H", await self._read(2))[0]
        left = size - 2 - length - 2 * qos
        if qos > 1 or left < 0 or length > self._max_size:
            raise MqttError("the broker sent a message that makes no sense")
        topic = str(await self._read(length), "utf-8")
        packet_id = await self._read(2 * qos)
        message = await self._read(left) if left <= self._max_size else None
        while message is None and left:
            left -= len(await self._read(min(left, 256)))
        self._on_message(topic, message)
        if qos:
            await self._send(0x40, packet_id)

    async def _ping(self):
        while True:
            await asyncio.sleep(self._keepalive_s / 2)
            await self._send(0xC0, b"")

    async def _guard(self, work):
        try:
            await work
        except Exception as error:
            self._error = self._error or error
            self._over.set()
            for pending in self._pending.values():
                pending[0].set()
