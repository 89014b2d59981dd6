# SPDX-License-Identifier: MIT
"""`onemo test-device`: runs tests_device on a board, virtual or real, through mpremote."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onemo_board.errors import MpremoteError, MpremoteTimeout
from onemo_board.mpremote import mpremote

from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT

FOLDER = "tests_device"
_FILE_S = 180.0  # the tests of one file
_SHORT_S = 30.0
_AGAIN_S = 0.5
_WITH_MODULE = "test_module"  # tests whose file's name begins so need a module at the UART

_RUN = f"""
import sys
sys.path.insert(0, {FOLDER!r})
import unittest
unittest.main(%r)
"""
_BEFORE = f"""
import sys
sys.path.insert(0, {FOLDER!r})
import %s
"""
_CLEAN = f"""
import os
try:
    for name in os.listdir({FOLDER!r}):
        os.remove({FOLDER!r} + '/' + name)
    os.rmdir({FOLDER!r})
except OSError:
    pass
"""


class DeviceTestError(Exception):
    """The tests cannot be run; the message says why."""


@dataclass
class Results:
    """Full names of the tests that ran and of those that failed, and what they said."""

    ran: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    output: dict[str, str] = field(default_factory=dict)  # file -> what it printed


def names(real_module: bool, root: Path = ROOT) -> list[str]:
    """The test files, without suffix: those that need a module, or those that do not."""
    found = sorted(path.stem for path in (root / FOLDER).glob("test_*.py"))
    return [name for name in found if name.startswith(_WITH_MODULE) == real_module]


def run(
    port: str,
    config: dict[str, Any],
    *,
    real_module: bool = False,
    only: str | None = None,
    root: Path = ROOT,
    say: Callable[[str], object] = lambda line: None,
) -> Results:
    """Puts library and tests on the board, runs them, takes the tests away again.

    `config`: a config.json, of which "uart" is used. Without `real_module` TX has to be wired to
    RX; with it, a module has to be at the UART. `only`: one file's name. DeviceTestError,
    deploy.DeployError, mpremote's errors.
    """
    if not isinstance(config, dict) or not isinstance(config.get("uart"), dict):
        raise DeviceTestError('the config has no "uart", an object such as {"id": 1, ...}')
    chosen = [name for name in names(real_module, root) if only in (None, name)]
    if not chosen:
        raise DeviceTestError(
            f"there is no {only}; there are {', '.join(names(real_module, root))}"
        )
    files = library(root)
    for path in sorted((root / FOLDER).glob("*.py")):
        files[f"{FOLDER}/{path.name}"] = path.read_bytes()
    files[f"{FOLDER}/config.json"] = json.dumps({"uart": config["uart"]}).encode()
    deploy(port, files)
    results = Results()
    try:
        for name in chosen:
            before = name.replace("test_", "before_", 1)
            if (root / FOLDER / f"{before}.py").exists():
                _run_before(port, before)
            _run_file(port, name, results, say)
    finally:
        mpremote(port, "exec", _CLEAN, timeout=_SHORT_S)
    return results


def _run_file(port: str, name: str, results: Results, say: Callable[[str], object]) -> None:
    done = mpremote(port, "exec", _RUN % name, timeout=_FILE_S, check=False, on_line=say)
    results.output[name] = done.stdout + done.stderr
    try:
        summary = json.loads(done.stdout.splitlines()[-1])
        ran, failed = summary["ran"], summary["failed"]
    except (IndexError, ValueError, TypeError, KeyError):
        ran = failed = [f"{name} (ended early)"]
    if not ran:
        ran = failed = [f"{name} (no tests in it)"]
    results.ran += ran
    results.failed += failed


def _run_before(port: str, name: str) -> None:
    """Runs a file that resets the board, and waits until the board answers again."""
    mark = f"print({name!r})"
    mpremote(port, "exec", "--no-follow", _BEFORE % name, timeout=_SHORT_S)
    deadline = time.monotonic() + _SHORT_S
    time.sleep(2 * _AGAIN_S)
    while True:
        try:
            # `resume`: no reset by us, the board's own has to do it
            mpremote(port, "exec", mark, timeout=_SHORT_S / 3, resume=True)
            return
        except (MpremoteError, MpremoteTimeout):
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
