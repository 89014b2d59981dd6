# SPDX-License-Identifier: MIT
"""ROMFS: the image is one that MicroPython runs from; a board without it says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from onemo_board import VirtualBoard, images
from onemo_board.errors import MpremoteError
from onemo_board.mpremote import Result
from onemo_tools.cli.main import app
from onemo_tools.deploy import deployment, romfs
from onemo_tools.deploy.deployment import library
from onemo_tools.deploy.packages import ROOT, modules
from typer.testing import CliRunner

MOUNTED = """
import json, os, sys, vfs
with open({path!r}, "rb") as file:
    image = file.read()
os.mount(vfs.VfsRom(image), "/rom")
sys.path[:] = ["/rom/lib"]
from onemo import Modem
import onemo.at_syntax
names = sorted(entry[0] for entry in os.ilistdir("/rom/lib/onemo"))
print(json.dumps([names, onemo.at_syntax.__file__, Modem.__name__]))
"""


def test_micropython_runs_from_the_image(tmp_path):
    files = library(ROOT)
    image = romfs.build(files)
    assert image[:3] == b"\xd2\xcd\x31"
    path = tmp_path / "onemo.romfs"
    path.write_bytes(image)
    done = subprocess.run(
        [Path(sys.executable).with_name("micropython"), "-c", MOUNTED.format(path=str(path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names, where, modem = json.loads(done.stdout)
    assert names == sorted(path.rpartition("/")[2] for path in files)
    assert {name.partition(".")[0] for name in names} == set(modules())
    assert (where, modem) == ("/rom/lib/onemo/at_syntax.mpy", "Modem")


def test_folders_and_contents_of_any_size():
    files = {"a": b"", "b/c": b"x" * 127, "b/d/e": b"y" * 128, "b/d/f": bytes(20000)}
    image = romfs.build(files)
    assert all(content in image for content in files.values())
    assert romfs.build({}) != image


def test_a_board_without_romfs_says_so_in_a_sentence(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        done = CliRunner().invoke(app, ["deploy", "--board", board.port, "--romfs"])
        assert done.exit_code == 1
        assert done.stderr.startswith("deploy: this board's MicroPython has no ROMFS partition")
        assert len(done.stderr.splitlines()) == 1
        assert images.read_files(board.flash) == {}


@pytest.mark.parametrize(
    "said, error, expected",
    [
        ("mpremote: ROMFS0 partition not found on device", romfs.RomfsError, "no ROMFS partition"),
        ("ROMFS image is too big for the target partition", romfs.RomfsError, "has 3 bytes"),
        ("something else", MpremoteError, "something else"),
    ],
)
def test_what_mpremote_says_of_a_partition(monkeypatch, said, error, expected):
    monkeypatch.setattr(romfs, "mpremote", lambda *_, **__: Result(said, "", 1))
    with pytest.raises(error, match=expected):
        romfs.deploy("nowhere", b"abc", 5)


SIZED = """
import sys
class Device:
    def ioctl(self, op, argument):
        return {4: 64, 5: 4096}[op]
class Vfs:
    @staticmethod
    def rom_ioctl(op, part=None):
        return 2 if op == 1 else (bytearray(1000), Device())[part]
sys.modules["vfs"] = Vfs
"""


@pytest.mark.parametrize("head, size", [(SIZED, 1000 + 64 * 4096), ("", 0)])
def test_the_board_is_asked_for_its_partitions(tmp_path, head, size):
    script = f"{head}wanted = []\nbelow = []\nrecords = []\n{deployment._SURVEY}"
    done = subprocess.run(
        [Path(sys.executable).with_name("micropython"), "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["rom"] == size


@pytest.mark.parametrize("size, said", [(1 << 18, "with --romfs the library runs"), (99, "needs")])
def test_a_deploy_says_what_the_partition_would_save(tmp_path, monkeypatch, size, said):
    survey = deployment._survey
    monkeypatch.setattr(deployment, "_survey", lambda *a: survey(*a) | {"rom": size})
    with VirtualBoard(tmp_path / "flash.img") as board:
        command = ["deploy", "--board", board.port, "--dry-run"]
        done = CliRunner().invoke(app, command)
        hint = done.stdout.splitlines()[-1]
        assert hint.startswith("hint     the board has a ROMFS partition")
        assert said in hint
        assert json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["rom"] == size


def test_what_it_saves_is_what_was_measured():
    figures = json.loads((ROOT / "docs" / "bench.json").read_text(encoding="utf-8"))["figures"]
    found = {row["key"]: row["ours"] for row in figures}
    if "small_live_import_rom" not in found:
        pytest.skip("where make bench ran last there was no 32-bit MicroPython")
    for kilobytes, stage in zip(romfs.SAVES_KB, ("import", "loaded"), strict=True):
        saved = found[f"small_live_{stage}"] - found[f"small_live_{stage}_rom"]
        assert abs(saved / 1024 - kilobytes) <= 1
