# SPDX-License-Identifier: MIT
"""The same counts on a 32-bit heap: MicroPython's WebAssembly build from npm, run by node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from onemo_tools.deploy.packages import ROOT

from .device import BenchError, Device

_PROJECT = ROOT / "tools" / "wasm"
_FILES = ("package.json", "package-lock.json", "measure.mjs")
_INSTALL_S = 180.0
_RUN_S = 60.0


def measure(device: Device, build: Path = ROOT / "build" / "wasm") -> dict[str, Any] | str:
    """What measure.mjs found; where node or npm is missing, or npm cannot fetch, a sentence that
    says so. BenchError where it is there and does not run."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            return f"no 32-bit figures: {program} is not installed"
    build.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copy(_PROJECT / name, build / name)
    fetched = _call(["npm", "ci", "--no-audit", "--no-fund"], build, _INSTALL_S)
    if fetched.returncode:
        return f"no 32-bit figures: npm ci failed, {_last(fetched)}"
    done = _call(["node", "measure.mjs", str(device.folder)], build, _RUN_S)
    if done.returncode:
        raise BenchError(f"measure.mjs: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _call(command: list[str], folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no end within {seconds:.0f} s")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
