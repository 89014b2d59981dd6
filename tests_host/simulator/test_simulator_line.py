# SPDX-License-Identifier: MIT
"""The thread that serves a module: socketpair, pty, TCP; pace; nobody there; the command."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from onemo_simulator import Line, LoopNetwork, Module, SystemNetwork, serve
from onemo_simulator.serve import Signalled, parse_port
from onemo_simulator.suites import SUITE_IDS

PATIENCE = 20
TOOLS = Path(__file__).parent.parent.parent / "tools"


def talk(fd, data, until=b"OK\r\n"):
    """Write all of `data` to a descriptor, read until `until` has come (and what came with it)."""
    got = b""
    end = time.monotonic() + PATIENCE
    while data or until not in got:
        assert time.monotonic() < end, got[-200:]
        readable, writable, _ = select.select([fd], [fd] if data else [], [], 1)
        if writable:
            data = data[os.write(fd, data[:4096]) :]
        if readable:
            got += os.read(fd, 65536)
    return got


def module(**quirks):
    return Module("ML307R", echo=False, **quirks)


def test_socketpair(manual_key):
    with Line(module()) as line:
        assert os.get_inheritable(line.board_fd)
        assert not os.get_blocking(line.board_fd)
        assert talk(line.board_fd, b"AT\r\n") == b"\r\nOK\r\n"
        talk(line.board_fd, b'AT+MSSLKEYWR="k",0,1674\r', b">")
        talk(line.board_fd, manual_key)
        with line.locked() as served:
            assert served.store.keys["k"] == manual_key
            served.urc(b"+CEREG: 1")
        assert talk(line.board_fd, b"", b"+CEREG: 1\r\n") == b"\r\n+CEREG: 1\r\n"
        assert line.alive
        assert line.to_module == 4 + 24 + 1674
    assert not line.alive
    assert line.board_fd == -1
    assert served.violations == []


def test_timers_run_by_themselves():
    with Line(module(boot_delay=0.05)) as line:
        with line.locked() as served:
            served.reboot()
        assert talk(line.board_fd, b"", b"+MATREADY\r\n") == b"\r\n+MATREADY\r\n"


def test_pty():
    with Line(module(), "pty") as line:
        for _ in range(3):  # a terminal program that comes and goes
            fd = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
            try:
                assert not termios.tcgetattr(fd)[3] & (termios.ECHO | termios.ICANON)
                assert talk(fd, b"AT\r\n") == b"\r\nOK\r\n"
            finally:
                os.close(fd)
            with line.locked() as served:
                served.urc(b"+LOST: 1")
            deadline = time.monotonic() + PATIENCE
            while served.pending:
                assert time.monotonic() < deadline
                time.sleep(0.005)


def test_what_nobody_hears_is_lost():
    with Line(module(), "pty") as line:
        time.sleep(0.1)
        with line.locked() as served:
            served.urc(b"+LOST: 1")
        deadline = time.monotonic() + PATIENCE
        while served.pending:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        fd = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
        try:
            assert talk(fd, b"AT\r\n") == b"\r\nOK\r\n"
        finally:
            os.close(fd)


def test_tcp_one_client_after_the_other():
    with Line(module(), "tcp") as line:
        assert line.address[0] == "127.0.0.1" and line.address[1] > 0
        for _ in range(3):
            with socket.create_connection(line.address, PATIENCE) as client:
                assert talk(client.fileno(), b"AT\r\n") == b"\r\nOK\r\n"


@pytest.mark.parametrize("baud", [57600, 921600])
def test_pace_in_both_directions(baud, manual_key):
    """Never faster than the line; how much slower is the machine's affair, within reason."""
    with Line(module(baud=baud, store_delay=0.0), baud=baud) as line:
        start = time.monotonic()
        answer = talk(line.board_fd, b"AT+MSSLCIPHER=?\r")
        ideal = (16 + len(answer)) * 10 / baud
        took = time.monotonic() - start
        assert ideal * 0.98 <= took < ideal + 3
        talk(line.board_fd, b'AT+MSSLKEYWR="k",0,1674\r', b">")
        start = time.monotonic()
        talk(line.board_fd, manual_key)
        took = time.monotonic() - start
        ideal = 1674 * 10 / baud
        # What the board has handed over is taken at once; its last bytes set the time.
        assert ideal * 0.95 <= took < ideal + 3


def test_overrun_when_the_board_sleeps():
    with Line(module(), baud=115200, rxbuf=256) as line:
        os.write(line.board_fd, b"AT+MSSLCIPHER=?\r")
        deadline = time.monotonic() + PATIENCE
        while line.overruns == 0 or line._out_waits:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        got = os.read(line.board_fd, 65536)
        assert len(got) == 256
        suites = ",".join(f"0x{suite:02X}" for suite in SUITE_IDS)
        assert line.overruns + 256 == len(f"\r\n+MSSLCIPHER: ({suites})\r\n\r\nOK\r\n")
        assert talk(line.board_fd, b"AT+CSQ\r").startswith(b"\r\n+CSQ")


def test_wrong_speed_is_junk():
    with Line(module(baud=921600), baud=115200) as line:
        os.write(line.board_fd, b"AT\r")
        time.sleep(0.3)
        with pytest.raises(BlockingIOError):
            os.read(line.board_fd, 100)
        line.set_baud(921600)
        assert talk(line.board_fd, b"\r\rAT\r").endswith(b"OK\r\n")
        talk(line.board_fd, b"AT+IPR=115200\r")
        line.set_baud(115200)
        assert b"115200" in talk(line.board_fd, b"AT+IPR?\r")


def test_a_failure_in_the_thread_is_told():
    class Broken(LoopNetwork):
        def poll(self):
            raise ZeroDivisionError("on purpose")

    line = Line(module(network=Broken()))
    line.start()
    deadline = time.monotonic() + PATIENCE
    while line.alive:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(RuntimeError, match="on purpose"):
        line.stop()
    line.stop()  # twice does no harm


def test_an_idle_line_costs_nothing():
    with Line(module(), "pty"), Line(module(network=SystemNetwork()), baud=115200):
        time.sleep(0.2)
        before = time.process_time()
        time.sleep(1.0)
        assert time.process_time() - before < 0.2


def test_plain_echo_over_a_real_network():
    def echo():
        with server.accept()[0] as client:
            client.settimeout(PATIENCE)
            while data := client.recv(65536):
                client.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        network = SystemNetwork({"echo.example": "127.0.0.1"})
        with Line(module(network=network)) as line:
            fd = line.board_fd
            talk(fd, b'AT+MIPOPEN=0,"TCP","echo.example",%d,,2\r' % port, b"+MIPOPEN: 0,0\r\n")
            payload = os.urandom(8192)
            talk(fd, b"AT+MIPSEND=0,8192\r", b">")
            got = talk(fd, payload, b"\r\nOK\r\n")
            echoed = b""
            while len(echoed) < 8192:
                answer = talk(fd, b"AT+MIPRD=0,4096\r", b"\r\nOK\r\n")
                if b"+MIPRD: 0," in answer:
                    _, size, rest = answer.split(b"+MIPRD: 0,", 1)[1].split(b",", 2)
                    while len(rest) < int(size):  # an OK inside the data
                        rest += talk(fd, b"", b"\r\nOK\r\n")
                    echoed += rest[: int(size)]
            assert echoed == payload
            assert b"+MIPSEND: 0,8192" in got
            talk(fd, b"AT+MIPCLOSE=0\r", b"+MIPCLOSE: 0\r\n")
        thread.join(PATIENCE)


@pytest.mark.parametrize(
    "port, parsed", [("pty", ("pty", 0)), ("tcp", ("tcp", 0)), ("tcp:99", ("tcp", 99))]
)
def test_ports(port, parsed):
    assert parse_port(port) == parsed
    for bad in ("", "udp:5", "tcp:", "tcp:70000", "pty:1"):
        with pytest.raises(ValueError, match="port is"):
            parse_port(bad)


def test_serve_until_stopped():
    said, stop = [], threading.Event()
    thread = threading.Thread(
        target=serve, args=("MN316", "tcp:0"), kwargs={"stop": stop, "say": said.append}
    )
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while len(said) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        address, port = re.search(r"tcp ([\d.]+):(\d+)", said[0]).groups()
        with socket.create_connection((address, int(port)), PATIENCE) as client:
            assert b"MN316-DBRS" in talk(client.fileno(), b"AT+CGMM\r")
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command(ending):
    env = {**os.environ, "PYTHONPATH": str(TOOLS), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "onemo_simulator", "--port", "pty", "--baud", "921600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            path = re.search(r"/dev/\S+", process.stdout.readline()).group()
            process.stdout.readline()
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            assert b"+IPR: 921600" in talk(fd, b"AT+IPR?\r")
            os.close(fd)
            process.send_signal(ending)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_the_command_refuses_nonsense():
    env = {**os.environ, "PYTHONPATH": str(TOOLS), "NO_COLOR": "1"}
    for args in (["--model", "ML999"], ["--port", "udp"], ["--host", "nonsense"]):
        command = [sys.executable, "-m", "onemo_simulator", *args]
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, timeout=60, check=False
        )
        assert done.returncode == 2
        assert "Invalid value" in done.stderr


def test_the_command_names_a_port_that_is_taken():
    env = {**os.environ, "PYTHONPATH": str(TOOLS), "NO_COLOR": "1"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"tcp:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "onemo_simulator", "--port", port]
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"simulate: {port} cannot be opened: Address already in use")
    assert len(done.stderr.splitlines()) == 1


def test_a_signal_ends_the_wait_whenever_it_comes():
    # With a threading.Event the handler waits for the lock that it interrupted, once in a while.
    ended = Signalled()
    former = signal.signal(signal.SIGUSR1, lambda *_: ended.set())
    over = threading.Event()

    def send():
        while not over.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.0003)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(300):
            ended = Signalled()
            while not ended.wait(0):
                pass
    finally:
        over.set()
        sender.join()
        signal.signal(signal.SIGUSR1, former)
