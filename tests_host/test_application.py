"""main.py: its configuration, its way from an empty module to a reply, and its patience."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from onemo_tools.board import VirtualBoard, images
from onemo_tools.deploy import library
from onemo_tools.rig import Rig
from onemo_tools.simulator import EchoPeer, LoopNetwork, VerifyingPeer

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests_host" / "data"
CERTIFICATE = (DATA / "manual-ca.pem").read_bytes()
KEY = (DATA / "manual-key.pem").read_bytes()
WRITES = (b"AT+MSSLCERTWR", b"AT+MSSLKEYWR", b"AT+MSSLRM")


class Enough(BaseException):
    """Ends main.py's endless loop."""


class Device:
    """A board without a board: main.py under CPython, a simulated module, time that jumps."""

    def __init__(self, folder, capsys, peer=None, **module):
        self.network = LoopNetwork()
        self.peer = peer or VerifyingPeer(CERTIFICATE, (CERTIFICATE, KEY))
        self.network.listen("broker.example", 8883, self.peer)
        self.rig = Rig("ML307R", network=self.network, **module)
        self.module = self.rig.module
        self.pauses = []
        self._capsys = capsys
        self._naps = 0
        self.on_pause = None
        (folder / "certs").mkdir()
        self.config = json.loads((ROOT / "config.json").read_bytes())
        for item, pem in zip(self.config["objects"], (CERTIFICATE, CERTIFICATE, KEY), strict=True):
            path = folder / "certs" / item["name"]
            path.write_bytes(pem)
            item["source"] = str(path)

    def _sleep(self, seconds):
        self.pauses.append(seconds)
        self.rig.clock.advance(seconds)
        if self.on_pause:
            self.on_pause()
        if len(self.pauses) >= self._naps:
            raise Enough

    def boot(self, naps=1):
        """Runs main.py until it has paused so often; the lines that it printed."""
        Path("config.json").write_text(json.dumps(self.config))
        self.pauses.clear()
        self._naps = naps
        main = load()
        main.Modem = lambda uart, **settings: self.rig.new_driver(**settings)
        main.time = SimpleNamespace(sleep=self._sleep)
        try:
            main.main()
        except Enough as enough:
            self._frames = enough  # as a reset, nothing closes what is open
        return self._capsys.readouterr().out.splitlines()


def load():
    """main.py as a module of its own."""
    spec = importlib.util.spec_from_file_location("application", ROOT / "main.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def start(tmp_path, monkeypatch, capsys):
    """Makes devices; at the end none of them has broken the module's protocol."""
    started = []

    def make(**options):
        device = Device(tmp_path, capsys, **options)
        started.append(device)
        machine = SimpleNamespace(
            UART=lambda number, **settings: device.rig.uart, unique_id=lambda: b"\x24\x6f\x28\x01"
        )
        monkeypatch.setitem(sys.modules, "machine", machine)
        monkeypatch.chdir(tmp_path)
        return device

    yield make
    for device in started:
        device.rig.close()
        assert device.module.breaches == []


def test_from_an_empty_module_to_a_reply(start):
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
    assert "connected to broker.example:8883" in lines
    line = '{"device": "246f2801", "line": 1, "signal": "+CSQ: 24,99"}'
    assert lines[-2:] == [f"sent {line}", f"reply {line}"]
    [connection] = device.network.connections
    assert connection.sent == line.encode() + b"\n"
    assert (connection.tls.auth, connection.tls.version) == (2, 3)
    assert not connection.tls.ignorestamp and not connection.tls.ignoreverify
    assert device.pauses == [device.config["endpoint"]["every_s"]]


def test_a_second_boot_writes_nothing(start):
    device = start()
    device.boot()
    wrote, mark = device.module.store.writes, len(device.module.commands)
    assert wrote == 3
    lines = device.boot()
    assert [line for line in lines if line.endswith(" unchanged")] == [
        "ca.pem unchanged",
        "client.pem unchanged",
        "client.key unchanged",
    ]
    assert device.module.store.writes == wrote
    assert not [line for line in device.module.commands[mark:] if line.startswith(WRITES)]
    assert lines[-1].startswith("reply ")


def test_only_what_differs_is_written(start):
    device = start()
    device.boot()
    device.module.store.damage("client.pem", 100)
    lines = device.boot()
    assert "ca.pem unchanged" in lines and "client.key unchanged" in lines
    assert any(line.startswith("client.pem written") for line in lines)
    assert device.module.store.certs["client.pem"] == CERTIFICATE
    assert device.module.store.writes == 4


def test_a_silent_module_is_tried_again_until_it_answers(start):
    device = start(off=True)
    device.on_pause = lambda: device.module.power_cycle() if len(device.pauses) == 3 else None
    lines = device.boot(naps=4)
    failures = [line for line in lines if line.startswith("failed: ")]
    assert len(failures) == 3
    for line in failures:
        assert re.match("failed: no answer within 30000 ms: has the module power, ", line)
    assert lines[-1].startswith("reply ")
    assert device.module.store.writes == 3


def test_pauses_grow_to_the_most_and_are_jittered(start):
    device = start(off=True)
    device.config["retry"] = {"first_s": 2, "most_s": 20}
    device.boot(naps=8)
    for pause, whole in zip(device.pauses, (2, 4, 8, 16, 20, 20, 20, 20), strict=True):
        assert whole / 2 <= pause <= whole
    shares = {
        round(pause / whole, 3) for pause, whole in zip(device.pauses[4:], [20] * 4, strict=True)
    }
    assert len(shares) > 1


class Fickle(EchoPeer):
    """Closes the first connection after a line."""

    def __init__(self):
        self.lines = 0

    def on_data(self, conn, data):
        self.lines += 1
        if self.lines == 2:
            conn.end()
        else:
            super().on_data(conn, data)


def test_a_lost_connection_is_made_again_at_once_as_if_it_were_the_first_failure(start):
    device = start(peer=Fickle())
    lines = device.boot(naps=3)
    [failed] = [line for line in lines if line.startswith("failed: ")]
    assert "closed" in failed or "gone" in failed
    assert len(device.network.connections) == 2
    assert device.network.connections[0].closed
    every, pause, again = device.pauses
    assert every == again == 60
    assert 0.5 <= pause <= 1
    assert lines[-1].startswith("reply ")


def test_a_wrong_ca_is_told_in_words_and_no_id_is_used_up(start):
    device = start(peer=VerifyingPeer(b"another CA"))
    lines = device.boot(naps=8)
    failures = [line for line in lines if line.startswith("failed: ")]
    assert len(failures) == 8
    for line in failures:
        assert ": 752, the server's certificate failed verification" in line


def test_a_clock_that_is_not_set_is_told(start):
    device = start(date="unset")
    lines = device.boot()
    assert "failed: the module's clock says 70/01/01" in "\n".join(lines)


def test_a_module_that_reboots_is_set_up_again(start):
    device = start()
    device.on_pause = lambda: device.module.reboot() if len(device.pauses) == 1 else None
    lines = device.boot(naps=3)
    assert len([line for line in lines if line.startswith("failed: ")]) == 1
    assert lines[-1].startswith("reply ")
    assert len([line for line in lines if line.endswith(" unchanged")]) == 3


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
        ("uart", MISSING, "uart is missing; it must be an object"),
        ("uart.tx", MISSING, "uart.tx is missing; it must be the number of the pin"),
        ("uart.baud", "fast", "uart.baud is 'fast'; it must be 1200 to 4000000"),
        ("module", 1, "module is 1; it must be an object"),
        ("module.model", 307, "module.model is 307; it must be a string, or null"),
        ("module.apn", True, "module.apn is true; it must be a string, or null"),
        ("objects", {}, "objects is {}; it must be a list"),
        ("objects.0", "ca.pem", "objects[0].name is missing; it must be a name in the module"),
        ("objects.1.name", MISSING, "objects[1].name is missing; it must be a name"),
        ("objects.2.kind", "pem", 'objects[2].kind is "pem"; it must be "cert" or "key"'),
        ("objects.2.source", MISSING, "objects[2].source is missing; it must be the path"),
        (
            "objects.0.source",
            "/certs/none.pem",
            'objects[0].source is "/certs/none.pem"; it must be the path of a PEM file on this',
        ),
        ("contexts", MISSING, "contexts is missing; it must be a list of TLS contexts"),
        ("contexts.0.ssl_id", 6, "contexts[0].ssl_id is 6; it must be 0 to 5"),
        ("contexts.0.ssl_id", True, "contexts[0].ssl_id is true; it must be 0 to 5"),
        ("contexts.0.auth", "both", 'contexts[0].auth is "both"; it must be "none", "server" or'),
        (
            "contexts.0.key",
            MISSING,
            "contexts[0].key is missing; it must be the name of an object",
        ),
        ("contexts.0.ca", "root.pem", 'contexts[0].ca is "root.pem"; it must be the name of an'),
        ("contexts.0.sni", 1, "contexts[0].sni is not known; a context has ssl_id auth ca cert"),
        ("endpoint.host", "", 'endpoint.host is ""; it must be a host\'s name or address'),
        ("endpoint.port", 65536, "endpoint.port is 65536; it must be 1 to 65535"),
        ("endpoint.port", "8883", 'endpoint.port is "8883"; it must be 1 to 65535'),
        ("endpoint.ssl_id", 2, "endpoint.ssl_id is 2; it must be a context's ssl_id"),
        ("endpoint.every_s", MISSING, "endpoint.every_s is missing; it must be seconds"),
        ("retry.first_s", 0, "retry.first_s is 0; it must be seconds, 1 or more"),
        ("retry.most_s", 0.5, "retry.most_s is 0.5; it must be seconds, first_s or more"),
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
    lines = device.boot()
    assert lines[-2].startswith("failed: ") and "PEM" in lines[-2]
    assert not [line for line in device.module.commands if line.startswith(WRITES)]


def test_on_micropython_a_wrong_entry_ends_at_the_prompt_without_a_traceback(tmp_path):
    config = json.loads((ROOT / "config.json").read_bytes())
    config["endpoint"]["port"] = "8883"
    files = {f"/{name}": (ROOT / name).read_bytes() for name in ("boot.py", "main.py")}
    files |= {f"/{path}": content for path, content in library(ROOT).items()}
    files |= {f"/certs/{item['name']}": b"x" for item in config["objects"]}
    files["/config.json"] = json.dumps(config).encode()
    images.write_files(tmp_path / "flash.img", files)
    with VirtualBoard(tmp_path / "flash.img") as board:
        board.output.wait_for(">>> ", timeout=20)
        said = str(board.output)
    assert 'config.json: endpoint.port is "8883"; it must be 1 to 65535' in said
    assert "Traceback" not in said
