# SPDX-License-Identifier: MIT
"""A MicroPython firmware for the RP2040, built from Debian's own sources: as a plain Pico has it,
and once more with `tls`, as the boards with a network have it. `frozen` builds one with modules of
ours in it.

    python -m onemo_board.rp2040.firmware     builds both unless they are there; says what they are

Debian 12 has no source of MicroPython 1.26, newer suites have. They are asked through a package
list of our own, in a private folder, at the mirror that this machine uses anyway: nothing of them
is installed. What is installed, where it is missing, is this machine's own tool chain.
"""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import uf2
from .prepare import HERE, Missing, cache, call, digest, emulator, made

OLDEST = (1, 26)
_SUITES = ("trixie", "forky", "sid")
# What is known to build, taken where a mirror has it; else the newest that it has.
_PINS = {
    "micropython": "1.26.1+ds-1",
    "pico-sdk-source": "2.1.1-1",
    "tinyusb-source": "0.18.0+dfsg-1",
    "mbedtls": "3.6.7-3",
}
_SOURCES = ("micropython", "mbedtls")  # source packages; the others are binary ones
_BOARD = "ONEMO_PICO"
_WITH_TLS = "SSL"  # the board's variant
_RECIPE = 2  # to be counted up when what is done below makes another firmware
# Debian package -> what shows that it is there
_TOOLS = {
    "gcc-arm-none-eabi": "arm-none-eabi-gcc",
    "libnewlib-arm-none-eabi": "/usr/lib/arm-none-eabi/include/stdio.h",
    "libstdc++-arm-none-eabi-newlib": "/usr/lib/arm-none-eabi/newlib/libstdc++_nano.a",
    "cmake": "cmake",
    "make": "make",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "dpkg-dev": "dpkg-source",
    "xz-utils": "xz",
    "bzip2": "bzip2",
    "patch": "patch",
}
_APT_S, _BUILD_S = 600.0, 1500.0
_JOBS = f"-j{os.cpu_count() or 1}"
_MIRROR = re.compile(r"^\s*deb(?:\s+\[[^\]]*\])?\s+(\S+)\s+\S+\s+.*\bmain\b")

Say = Callable[[str], object]


@dataclass(frozen=True)
class Firmware:
    """What was built, and of what: Debian package -> version."""

    uf2: Path
    with_tls: Path  # .uf2; keeps its files where the other one does
    symbols: Path  # of `uf2`: addresses and names, as nm prints them
    versions: dict[str, str]

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{_BOARD}, without and with tls, of {parts}"


def firmware(say: Say = lambda text: None) -> Firmware:
    """The firmware; built, in some minutes, if it is not in the cache. Missing, where it cannot
    be."""
    recipe = f"{_RECIPE}-{digest(*(HERE / _BOARD).iterdir())}"
    found = sorted(cache().glob(f"firmware-{recipe}-*"), key=lambda path: path.stat().st_mtime)
    if not found:
        found = [_build(recipe, say)]
    folder = found[-1]
    versions = json.loads((folder / "versions.json").read_text())
    uf2s = folder / "firmware.uf2", folder / "firmware-tls.uf2"
    return Firmware(*uf2s, folder / "firmware.sym", versions)


def frozen_path(built: Firmware, manifest: Path, sources: Iterable[Path]) -> Path:
    """Where the .uf2 is that `frozen` builds, once it has."""
    modules = digest(manifest, *sources)
    return cache() / f"frozen-{modules}-{built.uf2.parent.name}" / "firmware.uf2"


def frozen(
    built: Firmware, manifest: Path, sources: Iterable[Path], say: Say = lambda text: None
) -> Path:
    """`built` once more, of the same packages, with the modules `sources` frozen in as `manifest`
    says: a .uf2; built, in some minutes, if it is not in the cache. Missing, where it cannot."""
    target = frozen_path(built, manifest, sources)
    if not target.exists():
        _install_tools(say)
        with tempfile.TemporaryDirectory(prefix="onemo-firmware-") as work:
            apt = _Apt(Path(work))
            apt.update()
            tree = apt.unpack(built.versions)
            both = tree.parent / "manifest.py"
            both.write_text(f'include("$(BOARD_DIR)/manifest.py")\ninclude("{manifest}")\n')
            say(f"building the firmware with what {manifest.name} freezes, some minutes")

            def compile_into(folder: Path) -> None:
                _compile_tool(tree)
                _compile_image(tree, folder, "firmware", MICROPY_FROZEN_MANIFEST=str(both))

            made(target.parent, compile_into)
    return target


def _build(recipe: str, say: Say) -> Path:
    _install_tools(say)
    with tempfile.TemporaryDirectory(prefix="onemo-firmware-") as work:
        apt = _Apt(Path(work))
        say("reading the package lists of " + ", ".join(_SUITES))
        apt.update()
        versions = {name: apt.versions(name) for name in _PINS}
        usable = [v for v in versions["micropython"] if _numbers(v) >= OLDEST]
        if not usable:
            newest = versions["micropython"][0] if versions["micropython"] else "none"
            raise Missing(
                "no suite of Debian's mirror here has the source of MicroPython "
                f"{_dotted(OLDEST)} or newer (the newest is {newest})"
            )
        chosen = {}
        for name, pin in _PINS.items():
            if not versions[name]:
                raise Missing(f"Debian's mirror here has no {name}")
            chosen[name] = pin if pin in versions[name] else versions[name][0]
        chosen["gcc-arm-none-eabi"] = _gcc()
        usable.sort(key=lambda version: version != _PINS["micropython"])  # the pinned one first
        for turn, version in enumerate(usable):
            try:
                return _attempt(apt, {**chosen, "micropython": version}, recipe, say)
            except Missing as error:
                if turn == len(usable) - 1:
                    raise
                say(f"with MicroPython {version}: {error}")
    raise AssertionError("there was one at least")


def _attempt(apt: "_Apt", chosen: dict[str, str], recipe: str, say: Say) -> Path:
    """Fetches and builds what was chosen; its folder in the cache."""
    target = cache() / f"firmware-{recipe}-{'-'.join(chosen.values()).replace(':', '_')}"
    say("fetching " + ", ".join(f"{name} {chosen[name]}" for name in _PINS))
    tree = apt.unpack(chosen)
    say("building the firmware, without and with tls, some minutes")
    start = time.monotonic()
    made(target, lambda folder: _compile(tree, folder, chosen))
    say(f"built in {time.monotonic() - start:.0f} s")
    return target


def _compile(tree: Path, folder: Path, versions: dict[str, str]) -> None:
    _compile_tool(tree)
    _compile_image(tree, folder, "firmware")
    _compile_image(tree, folder, "firmware-tls", MICROPY_BOARD_VARIANT=_WITH_TLS)
    (folder / "versions.json").write_text(json.dumps(versions))


def _compile_tool(tree: Path) -> None:
    call(["make", _JOBS, "-C", "mpy-cross"], tree, _BUILD_S, "mpy-cross does not build")


def _compile_image(tree: Path, folder: Path, name: str, **more: str) -> None:
    """`name`.uf2 and its symbols; `more`: options of the port's CMake."""
    out = tree.parent / name
    options = {
        "MICROPY_BOARD": _BOARD,
        "MICROPY_BOARD_DIR": str(HERE / _BOARD),
        "PICO_NO_PICOTOOL": "1",
        "PICO_BUILD_DOCS": "0",
        "Python3_EXECUTABLE": sys.executable,
        **more,
    }
    words = [f"-D{option}={value}" for option, value in options.items()]
    failed = "the firmware does not build"
    call(["cmake", "-S", "ports/rp2", "-B", str(out), *words], tree, _BUILD_S, failed)
    call(["make", _JOBS, "-C", str(out)], tree, _BUILD_S, failed)
    image = (out / "firmware.bin").read_bytes()
    (folder / f"{name}.uf2").write_bytes(uf2.write(image))
    symbols = call(["arm-none-eabi-nm", "-n", str(out / "firmware.elf")], out, _BUILD_S, failed)
    (folder / f"{name}.sym").write_text(symbols)


# -- this machine's tool chain -----------------------------------------------------------------
def _install_tools(say: Say) -> None:
    missing = [name for name, sign in _TOOLS.items() if not _there(sign)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Missing(
            f"{', '.join(missing)} of Debian's packages are missing, and this is no Debian: "
            "install an ARM tool chain with newlib, CMake and dpkg-dev by its own means"
        )
    if os.geteuid():
        raise Missing(
            f"{', '.join(missing)} are missing, and only root can install them: "
            f"`sudo apt-get install --no-install-recommends {' '.join(missing)}`"
        )
    say("installing " + ", ".join(missing))
    call(["apt-get", "update", "-qq"], Path("/"), _APT_S, "apt-get update fails")
    words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    call(words, Path("/"), _APT_S, "apt-get cannot install the tool chain")


def _there(sign: str) -> bool:
    return Path(sign).exists() if sign.startswith("/") else shutil.which(sign) is not None


def _gcc() -> str:
    done = subprocess.run(
        ["arm-none-eabi-gcc", "-dumpfullversion"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


# -- Debian's sources --------------------------------------------------------------------------
def mirrors(etc: Path = Path("/etc/apt")) -> Iterator[tuple[str, str]]:
    """(address, keyring) of each archive that this machine's own lists name; keyring may be
    empty."""
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            lines = [line for line in stanza.splitlines() if not line.startswith("#")]
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            try:
                parser.read_string("[s]\n" + "\n".join(lines))
            except configparser.Error:
                continue
            fields = parser["s"]
            if "main" not in fields.get("components", "").split():
                continue
            if fields.get("enabled", "yes").lower() not in ("no", "false"):
                for address in fields.get("uris", "").split():
                    yield address, fields.get("signed-by", "").strip()
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        for line in path.read_text().splitlines() if path.exists() else ():
            if found := _MIRROR.match(line):
                yield found[1], ""


class _Apt:
    """apt with folders and lists of its own."""

    def __init__(self, work: Path) -> None:
        self._work = work
        for name in ("lists/partial", "cache/archives/partial"):
            (work / name).mkdir(parents=True)
        addresses = [found for found in mirrors() if "security" not in found[0]]
        if not addresses or not shutil.which("apt-get"):
            raise Missing("this machine has no list of a Debian mirror in /etc/apt")
        address, keyring = addresses[0]
        signed = f"[signed-by={keyring}] " if keyring.startswith("/") else ""
        lines = [
            f"{kind} {signed}{address} {suite} main"
            for suite in _SUITES
            for kind in ("deb", "deb-src")
        ]
        (work / "sources.list").write_text("\n".join(lines) + "\n")
        options = {
            "Dir::Etc::sourcelist": work / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": work / "lists",
            "Dir::Cache": work / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        }
        self._options = [f"-o{name}={value}" for name, value in options.items() if value]

    def update(self) -> None:
        why = "Debian's mirror here does not have the suites " + ", ".join(_SUITES)
        call(["apt-get", *self._options, "update", "-qq"], self._work, _APT_S, why)

    def versions(self, name: str) -> list[str]:
        """What the mirror has of a package, the newest first."""
        words = ["showsrc", "--only-source"] if name in _SOURCES else ["show"]
        try:
            said = call(["apt-cache", *self._options, *words, name], self._work, _APT_S, name)
        except Missing:
            return []
        found = set(re.findall(r"^Version: (\S+)$", said, re.M))
        return sorted(found, key=_numbers, reverse=True)

    def unpack(self, chosen: dict[str, str]) -> Path:
        """Fetches all, and puts MicroPython's tree together; its folder."""
        place = Path(tempfile.mkdtemp(dir=self._work))
        fetched = place / "fetched"
        fetched.mkdir()
        why = "Debian's mirror does not give "
        for name, version in chosen.items():
            if name not in _PINS:
                continue
            word = f"{name}={version}"
            if name in _SOURCES:
                words = ["source", "-qq", "--download-only", "--only-source", word]
            else:
                words = ["download", "-qq", word]
            call(["apt-get", *self._options, *words], fetched, _APT_S, why + word)
        trees = {}
        for name in _PINS:
            trees[name] = place / name
            if name in _SOURCES:
                (dsc,) = fetched.glob(f"{name}_*.dsc")  # apt has checked what it is signed by
                words = ["dpkg-source", "--no-check", "-x", str(dsc), str(trees[name])]
            else:
                (deb,) = fetched.glob(f"{name}_*.deb")
                words = ["dpkg-deb", "-x", str(deb), str(trees[name])]
            call(words, self._work, _APT_S, f"{name} cannot be unpacked")
        tree = trees["micropython"]
        for name, inside, library in (
            ("pico-sdk-source", "usr/src/pico-sdk", "pico-sdk"),
            ("tinyusb-source", "usr/src/tinyusb", "tinyusb"),
            ("mbedtls", ".", "mbedtls"),
        ):
            shutil.copytree(
                trees[name] / inside, tree / "lib" / library, symlinks=True, dirs_exist_ok=True
            )
        for library in ("pico-sdk", "micropython-lib"):
            (tree / "lib" / library / "README.md").touch()  # their sign of being there
        return tree


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", re.split(r"[+-]", version, maxsplit=1)[0])))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> None:
    try:
        emulator(print)
        found = firmware(print)
    except Missing as error:
        sys.exit(f"silicon: {error}")
    print(f"firmware: {found}")


if __name__ == "__main__":
    main()
