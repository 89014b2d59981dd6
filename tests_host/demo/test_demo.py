# SPDX-License-Identifier: MIT
"""`onemo demo`: it shows the whole job, ends by itself, and fails where something is not so."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from onemo_board import Output
from onemo_simulator import Module
from onemo_tools.cli.main import app
from onemo_tools.demo import DemoFailed, play, stage
from onemo_tools.demo.errors import Limit
from onemo_tools.demo.play import Play
from onemo_tools.demo.screen import Screen
from onemo_tools.demo.watch import Watch
from rich.console import Console
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "onemo_tools", "demo"]


def environment():
    path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def joined(text):
    """Lines that were too long for 80 columns, in one again."""
    return re.sub(r"\n {8}(?=\S)", " ", text)


def test_it_shows_the_whole_job_and_ends_with_0():
    done = subprocess.run(
        COMMAND, env=environment(), capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    said = joined(done.stdout)
    assert done.stderr == ""
    assert "\x1b" not in said  # no terminal, no colours
    for sentence in (
        r"file +ca\.pem: 8192 bytes, \d+ PEM blocks",
        r"board +module ML307R found",
        r"ca\.pem +\[#+ +\] 2048/8192 bytes",
        r"ca\.pem +\[#+\] 8192/8192 bytes",
        r"client\.pem +\[#+\] (\d+)/\1 bytes",
        r"client\.key +\[#+\] (\d+)/\1 bytes",
        r"ok +file, module and board agree on every digest",
        r'module +AT\+MIPOPEN=\d,"TCP","broker\.example",\d+,',
        r"ok +none: TLSv1\.2, \S+, no client certificate asked for",
        r"ok +server: TLSv1\.2, \S+, no client certificate asked for",
        r"ok +mutual: TLSv1\.2, \S+, client device-0001",
        r"ok +without its certificate the device does not get in",
        r"ok +TLSv1\.2, \S+; server CN=broker\.example.*, client device-0001",
        r"ok +telemetry came through the broker, under devices/\w+/telemetry",
        r"board +certificates and keys unchanged",
        r"ok +nothing was written",
        r"board +failed: .*: 752, the server's certificate failed verification",
        r"ok +error 752 in words",
        r"board +command b'valve 1 open'",
        r"ok +the command came through the broker, with QoS 1",
        r"ok +the connection was cut, and the board came back by itself",
        r"board +signal -\d+ dBm, CHINA MOBILE",
        r"ok +3 lines and back, 3 looks at the signal",
        r"board +rotated True",
        r"ok +the broker saw device-0002; the old key is gone",
        r"board +heap: \d+ of \d+ bytes in use",
        r"ok +\d+ commands, .* no violation of the protocol, no byte lost",
        r"ok +all of it, in \d+ s",
        r"\S*onemo new thermometer ",
    ):
        assert re.search(f"^{sentence}", said, re.MULTILINE), f"{sentence!r} is not in:\n{said}"
    first, second = said.split("Second boot")
    assert "written, MD5" in first
    assert "written, MD5" not in second.split("A wrong CA")[0]


def descendants(pid):
    """Processes below a process, by /proc."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found = list(children.get(pid, ()))
    for child in found:
        found.extend(children.get(child, ()))
    return found


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_interrupted_it_leaves_nothing_behind(tmp_path):
    env = {**environment(), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        COMMAND, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    killer = threading.Timer(60, process.kill)  # readline has no time limit of its own
    killer.start()
    try:
        for line in process.stdout:
            if line.startswith("board   module ML307R found"):  # it is about to upload
                break
        started = descendants(process.pid)
        assert started  # the board, at least
        assert list(tmp_path.glob("onemo-demo-*"))
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)[0]
    finally:
        killer.cancel()
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest
    deadline = time.monotonic() + 10
    while any(map(running, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(running, started))
    assert not list(tmp_path.glob("onemo-demo-*"))


# What must make it fail


def on_paper():
    """A screen that is no terminal, and what was written there."""
    paper = io.StringIO()
    return Screen(Console(file=paper, highlight=False)), paper


def test_it_fails_when_a_setting_is_not_kept(monkeypatch):
    lax = partial(Module, ignored_options=frozenset({"auth"}))
    monkeypatch.setattr(stage, "Module", lax)
    screen, paper = on_paper()
    assert play(screen) is False
    last = joined(paper.getvalue()).splitlines()[-1]
    assert last.startswith("FAILED  the board printed 'failed: ")
    assert "keeps auth" in last


def test_it_fails_when_time_is_over():
    screen, paper = on_paper()
    assert play(screen, total_s=0.0) is False
    assert "FAILED  it did not end within 0 s" in paper.getvalue()


def test_it_fails_when_a_stored_byte_differs():
    module = Module()
    pems = {"ca.pem": b"one", "client.key": b"two"}
    module.store.put(1, "ca.pem", b"one")
    module.store.put(2, "client.key", b"two")

    @contextmanager
    def locked():
        yield module

    screen, paper = on_paper()
    set_up = SimpleNamespace(pems=pems, line=SimpleNamespace(locked=locked))
    played = Play(set_up, screen, Limit(10))
    told = {
        "ca.pem": "f97c5d29941bfb1b2fdab0874906ab82",
        "client.key": "b8a9f715dbb64fd5c56e7783c6820a61",
    }
    played._compare(told)
    assert "agree on every digest" in paper.getvalue()
    with pytest.raises(DemoFailed, match=r"ca\.pem: the file's MD5"):
        played._compare({**told, "ca.pem": told["client.key"]})
    module.store.damage("client.key", 1)
    with pytest.raises(DemoFailed, match=r"client\.key: the file's MD5"):
        played._compare(told)


@pytest.mark.parametrize(
    ("bars", "good"),
    [
        ([(1, 3), (3, 3)], True),
        ([], False),
        ([(3, 3)], False),
        ([(1, 3), (2, 3)], False),
        ([(3, 3), (1, 3)], False),
        ([(1, 4), (3, 4)], False),
    ],
)
def test_progress_must_have_grown_to_the_end(bars, good):
    played = Play(SimpleNamespace(pems={"ca.pem": b"one"}), on_paper()[0], Limit(10))
    watch = SimpleNamespace(bars={"ca.pem": bars})
    if good:
        played._bars(watch)
    else:
        with pytest.raises(DemoFailed, match="progress of ca"):
            played._bars(watch)


# Reading the board


@pytest.fixture
def board():
    return SimpleNamespace(output=Output())


def test_lines_are_read_as_they_come(board):
    board.output.add(b"before\n")
    screen, paper = on_paper()
    watch = Watch(board, screen, Limit(20))
    board.output.add(b"module ML307R found\r\nca.pem 1/4\nca.pem 4/4\nca.pem writ")
    later = threading.Timer(0.2, board.output.add, [b"ten, MD5 abc\n"])
    later.start()
    assert watch.until(r"ca\.pem written, MD5 (\w+)").group(1) == "abc"
    later.join()
    assert watch.lines == ["module ML307R found", "ca.pem written, MD5 abc"]
    assert watch.bars == {"ca.pem": [(1, 4), (4, 4)]}
    assert "board   module ML307R found" in paper.getvalue()


@pytest.mark.parametrize(
    "line", ["Traceback (most recent call last):", "failed: no answer", "config.json: uart is 1"]
)
def test_what_goes_wrong_on_the_board_ends_the_demo(board, line):
    watch = Watch(board, on_paper()[0], Limit(20))
    board.output.add(f"{line}\nValueError: the end\n".encode())
    with pytest.raises(DemoFailed, match=r"the board printed .*the end"):
        watch.until("connected")


def test_a_board_that_says_nothing_ends_the_demo(board):
    watch = Watch(board, on_paper()[0], Limit(20))
    board.output.add(b"half a line")
    began = time.monotonic()
    with pytest.raises(DemoFailed, match="did not print 'connected' in time"):
        watch.until("connected", timeout=0.3)
    assert time.monotonic() - began < 5


def test_bars_on_a_terminal():
    paper = io.StringIO()
    screen = Screen(Console(file=paper, force_terminal=True, width=80, highlight=False))
    for done in (1024, 4096, 8192):
        screen.progress("ca.pem", done, 8192)
    screen.end_progress()
    assert "ca.pem" in paper.getvalue()
    assert "\x1b[" in paper.getvalue()
    assert "8.2/8.2 kB" in paper.getvalue()


def test_a_bar_comes_before_its_confirmation():
    paper = io.StringIO()
    screen = Screen(Console(file=paper, force_terminal=True, width=80, highlight=False))
    for done in (1024, 8192):
        screen.progress("ca.pem", done, 8192)
    screen.board("ca.pem written, MD5 abc confirmed by the module")
    screen.progress("client.pem", 10, 10)
    said = paper.getvalue()
    assert said.rindex("8.2/8.2 kB") < said.index("confirmed") < said.index("client.pem")


def test_words_stay_whole_in_80_columns():
    screen, paper = on_paper()
    words = [f"word{n}" * (n % 7 + 1) for n in range(40)]
    screen.proved(" ".join(words))
    lines = paper.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) > 5
    assert " ".join(paper.getvalue().split()) == " ".join(["ok", *words])
    assert all(line.startswith("        ") for line in lines[1:])


# The command


def test_errors_are_a_sentence_and_a_status(tmp_path):
    runner = CliRunner()
    wrong = runner.invoke(app, ["simulate", "--model", "ML999"])
    assert wrong.exit_code != 0
    assert "no such model" in wrong.output
    (tmp_path / "flash.img").write_bytes(b"no flash")
    wrong = runner.invoke(app, ["board", str(tmp_path / "flash.img")])
    assert wrong.exit_code == 1
    assert "is no flash image" in wrong.output
    assert "Traceback" not in wrong.output
    for words, said in (
        (["board", "f", "--clock-unset"], "go with --module ID"),
        (["board", "f", "--module", "1", "--fault", "burn"], "not a fault: 'burn'"),
        (["board", "f", "--module", "1", "--host", "x"], "a host is given as NAME=ADDRESS"),
        (["simulate", "--fault", "drop > x"], "not a fault: 'drop > x'"),
    ):
        wrong = runner.invoke(app, words, env={"COLUMNS": "200"})
        assert wrong.exit_code != 0 and said in wrong.output, wrong.output
    wrong = runner.invoke(app, ["sing"])
    assert wrong.exit_code != 0
    assert "sing" in wrong.output


def test_simulate_and_board_run_until_they_are_told_to_end(tmp_path):
    hosts = ["--host", "broker.example=10.0.0.1", "--clock-unset", "--fault", "drop > 9999"]
    reach = "it reaches the hosts that this machine reaches, by its DNS"
    listens = r"ML307R-DC listens on tcp 127\.0\.0\.1:\d+"
    flash = ["board", str(tmp_path / "flash.img")]
    module = [*flash, "--module", "1", *hosts]
    for words, said, also in (
        (["simulate", "--port", "tcp:0"], listens, [f"{reach}$"]),
        (["simulate", *hosts, "--port", "tcp:0"], listens, [f"{reach}, broker.example at 10.0"]),
        (flash, r"/dev/pts/\d+", []),
        (module, f"the module at UART 1: {reach}, broker.example at 10.0", [r"/dev/pts/\d+"]),
    ):
        process = subprocess.Popen(
            [*COMMAND[:-1], *words],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        killer = threading.Timer(30, process.kill)
        killer.start()
        try:
            assert re.match(said, process.stdout.readline())
            for more in also:
                assert re.match(more, process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=20)[0]
        finally:
            killer.cancel()
            process.kill()
            process.communicate()
        assert process.returncode == 0
        assert "Traceback" not in rest
