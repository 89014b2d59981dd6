# SPDX-License-Identifier: MIT
"""What pytest does differently for `make mutants`: the quickest tests come first, for most mutants
die in those; a test that computes for ever is told apart from one that fails. What counts is the
processor's time, for a busy machine kills no mutant."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STATS = Path("mutmut-stats.json")  # what mutmut measured, in the folder that it runs tests in
TIMEOUT = 36  # exit status by which mutmut knows a timeout
LEAST = 4.0  # s of processor time that each test has
TIMES = 10.0  # what it may take of what it took unharmed

seconds: dict[str, float] = {}  # by test, unharmed


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """The quickest first."""
    if STATS.exists():
        seconds.update(json.loads(STATS.read_text())["duration_by_test"])
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """A limit in processor time for each test that was measured."""
    if item.nodeid in seconds:
        signal.signal(signal.SIGPROF, lambda *_: os._exit(TIMEOUT))
        signal.setitimer(signal.ITIMER_PROF, max(LEAST, TIMES * seconds[item.nodeid]))
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def pytest_exception_interact(call: Any) -> None:
    """pytest-timeout has ended a test that waits for ever, and so the run."""
    if str(call.excinfo.value).startswith("Timeout (>"):
        os._exit(TIMEOUT)
