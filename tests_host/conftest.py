"""In every test: no trace, exception, repr or output may show a key or a PSK."""

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
