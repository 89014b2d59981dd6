# SPDX-License-Identifier: MIT
"""What `make release` builds can be installed, and is the same each time."""

import functools
import hashlib
import http.server
import re
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import onemo
import pytest
from onemo_board import VirtualBoard, mpremote
from onemo_tools.deploy import packages, release
from onemo_tools.deploy.packages import ROOT
from onemo_tools.deploy.release import ReleaseError

VERSION = onemo.__version__


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release") / "out"
    release.build(folder)
    return folder


def test_everything_is_there_with_its_checksum(built):
    names = {path.name for path in built.iterdir() if path.is_file()}
    assert names == {
        f"onemo_tools-{VERSION}-py3-none-any.whl",
        f"onemo_simulator-{VERSION}-py3-none-any.whl",
        f"onemo_tools-{VERSION}.tar.gz",
        f"onemo-{VERSION}-py.tar.gz",
        f"onemo-{VERSION}-mpy-6.tar.gz",
        f"onemo-{VERSION}-freeze.tar.gz",
        "NOTES.md",
        "SHA256SUMS",
    }
    sums = dict(
        reversed(line.split("  ")) for line in (built / "SHA256SUMS").read_text().splitlines()
    )
    assert set(sums) == names - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((built / name).read_bytes()).hexdigest() == digest


def test_the_same_tree_gives_the_same_bytes(built, tmp_path):
    release.build(tmp_path / "again")
    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (built / "SHA256SUMS").read_text()


def test_what_is_frozen_is_the_library(built, tmp_path):
    with tarfile.open(built / f"onemo-{VERSION}-freeze.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    frozen = {path.name for path in (tmp_path / "lib" / "onemo").iterdir()}
    assert frozen == {f"{name}.py" for name in packages.modules()}
    named = set(re.findall(r'"(\w+\.py)"', (tmp_path / "manifest.py").read_text()))
    assert named == frozen
    assert f'version="{VERSION}"' in (tmp_path / "manifest.py").read_text()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def web(built):
    """The unpacked packages at a web server; its address."""
    handler = functools.partial(Quiet, directory=str(built / "mip"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize(
    ("package", "part"), [("mpy-6/package.json", None), ("py/provision.json", "provision")]
)
def test_mip_installs_from_the_web(web, tmp_path, package, part):
    with VirtualBoard(tmp_path / "flash.img", heap="512K") as board:
        mpremote(board.port, "mip", "install", f"{web}/{package}", timeout=100)
        listed = mpremote(board.port, "fs", "ls", "lib/onemo").stdout.splitlines()[1:]
        found = {Path(line.split()[1]).stem for line in listed}
        wanted = packages.parts()[part] if part else packages.modules()
        assert found == set(wanted)
        said = mpremote(board.port, "exec", "import onemo; print(onemo.__version__, onemo.Modem)")
        assert said.stdout.startswith(f"{VERSION} <class 'Modem'>")


# Its words


CHANGES = """# Changelog

## Unreleased: 0.3.0

- New.

## 0.2.1 (2026-01-02)

- Mended:
  a thing.

## 0.2.0 (2026-01-01)

- First.
"""


def test_notes_are_the_versions_section():
    assert release.notes(CHANGES, "0.2.1", True) == "# onemo 0.2.1\n\n- Mended:\n  a thing.\n"
    assert release.notes(CHANGES, "0.2.0", True).endswith("- First.\n")
    assert "New." in release.notes(CHANGES, "0.3.0", False)
    for version, tagged, said in (
        ("0.3.0", True, "calls 0.3.0 unreleased"),
        ("0.2", False, "no section on 0.2"),
        ("0.2.2", True, "no section on 0.2.2"),
    ):
        with pytest.raises(ReleaseError, match=said):
            release.notes(CHANGES, version, tagged)


@pytest.mark.parametrize("tag", ["0.1.0", "v9.9.9", f"v{VERSION}-rc1"])
def test_a_tag_names_the_version(tag, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "onemo_tools.deploy.release", "--tag", tag, "--target", tmp_path],
        env={"PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'lib'}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"release: the tag is {tag}, but lib/onemo/__init__.py says")
    release.check_tag(f"v{VERSION}", VERSION)


def test_the_version_is_in_one_place():
    """What else has it is generated, or reads it."""
    quoted = re.compile(rf'["\']{re.escape(VERSION)}["\']')
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if len(tracked) < 2:
        pytest.skip("no checkout of git")
    generated = {"package.json", "manifest.py", *(f"lib/{part}.json" for part in packages.PARTS)}
    holders = {
        name
        for name in tracked
        if name.endswith((".py", ".toml", ".json", ".cfg"))
        and (ROOT / name).is_file()
        and not name.startswith(("tests_host/", "tools/wasm/"))
        and quoted.search((ROOT / name).read_text(encoding="utf-8"))
    }
    assert holders - generated == {"lib/onemo/__init__.py"}


def test_ci_runs_what_must_hold():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert "bash .ci/run" in text and 'make release TAG="$GITHUB_REF_NAME"' in text
