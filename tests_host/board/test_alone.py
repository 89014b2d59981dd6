# SPDX-License-Identifier: MIT
"""A flash and a link belong to one running board."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from onemo_board import BoardError, VirtualBoard, mpremote

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", ["image", "folder"])
def test_two_boards_on_one_flash_are_refused(tmp_path, kind):
    flash = tmp_path / "flash"
    if kind == "folder":
        flash.mkdir()
    with VirtualBoard(flash) as board:
        with pytest.raises(BoardError, match="is another board's that is running"):
            VirtualBoard(flash).start()
        assert mpremote(board.port, "exec", "print(1)").stdout.strip() == "1"
    with VirtualBoard(flash):  # it is free again
        pass


def test_a_flash_is_free_after_a_board_that_was_killed(tmp_path):
    path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "onemo_tools",
            "board",
            tmp_path / "flash",
            "--link",
            tmp_path / "b",
        ],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline()
    refused = subprocess.run(
        [sys.executable, "-m", "onemo_tools", "board", tmp_path / "flash"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode == 1 and "end that one, or give another flash" in refused.stderr
    process.kill()
    process.communicate()
    with VirtualBoard(tmp_path / "flash", link=tmp_path / "b"):
        pass


def test_a_link_of_a_running_board_is_not_taken_over(tmp_path):
    link = tmp_path / "board"
    with VirtualBoard(tmp_path / "one", link=link) as board:
        there = os.readlink(link)
        with pytest.raises(BoardError, match="belongs to a board that is running"):
            VirtualBoard(tmp_path / "two", link=link).start()
        assert os.readlink(link) == there
        assert mpremote(board.port, "exec", "print(1)").stdout.strip() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    with VirtualBoard(tmp_path / "two", link=link):  # the refusal has left nothing behind
        pass


def test_a_stale_link_is_replaced(tmp_path):
    link = tmp_path / "board"
    link.symlink_to("/dev/pts/4242")
    with VirtualBoard(tmp_path / "one", link=link) as board:
        assert mpremote(board.port, "exec", "print(1)").stdout.strip() == "1"
