# SPDX-License-Identifier: MIT
"""The installed command does what the checkout's does."""

import json
import re
import signal
import socket
import sys
import threading
import zipfile
from contextlib import contextmanager

import onemo
import pytest
from onemo_board import VirtualBoard
from onemo_tools.cli import exits

from tests_host.cli.hostile import Hostile
from tests_host.install.conftest import ROOT, Environment

CA = ROOT / "tests_host" / "data" / "manual-ca.pem"
KEY = ROOT / "tests_host" / "data" / "manual-key.pem"


@contextmanager
def simulated(environment, command, *words):
    """A simulated module on TCP, served by an installed command; its port."""
    process = environment.start(command, *words, "--port", "tcp:0")
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        yield int(re.search(r"tcp 127\.0\.0\.1:(\d+)", process.stdout.readline()).group(1))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        killer.cancel()
        process.kill()
        process.communicate()


def test_version_is_the_librarys(installed, tools_wheel, simulator_wheel):
    done = installed.run("onemo", "--version")
    assert done.stdout == f"onemo {onemo.__version__}\n"
    for wheel in (tools_wheel, simulator_wheel):
        assert wheel.name.split("-")[1] == onemo.__version__
        assert wheel.name.endswith("-py3-none-any.whl")  # every system's


def test_the_wheel_has_sources_and_no_leavings(tools_wheel):
    names = zipfile.ZipFile(tools_wheel).namelist()
    assert not [n for n in names if "__pycache__" in n or n.endswith(".pyc")]
    for needed in (
        "onemo/py.typed",
        "onemo_tools/project/lib/onemo/modem.py",
        "onemo_tools/project/main.py",
        "onemo_tools/project/config.json",
        "onemo_tools/project/tests_device/test_uart.py",
    ):
        assert needed in names


def test_nothing_undeclared_is_there(installed):
    """Or the tests below would not prove that what is declared is enough."""
    for module, there in (("typer", True), ("amqtt", False), ("littlefs", False), ("ruff", False)):
        done = installed.run("python", "-c", f"import {module}")
        assert (done.returncode == 0) == there, module


def test_certs_against_an_installed_simulator(installed, tmp_path):
    with simulated(installed, "onemo", "simulate", "--model", "ML305A") as port:
        where = ["--serial", f"socket://127.0.0.1:{port}"]
        done = installed.run("onemo", "certs", "write", "ca.pem", CA, *where)
        assert done.stdout == "ca.pem written and confirmed by the module\n", done.stderr
        done = installed.run("onemo", "certs", "ls", *where, "--json")
        assert json.loads(done.stdout) == [{"kind": "cert", "size": 1261, "name": "ca.pem"}]
        assert installed.run("onemo", "certs", "check", "ca.pem", CA, *where).returncode == 0
        done = installed.run("onemo", "certs", "check", "ca.pem", KEY, *where)
        assert done.returncode == exits.DIFFERS
        done = installed.run("onemo", "certs", "read", "no.pem", *where)
        assert done.returncode == exits.MODULE and "762" in done.stderr
        done = installed.run("onemo", "certs", "write", "k.pem", CA, "--kind", "key", *where)
        assert done.returncode == exits.REFUSED, done.stderr


def test_doctor_against_an_installed_simulator(installed):
    with simulated(installed, "onemo", "simulate") as port:
        done = installed.run("onemo", "doctor", "--serial", f"socket://127.0.0.1:{port}", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"model", "sim", "signal", "clock"} <= {row["row"] for row in json.loads(done.stdout)}


def test_new_makes_what_the_checkout_makes(installed, tmp_path):
    assert installed.run("onemo", "new", tmp_path / "p").returncode == 0
    made = {p.relative_to(tmp_path / "p").as_posix() for p in (tmp_path / "p").rglob("*.*")}
    assert {"tests/test_product.py", "config.schema.json", "typings/onemo/modem.py"} <= made
    with VirtualBoard(tmp_path / "flash.img") as board:
        words = ["deploy", "--board", board.port, "--json"]
        done = installed.run("onemo", *words, cwd=tmp_path / "p", timeout=100)
        assert "certs/client.key" in json.loads(done.stdout)["copied"], done.stderr


def test_deploy_to_a_board(installed, tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        done = installed.run("onemo", "deploy", "--board", board.port, "--json", timeout=100)
        assert done.returncode == 0, done.stderr
        copied = json.loads(done.stdout)["copied"]
        assert {"lib/onemo/modem.mpy", "main.py", "config.json"} <= set(copied)


def test_trace(installed, tmp_path):
    (tmp_path / "t.txt").write_text("   0.001 > AT\n   0.005 < OK\n")
    done = installed.run("onemo", "trace", tmp_path / "t.txt")
    assert done.returncode == 0 and re.search(r"0\.005 +4 +< +OK", done.stdout), done.stdout


@pytest.mark.parametrize(
    "words", [["board", "flash.img"], ["demo"], ["size"]], ids=lambda words: words[0]
)
def test_what_is_not_installed_is_said_in_a_sentence(installed, words, tmp_path):
    done = installed.run("onemo", *words, cwd=tmp_path)
    assert done.returncode == exits.MISSING
    [said] = done.stderr.splitlines()
    assert re.search(r'is an extra of this package: install "onemo-tools\[(board|demo)\]"', said)
    assert list(tmp_path.iterdir()) == []


def test_the_board_is_an_extra(tools_wheel, tmp_path):
    environment = Environment(tmp_path / "venv", tools_wheel, "board")
    process = environment.start("onemo", "board", tmp_path / "flash.img")
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        assert re.match(r"/dev/pts/\d+", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        killer.cancel()
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("words", "found"),
    [("onemo de", "deploy"), ("onemo certs wr", "write"), ("onemo deploy --dr", "--dry-run")],
)
def test_completion(installed, words, found):
    variables = {
        "_ONEMO_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    assert found in installed.run("onemo", **variables).stdout.splitlines()


# In a folder where anything may lie


@pytest.fixture
def hostile(tmp_path):
    return Hostile(tmp_path)


def test_nothing_of_the_current_folder_is_executed(installed, hostile):
    for words in (["--help"], ["certs", "--help"], ["trace", "none.txt"], ["simulate", "--help"]):
        installed.run("onemo", *words, cwd=hostile.folder)
        assert hostile.executed() == [], words


def test_nor_by_what_the_command_starts(installed, hostile, tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        words = ["deploy", "--board", board.port, "--dry-run", "--json"]
        done = installed.run("onemo", *words, cwd=hostile.folder, timeout=100)
        assert done.returncode == 0, done.stderr
    assert hostile.executed() == []


def test_the_traps_work(installed, hostile):
    installed.run("python", "-m", "mpremote", "--help", cwd=hostile.folder)
    assert hostile.executed()


# The simulator by itself


def test_the_simulator_alone(simulator):
    """As a C project would use it: bytes over TCP."""
    assert simulator.run("python", "-c", "import onemo_tools").returncode != 0
    with simulated(simulator, "onemo-simulator", "--model", "MN316") as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        with client, client.makefile("rb") as lines:
            client.sendall(b"ATE0\r")
            while lines.readline() != b"OK\r\n":
                pass
            client.sendall(b"AT+CGMM\r")
            assert [lines.readline().strip() for _ in range(4)] == [b"", b"MN316-DBRS", b"", b"OK"]


def test_the_simulator_alone_on_a_pty(simulator):
    process = simulator.start("onemo-simulator", "--echo")
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        path = re.search(r"listens on (/dev/pts/\d+)", process.stdout.readline()).group(1)
        with open(path, "r+b", buffering=0) as port:
            port.write(b"AT\r")
            got = b""
            while not got.endswith(b"OK\r\n"):
                got += port.read(64)
        assert got == b"AT\r\r\nOK\r\n"
    finally:
        killer.cancel()
        process.kill()
        process.communicate()


def test_python_is_this_one(installed):
    done = installed.run("python", "-c", "import sys; print(sys.version_info[:2])")
    assert done.stdout.strip() == str(tuple(sys.version_info[:2]))
