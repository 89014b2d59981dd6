"""main.py: its configuration, its way from an empty module to telemetry, and its patience."""

import asyncio
import importlib.util
import json
import re
import selectors
import struct
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from onemo import aio
from onemo_tools.board import VirtualBoard, images
from onemo_tools.deploy import library
from onemo_tools.rig import Rig
from onemo_tools.simulator import LoopNetwork, VerifyingPeer

ROOT = Path(__file__).resolve().parents[1]
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
        assert device.module.breaches == []


def count(word, number):
    """For boot's `until`: so many lines begin so."""
    return lambda device: len(device.seen(word)) >= number


def pauses(lines):
    return [float(line.split()[2]) for line in lines if line.startswith("again in ")]


def test_from_an_empty_module_to_telemetry(start):
    device = start()
    lines = device.boot()
    assert lines[0] == "module ML307R found"
    assert lines[1].startswith("attached, address 10.")
    store = device.module.store
    assert store.certs == {"ca.pem": CERTIFICATE, "client.pem": CERTIFICATE}
    assert store.keys == {"client.key": KEY}
    # The manual's own vector: this is what its module says of its key.
    digest = "9e5e120bc7827646a0c4b007ec3e1453"
    assert f"client.key written, MD5 {digest} confirmed by the module" in lines
    told = [line for line in lines if line.startswith("client.key ") and "/" in line]
    assert told == [f"client.key {done}/1674" for done in (512, 1024, 1536, 1674)]
    assert "configure: 1" in lines
    assert any(re.fullmatch(r"the time is 20\d\d-\d\d-\d\d [\d:]{8}", line) for line in lines)
    assert "connected to broker.example:8883" in lines
    line = '{"device": "246f2801", "line": 1, "signal": "+CSQ: 24,99"}'
    assert lines[-1] == f"published {line}"
    assert device.broker.published == [(TELEMETRY, line.encode())]
    hello = b"\0\4MQTT\4\0\0\x3c\0\x08" + DEVICE.encode()
    assert device.broker.packets[0] == (0x10, hello)
    assert device.broker.packets[1][1][4:] == COMMANDS.encode() + b"\1"
    [connection] = device.network.connections
    assert (connection.tls.auth, connection.tls.version) == (2, 3)
    assert not connection.tls.ignorestamp and not connection.tls.ignoreverify


def test_telemetry_goes_out_regularly_for_hours_and_pings_between(start):
    device = start()
    device.config["endpoint"]["every_s"] = 300
    began = device.rig.clock.now()
    device.boot(count("published ", 6))
    assert device.broker.lines() == [1, 2, 3, 4, 5, 6]
    assert 1500 <= device.rig.clock.now() - began <= 1560
    assert len(device.network.connections) == 1
    pings = [packet for packet in device.broker.packets if packet[0] == 0xC0]
    assert 48 <= len(pings) <= 51


def test_commands_are_printed_and_acknowledged_while_it_waits(start):
    device = start()
    broker = device.broker
    broker.on_subscribed = lambda: broker.send(COMMANDS, b"on", 7)
    device.boot(count("command ", 1))
    broker.on_subscribed = lambda: (
        broker.send(COMMANDS, b"x" * 5000, 8),
        broker.send(COMMANDS, b"off"),
    )
    lines = device.boot(
        lambda device: count("command ", 2)(device) and count("published ", 1)(device)
    )
    assert [line for line in lines if line.startswith("command ")] == [
        "command None",  # too much for a small heap
        "command b'off'",
    ]
    assert (0x40, b"\0\7") in broker.packets
    assert (0x40, b"\0\x08") in broker.packets


def test_a_second_boot_writes_nothing(start):
    device = start()
    device.boot()
    wrote, mark = device.module.store.writes, len(device.module.commands)
    assert wrote == 3
    lines = device.boot()
    assert "certificates and keys unchanged" in lines
    assert not [line for line in lines if " written" in line]
    assert device.module.store.writes == wrote
    assert not [line for line in device.module.commands[mark:] if line.startswith(WRITES)]


def test_only_what_differs_is_written(start):
    device = start()
    device.boot()
    device.module.store.damage("client.pem", 100)
    lines = device.boot()
    written = [line.split()[0] for line in lines if " written, " in line]
    assert written == ["client.pem"]
    assert device.module.store.certs["client.pem"] == CERTIFICATE
    assert device.module.store.writes == 4


def test_a_silent_module_is_tried_again_until_it_answers(start):
    device = start(off=True)
    powered = []

    def each():
        if not powered and len(device.seen("again ")) == 3:
            powered.append(device.module.power_cycle())

    device.each = each
    lines = device.boot()
    failures = [line for line in lines if line.startswith("failed: ")]
    assert len(failures) == 3
    for line in failures:
        assert re.match("failed: no answer within 30000 ms: has the module power, ", line)
    assert device.module.store.writes == 3


def test_pauses_grow_to_the_most_and_are_jittered(start):
    device = start(off=True)
    device.config["retry"] = {"first_s": 2, "most_s": 20}
    told = pauses(device.boot(count("again ", 8)))
    for pause, whole in zip(told, (2, 4, 8, 16, 20, 20, 20, 20), strict=True):
        assert whole / 2 <= pause <= whole
    assert len(set(told[4:])) > 1


def once(device, condition, deed):
    """Does `deed` when `condition` first holds; then when is told."""
    when = []

    def each():
        if not when and condition():
            when.append(device.rig.clock.now())
            deed()

    device.each = each
    return when


def test_a_broker_cut_is_noticed_at_once_and_the_pause_is_as_after_a_first_failure(start):
    device = start()
    device.config["endpoint"]["every_s"] = 600
    when = once(
        device, lambda: len(device.seen("published ")) == 1, lambda: device.broker.conn.end(2)
    )
    lines = device.boot(count("published ", 2))
    assert len([line for line in lines if line.startswith("failed: ")]) == 1
    [pause] = pauses(lines)
    assert 0.5 <= pause <= 1
    assert device.rig.clock.now() - when[0] < 20
    assert device.broker.lines() == [1, 2]
    assert len(device.network.connections) == 2
    assert device.network.connections[0].closed
    assert "certificates and keys unchanged" in lines


def test_what_was_not_acknowledged_goes_once_more(start):
    device = start()
    device.broker.acknowledges = False

    def mend():
        device.broker.acknowledges = True

    once(device, lambda: device.seen("failed: "), mend)
    lines = device.boot(count("published ", 2))
    assert "failed: no acknowledgement within 20 s" in lines
    assert device.broker.lines() == [1, 1, 2]


def test_a_broker_that_falls_silent_is_left(start):
    device = start()
    device.config["endpoint"]["every_s"] = 3000

    def fall_silent():
        device.broker.deaf = True

    when = once(device, lambda: device.seen("published "), fall_silent)
    lines = device.boot(count("again ", 1))
    assert lines[-2].startswith("failed: nothing to read from connection")
    assert device.rig.clock.now() - when[0] < 100


@pytest.mark.parametrize(
    ("trait", "value", "said"),
    [
        ("connack", b"\x20\x02\0\5", "failed: the broker refused: code 5 "),
        ("connack", b"HTTP", "failed: what answered is no MQTT broker"),
        ("suback", 0x80, f"failed: the broker refused the subscription to {COMMANDS}"),
        ("deaf", True, "failed: nothing to read from connection"),
    ],
)
def test_a_broker_that_does_not_want_it_is_told_and_tried_again(start, trait, value, said):
    device = start()
    setattr(device.broker, trait, value)
    device.boot(count("failed: ", 2))
    for line in device.seen("failed: "):
        assert line.startswith(said)


@pytest.mark.parametrize(
    "junk",
    [b"\xf0\0", b"\x30\x02\0\5", b"\x34\x05\0\1x\0\1", b"\x40\xff\xff\xff\xff\x01"],
)
def test_what_makes_no_sense_ends_the_connection_only(start, junk):
    device = start()
    once(device, lambda: device.seen("published "), lambda: device.broker.conn.reply(junk))
    lines = device.boot(count("published ", 2))
    assert len([line for line in lines if line.startswith("failed: the broker sent a ")]) == 1


def test_a_wrong_ca_is_told_in_words_and_no_id_is_used_up(start):
    device = start(broker=Broker(b"another CA"))
    lines = device.boot(count("failed: ", 8))
    for line in [line for line in lines if line.startswith("failed: ")]:
        assert ": 752, the server's certificate failed verification" in line


def test_a_clock_that_is_not_set_is_set_before_it_connects(start):
    device = start(date="unset")
    lines = device.boot()
    assert any(line.startswith("the time is 20") for line in lines)
    assert b"AT+MNTP" in device.module.commands


def test_a_clock_that_nobody_sets_is_told_and_nothing_is_connected(start):
    device = start(date="unset", ntp=False)
    lines = device.boot(count("again ", 1))
    assert any(line.startswith("the network did not tell the time within") for line in lines)
    assert lines[-2].startswith("failed: the module's clock says 70/01/01")
    assert not device.network.connections


def test_a_module_that_reboots_is_set_up_again(start):
    device = start()
    once(device, lambda: device.seen("published "), device.module.reboot)
    lines = device.boot(count("published ", 2))
    assert len([line for line in lines if line.startswith("failed: ")]) == 1
    assert lines.count("certificates and keys unchanged") == 1
    assert lines.count("configure: 1") == 2
    assert device.broker.lines() == [1, 2]


def test_the_watchdog_is_fed_through_failures_pauses_and_uploads(start):
    device = start()
    device.config["watchdog_s"] = 8
    device.config["endpoint"]["every_s"] = 400
    once(device, lambda: device.seen("published "), device.module.power_off)
    device.boot(count("again ", 5))
    assert device.bites_after == 8
    gaps = [after - before for before, after in zip(device.fed, device.fed[1:], strict=False)]
    assert max(gaps) < 4
    assert device.rig.clock.now() - device.fed[-1] < 4
    assert len(device.fed) > 20


def test_the_watchdog_bites_when_nothing_gets_on(start, monkeypatch):
    device = start()
    device.config["watchdog_s"] = 8

    async def stuck(*_):
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(aio.Modem, "start", stuck)
    lines = device.boot(count("no progress", 1))
    assert lines == ["no progress: the watchdog is fed no more"]
    assert 890 < device.fed[-1] - device.fed[0] < 910


def test_without_a_watchdog_none_is_started(start):
    device = start()
    device.boot()
    assert device.bites_after is None


# Configuration


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


MISSING = object()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("uart", MISSING, "uart is None; it must be an object"),
        ("uart.tx", MISSING, "uart.tx is missing; it must be the number of the pin"),
        ("uart.baud", "fast", "uart.baud is 'fast'; it must be 1200 to 4000000"),
        ("module", 1, "module is 1; it must be an object"),
        ("module.model", 307, "module.model is 307; it must be a string, or null"),
        ("module.apn", True, "module.apn is true; it must be a string, or null"),
        ("objects", {}, "objects is {}; it must be a list"),
        ("objects.0", "ca.pem", "objects[0].name is missing; it must be a name in the module"),
        ("objects.1.name", MISSING, "objects[1].name is missing; it must be a name"),
        ("objects.2.kind", "pem", 'objects[2].kind is \'pem\'; it must be "cert", "key"'),
        ("objects.2.source", MISSING, "objects[2].source is missing; it must be the path"),
        ("contexts", MISSING, "contexts is missing; it must be a list of TLS contexts"),
        ("contexts.0.ssl_id", 6, "contexts[0].ssl_id is 6; it must be 0 to 5"),
        ("contexts.0.ssl_id", True, "contexts[0].ssl_id is True; it must be 0 to 5"),
        ("contexts.0.auth", "both", 'contexts[0].auth is \'both\'; it must be "none", "server"'),
        ("contexts.0.key", MISSING, "contexts[0].key is missing; it must be the name of a key"),
        ("contexts.0.ca", "root.pem", "contexts[0].ca is 'root.pem'; it must be the name of a"),
        ("contexts.0.sni", 1, "contexts[0].sni is not known; a context has ssl_id auth ca cert"),
        ("endpoint.host", "", 'endpoint.host is ""; it must be a host\'s name or address'),
        ("endpoint.port", 65536, "endpoint.port is 65536; it must be 1 to 65535"),
        ("endpoint.port", "8883", 'endpoint.port is "8883"; it must be 1 to 65535'),
        ("endpoint.ssl_id", 2, "endpoint.ssl_id is 2; it must be a context's ssl_id"),
        ("endpoint.every_s", MISSING, "endpoint.every_s is missing; it must be seconds"),
        ("retry.first_s", 0, "retry.first_s is 0; it must be seconds, 1 or more"),
        ("retry.most_s", 0.5, "retry.most_s is 0.5; it must be seconds, first_s or more"),
        ("endpoint.topic", MISSING, "endpoint.topic is missing; it must be how topics begin"),
        ("endpoint.topic", "a/#", 'endpoint.topic is "a/#"; it must be how topics begin'),
        ("watchdog_s", 0, "watchdog_s is 0; it must be seconds, 1 or more; null for none"),
        ("watchdog_s", True, "watchdog_s is true; it must be seconds"),
        ("retry", MISSING, "retry is missing; it must be an object"),
    ],
)
def test_a_wrong_or_missing_entry_is_named_and_nothing_is_sent(start, path, value, said):
    device = start()
    put(path, value)(device.config)
    [line] = device.boot()
    assert line.startswith("config.json: ")
    assert said in line
    assert device.module.commands == []


def test_a_context_takes_the_other_options_of_configure(start):
    device = start()
    device.config["contexts"][0]["negotime_s"] = 30
    device.config["contexts"][0]["session"] = False
    device.boot()
    [connection] = device.network.connections
    assert connection.tls.negotime == 30
    assert connection.tls.session is False


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_no_configuration_is_told_too(start, monkeypatch, text):
    device = start()
    monkeypatch.setattr(Path, "write_text", lambda self, data: 0)
    if text is not None:
        Path("config.json").write_bytes(text.encode())
    [line] = device.boot()
    assert line.startswith("config.json: ")
    assert device.module.commands == []


def test_a_file_that_is_no_pem_is_told_before_the_module_sees_it(start):
    device = start()
    Path(device.config["objects"][0]["source"]).write_bytes(b"no certificate\n")
    lines = device.boot(count("again ", 1))
    assert lines[-2].startswith("failed: ") and "PEM" in lines[-2]
    assert not [line for line in device.module.commands if line.startswith(WRITES)]


def on_board(tmp_path, **changes):
    """A flash image with the application, that says when it has booted."""
    config = json.loads((ROOT / "config.json").read_bytes())
    for path, value in changes.items():
        put(path.replace("__", "."), value)(config)
    files = {f"/{name}": (ROOT / name).read_bytes() for name in ("boot.py", "main.py", "mqtt.py")}
    files |= {f"/{path}": content for path, content in library(ROOT).items()}
    files["/boot.py"] += b"print('booted')\n"
    files["/config.json"] = json.dumps(config).encode()
    images.write_files(tmp_path / "flash.img", files)
    return VirtualBoard(tmp_path / "flash.img")


def test_on_micropython_a_wrong_entry_ends_at_the_prompt_without_a_traceback(tmp_path):
    with on_board(tmp_path, endpoint__port="8883", watchdog_s=1) as board:
        board.output.wait_for(">>> ", timeout=20)
        said = str(board.output)
    assert 'config.json: endpoint.port is "8883"; it must be 1 to 65535' in said
    assert "Traceback" not in said


def test_on_micropython_the_watchdog_bites_only_once_main_py_has_ended(tmp_path):
    with on_board(tmp_path, watchdog_s=2) as board:  # and no module
        board.output.wait_for("booted", timeout=20)
        time.sleep(5)
        assert str(board.output).count("booted") == 1
        assert ">>> " not in str(board.output)
        mark = board.output.mark()
        with open(board.port, "wb", buffering=0) as terminal:
            terminal.write(b"\x03")
            board.output.wait_for("KeyboardInterrupt", timeout=20, since=mark)
            board.output.wait_for("booted", timeout=20, since=mark)
