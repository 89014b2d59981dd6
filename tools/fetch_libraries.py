# SPDX-License-Identifier: MIT
"""Fetches the MicroPython libraries that the tests run on the module, and the driver that
`make bench` measures beside ours, as their authors published them: `make libraries`.

python tools/fetch_libraries.py tools/requirements/micropython.txt .venv/micropython

pip downloads their archives and checks their hashes, but does not install them, for they have no
setup.py: they were made for MicroPython's old `upip`. So pip ends with an error after it has
unpacked one, and `--no-clean` lets it leave there what it has unpacked.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_PIP = "download --no-deps --no-binary :all: --no-build-isolation --no-clean --require-hashes"
_QUIET = "--quiet --disable-pip-version-check"


def requirements(text: str) -> list[str]:
    """The entries of a requirements file, each on one line with its hashes."""
    joined = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in joined if line.strip() and not line.startswith("#")]


def unpacked(entry: str, folder: Path) -> Path:
    """Where pip has unpacked the archive of `entry`, below `folder`."""
    one = folder / "one.txt"
    one.write_text(entry + "\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            *_PIP.split(),
            *_QUIET.split(),
            "-d",
            folder / "d",
            "-r",
            one,
        ],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [path for path in folder.glob("pip-download-*/*/") if any(path.rglob("*.py"))]
    if len(found) != 1:
        raise SystemExit(f"pip could not get {entry.partition(' ')[0]}:\n{done.stderr}")
    return found[0]


def fetch(file: Path, target: Path) -> None:
    """Every library of a requirements file, all in `target`, as `upip` installed them."""
    if target.exists():
        shutil.rmtree(target)
    for entry in requirements(file.read_text(encoding="utf-8")):
        with tempfile.TemporaryDirectory() as folder:
            source = unpacked(entry, Path(folder))
            for path in source.rglob("*.py"):
                if path.name != "setup.py" and not path.is_symlink():
                    copy = target / path.relative_to(source)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, copy)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/fetch_libraries.py REQUIREMENTS FOLDER")
    fetch(Path(sys.argv[1]), Path(sys.argv[2]))
