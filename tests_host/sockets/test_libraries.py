# SPDX-License-Identifier: MIT
"""The README's table of libraries, each cell of it: the libraries themselves, on real MicroPython,
through the simulated module, against a real broker and a real HTTPS server."""

import ast
import gc
import json
import re
import ssl
import sys
import threading
import warnings
from pathlib import Path

import pytest
from onemo_simulator import Module, SystemNetwork
from onemo_tools.lint.libraries import LIBRARIES, NONE, NOT, UNCHANGED
from onemo_tools.servers.broker import Broker
from onemo_tools.servers.endpoint import Endpoint
from onemo_tools.servers.pki import Authority

from .device import pattern, run
from .library_scripts import RUN, SCRIPTS, START
from .test_broker import Listener
from .test_udp import Server

FOLDER = Path(sys.executable).parents[1] / "micropython"
NAME = "server.example"
BIG = 100_000
MQTT = ("umqtt.simple", "umqtt.robust", "umqtt.simple2", "umqtt.robust2", "mqtt_async", "mqtt_as")
CELLS = [
    pytest.param(library, front, mode, id=f"{library.name}-{front}-{mode}")
    for library in LIBRARIES
    for (front, mode), what in library.cells.items()
    if what != NONE
]

# amqtt leaves transports of clients that broke off to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


BEFORE: list[int] = []  # threads of others, which share this process


@pytest.fixture(scope="module", autouse=True)
def fetched():
    BEFORE.append(threading.active_count())
    assert (FOLDER / "umqtt").is_dir(), "the libraries are not here yet: make libraries"
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def authority():
    return Authority("library ca")


@pytest.fixture(scope="module")
def identity(authority):
    return authority.issue(NAME, server=True)


@pytest.fixture
def broker(identity):
    """One of its own for each: to whoever connects, amqtt sends what is retained for anybody's
    subscription."""
    with Broker(identity=identity) as running:
        yield running


def serve(connection):
    """One request. What it was comes back as JSON; /redirect, /chunked, /cut, /package.json and
    `pattern` for /<n>."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    method, path, version = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    while len(body) < int(headers.get("Content-Length", 0)):
        body += connection.receive()
    if path == "/redirect":
        base = "" if version == "HTTP/1.1" else f"{'https' if connection.seen.version else 'http'}"
        base = base and f"{base}://{headers['Host']}"
        if base and ":" not in headers["Host"]:
            base += f":{connection.port}"
        connection.send(b"HTTP/1.0 302 Found\r\nLocation: " + f"{base}/hello\r\n\r\n".encode())
        return
    if path == "/package.json":
        answer = json.dumps({"urls": [["thing.py", "thing.py"]], "version": "1"}).encode()
    elif path == "/thing.py":
        answer = pattern(0, 5000)
    elif path[1:].isdigit():
        answer = pattern(0, int(path[1:]))
    else:
        answer = json.dumps(
            {"method": method, "path": path, "headers": headers, "body": body.decode()}
        ).encode()
    if path == "/chunked":
        connection.send(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(answer), 50):
            piece = answer[at : at + 50]
            connection.send(b"%x;x=y\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        return
    length = b"" if path == "/endless" else b"Content-Length: %d\r\n" % len(answer)
    connection.send(b"HTTP/1.0 200 Fine\r\n" + length + b"\r\n")
    if path == "/cut":
        connection.send(answer[:10])
        connection.reset()
        return
    connection.send(answer)


class Web(Endpoint):
    """A server whose behaviour knows its port."""

    def __init__(self, **options):
        super().__init__(self._answer, **options)

    def _answer(self, connection):
        connection.port = self.port
        serve(connection)


def ntp(data):
    yield b"\x24" + bytes(47)


def on_board(library, front, mode, authority, port, folder, glue=""):
    """What the script printed, line by line."""
    script, is_async = SCRIPTS[library.name]
    module = Module("ML307R", network=SystemNetwork({NAME: "127.0.0.1"}))
    module.store.objects[1, "ca.pem"] = authority.pem
    out = run(
        module,
        START.format(glue=glue) + script + RUN[front, is_async],
        heap="4M",
        seconds=100,
        LIBRARIES=str(FOLDER),
        MODE=mode,
        NAME=NAME,
        PORT=port,
        CA=ssl.PEM_cert_to_DER_cert(authority.pem.decode()),
        ID=f"{library.name}-{front}-{mode}".encode(),
        BIG=b"b" * BIG,
        FOLDER=str(folder),
        LIMIT=0.1 if library.cells[front, mode] == NOT else 5,
    )
    assert module.violations == []
    return out.splitlines()


@pytest.mark.parametrize(("library", "front", "mode"), CELLS)
def test_cell(library, front, mode, authority, identity, broker, tmp_path):
    what = library.cells[front, mode]
    glue = library.glue.get((front, mode), "")
    lines = len(glue.strip().splitlines())
    assert what == (f"{lines} lines" if glue else what)
    mqtt = library.name in MQTT
    listener = None
    if what == NOT:
        port = broker.plain_port if mode == "plain" else broker.port
        refused(library, front, mode, authority, port, tmp_path)
        return
    if mqtt:
        port = broker.plain_port if mode == "plain" else broker.port
        topic = f"{library.name}-{front}-{mode}/#".encode()
        listener = Listener(broker, topic, 1)
        out = mqtt_on_board(library, front, mode, authority, port, tmp_path, glue, listener)
    elif library.name == "ntptime":
        with Server(ntp) as server:
            out = on_board(library, front, mode, authority, server.port, tmp_path)
        assert out == ["48", "ok"]
    else:
        with Web(identity=None if mode == "plain" else identity) as server:
            out = on_board(library, front, mode, authority, server.port, tmp_path)
        if library.name == "mip":
            assert out[-2:] == ["True", "ok"]
        elif library.name == "aiohttp":
            expected = ["200 /hello", "200 /chunked", "200 /endless", "200 /hello", "3000"]
            assert out == [*expected, "True", "cut", "ok"]
        else:
            assert out[0] == "200 b'Fine' /hello"
            assert out[1:5] == ["POST True mine", "True", "/hello", "True"]
            assert out[5:] == ["chunked refused", "cut", "ok"]
    if glue:  # without it, it does not work
        with pytest.raises(AssertionError, match=r"network|cpy_fix"):
            on_board(library, front, mode, authority, 1, tmp_path)
    assert what in (UNCHANGED, f"{lines} lines")


def mqtt_on_board(library, front, mode, authority, port, folder, glue, listener):
    try:
        out = on_board(library, front, mode, authority, port, folder, glue)
        assert out[-1] == "ok"
        listener.wait_for(b"again")
        if library.name != "mqtt_as":
            sizes = {"kept": 8, "up": 1, "big": BIG}
            name = f"{library.name}-{front}-{mode}"
            expected = [(f"{name}/{topic}".encode(), size) for topic, size in sizes.items()]
            expected += [expected[1]] * 4
            assert ast.literal_eval(out[-2]) == sorted(expected)
            assert b"b" * BIG in listener.messages
        if library.name.startswith("umqtt"):
            listener.wait_for(b"gone")  # the will
    finally:
        listener.close()
    return out


def refused(library, front, mode, authority, port, folder):
    """It says why, and the modem goes on."""
    glue = next(iter(library.glue.values()), "")
    _, is_async = SCRIPTS[library.name]
    if front == "asyncio" and not is_async:
        out = "\n".join(on_board(library, front, mode, authority, port, folder, glue))
        assert "ok" not in out.splitlines()
        # umqtt.simple2 asks for a socket that does not block, then waits for it in a loop.
        words = "Exception|Error" if library.name.endswith("2") else r"must not block|modem\.udp"
        assert re.search(words, out), out
    else:
        with pytest.raises(AssertionError) as caught:
            on_board(library, front, mode, authority, port, folder, glue)
        assert "Error" in str(caught.value)


ROBUST = """
def job(modem):
    from umqtt.robust import MQTTClient
    MQTTClient.DELAY = 0.1
    c = MQTTClient(b"robust", NAME, PORT, ssl=MODE != "plain", ssl_params={})
    c.connect()
    for number in range(60):
        c.publish(b"robust/cut", b"%d" % number, qos=1)
        time.sleep_ms(30)
    c.publish(b"robust/cut", b"last", qos=1)
    c.disconnect()
    print("ok")
"""


def test_umqtt_robust_goes_on_after_two_cuts(authority, broker):
    """It connects anew without closing what broke; nothing that was acknowledged is lost."""
    listener = Listener(broker, b"robust/#", 1)
    seen = threading.Event()

    def cut_twice():
        for message in (b"10", b"30"):
            listener.wait_for(message)
            broker.cut()
        seen.set()

    cutter = threading.Thread(target=cut_twice, daemon=True)
    cutter.start()
    module = Module("ML307R", network=SystemNetwork({NAME: "127.0.0.1"}))
    module.store.objects[1, "ca.pem"] = authority.pem
    try:
        out = run(
            module,
            START.format(glue="") + ROBUST + RUN["blocking", False],
            heap="1M",
            seconds=100,
            LIBRARIES=str(FOLDER),
            MODE="module",
            NAME=NAME,
            PORT=broker.port,
        )
        assert out == "ok\n"
        listener.wait_for(b"last")
        assert seen.is_set()
        assert {b"%d" % number for number in range(60)} <= set(listener.messages)
    finally:
        listener.close()
        cutter.join(20)
    opened = [command for command in module.commands if command.startswith(b"AT+MIPOPEN=")]
    assert len(opened) == 3
    assert module.violations == []


def test_the_table_and_the_scripts_are_of_one_mind():
    assert [library.name for library in LIBRARIES] == list(SCRIPTS)
    for library in LIBRARIES:
        for cell, glue in library.glue.items():
            assert library.cells[cell] == f"{len(glue.strip().splitlines())} lines"
        for cell, what in library.cells.items():
            assert (cell in library.glue) == what.endswith("lines")


def test_nothing_of_the_table_is_left_running():
    assert threading.active_count() < BEFORE[0] + 20
