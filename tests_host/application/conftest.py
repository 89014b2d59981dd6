# SPDX-License-Identifier: MIT
"""main.py under CPython, with a simulated module, a broker, and time that jumps."""

import asyncio
import importlib.util
import json
import selectors
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from onemo_simulator import LoopNetwork, VerifyingPeer
from onemo_tools.proofs.rig import Rig

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests_host" / "data"
CERTIFICATE = (DATA / "manual-ca.pem").read_bytes()
KEY = (DATA / "manual-key.pem").read_bytes()
WRITES = (b"AT+MSSLCERTWR", b"AT+MSSLKEYWR", b"AT+MSSLRM")
DEVICE = "246f2801"
COMMANDS = f"devices/{DEVICE}/commands"
TELEMETRY = f"devices/{DEVICE}/telemetry"


class Enough(BaseException):
    """Ends main.py's endless loop."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """asyncio on the rig's clock: whoever sleeps, time jumps to where something happens."""

    def __init__(self, rig, each):
        super().__init__(_Selector(rig, each))
        self._rig = rig

    def time(self):
        return self._rig.clock.now()


class _Selector(selectors.SelectSelector):
    def __init__(self, rig, each):
        super().__init__()
        self._rig, self._each = rig, each

    def select(self, timeout=None):
        now = self._rig.clock.now()
        event = self._rig.uart.next_event()
        until = now + (timeout or 0)
        if event is not None:
            until = min(until, max(event, now))
        self._rig.clock.advance_to(max(until, now + 0.0001))
        self._each()
        return super().select(0)


class Broker(VerifyingPeer):
    """An MQTT broker of one connection at a time, that keeps what it is told: `packets` as
    (first byte, body), `published` as (topic, message). What it does is to be replaced."""

    def __init__(self, *wanted):
        super().__init__(*(wanted or (CERTIFICATE, (CERTIFICATE, KEY))))
        self.packets = []
        self.published = []
        self.conn = None
        self.deaf = False  # says nothing any more
        self.acknowledges = True
        self.connack = b"\x20\x02\0\0"
        self.suback = 1
        self.on_subscribed = lambda: None
        self._had = b""

    def on_connect(self, conn):
        self.conn, self._had = conn, b""

    def on_data(self, conn, data):
        self._had += data
        while (packet := self._packet()) and not self.deaf:
            self.packets.append(packet)
            self._answer(conn, *packet)

    def _packet(self):
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

    def _answer(self, conn, first, body):
        if first == 0x10:
            conn.reply(self.connack)
        elif first == 0x82:
            conn.reply(b"\x90\x03" + body[:2] + bytes((self.suback,)))
            self.on_subscribed()
        elif first >> 4 == 3:
            length = struct.unpack("!H", body[:2])[0]
            rest = body[2 + length :]
            message = rest[2:] if first & 6 else rest
            self.published.append((body[2 : 2 + length].decode(), message))
            if first & 6 and self.acknowledges:
                conn.reply(b"\x40\x02" + rest[:2])
        elif first == 0xC0:
            conn.reply(b"\xd0\0")

    def send(self, topic, message, number=None):
        """A message to the device, with QoS 1 where it has a number."""
        body = struct.pack("!H", len(topic)) + topic.encode()
        if number is not None:
            body += struct.pack("!H", number)
        body += message
        head = bytearray([0x30 if number is None else 0x32])
        size = len(body)
        while size > 0x7F:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        self.conn.reply(bytes(head) + bytes([size]) + body)

    def lines(self):
        """Of the telemetry: which lines have come."""
        return [json.loads(message)["line"] for _, message in self.published]


class Device:
    """A board without a board: main.py under CPython, a simulated module, time that jumps."""

    def __init__(self, folder, broker=None, **module):
        self.network = LoopNetwork()
        self.broker = broker or Broker()
        self.network.listen("broker.example", 8883, self.broker)
        self.rig = Rig("ML307R", network=self.network, **module)
        self.module = self.rig.module
        self.fed = []  # when the watchdog was
        self.bites_after = None
        self.each = lambda: None
        self._printed = []
        self._until = lambda: True
        (folder / "certs").mkdir()
        self.config = json.loads((ROOT / "config.json").read_bytes())
        for item, pem in zip(self.config["objects"], (CERTIFICATE, CERTIFICATE, KEY), strict=True):
            path = folder / "certs" / item["name"]
            path.write_bytes(pem)
            item["source"] = str(path)

    def watchdog(self, timeout):
        self.bites_after = timeout / 1000
        return SimpleNamespace(feed=lambda: self.fed.append(self.rig.clock.now()))

    def _look(self):
        self.each()
        if self._until():
            raise Enough

    def seen(self, word):
        """The lines printed so far that begin so."""
        return [line for line in self._printed if line.startswith(word)]

    def boot(self, until=lambda device: len(device.seen("published ")) > 0, most_s=3600):
        """Runs main.py until `until` says so; the lines printed. `most_s`: of the clock."""
        Path("config.json").write_text(json.dumps(self.config))
        self._printed = []
        end = self.rig.clock.now() + most_s

        def over():
            assert self.rig.clock.now() < end, self._printed
            return until(self)

        self._until = over
        main = load()
        main.print = lambda said: self._printed.append(str(said))
        loop = JumpingLoop(self.rig, self._look)
        main.asyncio = SimpleNamespace(
            sleep=asyncio.sleep, create_task=asyncio.create_task, run=loop.run_until_complete
        )
        try:
            main.main()
        except Enough:
            pass
        finally:
            lines = list(self._printed)
            self.each = lambda: None
            self._until = lambda: False
            finish(loop)
        return lines


def finish(loop):
    """All tasks are cancelled, and get to their ends."""
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def load():
    """main.py as a module of its own."""
    spec = importlib.util.spec_from_file_location("application", ROOT / "main.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Makes devices; at the end none of them has broken the module's protocol."""
    started = []

    def make(**options):
        device = Device(tmp_path, **options)
        started.append(device)
        machine = SimpleNamespace(
            UART=lambda number, **settings: device.rig.uart,
            WDT=device.watchdog,
            unique_id=lambda: bytes.fromhex(DEVICE),
        )
        monkeypatch.setitem(sys.modules, "machine", machine)
        monkeypatch.delitem(sys.modules, "mqtt", raising=False)
        monkeypatch.syspath_prepend(str(ROOT))
        monkeypatch.chdir(tmp_path)
        return device

    yield make
    for device in started:
        device.rig.close()
        assert device.module.violations == []


def count(word, number):
    """For boot's `until`: so many lines begin so."""
    return lambda device: len(device.seen(word)) >= number


def pauses(lines):
    return [float(line.split()[2]) for line in lines if line.startswith("retrying in ")]


def once(device, condition, deed):
    """Does `deed` when `condition` first holds; then when is told."""
    when = []

    def each():
        if not when and condition():
            when.append(device.rig.clock.now())
            deed()

    device.each = each
    return when


MISSING = object()


def put(path, value):
    """A change of one entry: put("endpoint.port", 0); MISSING takes it away."""

    def change(config):
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            config = config[part]
        if value is MISSING:
            del config[last]
        else:
            config[last] = value

    return change
