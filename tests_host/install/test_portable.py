# SPDX-License-Identifier: MIT
"""What Windows does not have is needed by nothing but the virtual board."""

import ast
import json
import os
import re
import select
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from onemo_simulator import Line, Module, SystemNetwork, polling
from onemo_tools.cli import exits
from onemo_tools.deploy import ports

ROOT = Path(__file__).resolve().parents[2]
CA = ROOT / "tests_host" / "data" / "manual-ca.pem"
PROGRAM = Path(__file__).with_name("windows_like.py")
POSIX_ONLY = {"termios", "fcntl", "pty", "tty", "pwd", "grp", "resource"}
# What runs where MicroPython runs, on Linux, or on the board's own side.
NEEDS_POSIX = {
    "onemo_board": {"terminal", "lines", "virtual", "pump", "process", "wire", "chip", "lock"}
}


def environment():
    path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "100"}


def run(*words, seconds=60):
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def at_import(tree):
    """The statements that run when a module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_import(node)


def test_posix_modules_are_imported_in_their_rooms_only():
    found = {}
    for room in ("onemo_tools", "onemo_simulator", "onemo_board"):
        for source in (ROOT / "tools" / room).rglob("*.py"):
            for node in at_import(ast.parse(source.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                for name in names:
                    if name.split(".")[0] in POSIX_ONLY:
                        found.setdefault(room, set()).add(
                            source.relative_to(ROOT / "tools" / room)
                        )
    assert {path.parts[0].removesuffix(".py") for path in found.pop("onemo_board")} <= NEEDS_POSIX[
        "onemo_board"
    ]
    assert found.pop("onemo_tools") == {
        Path("bench/line_scale.py"),
        Path("proofs/mutants_plugin.py"),
    }  # tools of developers
    assert found == {}


def test_the_traps_work():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import windows_like; windows_like.hide()\n"
        "import onemo_board.terminal"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(PROGRAM.parent)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "No module named 'tty' (hidden from onemo_board.terminal)" in done.stderr


@pytest.mark.parametrize(
    "command", [(), ("doctor",), ("board",)], ids=lambda words: " ".join(words) or "onemo"
)
def test_help(command):
    done = run(*command, "--help")
    assert done.returncode == 0 and "Usage: onemo" in done.stdout, done.stderr


@contextmanager
def simulated():
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "simulate"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        # a port of TCP without being asked: there are no ptys
        yield int(re.search(r"tcp 127\.0\.0\.1:(\d+)", process.stdout.readline()).group(1))
        process.terminate()
        assert process.wait(20) == 0
    finally:
        killer.cancel()
        process.kill()
        process.communicate()


def test_certs_and_simulate_without_posix():
    with simulated() as port:
        where = ["--serial", f"socket://127.0.0.1:{port}"]
        done = run("certs", "write", "ca.pem", CA, *where)
        assert done.stdout == "ca.pem written and confirmed by the module\n", done.stderr
        done = run("certs", "ls", "--json", *where)
        assert json.loads(done.stdout)[0]["size"] == 1261
        done = run("doctor", "--lang", "zh", *where)
        assert done.returncode == 0 and "SIM 卡" in done.stdout, done.stdout + done.stderr
        again = run("certs", "check", "ca.pem", CA, *where)  # another client, after the first
        assert again.returncode == 0


def test_a_pty_is_refused_where_there_is_none():
    done = run("simulate", "--port", "pty")
    assert done.returncode == exits.FAILED
    assert done.stderr == "simulate: pty cannot be opened: this system has no ptys: use tcp\n"


@pytest.mark.parametrize("name", ["COM3", r"\\.\COM12"])
def test_port_names_of_windows(name, monkeypatch):
    with pytest.raises(ports.PortError, match="there is no port"):
        ports.check(name)
    monkeypatch.setattr(ports, "os", SimpleNamespace(name="nt"))
    ports.check(name)
    error = PermissionError(13, "Access is denied")
    assert ports.opening(name, error).kind == "port-busy"


# A line that waits by select


@pytest.fixture
def by_select(monkeypatch):
    monkeypatch.delattr(select, "poll")
    assert isinstance(polling.new_poller(), polling.SelectPoller)


def test_tcp_by_select_client_after_client(by_select):
    import socket

    with Line(Module("ML307R", network=SystemNetwork()), "tcp") as line:
        for _ in range(3):
            with socket.create_connection(line.address, timeout=10) as client:
                for _ in range(200):
                    client.sendall(b"AT\r")
                    got = b""
                    while not got.endswith(b"OK\r\n"):
                        got += client.recv(100)
            time.sleep(0.05)
        assert line.alive
        assert line.to_module == 3 * 200 * 3


def test_connections_by_select(by_select, monkeypatch):
    """The network's sockets are looked at though nobody can wait for them."""
    import selectors
    import socket

    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    server = socket.create_server(("127.0.0.1", 0))
    accepted = []

    def answer():
        accepted.append(server.accept()[0])
        accepted[0].sendall(b"hello")

    answered = threading.Thread(target=answer)
    answered.start()
    network = SystemNetwork()
    assert network.fileno() == -1
    with Line(Module("ML307R", network=network), "tcp") as line:
        client = socket.create_connection(line.address, timeout=10)
        with client, client.makefile("rb") as lines:
            port = server.getsockname()[1]
            client.sendall(b'ATE0\rAT+MIPOPEN=0,"TCP","127.0.0.1",%d,20\r' % port)
            began = time.monotonic()
            while not lines.readline().startswith(b'+MIPURC: "rtcp",0,5'):
                assert time.monotonic() - began < 10
    answered.join(5)
    accepted[0].close()
    server.close()
