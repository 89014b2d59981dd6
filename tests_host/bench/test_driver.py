# SPDX-License-Identifier: MIT
"""The driver in the table's last column, as its author published it, does what is measured."""

import json

import pytest
from onemo_tools.bench import driver, heaps
from onemo_tools.bench.device import BenchError
from onemo_tools.deploy.packages import ROOT


@pytest.fixture(scope="module")
def installed(device):
    driver.install(device)
    return device


@pytest.fixture(scope="module")
def published():
    report = json.loads((ROOT / "docs" / "bench.json").read_text(encoding="utf-8"))
    return {row["key"]: row["driver"] for row in report["figures"] if row["driver"] is not None}


def test_what_it_allocates_is_published(installed, published):
    found = installed.run(f"allocations.driver({[installed.pems[8192]]!r})")
    assert found == {key: published[key] for key in ("command", "upload")}
    assert found["upload"] > 2 * 8192  # the PEM, and a copy of it


def test_what_its_import_leaves_is_published(installed, published):
    assert installed.run("live_driver.main()") == published["live_import"]


def test_its_smallest_heaps_are_published(installed, published):
    for stage in ("import", "upload"):
        call = heaps.call(installed, "driver", stage)
        assert installed.survives(call, published[f"heap_{stage}"] + 1024)
        assert not installed.survives(call, published[f"heap_{stage}"] - 2048)


def test_a_command_that_fails_is_not_measured(installed):
    short = "driver.on_a_pc(__import__('scripted').Uart(8))"  # which cuts each answer short
    call = f"{short} or setattr(driver, 'ATTEMPT_MS', 20) or driver.command(driver.opened())"
    with pytest.raises(BenchError, match=r"AT\+CSQ failed"):
        installed.run(call)
