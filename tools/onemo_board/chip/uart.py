# SPDX-License-Identifier: MIT
"""One UART of the board: a file descriptor with a firmware's buffers, times and losses.

The descriptor is the line: a non-blocking socket or pty whose other end is the module.
What is unread in it counts as received, so poll() on it tells the truth at all times.
Nothing here knows MicroPython; `hal.py` makes it `machine.UART`.
"""

import ctypes
import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping
from typing import Any

from .ports import Port

POLL_READ, POLL_WRITE = 1, 4
_PAUSE_S = 0.003  # lines hand over bytes in portions: a shorter pause is none

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.read.argtypes = _libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
_libc.read.restype = _libc.write.restype = ctypes.c_ssize_t


class ConfigError(Exception):
    """What the constructor or init() refuses, as the firmware's exception type and text."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind, self.text = kind, text


class Interrupted(Exception):
    """A signal came while waiting: MicroPython must look whether it was a Ctrl-C."""


class Uart:
    """What all ports share; each port's manners are in a subclass in `manners.py`.

    `tell(event, *values)` reports to the host and returns once it has heard; `line_time`
    False makes writing take no time; `overrun` False keeps what real buffers would lose.
    """

    fifo_behind_rxbuf = 0  # bytes that the hardware still takes when rxbuf is full

    def __init__(
        self,
        uart_id: int,
        fd: int | None,
        port: Port,
        tell: Callable[..., Any],
        line_time: bool = True,
        overrun: bool = True,
    ) -> None:
        self.id, self.fd, self.port = uart_id, fd, port
        self._tell = tell
        self._line_time, self._overrun = line_time, overrun
        self._poll = select.poll()
        self._count = bytearray(4)
        self.open = False
        self._kept = self._lost = 0  # of what is unread: bytes in the buffers, bytes overrun
        self._wire_free = 0.0  # monotonic time at which all that was written has left the wire
        self._deadline: float | None = None  # of a read that a signal broke off
        self.settings: dict[str, int] = {}
        self.trigger = self.flags = 0  # of irq(); what of it happened last
        self._heard = 0  # bytes waiting when somebody looked last
        self._heard_at: float | None = None  # when the last of them came; None: that was told

    # -- settings -------------------------------------------------------------------------
    def configure(
        self, values: Mapping[str, int | None], positional: int, constructor: bool
    ) -> None:
        """The constructor or init() with these arguments; ConfigError as the port raises it."""
        if positional > 4:
            raise ConfigError("TypeError", "extra positional arguments given")
        for name in values:
            if name not in self.port.uart_keywords:
                raise ConfigError("TypeError", "extra keyword arguments given")
        self._apply(dict(values), constructor)

    def _apply(self, values: dict[str, int | None], constructor: bool) -> None:
        raise NotImplementedError

    def _defaults(self) -> dict[str, int]:
        shared = {"baudrate": 115200, "bits": 8, "parity": -1, "stop": 1, "flow": 0}
        return {**shared, "invert": 0, "timeout": 0, "timeout_char": 0, **self.port.buffers}

    def restore(self, kept: Mapping[str, int]) -> None:
        """What it had before a soft reset; most ports keep nothing."""

    def shown(self) -> str:
        """What the port prints of its settings."""
        raise NotImplementedError

    def _shown_frame(self, baud: int) -> str:
        s = self.settings
        parity = "None" if s["parity"] < 0 else str(s["parity"])
        return f", baudrate={baud}, bits={s['bits']}, parity={parity}, stop={s['stop']}"

    def _started(self, flush: bool) -> None:
        """Settings are in force: tell the line, and drop what old settings received."""
        s = self.settings
        for name in ("timeout", "timeout_char"):
            s[name] &= 0xFFFF  # uint16_t on all three ports
        bits = 1 + s["bits"] + (s["parity"] >= 0) + s["stop"]
        self.byte_time = bits / s["baudrate"] if self._line_time else 0.0
        self.open = True
        if flush:
            self.flush_input()
        self._wire_free = 0.0
        self._tell("baud", self.id, s["baudrate"], s["rxbuf"])

    def deinit(self) -> None:
        self.open = False
        self.trigger = 0

    def flush_input(self) -> None:
        self._kept = self._lost = 0
        self._discard(self._waiting())

    # -- receiving ------------------------------------------------------------------------
    def _waiting(self) -> int:
        """Bytes unread in the descriptor."""
        if self.fd is None:
            return 0
        fcntl.ioctl(self.fd, termios.FIONREAD, self._count)
        return struct.unpack("i", self._count)[0]

    def _received(self) -> int:
        """Bytes that can be read; settles first what the buffers could not hold."""
        if not self.open:
            return 0
        waiting = self._waiting()
        if self._lost:
            if self._kept:
                return self._kept
            self._discard(self._lost)
            waiting -= self._lost
            self._lost = 0
        # with RTS the sender stops in time; a line slower than its reader never gets here
        flow = self.settings["flow"] & self.port.uart_constants["RTS"]
        if self._overrun and not flow:
            kept, lost = self._overflow(waiting)
            if lost:
                self._kept, self._lost = kept, lost
                self._tell("overrun", self.id, lost)
                return kept
        return waiting

    def _overflow(self, waiting: int) -> tuple[int, int]:
        """Of `waiting` bytes that nobody read: how many were kept first, then how many lost."""
        room = self.settings["rxbuf"] + self.fifo_behind_rxbuf
        return min(waiting, room), max(0, waiting - room)

    def _discard(self, count: int) -> None:
        if self.fd is not None and count > 0:
            while count:
                got = len(os.read(self.fd, count))
                if not got:
                    return
                count -= got

    def any(self) -> int:
        """Bytes in the receive buffer."""
        return min(self._received(), max(1, self.settings["rxbuf"])) if self.open else 0

    def read_into(self, address: int, size: int) -> int | None:
        """One port read: up to `size` bytes to memory at `address`; None when there is none.

        Waits `timeout` ms for the first byte and `timeout_char` ms for each further one;
        Interrupted after a signal: the caller calls again, the waiting time goes on.
        """
        if size == 0:
            return 0
        if not self.open or not self._wait_first():
            return None
        got = self._take(address, size)
        while 0 < got < size and self._wait_next():
            more = self._take(address + got, size - got)
            if not more:
                break
            got += more
        return got or None

    def _wait_first(self) -> bool:
        if self._received():
            self._deadline = None
            return True
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self.first_byte_ms() / 1000
        while now < self._deadline:
            self._wait(select.POLLIN, self._deadline - now)
            if self._received():
                break
            now = time.monotonic()
        self._deadline = None
        return bool(self._received())

    def _wait_next(self) -> bool:
        if self._received():
            return True
        deadline = time.monotonic() + self.next_byte_ms() / 1000
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._wait(select.POLLIN, left)
            except Interrupted:
                return False  # what came is handed over first
            if self._received():
                return True
        return False

    def first_byte_ms(self) -> int:
        return self.settings["timeout"]

    def next_byte_ms(self) -> int:
        return self.settings["timeout_char"]

    def _take(self, address: int, size: int) -> int:
        ready = self._received()
        count = _libc.read(self.fd, address, min(size, ready)) if ready else 0
        if count <= 0:
            return 0
        if self._lost:
            self._kept -= count
            if not self._kept:
                # at once, so that poll() does not wake for bytes that are lost
                self._discard(self._lost)
                self._lost = 0
        return count

    def _wait(self, events: int, seconds: float) -> None:
        """poll(); Interrupted when a signal ended it (Python's own poll would wait on)."""
        if self.fd is None:
            rows, count = None, 0
        else:
            rows, count = struct.pack("ihh", self.fd, events, 0), 1
        ms = min(max(1, int(seconds * 1000 + 0.999)), 60_000)
        if _blocking_libc.poll(rows, ctypes.c_ulong(count), ms) < 0:
            raise Interrupted

    # -- interrupts -----------------------------------------------------------------------
    def interrupts(self) -> int:
        """Which of the events in `trigger` have happened since the last call; `flags` keeps it."""
        if not self.open:
            return 0
        named, now = self.port.uart_irqs, time.monotonic()
        waiting = self._waiting()
        found = 0
        if waiting > self._heard:
            self._heard_at = now
            found |= named.get("IRQ_RX", 0)
        elif not waiting:
            self._heard_at = None  # read in time: the line falls idle with nothing to tell
        self._heard = waiting
        idle = max(self._IDLE_BITS / self.settings["baudrate"], _PAUSE_S)
        if self._heard_at is not None and now - self._heard_at >= idle:
            self._heard_at = None
            found |= named["IRQ_RXIDLE"]
        if self._has_sent(now):
            found |= named.get("IRQ_TXIDLE", 0)
        if found := found & self.trigger:
            self.flags = found
        return found

    _IDLE_BITS = 20  # for which the line has to be quiet

    def _has_sent(self, now: float) -> bool:
        """Whether the hardware has asked for more than there was to send, since the last call."""
        return False

    # -- sending --------------------------------------------------------------------------
    def write_from(self, address: int, size: int) -> int | None:
        """One port write: bytes taken, or None where the port gives None."""
        raise NotImplementedError

    def _put(self, address: int, size: int) -> int:
        """Hands bytes to the line; fewer (0) when the other end does not take them."""
        if self.fd is None:
            return size
        return max(0, _libc.write(self.fd, address, size))

    def _on_wire(self, count: int, now: float) -> None:
        self._wire_free = max(self._wire_free, now) + count * self.byte_time

    def write_ready(self) -> bool:
        return True

    def txdone(self) -> bool:
        return time.monotonic() >= self._wire_free

    def drain(self) -> None:
        """flush(): waits until the last bit has left."""
        sleep_until(self._wire_free)

    def ready(self, events: int) -> int:
        """MP_STREAM_POLL."""
        found = POLL_READ if events & POLL_READ and self._received() else 0
        return found | (POLL_WRITE if events & POLL_WRITE and self.write_ready() else 0)

    def pollable(self) -> int | None:
        """The descriptor for system poll(), where that tells what ready() would tell now."""
        return self.fd if self.open and self.write_ready() else None


_blocking_libc = ctypes.CDLL(None, use_errno=True)


def sleep_until(when: float) -> None:
    while (left := when - time.monotonic()) > 0:
        time.sleep(left)
