# SPDX-License-Identifier: MIT
"""In every test: no trace, exception, repr or output may show a key or a PSK. And, as
fixtures, the manual's example files."""

from pathlib import Path

import pytest
import watched

if not watched.quiet():
    watched.install()


@pytest.fixture(autouse=True)
def _secrets():
    watched.watch.clear()
    yield
    leaks = watched.watch.leaks()
    watched.watch.clear()
    assert leaks == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and report.passed:
        leaks = watched.watch.leaks(report.capstdout, report.capstderr, report.caplog)
        if leaks:
            report.outcome = "failed"
            report.longrepr = "\n".join(leaks)
    return report


DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def manual_key() -> bytes:
    """The manual's example key: 1674 bytes."""
    return (DATA / "manual-key.pem").read_bytes()


@pytest.fixture(scope="session")
def manual_ca() -> bytes:
    """The manual's example certificate: 1261 bytes."""
    return (DATA / "manual-ca.pem").read_bytes()
