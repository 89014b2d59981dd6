# SPDX-License-Identifier: MIT
"""main.py under CPython, with a simulated module, a broker, and time that jumps: weeks pass in
minutes. For tests of the application, and for the field histories."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import selectors
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from onemo import _port, aio
from onemo.net_links import connections_of
from onemo_simulator import LoopNetwork, VerifyingPeer
from onemo_simulator.loop_network import LoopConnection

from .rig import Rig

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests_host" / "data"
DEVICE = "246f2801"
CERTIFICATE = (DATA / "manual-ca.pem").read_bytes()
KEY = (DATA / "manual-key.pem").read_bytes()
COMMANDS = f"devices/{DEVICE}/commands"
TELEMETRY = f"devices/{DEVICE}/telemetry"

_LISTENING = 1  # at_channel's phase without a command


class Enough(BaseException):
    """Ends main.py's endless loop."""


class Reset(BaseException):
    """The board starts anew: machine.reset(), or its watchdog."""


class Pin:
    """machine.Pin, wired to the module of a device by number: `Device.wires`."""

    IN, OUT, OPEN_DRAIN = 0, 1, 2

    def __init__(self, device: Device, number: int, mode: int, value: int | None = None) -> None:
        self._device, self._name = device, device.wires[number]
        self._inverted = number in device.transistors
        if value is not None:
            self.value(value)

    def value(self, level: int | None = None) -> int | None:
        """Drive, or read, the pin."""
        pins = self._device.module.pins
        if level is None:
            return int(pins.status != self._inverted)
        getattr(pins, self._name)(bool(level) != self._inverted)
        return None


class JumpingLoop(asyncio.SelectorEventLoop):
    """asyncio on the rig's clock: whoever sleeps, time jumps to where something happens."""

    def __init__(self, rig: Rig, each: Callable[[], None]) -> None:
        self.waiters: set[asyncio.Future[None]] = set()
        self.channel: Any = None  # of the operation that is under way
        super().__init__(_Selector(self, rig, each))
        self._rig = rig

    def time(self) -> float:
        """The virtual clock's."""
        return self._rig.clock.now()

    def wake(self) -> None:
        """Let everyone look who waits for bytes of the module."""
        for waiter in tuple(self.waiters):
            _settle(waiter)

    async def bytes_within(self, seconds: float) -> None:
        """Return when the module sent something, or after so long."""
        waiter = self.create_future()
        timer = self.call_later(seconds, _settle, waiter)
        self.waiters.add(waiter)
        try:
            await waiter
        finally:
            self.waiters.discard(waiter)
            timer.cancel()

    async def nap(self, ms: int) -> None:
        """Sleep, as an operation does between looks at the UART: without a turn of the loop where
        nobody else has anything to do until then."""
        clock = self._rig.clock
        now = clock.now()
        event = self._rig.uart.next_event()
        until = now + ms / 1000
        if event is not None:
            until = min(until, max(event, now))
        until = max(until, now + 0.0001)
        timers = self._scheduled  # type: ignore[attr-defined]
        if self._ready or (timers and timers[0].when() <= until):  # type: ignore[attr-defined]
            await asyncio.sleep(ms / 1000)
            return
        if event is None or event > until:
            others = [timers[0].when()] if timers else []
            others += [] if event is None else [event]
            until = max(until, min([self._listens_until(now), *others]))
        clock.advance_to(until)

    def _listens_until(self, now: float) -> float:
        # Who only listens looks every 20 ms on a board, and nothing comes of it until bytes do.
        channel = self.channel
        if channel is None or channel.phase != _LISTENING or channel._since is None:
            return 0.0
        spent_ms = _port.ticks_diff(_port.ticks_ms(), channel._since)
        return now + (channel.timeout_ms - spent_ms) / 1000


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop, rig: Rig, each: Callable[[], None]) -> None:
        super().__init__()
        self._loop, self._rig, self._each = loop, rig, each

    def select(self, timeout: float | None = None) -> Any:
        """Jump."""
        clock, uart = self._rig.clock, self._rig.uart
        end = clock.now() + (timeout or 0)
        while True:
            now = clock.now()
            has_bytes = uart.any()  # what was due has happened: only what is to come counts
            event = uart.next_event()
            if has_bytes and self._loop.waiters:
                until = now  # for those who are woken below
            else:
                until = end if event is None or event <= now else min(end, event)
            clock.advance_to(max(until, now + 0.0001))
            self._each()
            if self._loop.waiters and uart.any():
                self._loop.wake()
                return []
            if clock.now() >= end:
                return []  # no files: nothing but time wakes anyone here


class VirtualModem(aio.AsyncModem):
    """The asyncio front, whose waits for news end with the news: without it, each of the 20 ms
    that it sleeps on a board would be a step of the loop."""

    async def run_operation(self, *args: Any, **settings: Any) -> Any:
        """As the front's."""
        loop = asyncio.get_running_loop()
        if isinstance(loop, JumpingLoop):
            loop.channel = self.channel
        return await super().run_operation(*args, **settings)

    async def wait_news(
        self, connection: Any, timeout_ms: int, each_turn: Callable[[], object] | None = None
    ) -> None:
        """As the front's."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        connections = connections_of(self)
        end = loop.time() + timeout_ms / 1000
        while True:
            if not self._locked:
                self.channel.poll()
            left = end - loop.time()
            if left <= 0 or connections.has_news(connection):
                return
            if each_turn and each_turn():
                return
            await loop.bytes_within(left)

    def _unlock(self) -> None:
        super()._unlock()
        loop = asyncio.get_running_loop()
        if isinstance(loop, JumpingLoop):
            loop.wake()  # others may have served URCs that were ours


class Broker(VerifyingPeer):
    """An MQTT broker of one connection at a time, that keeps what it is told: `packets` as
    (first byte, body), `published` as (topic, message). What it does is to be replaced."""

    def __init__(self, *wanted: Any) -> None:
        super().__init__(*(wanted or (CERTIFICATE, (CERTIFICATE, KEY))))
        self.packets: list[tuple[int, bytes]] = []
        self.published: list[tuple[str, bytes]] = []
        self.conn: LoopConnection | None = None
        self.deaf = False  # says nothing any more
        self.acknowledges = True
        self.connack = b"\x20\x02\0\0"
        self.suback = 1
        self.on_subscribed: Callable[[], Any] = lambda: None
        self._had = b""

    def on_connect(self, conn: LoopConnection) -> None:
        """A new one takes the place of the last."""
        self.conn, self._had = conn, b""

    def on_data(self, conn: LoopConnection, data: bytes) -> None:
        """Packets, whole or not."""
        if conn is not self.conn:
            return
        self._had += data
        while (packet := self._packet()) and not self.deaf:
            self.packets.append(packet)
            try:
                self._answer(conn, *packet)
            except (ValueError, IndexError, struct.error):  # no packet of MQTT
                conn.end()
                return

    def _packet(self) -> tuple[int, bytes] | None:
        size = 0
        for at in range(1, len(self._had)):
            size |= (self._had[at] & 0x7F) << 7 * (at - 1)
            if self._had[at] < 0x80:
                if len(self._had) < at + 1 + size:
                    return None
                packet = self._had[0], self._had[at + 1 : at + 1 + size]
                self._had = self._had[at + 1 + size :]
                return packet
        return None

    def _answer(self, conn: LoopConnection, first: int, body: bytes) -> None:
        if first == 0x10:
            conn.reply(self.connack)
        elif first == 0x82:
            conn.reply(b"\x90\x03" + body[:2] + bytes((self.suback,)))
            self.on_subscribed()
        elif first == 0xA2:
            conn.reply(b"\xb0\x02" + body[:2])
        elif first >> 4 == 3:
            length = struct.unpack("!H", body[:2])[0]
            rest = body[2 + length :]
            message = rest[2:] if first & 6 else rest
            self.published.append((body[2 : 2 + length].decode(), message))
            if first & 6 and self.acknowledges:
                conn.reply(b"\x40\x02" + rest[:2])
        elif first == 0xC0:
            conn.reply(b"\xd0\0")
        elif first not in (0x40, 0xE0):
            raise ValueError

    def send(self, topic: str, message: bytes, number: int | None = None, flags: int = 0) -> None:
        """A message to the device, with QoS 1 where it has a number."""
        assert self.conn
        body = struct.pack("!H", len(topic)) + topic.encode()
        if number is not None:
            body += struct.pack("!H", number)
        body += message
        head = bytearray([(0x30 if number is None else 0x32) | flags])
        size = len(body)
        while size > 0x7F:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        self.conn.reply(bytes(head) + bytes([size]) + body)

    def lines(self) -> list[int]:
        """Of the telemetry: which lines have come."""
        return [json.loads(message)["line"] for _, message in self.published]


class Device:
    """A board without a board: main.py under CPython, a simulated module, time that jumps. Lives
    in `folder`, which must be the working directory while it runs; see `machine_of`."""

    def __init__(self, folder: Path, broker: Broker | None = None, **module: Any) -> None:
        self.network = LoopNetwork()
        self.broker = broker or Broker()
        self.network.listen("broker.example", 8883, self.broker)
        self.rig = Rig("ML307R", network=self.network, **module)
        self.module = self.rig.module
        self.fed: list[float] = []  # when the watchdog was
        self.bites_after: float | None = None
        self.longest_watchdog_ms: int | None = None  # what the port takes
        self.resets = 0  # of the board
        self.wires: dict[int, str] = {}  # number of a pin -> the module's pin
        self.transistors: tuple[int, ...] = ()  # numbers of those that are inverted
        self.each: Callable[[], None] = lambda: None
        self._printed: list[str] = []
        self._until: Callable[[], bool] = lambda: True
        (folder / "certs").mkdir()
        self.config: dict[str, Any] = json.loads((ROOT / "config.json").read_bytes())
        for item, pem in zip(self.config["objects"], (CERTIFICATE, CERTIFICATE, KEY), strict=True):
            path = folder / "certs" / item["name"]
            path.write_bytes(pem)
            item["source"] = str(path)

    def open_uart(self, number: int, **settings: Any) -> Any:
        """machine.UART; one that was deaf hears again."""
        self.rig.uart.init()
        return self.rig.uart

    def reset(self) -> None:
        """machine.reset, or the watchdog: main.py's end."""
        self.resets += 1
        raise Reset

    def watchdog(self, timeout: int) -> SimpleNamespace:
        """machine.WDT."""
        if self.longest_watchdog_ms is not None and timeout > self.longest_watchdog_ms:
            raise ValueError(f"timeout exceeds {self.longest_watchdog_ms}")
        self.bites_after = timeout / 1000
        return SimpleNamespace(feed=lambda: self.fed.append(self.rig.clock.now()))

    def _look(self) -> None:
        self.each()
        if self._until():
            raise Enough

    def seen(self, word: str) -> list[str]:
        """The lines printed so far that begin so."""
        return [line for line in self._printed if line.startswith(word)]

    def boot(
        self,
        until: Callable[[Device], bool] = lambda device: len(device.seen("published ")) > 0,
        most_s: float = 3600,
        *,
        stays: bool = False,
    ) -> list[str]:
        """Runs main.py until `until` says so; the lines printed. `most_s`: of the clock. `stays`:
        what `each` does goes on after it."""
        Path("config.json").write_text(json.dumps(self.config))
        self._printed = []
        end = self.rig.clock.now() + most_s

        def over() -> bool:
            assert self.rig.clock.now() < end, self._printed
            return until(self)

        self._until = over
        front = aio.Modem
        setattr(aio, "Modem", VirtualModem)  # noqa: B010 (a class to type checkers)
        loop = JumpingLoop(self.rig, self._look)
        sleep_ms, aio.sleep_ms = aio.sleep_ms, loop.nap
        each = self.each
        platform = sys.platform
        try:
            if platform in ("linux", "darwin", "win32"):  # a test may have given it another
                sys.platform = "esp32"
            main = load()
            main.print = lambda said: self._printed.append(str(said))
            main.asyncio = SimpleNamespace(
                sleep=asyncio.sleep, create_task=asyncio.create_task, run=loop.run_until_complete
            )
            main.main()
        except Enough:
            pass
        except Reset:  # nothing that was under way gets to the module
            self.rig.uart.sever()
        finally:
            lines = list(self._printed)
            self.each = lambda: None
            self._until = lambda: False
            finish(loop)
            sys.platform = platform
            setattr(aio, "Modem", front)  # noqa: B010
            aio.sleep_ms = sleep_ms
            self.rig.uart.init()
            if stays:
                self.each = each
        return lines


def machine_of(device: Device) -> SimpleNamespace:
    """A `machine` for sys.modules, that is this device's."""

    class Wired(Pin):
        def __init__(self, number: int, mode: int, value: int | None = None) -> None:
            super().__init__(device, number, mode, value)

    return SimpleNamespace(
        UART=device.open_uart,
        WDT=device.watchdog,
        Pin=Wired,
        reset=device.reset,
        unique_id=lambda: bytes.fromhex(DEVICE),
    )


def finish(loop: JumpingLoop) -> None:
    """All tasks are cancelled, and get to their ends."""
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def load() -> Any:
    """main.py as a module of its own."""
    spec = importlib.util.spec_from_file_location("application", ROOT / "main.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
