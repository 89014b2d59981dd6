# SPDX-License-Identifier: MIT
"""The driver in the table's last column, as its author published it, does what is measured."""

import json

import pytest
from onemo_tools.bench import heaps, published
from onemo_tools.bench.device import BenchError
from onemo_tools.deploy.packages import ROOT


@pytest.fixture(scope="module")
def installed(device):
    published.install(device)
    return device


@pytest.fixture(scope="module")
def figures():
    report = json.loads((ROOT / "docs" / "bench.json").read_text(encoding="utf-8"))
    return {
        row["key"]: row["published"] for row in report["figures"] if row["published"] is not None
    }


def test_what_it_allocates_is_published(installed, figures):
    found = installed.run(f"allocations.of_published({[installed.pems[8192]]!r})")
    assert found == {key: figures[key] for key in ("command", "upload")}
    assert found["upload"] > 2 * 8192  # each piece, and a copy of it


def test_what_its_import_leaves_is_published(installed, figures):
    assert installed.run("live_published.main()") == figures["live_import"]


def test_its_smallest_heaps_are_published(installed, figures):
    for stage in ("import", "upload"):
        call = heaps.call(installed, "published", stage)
        assert installed.survives(call, figures[f"heap_{stage}"] + 1024)
        assert not installed.survives(call, figures[f"heap_{stage}"] - 2048)


def test_a_command_that_fails_is_not_measured(installed):
    short = "published.on_a_pc(__import__('scripted').Uart(8))"  # which cuts each answer short
    call = (
        f"{short} or setattr(published, 'ATTEMPT_MS', 20) or published.command(published.opened())"
    )
    with pytest.raises(BenchError, match=r"AT\+CSQ failed"):
        installed.run(call)
