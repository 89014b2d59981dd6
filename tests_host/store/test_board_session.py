# SPDX-License-Identifier: MIT
"""`onemo certs --board`: a key leaves no trace on the way, and a wrong port is told at once."""

import json
import os
import pty
import subprocess
import tempfile
import threading
import time
import tty

import pytest
from onemo_board import VirtualBoard
from onemo_board.wire import Wire
from onemo_simulator import Line, Module
from onemo_tools.cli import exits
from onemo_tools.cli.main import app
from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers.pki import Authority
from onemo_tools.store.repl import BoardFailed, Session
from typer.testing import CliRunner

CONFIG = {"uart": {"id": 1, "baud": 115200, "tx": 4, "rx": 5}}
WINDOW = 8


def onemo(*words):
    done = CliRunner().invoke(app, ["certs", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def windows(pem):
    """All stretches of 8 characters of a key's base64."""
    found = set()
    for line in pem.splitlines()[1:-1]:
        found |= {line[at : at + WINDOW] for at in range(len(line) - WINDOW + 1)}
    return found


class Watch(threading.Thread):
    """Looks for a key in the command lines of all processes, and for files in a folder."""

    def __init__(self, folder, marks):
        super().__init__(daemon=True)
        self.folder, self.marks, self.found, self.ended = folder, marks, set(), False

    def run(self):
        while not self.ended:
            self.found |= {path.name for path in self.folder.rglob("*")}
            for process in os.listdir("/proc"):
                try:
                    with open(f"/proc/{process}/cmdline", "rb") as file:
                        line = file.read()
                except OSError:
                    continue
                if any(mark in line for mark in self.marks):
                    self.found.add("a command line")
            time.sleep(0.005)


@pytest.mark.parametrize("model", ["ML307R", "MN316"])
def test_a_key_is_neither_on_the_flash_nor_in_a_file_nor_in_a_command_line(
    tmp_path, monkeypatch, model
):
    key = Authority("root").issue("device").key
    source, temporary = tmp_path / "device.key", tmp_path / "temporary"
    source.write_bytes(key)
    temporary.mkdir()
    module = Module(model)
    line = Line(module)
    with (
        line,
        VirtualBoard(
            tmp_path / "flash.img", uarts={1: line.board_fd}, overrun=False, line_time=False
        ) as board,
    ):
        deploy(board.port, library(ROOT) | {"config.json": json.dumps(CONFIG).encode()})
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setattr(tempfile, "tempdir", None)
        watch = Watch(temporary, list(windows(key))[::40])
        watch.start()
        words = ("write", "device.key", source, "--kind", "key", "--board", board.port)
        assert onemo(*words) == (0, "device.key written and confirmed by the module\n", "")
        watch.ended = True
        watch.join()
        with line.locked():
            [stored] = [data for name, data in module.store.objects.items() if name[0] == 2]
            assert stored.replace(b"\r\n", b"\n") == key
        assert watch.found == set()
        with Session(board.port) as session:
            assert "pem" not in session.run("print(globals())", 10)
    flash = (tmp_path / "flash.img").read_bytes()
    assert b"config.json" in flash
    assert not [mark for mark in windows(key) if mark in flash]


def test_a_board_that_has_no_ram_for_it_says_so(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board, Session(board.port) as session:
        session.put("small", bytes(range(256)) * 3)
        assert session.run("print(bytes(small) == bytes(range(256)) * 3)", 10).strip() == "True"
        session.run("import gc, micropython\nhog = bytearray(gc.mem_free() - 4000)", 10)
        with pytest.raises(BoardFailed, match="RAM is too short for 8000 bytes in one piece"):
            session.put("pem", bytes(8000))


class Far:
    """The other end of a pseudo-terminal, which answers as `answer` says."""

    def __init__(self, answer):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave, self._answer, self._ended = slave, answer, False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        os.set_blocking(self.master, False)
        self._thread.start()
        return self.path

    def __exit__(self, *_):
        self._ended = True
        self._thread.join()
        os.close(self.master)
        os.close(self._slave)

    def _run(self):
        while not self._ended:
            try:
                data = os.read(self.master, 256)
            except BlockingIOError:
                data = b""
            answer = self._answer(data)
            if answer:
                os.write(self.master, answer)
            time.sleep(0.01)


@pytest.mark.parametrize("words", [["ls"], ["rm", "ca.pem"]], ids=" ".join)
@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda data: b"", "nothing at all does; is it the board's REPL port"),
        (lambda data: data, "what is sent comes back as it is, so TX is wired to RX"),
        (lambda data: b"login: " if data else b"", "something else does, its last bytes were b'"),
        (lambda data: b"$GPGGA,1\r\n", "something else does, its last bytes were b'"),
    ],
    ids=["silence", "loopback", "login", "chatter"],
)
def test_a_port_without_micropython_is_told_within_seconds(answer, said, words):
    with Far(answer) as path:
        began = time.monotonic()
        status, out, err = onemo(*words, "--board", path)
        assert time.monotonic() - began < 10
    assert (status, out) == (exits.SILENT, "")
    assert err.startswith(f"certs: no MicroPython answers at {path}: {said}")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("model", ["ML307R", "MN316"])
@pytest.mark.parametrize("echo", [True, False])
def test_the_modules_own_port_is_told(model, echo):
    with Line(Module(model, echo=echo), "pty") as line:
        began = time.monotonic()
        status, _, err = onemo("ls", "--board", line.path)
        assert time.monotonic() - began < 10
    assert status == exits.SILENT
    assert "an AT module does; with --serial this PC talks to it itself" in err


def test_a_serial_port_that_hears_itself_is_told():
    with Far(lambda data: data) as path:
        began = time.monotonic()
        status, _, err = onemo("ls", "--serial", path)
        assert time.monotonic() - began < 10
    assert status == exits.SILENT
    assert err == (
        f"certs: what is sent to {path} comes back as it is: its TX is wired to its RX, and no "
        "module is there\n"
    )


def test_a_board_whose_uart_hears_itself_is_told(tmp_path):
    config = b'{"uart": {"id": 1, "baud": 115200, "tx": 4, "rx": 5}}'
    with Wire() as wire, VirtualBoard(tmp_path / "f.img", uarts={1: wire.board_fd}) as board:
        deploy(board.port, library(ROOT) | {"config.json": config})
        began = time.monotonic()
        status, _, err = onemo("ls", "--board", board.port)
        assert time.monotonic() - began < 15
    assert status == exits.SILENT
    assert "the board's UART hears itself: its TX is wired to its RX" in err


def test_a_board_whose_program_runs_is_interrupted(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        deploy(board.port, {"main.py": b"print('on')\nwhile True:\n    pass\n"})
        mark = board.output.mark()
        board.hard_reset()
        board.output.wait_for("on", since=mark)
        with Session(board.port) as session:
            assert session.run("print(6 * 7)", 10).strip() == "42"


def test_a_port_in_use_is_told(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board, Session(board.port):
        status, _, err = onemo("ls", "--board", board.port)
    assert status == exits.PORT and f"{board.port} is in use" in err


def test_what_goes_wrong_on_the_board_is_an_error(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board, Session(board.port) as session:
        with pytest.raises(BoardFailed, match="ZeroDivisionError"):
            session.run("1 / 0", 10)
        with pytest.raises(BoardFailed, match="does not answer"):
            session.run("while True: pass", 1)


def test_the_starter_has_the_command():
    done = subprocess.run(
        [ROOT / "onemo", "certs", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "lint" in done.stdout
