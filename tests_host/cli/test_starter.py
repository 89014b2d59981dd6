# SPDX-License-Identifier: MIT
"""The `onemo` starter of a checkout, from folders where anything may lie."""

import json
import os
import sys

import pytest
from onemo_board import VirtualBoard
from onemo_tools.deploy.packages import ROOT

from tests_host.cli.hostile import Hostile

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv" / ".ready").exists(), reason="the starter would install its .venv"
)


@pytest.fixture
def hostile(tmp_path):
    return Hostile(tmp_path)


def test_the_traps_work(hostile):
    """What Python does without the starter, or the next tests would prove nothing."""
    hostile.run(sys.executable, "-m", "onemo_tools", "--help", PYTHONSAFEPATH="")
    assert hostile.executed()


@pytest.mark.parametrize(
    "words, said",
    [
        (["--help"], "deploy"),
        (["certs", "--help"], "write"),
        (["size", "--json"], '"provision"'),
        (["trace", "none.txt"], "there is no none.txt"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_nothing_of_the_current_folder_is_executed(hostile, words, said):
    done = hostile.run(ROOT / "onemo", *words)
    assert said in done.stdout + done.stderr
    assert hostile.executed() == []


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONPATH": "."},
        {"PYTHONPATH": ":"},
        {"PYTHONSAFEPATH": ""},
        {"PYTHONHOME": "."},
        {"CDPATH": "/:."},
    ],
    ids=str,
)
def test_nor_by_way_of_a_variable(hostile, variables):
    done = hostile.run(ROOT / "onemo", "--help", **variables)
    assert (done.returncode, hostile.executed()) == (0, []), done.stderr


def test_nor_by_what_the_command_starts(hostile, tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        done = hostile.run(ROOT / "onemo", "deploy", "--board", board.port, "--dry-run", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["dry_run"] is True
    assert hostile.executed() == []


def test_by_a_relative_path_and_by_a_link(hostile):
    there = os.path.relpath(ROOT / "onemo", hostile.folder)
    assert hostile.run(there, "--help", CDPATH="/tmp:.").returncode == 0
    (hostile.folder / "linked").symlink_to(ROOT / "onemo")
    assert hostile.run("./linked", "--help").returncode == 0
    assert hostile.executed() == []
