# SPDX-License-Identifier: MIT
"""`onemo probe` and `onemo probe-server` as commands: real lines, real TLS, a board."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from onemo_board import VirtualBoard
from onemo_simulator import Line, Module, VirtualClock
from onemo_simulator.profile_file import load_module
from onemo_simulator.system_network import SystemNetwork
from onemo_tools.cli import exits
from onemo_tools.cli.main import app
from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.probe import connecting, reading
from onemo_tools.probe import probe as whole_probe
from onemo_tools.probe.probe import Plan, Server
from onemo_tools.probe.server import ProbeServer, fetch_ca
from typer.testing import CliRunner

from tests_host.probe.bench import VirtualPort, probing

NAME = "probe.example"
CONFIG = {"uart": {"id": 1, "baud": 115200, "tx": 4, "rx": 5}}


def run(*words, status=0, answers=None):
    """`onemo probe WORDS`; its result."""
    done = CliRunner().invoke(app, ["probe", *map(str, words)], input=answers)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == status, done.output
    return done


def command(*words):
    return [sys.executable, "-m", "onemo_tools", *map(str, words)]


@contextmanager
def module_at(kind, model="ML307R", **quirks):
    """A module on a line of a kind: (module, --serial's port)."""
    module = Module(model, **quirks)
    with Line(module, kind) as line:
        host, number = line.address
        yield module, line.path if kind == "pty" else f"socket://{host}:{number}"


@contextmanager
def probe_server(name=NAME):
    for _ in range(50):
        try:
            with ProbeServer(name, random.randrange(20000, 60000), "127.0.0.1") as server:
                yield server
                return
        except OSError:
            continue
    raise AssertionError("no four free ports in a row")


@pytest.fixture
def few_steps(monkeypatch):
    """Only some questions: what takes long is tried on a virtual clock elsewhere."""

    def only(**groups):
        monkeypatch.setattr(whole_probe, "GROUPS", dict.fromkeys(whole_probe.GROUPS, ()) | groups)

    return only


@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_read_only_writes_a_profile_and_a_report(kind, tmp_path):
    path, told = tmp_path / "found.json", tmp_path / "report.txt"
    with module_at(kind, "ML307C-DL-CN", certrd_blank=1) as (module, port):
        done = run("--serial", port, "--read-only", "-o", path, "--report", told)
        assert module.store.writes == 0 and module.violations is not None
    profile, quirks = load_module(path)
    assert (profile.series, profile.submodels) == ("ML307C", ("ML307C-DL-CN",))
    assert profile.cclk == "utc-fields" and quirks["unset_cert"] == "NULL"
    assert done.stdout == ""
    assert "[1/9] what it calls itself" in done.stderr
    assert f"profile written to {path}" in done.stderr
    text = told.read_text()
    assert text.startswith("onemo probe: ML307C-DL-CN, MBRH0S01\nAsked: read. ")
    assert "needs writing: not with --read-only" in text


def test_the_report_goes_to_standard_output_and_the_file_is_named_by_the_model(
    tmp_path, monkeypatch, few_steps
):
    few_steps(read=(("names", reading.names),))
    monkeypatch.chdir(tmp_path)
    with module_at("pty", "MN318-LC") as (_, port):
        done = run("--serial", port, "--read-only")
    assert done.stdout.startswith("onemo probe: MN318-LC")
    data = json.loads((tmp_path / "MN318-LC.profile.json").read_text())
    assert data["base"] == "MN318-LC" and data["tls"] is None
    assert data["unknown"]["tls"]


@pytest.mark.parametrize(
    ("answers", "writes", "said"),
    [
        ("y\n", True, "The probe now writes some objects called onemo-probe-"),
        ("n\n", False, "Go on?"),
        ("", False, "nothing is written: --yes answers for you"),
    ],
)
def test_it_asks_before_it_writes(answers, writes, said, tmp_path, few_steps):
    seen = []

    def step(probe):
        seen.append(probe.set_option(3, "negotime", b"99").ok)

    few_steps(read=(("its names", reading.names),), write=(("an option", step),))
    path = tmp_path / "found.json"
    with module_at("pty") as (module, port):
        done = run("--serial", port, "--no-reboot", "-o", path, answers=answers)
        assert module.contexts.get(3, "negotime") == (300,)
    assert said in done.stderr
    assert seen == [True] * writes
    assert ("Asked: read, write." in done.stdout) is writes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say where the module is: either --serial PORT or --board PORT"),
        (["--serial", "x", "--board", "y"], "either --serial PORT or --board PORT"),
        (["--serial", "x", "--server", "nowhere"], "--server is HOST:PORT, not 'nowhere'"),
        (["--serial", "x", "--server", "host:65534"], "--server is HOST:PORT, not"),
        (["--serial", "x", "--server", 'a"b:1000'], "no host is called 'a\"b'"),
        (["--serial", "x", "--server", "h:1000", "--ca", "/none"], "there is no /none: give the"),
        (["--serial", "x", "-o", "/none/found.json"], "/none/found.json cannot be a file"),
        (["--serial", "x", "--report", "/"], "/ cannot be a file"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words, said):
    done = run(*words, status=2)
    assert done.stdout == "" and said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--serial", "--board"])
def test_a_port_that_is_not_there(option, tmp_path):
    done = run(option, tmp_path / "none", status=exits.PORT)
    assert done.stderr.startswith(f"probe: there is no port {tmp_path}/none: plug it in")


def test_a_port_where_nobody_answers_is_told_in_time():
    with module_at("pty", off=True) as (_, port):
        start = time.monotonic()
        done = run("--serial", port, status=exits.SILENT)
        assert time.monotonic() - start < 10
    assert done.stderr.startswith("probe: nothing answers: is the module powered")


def test_a_server_that_is_none_of_ours():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def turn_away():
            listener.accept()[0].close()

        threading.Thread(target=turn_away, daemon=True).start()
        done = run("--serial", "x", "--server", f"127.0.0.1:{port - 2}", status=1)
    assert "the server's CA cannot be fetched" in done.stderr
    assert "--ca" in done.stderr


def test_ctrl_c_cleans_up_and_ends_with_130(tmp_path):
    """As a process of its own, in the midst of writing."""
    with module_at("pty", prompt_delay=0.3) as (module, port):
        process = subprocess.Popen(
            command("probe", "--serial", port, "--yes", "-o", tmp_path / "found.json"),
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        )
        try:
            deadline = time.monotonic() + 60
            while not module.store.objects and time.monotonic() < deadline:
                time.sleep(0.01)
            assert module.store.objects
            process.send_signal(random.Random(time.time()).choice([signal.SIGINT, signal.SIGTERM]))
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 130
        assert "Cleaned up: nothing of the probe is left in the module" in told
        assert "Traceback" not in told
        assert module.store.objects == {} and module.store.series is None
    assert not (tmp_path / "found.json").exists()


# --- the server -------------------------------------------------------------------------------


def test_the_server_has_a_right_and_a_wrong_name():
    with probe_server() as server:
        assert fetch_ca("127.0.0.1", server.port) == server.ca
        for offset, right in ((0, True), (1, False)):
            context = ssl.create_default_context(cadata=server.ca.decode())
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            raw = socket.create_connection(("127.0.0.1", server.port + offset), 10)
            with raw:
                if not right:
                    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
                        context.wrap_socket(raw, server_hostname=NAME)
                    continue
                with context.wrap_socket(raw, server_hostname=NAME) as sock:
                    seen = json.loads(sock.recv(4096))
                    sock.sendall(b"hello;two;")
                    got = b""
                    while len(got) < 206:
                        got += sock.recv(4096)
        assert seen["sni"] == NAME and seen["version"] == "TLSv1.2" and seen["resumed"] is False
        assert got == b"hello;" + b"A" * 100 + b"B" * 100
        with socket.create_connection(("127.0.0.1", server.port + 3), 10) as sock:
            sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sock.recv(1)


@pytest.mark.parametrize(
    ("model", "host", "network", "quirks", "expected"),
    [
        ("ML307R", NAME, {}, {}, ("option", False)),
        ("ML307R", NAME, {}, {"host_sent": "always"}, ("always", False)),
        ("ML307R", NAME, {"sni": True}, {}, ("always", False)),
        ("MR880A", NAME, {}, {}, ("option", False)),
        ("ML307R", NAME, {}, {"host_checked": True}, ("always", True)),
        ("ML307R", "127.0.0.1", {"check_hostname": True}, {}, (None, True)),
    ],
)
def test_names_in_real_handshakes(model, host, network, quirks, expected, few_steps):
    """OpenSSL on both sides; the server says what it saw."""
    few_steps(
        read=whole_probe.READ[:4],
        write=whole_probe.WRITE[:1],
        connect=(("plain", connecting.plain), ("names", connecting.tls)),
    )
    with probe_server(host) as server:
        net = SystemNetwork({NAME: "127.0.0.1"}, **network)
        module = Module(model, network=net, clock=VirtualClock(), **quirks)
        plan = Plan(reboot=False, server=Server(host, server.port, server.ca))
        try:
            found = probing(module, plan, port=VirtualPort(module, limit=1e6)).run()
        finally:
            net.close()
    assert (found.get("quirks.host_sent"), found.get("quirks.host_checked")) == expected
    assert found.observed["TLS with the right name"] == 0
    assert found.observed["TLS as the server saw it"]["version"] == "TLSv1.2"
    if model == "MR880A":
        assert found.observed['SNI with "sni" 1'] is True
    assert found.get("quirks.open_urc") == "after"
    assert module.store.objects == {}


def test_the_server_as_a_command(tmp_path):
    ca = tmp_path / "ca.pem"
    port = random.randrange(20000, 60000)
    process = subprocess.Popen(
        command("probe-server", NAME, "--port", port, "--bind", "127.0.0.1", "--ca-out", ca),
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith(f"{NAME}: right name at {port}, wrong name at {port + 1}")
        assert fetch_ca("127.0.0.1", port) == ca.read_bytes()
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


# --- a board ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    module = Module("ML307R", prompt=b"\r\n> ", max_line=700)
    line = Line(module)
    flash = tmp_path_factory.mktemp("board") / "flash.img"
    with (
        line,
        VirtualBoard(flash, uarts={1: line.board_fd}, overrun=False, line_time=False) as board,
    ):
        deploy(board.port, library(ROOT) | {"config.json": json.dumps(CONFIG).encode()})
        yield board, module


def test_through_a_board(board, tmp_path, few_steps):
    port, module = board[0].port, board[1]
    few_steps(
        read=tuple(step for step in whole_probe.READ if step[1] is not reading.again),
        write=whole_probe.WRITE[:1],
    )
    path = tmp_path / "found.json"
    run("--board", port, "--yes", "--no-reboot", "-o", path)
    profile, quirks = load_module(path)
    assert profile.submodels == ("ML307R-DC",) and profile.data_mode
    assert profile.line == 700
    assert quirks["prompt"] == b"\r\n> " and quirks["key_read_code"] == 766
    data = json.loads(path.read_text())
    assert len(data["observed"]["suites"].split()) > 100
    assert module.store.objects == {}


def test_a_board_without_what_it_takes(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as bare:
        done = run("--board", bare.port, "--read-only", status=1)
        assert "onemo deploy puts it there" in done.stderr
        assert re.match(r"probe: [^\n]+\n\Z", done.stderr)
