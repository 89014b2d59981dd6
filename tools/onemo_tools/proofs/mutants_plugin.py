# SPDX-License-Identifier: MIT
"""pytest's part of `make mutants`: instead of running the tests once, it tries mutants on them.

The tests are collected once. One child process then runs them all on the unharmed driver, notes
how long each takes and which functions it reaches. After that each mutant has a child of its own,
in which the tests that reach its function run up to the first that fails: those first that have
killed mutants of this function before, then the quickest. A child begins with what was collected
and nothing else, so that what a test leaves in the library is not there for the next mutant.

What counts is the processor's time, for a busy machine kills no mutant. Only for developers'
machines, which have fork()."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WORK = "ONEMO_MUTANTS"  # in the environment: a file of {"mutants": [...], "jobs": n}
TIMEOUT = 36  # exit status of a child whose test ran for ever
LEAST = 2.0  # s of processor time that each test has
TIMES = 10.0  # what it may take of what it took unharmed
MEMORY = 3 << 30  # bytes of address space a child may take: some mutants fill what there is
SURVIVED, KILLED = 0, 1  # exit statuses

seconds: dict[str, float] = {}  # of processor time, by test, unharmed


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
    if WORK in os.environ and str(call.excinfo.value).startswith("Timeout (>"):
        os._exit(TIMEOUT)


class Reports:
    """What a child hears of its tests."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, str]] = []  # test, and why

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append((report.nodeid, report.longreprtext))


def child(work: Callable[[Any], int], file: Path) -> int:
    """Does `work` in a process of its own; its number. What it writes is in `file`."""
    number = os.fork()
    if number:
        return number
    status = KILLED
    try:
        with file.open("w") as told:
            status = work(told)
    except BaseException:  # a mutant may raise anything, and it must not get out
        status = KILLED
    finally:
        os._exit(status)


def run(session: Any, items: list[Any], after: Callable[[Any], None]) -> list[tuple[str, str]]:
    """Runs tests up to the first that fails; what failed, and why."""
    reports = Reports()
    session.config.pluginmanager.register(reports)
    terminal = session.config.pluginmanager.getplugin("terminalreporter")
    if terminal:
        terminal._tw._file = open(os.devnull, "w")
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        after(item)
        if reports.failed:
            break
    return reports.failed


def measure(session: Any, told: Any) -> int:
    """Every test on the unharmed driver: seconds and functions of each, or what failed."""
    from mutmut.configuration import config
    from mutmut.mutation.trampoline import set_mutant_under_test
    from mutmut.state import state

    config()  # it is found where we are now, which tests may leave
    set_mutant_under_test("stats")
    found: dict[str, tuple[float, list[str]]] = {}
    began = time.process_time()

    def after(item: Any) -> None:
        nonlocal began
        now = time.process_time()
        found[item.nodeid] = now - began, sorted(state()._stats)
        state()._stats.clear()
        began = now

    failed = run(session, session.items, after)
    json.dump({"failed": failed, "tests": found}, told)
    return SURVIVED


def attempt(session: Any, name: str, items: list[Any], told: Any) -> int:
    """One mutant: whether a test notices it, and which."""
    from mutmut.mutation.trampoline import set_mutant_under_test

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    set_mutant_under_test(name)
    failed = run(session, items, lambda item: None)
    told.write("".join(test for test, _ in failed[:1]))
    return KILLED if failed else SURVIVED


class Trials:
    """All mutants of a run, one after the other or some at a time."""

    def __init__(self, session: Any, tests: dict[str, Any], file: Path) -> None:
        self._session = session
        self._file = file
        self._killers: dict[str, list[str]] = {}  # by function, the latest first
        self._reaching: dict[str, list[Any]] = {}  # by function, the quickest first
        self._running: dict[int, tuple[str, Path]] = {}
        self.verdicts: dict[str, str] = {}
        for item in sorted(session.items, key=lambda item: tests[item.nodeid][0]):
            for reached in tests[item.nodeid][1]:
                self._reaching.setdefault(reached, []).append(item)

    def begin(self, name: str) -> None:
        """Tries a mutant, unless no test reaches it."""
        items = self._reaching.get(function_of(name), [])
        if not items:
            self.verdicts[name] = "no tests"
            return
        killers = self._killers.get(function_of(name), [])
        order = {test: place for place, test in enumerate(killers)}
        items = sorted(items, key=lambda item: order.get(item.nodeid, len(order)))
        file = self._file.with_suffix(f".{len(self.verdicts) + len(self._running)}")
        number = child(lambda told: attempt(self._session, name, items, told), file)
        self._running[number] = name, file

    def wait(self, most: int) -> None:
        """Waits until no more than `most` are being tried."""
        while len(self._running) > most:
            number, status = os.waitpid(-1, 0)
            if number not in self._running:
                continue
            name, file = self._running.pop(number)
            code = os.waitstatus_to_exitcode(status)
            self.verdicts[name] = {
                SURVIVED: "survived",
                KILLED: "killed",
                TIMEOUT: "timeout",
                -signal.SIGPROF: "timeout",
            }.get(code, "crashed")
            if killer := file.read_text():
                killers = self._killers.setdefault(function_of(name), [])
                if killer in killers:
                    killers.remove(killer)
                killers.insert(0, killer)
            file.unlink()


def function_of(name: str) -> str:
    """The function of a mutant, as mutmut writes it."""
    return name.partition("__mutmut_")[0]


def pytest_runtestloop(session: Any) -> bool | None:
    """In place of pytest's: the mutants of the file in WORK. What became of them is written beside
    it."""
    if WORK not in os.environ:
        return None
    file = Path(os.environ[WORK])
    work = json.loads(file.read_text())
    gc.freeze()
    report = file.with_suffix(".tests")
    os.waitpid(child(lambda told: measure(session, told), report), 0)
    found = json.loads(report.read_text() or '{"failed": [["", "the tests end pytest"]]}')
    if not found["failed"]:
        seconds.update({test: took for test, (took, _) in found["tests"].items()})
        trials = Trials(session, found["tests"], file)
        for name in work["mutants"]:
            trials.wait(work["jobs"] - 1)
            trials.begin(name)
        trials.wait(0)
        found = {"verdicts": trials.verdicts}
    file.with_suffix(".verdicts").write_text(json.dumps(found))
    return True
