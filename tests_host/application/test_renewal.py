# SPDX-License-Identifier: MIT
"""main.py and the renewal of its certificate: when it looks, and what a failure does. The renewal
itself is in tests_host/renew."""

import pytest
from onemo import renew

from .conftest import count

SERVICE = {"host": "renewal.example", "port": 8886, "grace_port": 8887}


@pytest.fixture
def renewals(monkeypatch):
    """What stands in for onemo.renew.Renewal: `checks`, times that it was told; `failures`, that
    the next ones raise; `due`, a function."""

    class Renewals:
        def __init__(self, modem, config, device, client):
            assert config["renewal"] == SERVICE
            assert device == "246f2801"
            assert client.__name__ == "Client"

        async def check(self, now):
            self.checks.append(now)
            if self.failures:
                raise self.failures.pop()

        def is_due(self):
            return self.due()

        due = staticmethod(lambda: False)

    Renewals.checks, Renewals.failures = [], []
    monkeypatch.setattr(renew, "Renewal", Renewals)
    return Renewals


def test_it_looks_at_each_session_before_it_connects(start, renewals):
    device = start()
    device.config["renewal"] = SERVICE
    lines = device.boot(count("published ", 3))
    [now] = renewals.checks
    assert now[0] >= 2026
    assert lines.index(f"the time is {now[0]}-%02d-%02d %02d:%02d:%02d" % now[1:6]) < next(
        number for number, line in enumerate(lines) if line.startswith("connected to ")
    )


def test_a_certificate_that_is_due_ends_the_session_and_the_next_one_looks(start, renewals):
    device = start()
    device.config["renewal"] = SERVICE
    renewals.due = staticmethod(lambda: len(device.broker.published) == 2)
    lines = device.boot(count("published ", 4))
    assert len(renewals.checks) == 2
    assert len([line for line in lines if line.startswith("connected to ")]) == 2
    assert not [line for line in lines if line.startswith(("failed", "retrying"))]


def test_a_renewal_that_fails_is_told_and_the_next_session_goes_on(start, renewals):
    device = start()
    device.config["renewal"] = SERVICE
    renewals.failures.append(OSError("the renewal service is away"))
    lines = device.boot(count("published ", 1))
    assert "failed: the renewal service is away" in lines
    assert len(renewals.checks) == 2


def test_without_the_time_it_does_not_look(start, renewals):
    device = start(date="unset", ntp=False)
    device.config["renewal"] = SERVICE
    device.config["contexts"][0]["ignorestamp"] = True
    renewals.due = staticmethod(lambda: True)
    device.boot(count("published ", 2))
    assert renewals.checks == []
