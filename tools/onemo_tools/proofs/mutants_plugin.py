# SPDX-License-Identifier: MIT
"""What pytest does differently for `make mutants`: the quickest tests come first, for most mutants
die in those; a test that runs for ever is told apart from one that fails."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

STATS = Path("mutmut-stats.json")  # what mutmut measured, in the folder that it runs tests in
TIMEOUT = 36  # exit status by which mutmut knows a timeout


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """The quickest first."""
    if STATS.exists():
        seconds = json.loads(STATS.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


def pytest_exception_interact(call: Any) -> None:
    """pytest-timeout has ended a test, and so the run."""
    if str(call.excinfo.value).startswith("Timeout (>"):
        os._exit(TIMEOUT)
