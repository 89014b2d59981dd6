# SPDX-License-Identifier: MIT
"""Wheels as `pip install` builds them, in environments with nothing else but what they declare."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("purelib"))


def build(project, folder):
    """The wheel of a project's folder; needs no network."""
    words = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    _pip(*words, "--wheel-dir", folder, project)
    [wheel] = folder.glob("*.whl")
    return wheel


def _pip(*words):
    done = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def declared(wheel, extra=""):
    """Names of the distributions that a wheel needs on this system, and those that these need."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(name).decode()
    own = re.search(r"^Name: (.*)$", text, re.MULTILINE).group(1)
    pending = [(Requirement(r), extra) for r in re.findall(r"^Requires-Dist: (.*)$", text, re.M)]
    found = set()
    while pending:
        requirement, wanted = pending.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": wanted}):
            continue
        name = requirement.name.lower().replace("_", "-")
        if name == own:
            pending += [
                (Requirement(r), one)
                for r in re.findall(r"^Requires-Dist: (.*)$", text, re.M)
                for one in requirement.extras
            ]
        elif name not in found:
            found.add(name)
            there = metadata.distribution(name)
            assert requirement.specifier.contains(there.version), requirement
            pending += [(Requirement(r), "") for r in there.requires or ()]
    return found


class Environment:
    """A virtual environment with one wheel, and what it declares out of this one."""

    def __init__(self, folder, wheel, extra=""):
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        [site] = folder.glob("lib/python*/site-packages")
        for name in declared(wheel, extra):
            for file in metadata.distribution(name).files or ():
                top = file.parts[0]
                if top != ".." and not (site / top).exists() and (SITE / top).exists():
                    (site / top).symlink_to(SITE / top)
        _pip("--python", self.bin / "python", "install", "--no-deps", "--no-index", wheel)

    def environ(self, **variables):
        gone = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in gone}
        return {**kept, "COLUMNS": "100", **variables}

    def run(self, command, *words, cwd="/", timeout=60, **variables):
        return subprocess.run(
            [str(self.bin / command), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=cwd,
            env=self.environ(**variables),
        )

    def start(self, command, *words):
        return subprocess.Popen(
            [str(self.bin / command), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=self.environ(),
        )


@pytest.fixture(scope="session")
def tools_wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def simulator_wheel(tmp_path_factory):
    return build(ROOT / "tools" / "onemo_simulator", tmp_path_factory.mktemp("simulator"))


@pytest.fixture(scope="session")
def installed(tools_wheel, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("installed") / "venv", tools_wheel)


@pytest.fixture(scope="session")
def simulator(simulator_wheel, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("alone") / "venv", simulator_wheel)
