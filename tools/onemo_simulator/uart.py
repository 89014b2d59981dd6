# SPDX-License-Identifier: MIT
"""An in-process stand-in for `machine.UART`, with a simulated module at the other end."""

from __future__ import annotations

import random
from typing import Protocol

from .clock import Clock

Buffer = bytes | bytearray | memoryview


class LineEnd(Protocol):
    """What the UART talks to: a `Module`, or a `FaultyLine` in front of one."""

    clock: Clock

    @property
    def emitted_at(self) -> float:
        """When the first of those bytes was sent."""

    @property
    def baud(self) -> int:
        """Speed of the module; 0 follows the host's up to 115200."""

    @property
    def pending(self) -> int:
        """Bytes that `take` would give."""

    def feed(self, data: Buffer) -> None:
        """Bytes for the module."""

    def take(self, limit: int | None = None) -> bytes:
        """Bytes from the module."""

    def next_event(self) -> float | None:
        """When the module does something by itself."""


def garbled(data: bytes, host_baud: int | None, module_baud: int) -> bytes:
    """What is heard of `data` when the speeds differ; module_baud 0 follows up to 115200."""
    if not host_baud or module_baud == host_baud or (module_baud == 0 and host_baud <= 115200):
        return data
    return bytes((byte * 37 + 0x5B) & 0xFF | 0x80 for byte in data)


class SimulatedUart:
    """`any`, `readinto`, `write` as MicroPython's UART has them, never waiting.

    module: a `Module` or a `FaultyLine`. baud: the host's speed; with it bytes take their time
    on the (8N1) line by the module's clock, and a module at another speed is heard as junk;
    None: no time, no speed. rxbuf: what arrives beyond so many unread bytes is lost and counted
    in `overruns` (with `baud`; without, everything would arrive at once). txbuf: most bytes
    queued for sending, with `baud`.

    seed: makes the following random, and the same each time: short_reads, short_writes and
    nothing are the shares (0..1) of calls that do less than they could, or nothing (None).
    """

    def __init__(
        self,
        module: LineEnd,
        *,
        baud: int | None = None,
        rxbuf: int | None = None,
        txbuf: int = 256,
        seed: int | None = None,
        short_reads: float = 0.0,
        short_writes: float = 0.0,
        nothing: float = 0.0,
    ) -> None:
        if rxbuf is not None and not baud:
            raise ValueError("rxbuf needs baud: without it everything arrives at once")
        self.module = module
        self.clock = module.clock
        self.baud = baud
        self.rxbuf = rxbuf
        self.txbuf = txbuf
        self.bytes_read = 0  # by the host
        self.bytes_written = 0
        self.overruns = 0
        self._random = random.Random(seed)
        self._short_reads = short_reads
        self._short_writes = short_writes
        self._nothing = nothing
        self._deaf = self._severed = False
        self._rx = bytearray()
        self._tx = bytearray()
        self._rx_clock = self._tx_clock = self.clock.now()

    # --- as machine.UART --------------------------------------------------------------------

    def any(self) -> int:
        """Bytes that wait."""
        self._pump()
        return len(self._rx)

    def readinto(self, buf: bytearray | memoryview, nbytes: int | None = None) -> int | None:
        """Fill `buf` (its first `nbytes`) with what is there; None when nothing is."""
        self._pump()
        limit = len(buf) if nbytes is None else min(nbytes, len(buf))
        count = min(limit, len(self._rx))
        if count and self._nothing and self._random.random() < self._nothing:
            return None
        if count > 1 and self._short_reads and self._random.random() < self._short_reads:
            count = self._random.randint(1, count)
        if not count:
            return None
        buf[:count] = self._rx[:count]
        del self._rx[:count]
        self.bytes_read += count
        return count

    def read(self, nbytes: int | None = None) -> bytes | None:
        """Up to `nbytes` bytes; None when nothing is there."""
        buf = bytearray(nbytes or max(1, self.any()))
        count = self.readinto(buf)
        return None if count is None else bytes(buf[:count])

    def write(self, buf: Buffer, *window: int) -> int | None:
        """Send `buf`, its first n bytes (n), or n from off on (off, n); how many, or None."""
        view = memoryview(buf)
        if len(window) == 1:
            view = view[: window[0]]
        elif window:
            view = view[window[0] : window[0] + window[1]]
        self._pump()
        count = len(view)
        if self._severed or not count:
            return count
        if self._nothing and self._random.random() < self._nothing:
            return None
        if count > 1 and self._short_writes and self._random.random() < self._short_writes:
            count = self._random.randint(1, count)
        if self.baud:
            count = min(count, self.txbuf - len(self._tx))
            if count <= 0:
                return None
            if not self._tx:
                self._tx_clock = max(self._tx_clock, self.clock.now())
            self._tx += view[:count]
        else:
            self.module.feed(view[:count])
        self.bytes_written += count
        return count

    def txdone(self) -> bool:
        """Everything written is on the wire."""
        self._pump()
        return not self._tx

    def init(self, baudrate: int | None = None, **_: object) -> None:
        """Change the speed; what waits in the buffers is lost. A deaf UART hears again, and one
        that was severed is connected."""
        self._deaf = self._severed = False
        if self.baud and baudrate:
            self._pump()
            self.baud = baudrate
            self._rx.clear()
            self._tx.clear()

    def deafen(self) -> None:
        """From now on the host hears nothing, until `init`: a driver stuck in the MCU."""
        self._pump()
        self._rx.clear()
        self._deaf = True

    def sever(self) -> None:
        """Until `init` nothing that is written gets to the module: the host is about to reset."""
        self._severed = True

    # --- for tests ----------------------------------------------------------------------------

    def next_event(self) -> float | None:
        """When (s of the clock) something may happen by itself: the module, or the line."""
        moments = [] if (event := self.module.next_event()) is None else [event]
        if self._rx:
            moments.append(self.clock.now())
        if not self.baud:
            return min(moments, default=None)
        if self._tx:
            moments.append(self._tx_clock + self._byte)
        if self._rx_waits:
            moments.append(self._rx_clock + self._byte)
        return min(moments) if moments else None

    # --- the wire -------------------------------------------------------------------------------

    _rx_waits = False

    @property
    def _byte(self) -> float:
        return 10.0 / (self.baud or 115200)

    def _pump(self) -> None:
        if not self.baud:
            data = self.module.take()
            if data and not self._deaf:
                self._rx += data
            return
        now = self.clock.now()
        byte = self._byte
        if self._tx:
            count = min(len(self._tx), int((now - self._tx_clock) / byte + 1e-6))
            if count > 0:
                data, self._tx = bytes(self._tx[:count]), self._tx[count:]
                self._tx_clock += count * byte
                self.module.feed(garbled(data, self.baud, self.module.baud))
        self._receive(now, byte)

    def _receive(self, now: float, byte: float) -> None:
        while True:
            self.module.take(0)  # runs the module's timers
            if not self.module.pending:
                self._rx_waits = False
                return
            start = self._rx_clock
            if not self._rx_waits:
                start = max(start, self.module.emitted_at)
            count = int((now - start) / byte + 1e-6)
            self._rx_waits, self._rx_clock = True, start
            if count <= 0:
                return
            speed = self.module.baud  # IPR's OK is still at the old one
            data = garbled(self.module.take(count), self.baud, speed)
            self._rx_clock += len(data) * byte
            if self._deaf:
                continue
            room = len(data) if self.rxbuf is None else max(0, self.rxbuf - len(self._rx))
            self._rx += data[:room]
            self.overruns += len(data) - min(room, len(data))
