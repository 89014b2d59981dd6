# SPDX-License-Identifier: MIT
"""`onemo doctor`: each thing that can be in the way is found, said in two languages, in time."""

import json
import os
import re
import string
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from onemo import error_texts
from onemo_board import VirtualBoard
from onemo_board.wire import Wire
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.cli.main import app
from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.doctor import doctor, steps, words
from onemo_tools.doctor.doctor import STEPS, examine
from onemo_tools.servers.endpoint import Endpoint, echo_lines
from onemo_tools.servers.pki import Authority
from typer.testing import CliRunner

HOST = "broker.example"
PEMS = ("ca.pem", "client.pem", "client.key")


@pytest.fixture(scope="module")
def authority():
    return Authority("doctor's root")


@pytest.fixture(scope="module")
def pems(authority):
    client = authority.issue("device-1")
    return dict(zip(PEMS, (authority.pem, client.chain, client.key), strict=True))


@pytest.fixture(scope="module")
def server(authority):
    identity = authority.issue(HOST, server=True)
    with Endpoint(echo_lines, identity=identity, client_ca=authority.pem) as endpoint:
        yield endpoint


def config(port, host=HOST):
    found = json.loads((ROOT / "config.json").read_text())
    found["endpoint"] |= {"host": host, "port": port}
    return found


@contextmanager
def at_a_port(pems=(), **quirks):
    """A module with objects, at a port of this PC."""
    network = SystemNetwork({HOST: "127.0.0.1"})
    module = Module("ML307R", network=network, **quirks)
    for name in pems:
        module.store.put(2 if name.endswith("key") else 1, name, pems[name])
    with Line(module, "tcp") as line:
        yield line, f"socket://127.0.0.1:{line.address[1]}"


def rows(serial=None, board=None, config_file=None, limit=doctor.LIMIT_S):
    found = list(examine(serial, board, 115200, config_file, limit))
    return {row.row: row for row in found}


def codes(found):
    return {name: (row.state, row.code) for name, row in found.items()}


def written(folder, content):
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return path


# All is well


def test_from_the_port_to_the_server(tmp_path, pems, server):
    with at_a_port(pems) as (line, port):
        found = rows(port, config_file=written(tmp_path, config(server.port)))
        with line.locked() as module:
            assert module.violations == []
    assert [row for row in found.values() if row.state not in ("ok", "note")] == []
    assert list(found) == ["port", "answers", "config", *[s for s in STEPS if s in found]]
    assert set(STEPS) - set(found) == {"differs", "journal"}
    assert found["dns"].facts["addresses"] == "127.0.0.1"
    assert len(server.connections) >= 2  # TCP alone, then TLS
    assert server.connections[-1].peer == "device-1"


# Something is in the way


@pytest.mark.parametrize(
    ("quirks", "row", "code", "skipped"),
    [
        ({"sim": False}, "sim", "sim-missing", ["registration", "address", "dns", "tls"]),
        ({"pin": "1234"}, "sim", "sim-pin", ["registration", "address", "dns", "tls"]),
        ({"registration": 3}, "registration", "registration-denied", ["address", "clock", "tls"]),
        ({"registration": 2}, "registration", "registration-searching", ["address", "clock"]),
        ({"rsrp": -118}, "signal", "signal-poor", []),
        ({"rsrp": -80}, "signal", "signal-excellent", []),
        ({"date": "unset", "ntp": False}, "clock", "clock-unset", ["tls"]),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_what_the_network_lacks(tmp_path, pems, server, quirks, row, code, skipped):
    with at_a_port(pems, **quirks) as (_, port):
        found = rows(port, config_file=written(tmp_path, config(server.port)))
    assert found[row].code == code
    for name in skipped:
        assert found[name].code == "not-reached", codes(found)
    for language in words.LANGUAGES:
        said, remedy = words.sentences(code, found[row].facts, language)
        assert said and (remedy or found[row].state == "ok")


def test_the_store(tmp_path, pems, server):
    file = written(tmp_path, config(server.port))
    with at_a_port({"ca.pem": pems["ca.pem"]}) as (_, port):
        found = rows(port, config_file=file)
    assert found["store"].facts["names"] == "client.pem, client.key"
    assert found["tcp"].state == "ok" and found["tls"].facts["after"] == "store"


@pytest.mark.parametrize(
    ("wrong", "row", "english", "chinese"),
    [
        ("host", "dns", "nowhere.example is not found", "找不到 nowhere.example"),
        ("port", "tcp", "557: connection refused", "557: 连接被拒绝"),
        ("ca", "tls", "752: the server's certificate failed", "752: 服务器证书校验失败"),
        ("client", "tls", "754: the TLS handshake failed", "754: TLS 握手失败"),
    ],
)
def test_the_server_step_by_step(tmp_path, pems, server, wrong, row, english, chinese):
    other = Authority("another root")
    has = dict(pems)
    port_of, host = server.port, HOST
    if wrong == "host":
        host = "nowhere.example"
    elif wrong == "port":
        port_of = 1
    elif wrong == "ca":
        has["ca.pem"] = other.pem
    else:
        stranger = other.issue("stranger")
        has["client.pem"], has["client.key"] = stranger.chain, stranger.key
    with at_a_port(has) as (_, port):
        found = rows(port, config_file=written(tmp_path, config(port_of, host)))
    assert found[row].state == "bad", codes(found)
    for language, said in (("en", english), ("zh", chinese)):
        text, remedy = words.sentences(found[row].code, found[row].facts, language)
        assert text.startswith(said) and remedy
    behind = ["dns", "tcp", "tls"]
    for name in behind[behind.index(row) + 1 :]:
        assert found[name].state == "skip"


def test_a_module_that_falls_silent(pems):
    with at_a_port(pems) as (line, port):
        with line.locked() as module:
            module.delay(b"AT+CPIN", 1000.0, 100)
        began = time.monotonic()
        found = rows(port)
        assert time.monotonic() - began < 20
    assert found["sim"].code == "went-silent"
    assert {found[name].facts["after"] for name in ("signal", "apn", "store")} == {"sim"}


# Who is at the port


class Far:
    """Somebody else at a pty, who answers `answer(bytes)`."""

    def __init__(self, answer):
        self._answer = answer

    def __enter__(self):
        self._fd, self._slave = os.openpty()
        import tty

        tty.setraw(self._slave)
        threading.Thread(target=self._serve, daemon=True).start()
        return os.ttyname(self._slave)

    def _serve(self):
        while True:
            try:
                data = os.read(self._fd, 100)
                os.write(self._fd, self._answer(data))
            except OSError:
                return

    def __exit__(self, *_):
        os.close(self._slave)
        os.close(self._fd)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda data: b"", "silence"),
        (lambda data: data, "loopback"),
        (lambda data: b"login: ", "other"),
        (lambda data: b"\r\n>>> " if b"\x03" in data else b"", "board-not-module"),
    ],
    ids=["silence", "loopback", "other", "board"],
)
def test_who_is_at_a_port(answer, code):
    with Far(answer) as port:
        began = time.monotonic()
        found = rows(port)
        assert time.monotonic() - began < 15
    assert codes(found) == {"port": ("ok", "port-open"), "answers": ("bad", code)}


def test_no_port(tmp_path):
    assert codes(rows(str(tmp_path / "none"))) == {"port": ("bad", "port-missing")}
    assert codes(rows(board=str(tmp_path / "none"))) == {"port": ("bad", "port-missing")}


def test_a_module_where_a_board_was_expected():
    with Line(Module("ML307R"), "pty") as line:
        found = rows(board=line.path)
    assert found["answers"].code == "module-not-board"
    assert (
        f"--serial {line.path}"
        in words.sentences("module-not-board", found["answers"].facts, "zh")[1]
    )


def test_it_ends_whatever_hangs(monkeypatch):
    monkeypatch.setattr(steps, "step_model", lambda: time.sleep(5))
    with at_a_port() as (_, port):
        began = time.monotonic()
        found = rows(port, limit=1.5)
        assert time.monotonic() - began < 3
    assert found["time"].code == "over"


# Through a board


@contextmanager
def a_board(tmp_path, module=None, **more):
    with ExitStack() as stack:
        uarts = {}
        if module is not None:
            line = stack.enter_context(Line(module, baud=more.pop("line_baud", None)))
            uarts[1] = line.board_fd
            more["on_baud"] = lambda uart, baud: line.set_baud(baud)
        elif "wire" in more:
            uarts[1] = more.pop("wire").board_fd
        board = VirtualBoard(
            tmp_path / "flash.img", uarts=uarts, overrun=False, line_time=False, **more
        )
        yield stack.enter_context(board)


def test_a_board_step_by_step(tmp_path, pems, server):
    module = Module("ML307R", network=SystemNetwork({HOST: "127.0.0.1"}))
    with a_board(tmp_path, module) as board:
        found = rows(board=board.port)
        assert codes(found) == {
            "port": ("ok", "port-open"),
            "answers": ("ok", "board"),
            "micropython": ("ok", "micropython"),
            "library": ("bad", "library-missing"),
        }
        deploy(board.port, library(ROOT))
        assert rows(board=board.port)["config"].code == "config-missing"
        settings = config(server.port)
        deploy(board.port, {"config.json": json.dumps(settings | {"retry": 3}).encode()})
        found = rows(board=board.port)
        assert found["config"].code == "config-wrong" and "retry" in found["config"].facts["text"]
        files = {f"certs/{name}": content for name, content in pems.items()}
        deploy(board.port, files | {"config.json": json.dumps(settings).encode()})
        found = rows(board=board.port)
        assert (found["store"].code, found["differs"].code) == ("store-missing", "store-differs")
        for name, content in pems.items():
            module.store.put(2 if name.endswith("key") else 1, name, content)
        found = rows(board=board.port)
        assert [row for row in found.values() if row.state not in ("ok", "note")] == []
        assert set(STEPS) <= set(found) and found["journal"].code == "journal-none"
    assert module.violations == []


def test_a_board_whose_module_runs_at_another_speed(tmp_path):
    module = Module("ML307R", baud=9600)
    with a_board(tmp_path, module, line_baud=115200) as board:
        deploy(board.port, library(ROOT) | {"config.json": json.dumps(config(1)).encode()})
        found = rows(board=board.port)
    assert found["uart"].code == "other-baud" and found["uart"].facts["baud"] == 9600
    assert found["model"].state == "ok"


def test_a_board_whose_uart_hears_itself(tmp_path):
    with Wire() as wire, a_board(tmp_path, wire=wire) as board:
        deploy(board.port, library(ROOT) | {"config.json": json.dumps(config(1)).encode()})
        found = rows(board=board.port)
    assert found["uart"].code == "loopback" and "model" not in found


# Its words


def test_every_code_has_its_sentences():
    sources = [Path(steps.__file__), Path(doctor.__file__)]
    used = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', "".join(s.read_text() for s in sources)))
    used -= {"registration-", "signal-", "onemo-doctor"}
    assert used and used - set(words.SENTENCES) == set()


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", words.SENTENCES)
def test_both_languages_say_the_same(code):
    english, chinese = words.SENTENCES[code]
    for en, zh in zip(english, chinese, strict=True):
        assert bool(en) == bool(zh)
        assert fields(zh) - {"number", "port"} <= fields(en)
        bare = re.sub(r"\{\w+\}|[ -~]", "", zh)
        if re.search("[a-z]{3}", re.sub(r"\{\w+\}", "", en)) and not en.startswith("onemo "):
            assert bare, zh
        assert not re.search("[\u4e00-\u9fff]", en)


def test_the_command_in_both_languages(pems):
    with at_a_port(pems, sim=False) as (_, port):
        for language, said in (("en", "insert the SIM"), ("zh", "插入 SIM 卡")):
            line = ["doctor", "--serial", port, "--lang", language]
            done = CliRunner().invoke(app, line, env={"COLUMNS": "200"})
            assert done.exit_code == 1 and said in done.stdout, done.output
        done = CliRunner().invoke(
            app, ["doctor", "--serial", port, "--json"], env={"LC_ALL": "zh_CN.UTF-8"}
        )
    told = {row["row"]: row for row in json.loads(done.stdout)}
    assert told["sim"]["code"] == "sim-missing" and told["sim"]["found"] == "未检测到"
    assert told["answers"]["state"] == "ok"


@pytest.mark.parametrize(
    "given", [[], ["--serial", "x", "--board", "y"], ["--serial", "x", "--lang", "fr"]]
)
def test_wrong_usage(given):
    assert CliRunner().invoke(app, ["doctor", *given]).exit_code == 2


def test_every_code_has_its_chinese():
    assert set(words.CODES_ZH) == set(error_texts.every())
    for said, remedy in words.CODES_ZH.values():
        assert re.search("[\u4e00-\u9fff]", said) and re.search("[\u4e00-\u9fff]", remedy)
