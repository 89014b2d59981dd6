# SPDX-License-Identifier: MIT
"""What a board leaves behind: nothing; and its command line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from onemo_board import PORTS, Mpremote, VirtualBoard

from .helpers import eventually

ROOT = Path(__file__).parents[2]


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_process_ends_with_its_board_and_files_are_closed(tmp_path):
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with VirtualBoard(tmp_path / "flash.img", link=tmp_path / "port") as board:
            pid = board.pid
            assert pid and (tmp_path / "port").is_symlink()
        assert gone(pid)
        assert not (tmp_path / "port").is_symlink()
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_process_ends_when_its_starter_is_killed(tmp_path):
    code = (
        "import sys, time; from onemo_board import VirtualBoard\n"
        "b = VirtualBoard(sys.argv[1]); b.start(); print(b.pid, flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "flash.img")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'lib'}"},
    )
    assert starter.stdout
    pid = int(starter.stdout.readline())
    assert not gone(pid)
    starter.kill()
    starter.wait(10)
    starter.stdout.close()
    eventually(lambda: gone(pid))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line(tmp_path, number):
    link = tmp_path / "port"
    command = [sys.executable, "-m", "onemo_board", str(tmp_path / "flash.img")]
    command += ["--port-like", "rp2", "--link", str(link), "--heap", "64K"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'lib'}"},
    )
    try:
        assert process.stdout
        port = process.stdout.readline().strip()
        assert port == str(link)
        out = Mpremote(port).exec("import sys; print(sys.platform)")
        assert out.strip() == "rp2"
        process.send_signal(number)
        assert process.wait(20) == 0
        assert not link.is_symlink()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_command_line_says_what_is_wrong(tmp_path):
    command = [sys.executable, "-m", "onemo_board", str(tmp_path / "flash.img")]
    for arguments, said, status in (
        (["--port-like", "avr"], "no such port: 'avr'", 1),
        (["--uart", "one"], "ID=PATH", 6),
        (["--uart", "1=/nowhere"], "cannot open the UART's line /nowhere", 1),
        (["--link", str(tmp_path / "none" / "link")], f"'{tmp_path}/none/link'", 1),
    ):
        done = subprocess.run(
            command + arguments,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'tools'}{os.pathsep}{ROOT / 'lib'}"},
            check=False,
        )
        assert done.returncode == status
        assert said in done.stderr and "Errno" not in done.stderr
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("board: ")


def test_boards_side_by_side(start, at):
    boards = [start(f"flash{i}.img", port_like=p) for i, p in enumerate(PORTS)]
    for board, port in zip(boards, PORTS, strict=True):
        said = "pyboard" if port == "stm32" else port
        assert at(board).exec("import sys; print(sys.platform)").strip() == said


def test_soft_resets_are_quick_and_leak_nothing(start, at):
    board = start()
    pids = {board.pid}
    began = time.monotonic()
    for _ in range(5):
        at(board)("soft-reset")
        pids.add(board.pid)
    assert time.monotonic() - began < 30
    assert all(gone(pid) for pid in pids - {board.pid})
