# SPDX-License-Identifier: MIT
"""A sample of the README's libraries, unchanged, on a firmware that has neither socket nor ssl."""

import gc
import sys
import warnings
from pathlib import Path

import pytest
from onemo_tools.deploy.mpy import compile_mpy
from onemo_tools.lint.libraries import LIBRARIES, NETWORK, UNCHANGED
from onemo_tools.servers.broker import Broker
from sockets.library_scripts import RUN, SCRIPTS, START
from sockets.test_broker import Listener
from sockets.test_libraries import Web

from .conftest import HOST, MOST_S, UART, put

FOLDER = Path(sys.executable).parents[1] / "micropython"
BIG = 4000  # bytes, of a heap of 240 KB
FILES = {
    "umqtt.simple": ["umqtt/__init__.py", "umqtt/simple.py"],
    "mqtt_async": ["mqtt_async.py"],
    "urequests": ["urequests/__init__.py"],
}

# amqtt leaves transports of clients that broke off to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

WITHOUT = """
for name in ("socket", "usocket", "ssl", "ussl", "tls", "network"):
    try:
        __import__(name)
        print("has", name)
    except ImportError:
        pass
"""

# Less than the Unix port is asked for: 200 KB are more than the heap.
REQUESTS = """
def job(modem):
    import urequests as requests
    base = "https://%s:%d" % (NAME, PORT)
    said = requests.get(base + "/hello")
    print(said.status_code, said.reason, said.json()["path"])
    said = requests.post(base + "/post", json={"a": [1, 2]}, headers={"X-Own": "mine"}).json()
    print(said["method"], json.loads(said["body"]) == {"a": [1, 2]}, said["headers"]["X-Own"])
    print(requests.get(base + "/5000").content == pattern(0, 5000))
    print("ok")
"""


@pytest.fixture
def run(start, at, deployed, module, line, authority, tmp_path):
    """Runs a library's script on a board; what it printed."""
    module.store.objects[1, "ca.pem"] = authority.pem

    def on_board(library, script, port, *, is_async=False, mode="module", glue=""):
        board = start(deployed, uarts={1: line.board_fd})
        call = at(board)
        files = {}
        for name in FILES[library]:
            path = FOLDER / name
            content = compile_mpy(path) if path.stat().st_size else b""
            files[f"lib/{name.replace('.py', '.mpy') if content else name}"] = content
        put(call, files, tmp_path)
        values = {"LIBRARIES": "/lib", "MODE": mode, "NAME": HOST, "PORT": port, "LIMIT": 30}
        values |= {"ID": library.encode(), "UART": UART}
        preset = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        preset += f"BIG = b'b' * {BIG}\nfrom onemo.uart import open_uart\nuart = open_uart(UART)\n"
        preset += "def pattern(start, n):\n"
        preset += " return bytes((at * 7 + at // 251) & 255 for at in range(start, start + n))\n"
        front = "asyncio" if is_async else "blocking"
        job = tmp_path / "job.py"
        job.write_text(WITHOUT + START.format(glue=glue) + script + RUN[front, is_async])
        out = call("exec", preset, "run", job).stdout.splitlines()
        assert not [line for line in out if line.startswith("has ")]
        return out

    return on_board


@pytest.fixture
def broker(authority):
    with Broker(identity=authority.issue(HOST, server=True)) as running:
        yield running
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize(
    ("library", "is_async", "mode"),
    [("umqtt.simple", False, "module"), ("mqtt_async", True, "plain")],
)
def test_mqtt(run, broker, library, is_async, mode):
    front = "asyncio" if is_async else "blocking"
    [row] = [row for row in LIBRARIES if row.name == library]
    glue = row.glue.get((front, mode), "")
    assert (row.cells[front, mode] == UNCHANGED) != bool(glue)
    assert glue in ("", NETWORK)
    script, _ = SCRIPTS[library]
    listener = Listener(broker, f"{library}/#".encode(), 1)
    try:
        port = broker.plain_port if mode == "plain" else broker.port
        out = run(library, script, port, is_async=is_async, mode=mode, glue=glue)
        listener.wait_for(b"again")
        topics = [f"{library}/{topic}".encode() for topic in ("big", "kept", "up")]
        sizes = [BIG, 8, 1, 1, 1, 1, 1]
        names = [*topics[:2], *[topics[2]] * 5]
        assert out[-2:] == [str(list(zip(names, sizes, strict=True))), "ok"]
        assert b"b" * BIG in listener.messages
    finally:
        listener.close()


def test_requests(run, authority):
    with Web(identity=authority.issue(HOST, server=True), timeout_s=MOST_S) as server:
        out = run("urequests", REQUESTS, server.port)
    assert out == ["200 b'Fine' /hello", "POST True mine", "True", "ok"]
