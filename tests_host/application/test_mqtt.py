# SPDX-License-Identifier: MIT
"""mqtt.py against a broker of the test's own, byte by byte."""

import asyncio
import importlib.util
import io
import struct

import pytest

from .conftest import ROOT

spec = importlib.util.spec_from_file_location("mqtt_under_test", ROOT / "mqtt.py")
assert spec and spec.loader
mqtt = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mqtt)


class Stream:
    """A stream of onemo.aio: what is put in `inbound` is read, and what is written is parsed into
    `packets`; `most_held` is the most that was written without a drain."""

    def __init__(self, answers=True):
        self.inbound = bytearray()
        self.packets = []
        self.most_held = 0
        self.answers = answers
        self._held = bytearray()
        self._sent = bytearray()
        self._more = asyncio.Event()
        self.closed = False

    def settimeout(self, seconds):
        self.timeout = seconds

    async def readexactly(self, n):
        while len(self.inbound) < n:
            if self.closed:
                raise EOFError
            self._more.clear()
            await self._more.wait()
        data = bytes(self.inbound[:n])
        del self.inbound[:n]
        return data

    async def readinto(self, buf):
        try:
            data = await self.readexactly(min(len(buf), max(1, len(self.inbound))))
        except EOFError:
            return 0
        buf[: len(data)] = data
        return len(data)

    def give(self, data):
        self.inbound += data
        self._more.set()

    def end(self):
        self.closed = True
        self._more.set()

    def write(self, data):
        self._held += data
        self.most_held = max(self.most_held, len(self._held))

    async def drain(self):
        await asyncio.sleep(0)
        self._sent += self._held
        self._held.clear()
        while packet := self._packet():
            self.packets.append(packet)
            if self.answers:
                self._answer(*packet)

    def _packet(self):
        size = 0
        for at in range(1, min(5, len(self._sent))):
            size |= (self._sent[at] & 0x7F) << 7 * (at - 1)
            if self._sent[at] < 0x80:
                if len(self._sent) <= at + size:
                    return None
                packet = self._sent[0], bytes(self._sent[at + 1 : at + 1 + size])
                del self._sent[: at + 1 + size]
                return packet
        return None

    def _answer(self, first, body):
        if first == 0x10:
            self.give(b"\x20\x02\0\0")
        elif first == 0x82:
            self.give(b"\x90\x03" + body[:2] + b"\1")
        elif first == 0xA2:
            self.give(b"\xb0\x02" + body[:2])
        elif first & 0xF6 == 0x32:
            length = struct.unpack("!H", body[:2])[0]
            self.give(b"\x40\x02" + body[2 + length : 4 + length])
        elif first == 0xC0:
            self.give(b"\xd0\0")

    async def wait_closed(self):
        await self.drain()
        self.end()


def field(value):
    return struct.pack("!H", len(value)) + value


def publish(topic, message, number=None, flags=0):
    """A PUBLISH packet."""
    body = field(topic) + (b"" if number is None else struct.pack("!H", number)) + message
    head = bytearray([(0x30 if number is None else 0x32) | flags])
    size = len(body)
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(head) + bytes([size]) + body


def run(work, *handlers, **options):
    """Runs work(client, stream) with a client; what it returns."""
    connect = options.pop("connect", {})
    answers = options.pop("answers", True)

    async def go():
        stream = Stream(answers)
        client = mqtt.Client(stream, *handlers, **options)
        await client.connect("dev", **connect)
        try:
            return await asyncio.wait_for(work(client, stream), 30)
        finally:
            await client.close()

    return asyncio.run(go())


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


# CONNECT: MQTT 3.1.1, 3.1


@pytest.mark.parametrize(
    ("connect", "flags", "rest"),
    [
        ({}, 0, b""),
        ({"clean_session": True}, 2, b""),
        ({"user": "u"}, 0x80, field(b"u")),
        ({"user": "u", "password": b"\0\xff"}, 0xC0, field(b"u") + field(b"\0\xff")),
        ({"will": ("gone", b"x", 0, False)}, 4, field(b"gone") + field(b"x")),
        ({"will": ("gone", "x", 1, True)}, 0x2C, field(b"gone") + field(b"x")),
        (
            {"will": ("w", b"", 1, False), "user": "u", "password": "p", "clean_session": True},
            0xCE,
            field(b"w") + field(b"") + field(b"u") + field(b"p"),
        ),
    ],
)
def test_connect(connect, flags, rest):
    async def work(client, stream):
        return stream.packets[0]

    first, body = run(work, connect=connect, keepalive_s=300)
    assert first == 0x10
    assert body == b"\0\4MQTT\4" + bytes([flags]) + b"\x01\x2c" + field(b"dev") + rest


def test_a_password_needs_a_user():
    with pytest.raises(ValueError, match="user="):
        run(None, connect={"password": "p"})


@pytest.mark.parametrize(
    ("code", "said"), [(1, "protocol version"), (4, "user name or password"), (9, "unknown")]
)
def test_a_refusal_is_named(code, said):
    async def go():
        stream = Stream(answers=False)
        stream.give(bytes((0x20, 2, 0, code)))
        await mqtt.Client(stream).connect("dev")

    with pytest.raises(OSError, match=f"code {code} .*{said}"):
        asyncio.run(go())


# Both ways, of any size


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 5000, 300000])
@pytest.mark.parametrize("streamed", [False, True])
def test_publish(qos, retain, size, streamed):
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]

    async def work(client, stream):
        stream.most_held = 0
        if streamed:
            await client.publish("a/b", io.BytesIO(content), qos, retain, size=size)
        else:
            await client.publish("a/b", content, qos, retain)
        return stream.packets[1], stream.most_held

    (first, body), most = run(work)
    assert first == 0x30 | qos << 1 | retain
    assert body == field(b"a/b") + (b"\0\1" if qos else b"") + content
    assert most <= 1100  # bounded, whatever the size


def test_packets_are_not_mixed():
    async def work(client, stream):
        await asyncio.gather(
            client.publish("long", b"x" * 5000),
            client.publish("short", b"y"),
            client.subscribe("z"),
            client.publish("long", b"w" * 3000),
        )
        return stream.packets[1:]

    packets = run(work)
    assert [first for first, _ in packets] == [0x32, 0x32, 0x82, 0x32]


def test_a_source_that_ends_early_ends_the_connection():
    async def work(client, stream):
        with pytest.raises(OSError, match="ended 90 bytes before its size"):
            await client.publish("a", io.BytesIO(b"x" * 10), size=100)
        with pytest.raises(OSError, match="90 bytes"):
            await client.publish("a", b"x")

    run(work)


def test_again_as_a_duplicate():
    async def work(client, stream):
        await client.publish("a", b"x", dup=True, packet_id=40000)
        await client.publish("a", b"x", 0, dup=True)  # QoS 0 has none
        return stream.packets[1:]

    assert run(work) == [(0x3A, field(b"a") + b"\x9c\x40x"), (0x30, field(b"a") + b"x")]


def test_subscribe_and_unsubscribe():
    async def work(client, stream):
        await client.subscribe("a/#", 0)
        await client.unsubscribe("a/#")
        return stream.packets[1:]

    assert run(work) == [
        (0x82, b"\0\1" + field(b"a/#") + b"\0"),
        (0xA2, b"\0\2" + field(b"a/#")),
    ]


@pytest.mark.parametrize("number", [None, 7])
@pytest.mark.parametrize("size", [0, 1, 100, 101, 5000, 70000])
def test_a_message_comes_whole_or_as_a_stream(number, size):
    came = []
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]

    async def on_payload(topic, payload):
        got = bytearray()
        buf = bytearray(300)
        while n := await payload.readinto(buf):
            assert n <= 256
            got += buf[:n]
        came.append((topic, bytes(got), payload.size))

    async def work(client, stream):
        stream.give(publish(b"t", content, number))
        stream.give(publish(b"t", b"after", None))
        while len(came) < 2:
            await asyncio.sleep(0)
        await settle()
        return [packet for packet in stream.packets if packet[0] == 0x40]

    acks = run(work, lambda *m: came.append(m), on_payload=on_payload, max_size=100)
    first = ("t", content) if size <= 100 else ("t", content, size)
    assert came == [first, ("t", b"after")]
    assert acks == ([(0x40, b"\0\7")] if number else [])


@pytest.mark.parametrize("read", [0, 10, 999])
def test_what_nobody_reads_is_passed_over(read):
    came = []

    async def on_payload(topic, payload):
        left = read
        while left > 0:
            left -= await payload.readinto(bytearray(min(left, 50)))

    async def work(client, stream):
        stream.give(publish(b"t", b"x" * 1000, 1) + publish(b"t", b"after"))
        while not came:
            await asyncio.sleep(0)

    run(work, lambda *m: came.append(m), on_payload=on_payload, max_size=100)
    assert came == [("t", b"after")]


def test_a_topic_that_is_too_long_is_none():
    came = []

    async def work(client, stream):
        stream.give(publish(b"t" * 60000, b"x", 9))
        while not came:
            await asyncio.sleep(0)
        await settle()
        return stream.packets[-1]

    assert run(work, lambda *m: came.append(m), max_size=100) == (0x40, b"\0\x09")
    assert came == [(None, b"x")]


# A handler that raises (c19)


@pytest.mark.parametrize("size", [7, 5000])
@pytest.mark.parametrize("error", [ValueError("not j"), KeyError("x"), OSError(5), MemoryError()])
def test_a_handler_that_raises_ends_nothing(size, error):
    told = []

    def on_message(topic, message):
        raise error

    async def on_payload(topic, payload):
        await payload.readinto(bytearray(10))
        raise error

    async def work(client, stream):
        stream.give(publish(b"c", b"n" * size, 7))
        while not told:
            await asyncio.sleep(0)
        await settle()
        await client.publish("a", b"goes on")
        return [packet for packet in stream.packets if packet[0] == 0x40]

    acks = run(work, on_message, on_payload=on_payload, on_error=told.append, max_size=100)
    assert told == [error]
    assert acks == [(0x40, b"\0\7")]


def test_a_topic_that_is_no_utf_8_is_told_and_acknowledged():
    told = []

    async def work(client, stream):
        stream.give(publish(b"\xff\xfe", b"x", 3))
        while not told:
            await asyncio.sleep(0)
        await settle()
        return stream.packets[-1]

    assert run(work, None, on_error=told.append) == (0x40, b"\0\3")
    assert isinstance(told[0], UnicodeError)


# What is lost


def test_the_broker_that_closes_is_noticed_by_all():
    async def work(client, stream):
        waiting = asyncio.create_task(client.wait(1e9))
        await settle()
        stream.end()
        with pytest.raises(OSError, match="closed the connection"):
            await waiting
        with pytest.raises(OSError, match="closed the connection"):
            await client.publish("a", b"x")

    run(work)


def test_a_payload_that_breaks_off_ends_the_connection_and_not_the_handler_only():
    told = []

    async def on_payload(topic, payload):
        while await payload.readinto(bytearray(100)):
            pass

    async def work(client, stream):
        stream.give(publish(b"c", b"n" * 5000, 7)[:600])
        await settle()
        stream.end()
        with pytest.raises(OSError, match="closed the connection"):
            await client.wait(5)

    run(work, None, on_payload=on_payload, on_error=told.append, max_size=100)
    assert told == []
