# SPDX-License-Identifier: MIT
"""Everything of a release, in build/release: `make release`, `make release TAG=v0.1.0`.

    onemo_tools-V-py3-none-any.whl, onemo_simulator-V-py3-none-any.whl, onemo_tools-V.tar.gz
    mip/py/, mip/mpy-6/      what mip installs: package.json, one file a part, modules
    onemo-V-py.tar.gz, onemo-V-mpy-6.tar.gz, onemo-V-freeze.tar.gz
    NOTES.md                 the version's section of CHANGELOG.md
    SHA256SUMS

The same tree gives the same bytes.
"""

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from onemo_tools.deploy import mpy, packages
from onemo_tools.deploy.packages import ROOT

_HEADING = re.compile(r"^## (?P<title>.*)$", re.MULTILINE)
_EPOCH = 1577836800  # 2020-01-01, the date of every file in an archive


class ReleaseError(Exception):
    """It cannot be released as it is; the message says what to do."""


def notes(changelog: str, version: str, tagged: bool) -> str:
    """The version's section. ReleaseError where there is none, or where it is still called
    unreleased although a tag is made."""
    headings = list(_HEADING.finditer(changelog))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        title = heading["title"]
        if version not in re.findall(r"\d+\.\d+\.\d+\S*", title):
            continue
        if tagged and "unreleased" in title.lower():
            raise ReleaseError(
                f"CHANGELOG.md calls {version} unreleased: make it `## {version} (date)` first"
            )
        text = changelog[heading.end() : following.start() if following else None].strip()
        if not text:
            raise ReleaseError(f"CHANGELOG.md says nothing of {version}")
        return f"# onemo {version}\n\n{text}\n"
    raise ReleaseError(f"CHANGELOG.md has no section on {version}")


def check_tag(tag: str, version: str) -> None:
    """ReleaseError unless a tag names the version."""
    if tag != f"v{version}":
        raise ReleaseError(
            f"the tag is {tag}, but lib/onemo/__init__.py says {version}: tag it v{version}, or "
            "change __version__ and run `make packages`"
        )


def build(target: Path, root: Path = ROOT, tag: str = "") -> list[Path]:
    """All files but those below mip/, of which there are archives. ReleaseError."""
    version = packages.version(root)
    if tag:
        check_tag(tag, version)
    said = notes((root / "CHANGELOG.md").read_text(encoding="utf-8"), version, bool(tag))
    for path, text in packages.listings(root).items():
        if (root / path).read_text(encoding="utf-8") != text:
            raise ReleaseError(f"{path} is not as `make packages` writes it: run that, and commit")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    _build_wheels(target, root)
    for name, write in (("py", packages.write_py), (f"mpy-{mpy.VERSION}", packages.write_mpy)):
        folder = target / "mip" / name
        write(folder, root)
        _pack(target / f"onemo-{version}-{name}.tar.gz", folder, sorted(folder.rglob("*")))
    frozen = [root / "manifest.py", root / "LICENSE"]
    frozen += [root / "lib" / "onemo" / f"{name}.py" for name in packages.modules(root)]
    _pack(target / f"onemo-{version}-freeze.tar.gz", root, frozen)
    (target / "NOTES.md").write_text(said, encoding="utf-8")
    made = sorted(path for path in target.iterdir() if path.is_file())
    sums = "".join(f"{_sha256(path)}  {path.name}\n" for path in made)
    (target / "SHA256SUMS").write_text(sums, encoding="ascii")
    return [*made, target / "SHA256SUMS"]


def _build_wheels(target: Path, root: Path) -> None:
    for project, kinds in (
        (root, ("wheel", "sdist")),
        (root / "tools/onemo_simulator", ("wheel",)),
    ):
        for kind in kinds:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
                cwd=project,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ReleaseError(f"{project} gives no {kind}: {done.stderr.strip()}")


def _pack(archive: Path, base: Path, files: Iterable[Path]) -> None:
    """A .tar.gz that is the same for the same content: no date, no owner."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in files:
            if path.is_file():
                info = tarfile.TarInfo(path.relative_to(base).as_posix())
                content = path.read_bytes()
                info.size, info.mtime, info.mode = len(content), _EPOCH, 0o644
                tar.addfile(info, io.BytesIO(content))
    with open(archive, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=_EPOCH) as packed:
        packed.write(held.getvalue())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(
    tag: Annotated[str, typer.Option(help="The tag that it is built for, v0.1.0 say.")] = "",
    target: Annotated[Path, typer.Option(help="Where to.")] = ROOT / "build" / "release",
) -> None:
    """Builds everything of a release."""
    try:
        made = build(target, tag=tag)
    except (ReleaseError, mpy.CompileError, OSError) as error:
        typer.echo(f"release: {error}", err=True)
        raise typer.Exit(1) from None
    for path in made:
        typer.echo(f"{path.stat().st_size:>8} bytes  {path.name}")


if __name__ == "__main__":
    typer.run(main)
