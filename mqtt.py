# SPDX-License-Identifier: MIT
#
# MQTT 3.1.1 in asyncio, on the streams of onemo.aio: publish and subscribe with QoS 0 and 1, in
# bounded memory: what is larger than `max_size` is streamed. Every wait has a deadline. A failure
# ends the connection, and whoever waits gets it, an OSError.

import asyncio
import struct

_CHUNK = 256  # bytes of a stream that are in memory
_SLICE_S = 3600  # asyncio's waits end at six days on MicroPython
_REFUSALS = (  # CONNACK's return codes: MQTT 3.1.1, 3.2.2.3
    "protocol version",
    "client identifier",
    "server unavailable",
    "user name or password",
    "not authorized",
)


class MqttError(OSError):
    """The broker refused, went away, or broke the protocol."""


def _field(value):
    data = value.encode() if isinstance(value, str) else bytes(value)
    if len(data) > 65535:
        raise ValueError("a field of %d bytes; MQTT has at most 65535" % len(data))
    return struct.pack("!H", len(data)) + data


def _tell(error):
    print("message handler failed: %r" % error)


class Payload:
    """A message that is streamed in: `size` bytes, `readinto(buf)` until it returns 0."""

    def __init__(self, client, size):
        self._client = client
        self.size = self.remaining = size

    async def readinto(self, buf):
        n = min(len(buf), self.remaining, _CHUNK)
        if n:
            n = await self._client._read_into(memoryview(buf)[:n])
            self.remaining -= n
        return n


class Client:
    def __init__(
        self,
        stream,
        on_message=None,
        *,
        on_payload=None,
        on_error=_tell,
        keepalive_s=60,
        timeout_s=20,
        max_size=4096,
    ):
        """on_message(topic, message) gets str and bytes, and must not wait. A message of more than
        `max_size` bytes goes to the coroutine on_payload(topic, payload), which may read its
        Payload and must not publish; without one on_message gets None. A topic of more than
        `max_size` bytes is None. A handler that raises ends nothing, and its message is
        acknowledged: on_error(error) is told.

        `keepalive_s`: MQTT's Keep Alive; a ping goes out twice in that time, and a broker that
        says nothing for so long is gone. NAT tables of cellular networks forget after some
        minutes: 240 or less. `timeout_s`: for each answer of the broker."""
        self._stream = stream
        self._on_message, self._on_payload, self._on_error = on_message, on_payload, on_error
        self._keepalive_s, self._timeout_s, self._max_size = keepalive_s, timeout_s, max_size
        self._packet_id, self._pending = 0, {}  # last packet id; id -> [event, return code]
        self._error, self._over, self._tasks = None, asyncio.Event(), []
        self._sending = asyncio.Lock()  # packets that go out in pieces are not mixed
        self.session_present = False  # the broker had kept subscriptions and messages

    async def connect(
        self,
        client_id,
        *,
        clean_session=False,
        user=None,
        password=None,
        will=None,
    ):
        """Sends CONNECT and waits for CONNACK. Unless `clean_session`, the broker keeps
        subscriptions, and messages with QoS 1, while the device is away. `will`: (topic, message,
        qos, retain), which the broker publishes once the connection is lost."""
        if password is not None and user is None:
            raise ValueError("MQTT has no password without a user name: pass user= as well")
        flags = clean_session << 1
        rest = _field(client_id)
        if will:
            topic, message, qos, retain = will
            flags |= 4 | qos << 3 | retain << 5
            rest += _field(topic) + _field(message)
        if user is not None:
            flags |= 0x80
            rest += _field(user)
        if password is not None:
            flags |= 0x40
            rest += _field(password)
        self._stream.settimeout(self._timeout_s)
        head = b"\0\4MQTT\4" + bytes((flags,)) + struct.pack("!H", self._keepalive_s)
        await self._send(0x10, head + rest)
        if await self._header() != (0x20, 2):
            raise MqttError("the peer is not an MQTT broker")
        present, code = await self._read(2)
        if code:
            why = _REFUSALS[code - 1] if code <= len(_REFUSALS) else "unknown"
            raise MqttError("the broker refused: code %d (MQTT 3.1.1, 3.2.2.3), %s" % (code, why))
        self.session_present = bool(present & 1)
        self._stream.settimeout(self._keepalive_s)
        for work in (self._serve, self._ping):
            self._tasks.append(asyncio.create_task(self._guard(work)))

    async def subscribe(self, topic, qos=1):
        if await self._request(0x82, b"", _field(topic) + bytes((qos,))) > 2:
            raise MqttError("the broker refused the subscription to " + topic)

    async def unsubscribe(self, topic):
        await self._request(0xA2, b"", _field(topic))

    async def publish(
        self, topic, message, qos=1, retain=False, *, dup=False, packet_id=None, size=None
    ):
        """With QoS 1, returns once the broker has acknowledged it. `message`: bytes, or a stream
        with readinto and its `size` in bytes. A message that was sent before and not acknowledged
        goes again with `dup`, and with the `packet_id` that it had: 32768 to 65535 are for the
        caller to choose."""
        first = 0x30 | qos << 1 | retain | (dup and qos) << 3
        if qos:
            await self._request(first, _field(topic), message, size, packet_id)
        else:
            await self._send(first, _field(topic), message, size)

    async def wait(self, seconds):
        """Waits for `seconds`, weeks if need be; raises as soon as the connection fails."""
        while seconds > 0 and not await self._wait_for(self._over, min(seconds, _SLICE_S)):
            seconds -= _SLICE_S

    async def close(self):
        """Sends DISCONNECT if it can, and closes the stream."""
        for task in self._tasks:
            task.cancel()
        try:
            self._stream.write(b"\xe0\0")
            await self._stream.wait_closed()
        except OSError:
            await self._stream.wait_closed()  # it has gone already

    # Out

    async def _send(self, first, head, message=b"", size=None):
        # Packet type and flags, what stands before the message, and that, in pieces if it is long.
        if size is None:
            message = message.encode() if isinstance(message, str) else message
            size = len(message)
        left = len(head) + size
        if left > 0xFFFFFFF:
            raise ValueError("a packet of %d bytes; MQTT has at most 268435455" % left)
        fixed = bytearray((first,))
        while left > 0x7F:
            fixed.append(left & 0x7F | 0x80)
            left >>= 7
        fixed.append(left)
        async with self._sending:
            self._stream.write(fixed + head)
            if hasattr(message, "readinto"):
                await self._stream_out(message, size)
            elif size > _CHUNK:
                await self._stream.drain()
                view = memoryview(message)
                for at in range(0, size, 4 * _CHUNK):
                    self._stream.write(view[at : at + 4 * _CHUNK])
                    await self._stream.drain()
            else:
                self._stream.write(message)
            await self._stream.drain()

    async def _stream_out(self, source, size):
        # A source that ends early has broken the packet, and so the connection.
        buf = bytearray(_CHUNK)
        view = memoryview(buf)
        while size:
            n = source.readinto(view[: min(size, _CHUNK)])
            if not n:
                self._fail(MqttError("the message ended %d bytes before its size" % size))
                raise self._error
            self._stream.write(bytes(view[:n]))
            await self._stream.drain()
            size -= n

    async def _wait_for(self, event, seconds):
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        if self._error:
            raise self._error
        return True

    async def _request(self, first, before, after, size=None, packet_id=None):
        if packet_id is None:
            packet_id = self._packet_id = self._packet_id % 32767 + 1
        pending = self._pending[packet_id] = [asyncio.Event(), None]
        try:
            head = before + struct.pack("!H", packet_id)
            if first & 0xF0 == 0x30:
                await self._send(first, head, after, size)
            else:
                await self._send(first, head + after)
            if not await self._wait_for(
                self._over if self._error else pending[0], self._timeout_s
            ):
                raise MqttError("no acknowledgement within %d s" % self._timeout_s)
            return pending[1]
        finally:
            del self._pending[packet_id]

    # In

    async def _read(self, n):
        try:
            return await self._stream.readexactly(n)
        except EOFError:
            error = MqttError("the broker closed the connection")
        except OSError as failure:
            error = failure
        self._fail(error)
        raise error

    async def _read_into(self, buf):
        # Without a copy that would stay in the heap: it may be a secret.
        try:
            while (n := await self._stream.readinto(buf)) is None:
                pass  # MicroPython's TLS has nothing after all
            if n:
                return n
            error = MqttError("the broker closed the connection")
        except OSError as failure:
            error = failure
        self._fail(error)
        raise error

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
            elif (first, size) in ((0x40, 2), (0x90, 3), (0xB0, 2)):
                body = await self._read(size)
                if pending := self._pending.get(body[0] << 8 | body[1]):
                    pending[1] = body[2] if size > 2 else 0
                    pending[0].set()
            elif (first, size) != (0xD0, 0):
                raise MqttError("the broker sent a packet %#x of %d bytes" % (first, size))

    async def _message(self, qos, size):
        length = struct.unpack("!H", await self._read(2))[0]
        left = size - 2 - length - 2 * bool(qos)
        if qos > 1 or left < 0:
            raise MqttError("the broker sent a message that makes no sense")
        topic = None
        if length > self._max_size:
            await self._skip(length)
        else:
            topic = await self._read(length)
        packet_id = await self._read(2) if qos else b""
        payload = message = None
        if left <= self._max_size:
            message = await self._read(left)
        else:
            payload = Payload(self, left)
        try:
            topic = None if topic is None else str(topic, "utf-8")
            if payload and self._on_payload:
                await self._on_payload(topic, payload)
            elif self._on_message:
                self._on_message(topic, message)
        except Exception as error:
            if self._error:  # it was the connection's
                raise
            self._on_error(error)
        if payload:
            await self._skip(payload.remaining)
        if qos:
            await self._send(0x40, packet_id)

    async def _skip(self, left):
        while left:
            left -= len(await self._read(min(left, _CHUNK)))

    async def _ping(self):
        while True:
            await asyncio.sleep(self._keepalive_s / 2)
            await self._send(0xC0, b"")

    async def _guard(self, work):
        try:
            await work()
        except Exception as error:
            self._fail(error)

    def _fail(self, error):
        self._error = self._error or error
        self._over.set()
        for pending in self._pending.values():
            pending[0].set()
