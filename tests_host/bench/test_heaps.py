# SPDX-License-Identifier: MIT
"""Heaps that are enough: no peak hides behind a small sum."""

import pytest
from onemo_tools.bench import heaps, limits


@pytest.mark.parametrize(("front", "stage"), limits.HEAPS)
def test_it_runs_in_a_small_heap(device, front, stage):
    text = heaps.call(device, front, stage)
    assert device.survives(text, limits.HEAPS[front, stage])


def test_an_upload_needs_no_more_than_a_command(device):
    command = heaps.room(device, "blocking", "command")
    upload = heaps.room(device, "blocking", "upload")
    assert 0 < command <= upload <= command + limits.ceiling("heap_growth")


def test_the_plain_script_needs_the_whole_pem(device):
    assert heaps.room(device, "plain", "upload") > 8192


def test_a_heap_that_is_too_small_is_noticed(device):
    assert not device.survives(heaps.call(device, "blocking", "upload"), 32 * 1024)


def test_bisection_finds_the_edge():
    class Edge:
        pems = {8192: (8192, "", "")}  # noqa: RUF012

        def survives(self, text, heap):
            return heap >= 50_000

    found = heaps.smallest(Edge(), "blocking", "import")
    assert 50_000 <= found < 50_000 + heaps.STEP
