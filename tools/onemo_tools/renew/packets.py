# SPDX-License-Identifier: MIT
"""The packets of MQTT 3.1.1 that devices and the renewal service exchange, the server's side."""

import asyncio
import struct
from dataclasses import dataclass

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
ACCEPTED, NOT_AUTHORIZED = 0, 5  # CONNACK's codes
PINGRESP = b"\xd0\0"
_SIZE_MAX = 2048  # of a packet; what devices ask has some 200 bytes
_PACKET_ID = struct.Struct("!H")


class PacketError(ValueError):
    """The peer does not speak MQTT as it should; the connection is closed."""


@dataclass(frozen=True)
class Packet:
    """One packet: its type, the flags beside that, and its body."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True)
class Message:
    """A PUBLISH. `packet_id`: of one with QoS 1, which has to be acknowledged; else None."""

    topic: str
    payload: bytes
    packet_id: int | None


async def receive(reader: asyncio.StreamReader) -> Packet:
    """The next packet. PacketError, IncompleteReadError at the end of the connection."""
    first = (await reader.readexactly(1))[0]
    size = 0
    for shift in (0, 7, 14):
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    else:
        raise PacketError("a packet of impossible length")
    if size > _SIZE_MAX:
        raise PacketError(f"a packet of {size} bytes")
    return Packet(first >> 4, first & 15, await reader.readexactly(size))


def client_id(packet: Packet) -> str:
    """Who a CONNECT says it is. PacketError unless it is one of MQTT 3.1.1."""
    if packet.kind != CONNECT or not packet.body.startswith(b"\0\4MQTT\4"):
        raise PacketError("no CONNECT of MQTT 3.1.1")
    return _text(packet.body, 10)[0]


def message(packet: Packet) -> Message:
    """What a PUBLISH says. PacketError."""
    topic, at = _text(packet.body, 0)
    qos = packet.flags >> 1 & 3
    if qos > 1:
        raise PacketError("QoS 2 is not needed here")
    if not qos:
        return Message(topic, packet.body[at:], None)
    return Message(topic, packet.body[at + 2 :], _packet_id(packet.body, at))


def connack(code: int) -> bytes:
    return bytes((0x20, 2, 0, code))


def puback(packet_id: int) -> bytes:
    return b"\x40\x02" + _PACKET_ID.pack(packet_id)


def suback(packet: Packet) -> bytes:
    """The answer to a SUBSCRIBE of one filter: QoS 0 is granted."""
    return b"\x90\x03" + _PACKET_ID.pack(_packet_id(packet.body, 0)) + b"\0"


def publish(topic: str, payload: bytes) -> bytes:
    """A PUBLISH with QoS 0."""
    name = topic.encode()
    size = 2 + len(name) + len(payload)
    head = bytearray((0x30,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + _PACKET_ID.pack(len(name)) + name + payload


def _packet_id(body: bytes, at: int) -> int:
    if len(body) < at + 2:
        raise PacketError("a packet that ends too early")
    return int(_PACKET_ID.unpack_from(body, at)[0])


def _text(body: bytes, at: int) -> tuple[str, int]:
    # A string, and where it ends.
    start = at + 2
    stop = start + _packet_id(body, at)
    if stop > len(body):
        raise PacketError("a string that ends too late")
    try:
        return body[start:stop].decode(), stop
    except UnicodeDecodeError:
        raise PacketError("a string that is no UTF-8") from None
