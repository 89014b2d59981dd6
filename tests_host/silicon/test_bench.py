# SPDX-License-Identifier: MIT
"""The figures of `make bench` for the chip: alike in every run, and not those of nothing."""

import pytest
from onemo_board.rp2040.firmware import frozen_path
from onemo_tools.bench import limits, places, silicon
from onemo_tools.bench.device import Device

RUNS = 3
EXACT = 0.02  # how far they may differ
GAP_OUT_MS = 10  # of a task that runs every 5 ms, during an upload; 6.8 to 7.2 were measured


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    return Device(tmp_path_factory.mktemp("bench"))


def test_what_lies_in_flash_takes_less_heap(device, built):
    """Frozen too, where `make bench` has built that firmware."""
    found = {place: places.live(device, built, place) for place in ("files", "rom")}
    if frozen_path(built, places.MANIFEST, places.SOURCES).exists():
        found["frozen"] = places.live(device, built, "frozen")
    for stage in ("import", "loaded"):
        taken = [found[place][stage] for place in found]
        assert taken == sorted(taken, reverse=True), found
        assert taken[1] < taken[0] * 2 / 3, found
    assert all(stages["import"] < stages["loaded"] for stages in found.values())


def test_cycles_and_losses_are_alike_in_every_run(device, built):
    runs = []
    with silicon.booted(device, built) as board:
        for _ in range(RUNS):
            found = silicon.costs(board, "ours")
            found["lost_list_256"] = silicon.lost(board, "ours", 921600, 256, None)
            found["lost_921600_256"] = silicon.lost(board, "ours", 921600, 256, 8192)
            runs.append(found)
        gap_out, gap_in = silicon.gaps(board, "ours")
        too_small = silicon.lost(board, "ours", 921600, 32, None)
    first = runs[0]
    for key in first:
        values = [run[key] for run in runs]
        assert max(values) - min(values) <= EXACT * max(*values, 1), (key, values)
    assert 1 < first["chip_byte_in"] < first["chip_byte_out"] < first["chip_line"]
    assert first["chip_idle"] < first["chip_line"] < first["chip_command"] < 1e6
    assert 1 < first["chip_byte_judge"] < first["chip_byte_out"]
    assert 1 < first["busy_out"] <= 100 and 1 < first["busy_in"] <= 100
    keys = {figure.key for figure in limits.FIGURES if figure.group == limits.CHIP}
    assert set(first) < keys
    for key, value in {**first, "gap_in": gap_in}.items():
        if limits.figure(key).at_most is not None:
            assert value <= limits.ceiling(key), (key, value)
    assert gap_out < GAP_OUT_MS
    assert too_small > 0  # so losses are seen
