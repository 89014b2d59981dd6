# SPDX-License-Identifier: MIT
"""Streams against the line's limit: a payload's own time at 10 bits a byte, with a module that
answers at once and a clock that stands still while the driver thinks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onemo_simulator import LoopNetwork, Peer

from onemo_tools.proofs.rig import Rig

BAUDS = (115200, 921600)
PIECE = 64  # bytes of a small read or write
READAHEAD = 1024
SIZES = (64, 256, 1024, 4096, 16384, 65536)
_HOST = "peer.example"
_AT_ONCE: dict[str, Any] = {"answer_delay": 0.0, "prompt_delay": 0.0, "send_delay": 0.0}
_ECHO = 20
_PUBLISH = bytes((0x32, 112, 0, 8)) + b"unit/one" + b"\0\1" + b"m" * 100


class _Talker(Peer):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def on_connect(self, conn: Any) -> None:
        conn.reply(self._data)


class _Echo(Peer):
    def on_data(self, conn: Any, data: bytes) -> None:
        conn.reply(data)


class _Broker(Peer):
    def on_data(self, conn: Any, data: bytes) -> None:
        conn.reply(b"\x40\x02\0\1")


@dataclass
class Dialogue:
    """What a message and its answer cost."""

    bytes: int  # on the line, both directions
    commands: int
    ratio: float  # time over that of the payload's own bytes, there and back


@contextmanager
def _connected(baud: int, peer: Peer) -> Iterator[tuple[Rig, Any]]:
    network = LoopNetwork(latency=0.0)
    network.listen(_HOST, 1, peer)
    with Rig(
        uart={"baud": baud, "rxbuf": 4096},
        driver={"baud": baud},
        baud=baud,
        network=network,
        **_AT_ONCE,
    ) as rig:
        rig.modem.start()
        stream = rig.modem.connect(_HOST, 1)
        rig.clock.advance(0.5)
        rig.modem.command("+CSQ")  # what the peer sent is known to be there
        yield rig, stream


def reading(baud: int, piece: int, *, lines: bool = False, readahead: int | None = None) -> float:
    """Time over the payload's own, of reads or lines of `piece` bytes, 16 KB in all."""
    size = SIZES[-1] // 4
    with _connected(baud, _Talker((b"x" * (piece - 1) + b"\n") * (size // piece))) as (
        rig,
        stream,
    ):
        stream.readahead = readahead
        start = rig.clock.now()
        for _ in range(size // piece):
            data = stream.readline() if lines else stream.read(piece)
            if len(data) != piece:
                raise AssertionError(f"{len(data)} bytes came, not {piece}")
        return (rig.clock.now() - start) / (size * 10 / baud)


def writing(baud: int, piece: int, *, buffered: bool = False) -> float:
    """Time over the payload's own, of writes of `piece` bytes."""
    size = max(SIZES[-1] // 4, piece)
    with _connected(baud, Peer()) as (rig, stream):
        stream.buffered = buffered
        start = rig.clock.now()
        for _ in range(size // piece):
            stream.write(b"y" * piece)
        stream.flush()
        return (rig.clock.now() - start) / (size * 10 / baud)


def _dialogue(baud: int, peer: Peer, message: bytes, answer: int) -> Dialogue:
    with _connected(baud, peer) as (rig, stream):
        count = rig.uart.bytes_written + rig.uart.bytes_read
        commands = len(rig.module.commands)
        start = rig.clock.now()
        stream.write(message)
        if len(stream.read(answer)) != answer:
            raise AssertionError("the answer was not whole")
        took = rig.clock.now() - start
        return Dialogue(
            rig.uart.bytes_written + rig.uart.bytes_read - count,
            len(rig.module.commands) - commands,
            took / ((len(message) + answer) * 10 / baud),
        )


def echo(baud: int) -> Dialogue:
    """20 bytes there and back."""
    return _dialogue(baud, _Echo(), b"e" * _ECHO, _ECHO)


def publish(baud: int) -> Dialogue:
    """An MQTT message of 100 bytes with QoS 1, and its acknowledgement."""
    return _dialogue(baud, _Broker(), _PUBLISH, 4)


def publish_limit() -> int:
    """Bytes of the same without anything around them."""
    return len(_PUBLISH) + 4


def publish_by_ppp() -> int:
    """What `network.PPP` would put on the line for it, on paper: each packet has 40 bytes of IP
    and TCP, and 8 of PPP (flag, address and control left out, protocol, FCS, an escape or two);
    the message, its TCP acknowledgement along with the PUBACK, and ours of that."""
    return (len(_PUBLISH) + 48) + (4 + 48) + 48


def table() -> list[dict[str, Any]]:
    """Size x direction x speed, for docs/bench.json."""
    rows = []
    for size in SIZES:
        row: dict[str, Any] = {"bytes": size}
        for baud in BAUDS:
            row[f"write_{baud}"] = writing(baud, size)
            if size <= SIZES[-1] // 4:
                row[f"read_{baud}"] = reading(baud, size, readahead=READAHEAD)
        rows.append(row)
    return rows


def measure() -> dict[str, float]:
    """The figures of limits.py's group of streams."""
    found: dict[str, float] = {}
    for baud in BAUDS:
        found[f"stream_read_{baud}"] = reading(baud, PIECE, readahead=READAHEAD)
        found[f"stream_line_{baud}"] = reading(baud, PIECE, lines=True, readahead=READAHEAD)
        found[f"stream_read_small_{baud}"] = reading(baud, PIECE)
        found[f"stream_buffered_{baud}"] = writing(baud, PIECE, buffered=True)
        found[f"stream_unbuffered_{baud}"] = writing(baud, PIECE)
        found[f"stream_echo_{baud}"] = echo(baud).ratio
    told = publish(BAUDS[0])
    found["publish_bytes"] = told.bytes
    found["publish_commands"] = told.commands
    return found
