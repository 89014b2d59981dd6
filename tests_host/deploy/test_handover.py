# SPDX-License-Identifier: MIT
"""Private keys on their way to a board: in no file of this PC, however deploy ends."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from onemo_board import VirtualBoard, images
from onemo_board.errors import MpremoteError
from onemo_tools.deploy import deployment, handover
from onemo_tools.deploy.handover import Handover, has_memory_files

KEY = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----\n"
CHILD = """
import subprocess, sys, time
from onemo_tools.deploy import handover
if sys.argv[1] == "folder":
    handover.has_memory_files = lambda: False
with handover.Handover() as local:
    path = local.path({key!r})
    assert open(path, "rb").read() == {key!r}
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The temporary folder of this process, and of those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    tempfile.tempdir = None


@pytest.fixture(params=["memory", "folder"])
def way(request, monkeypatch):
    """As on Linux, and as where there is no memory that looks like a file."""
    if request.param == "memory" and not has_memory_files():
        pytest.skip("memory has no paths here")
    monkeypatch.setattr(handover, "has_memory_files", lambda: request.param == "memory")
    return request.param


def keys_in(folder):
    return [path for path in folder.rglob("*") if path.is_file() and KEY in path.read_bytes()]


def test_mpremote_gets_the_key_and_no_folder_does(way, temporary, tmp_path, monkeypatch):
    seen = []
    real = deployment.mpremote

    def watching(port, *words, **options):
        if "cp" in words:
            seen.append([words, keys_in(temporary)])
            for path in keys_in(temporary):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        return real(port, *words, **options)

    monkeypatch.setattr(deployment, "mpremote", watching)
    with VirtualBoard(tmp_path / "flash.img") as board:
        files = {"certs/client.key": KEY, "config.json": b"{}", "lib/a/b.py": b"x = 1\n"}
        done = deployment.deploy(board.port, files)
        assert sorted(done.copied) == sorted(files)
    found = images.read_files(tmp_path / "flash.img")
    assert {path: found[f"/{path}"] for path in files} == files
    [[words, on_disk]] = seen
    assert len(on_disk) == (way == "folder")
    assert not any(KEY.decode()[28:40] in word for word in words)
    assert keys_in(temporary) == []


def test_after_a_failure_nothing_is_left(way, temporary, tmp_path, monkeypatch):
    calls = []

    def broken(port, *words, **options):
        if "cp" not in words:
            return real(port, *words, **options)
        local = words[words.index("cp") + 2]
        calls.append(local)
        assert Path(local).exists()
        raise MpremoteError(words, 1, "", "it was unplugged")

    real = deployment.mpremote
    monkeypatch.setattr(deployment, "mpremote", broken)
    with VirtualBoard(tmp_path / "flash.img") as board, pytest.raises(MpremoteError):
        deployment.deploy(board.port, {"certs/client.key": KEY})
    assert len(calls) == 1
    assert not Path(calls[0]).exists()
    assert keys_in(temporary) == []


@pytest.mark.parametrize(
    ("form", "number"),
    [("memory", signal.SIGKILL), ("memory", signal.SIGTERM), ("folder", signal.SIGTERM)],
)
def test_who_is_killed_leaves_nothing(form, number, temporary):
    if form == "memory" and not has_memory_files():
        pytest.skip("memory has no paths here")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(key=KEY), form], stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"ready\n"
    assert len(keys_in(temporary)) == (form == "folder")
    child.send_signal(number)
    assert child.wait(20) != 0
    child.stdout.close()
    assert keys_in(temporary) == []


def test_sigterm_is_as_before_afterwards(monkeypatch, temporary):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(handover, "has_memory_files", lambda: False)
    with Handover() as local:
        assert Path(local.path(b"1")).read_bytes() == b"1"
        assert Path(local.path(b"2")).read_bytes() == b"2"
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_descriptors_are_closed():
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with Handover() as local:
        paths = [local.path(bytes([n]) * 100_000) for n in range(60)]
        assert [Path(path).read_bytes()[:1] for path in paths] == [bytes([n]) for n in range(60)]
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) == len(before)
