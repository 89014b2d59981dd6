# SPDX-License-Identifier: MIT
"""The figures of `make bench` for the chip: alike in every run, and not those of nothing."""

import pytest
from onemo_tools.bench import limits, silicon
from onemo_tools.bench.device import Device

RUNS = 3
EXACT = 0.02  # how far they may differ


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    return Device(tmp_path_factory.mktemp("bench"))


def test_cycles_and_losses_are_alike_in_every_run(device, built):
    runs = []
    with silicon.booted(device, built) as board:
        for _ in range(RUNS):
            found = silicon.costs(board, "ours")
            found["lost"] = silicon.lost(board, "ours", 921600, 256, None)
            found["lost none"] = silicon.lost(board, "ours", 460800, 1024, 8192)
            runs.append(found)
    first = runs[0]
    for key in first:
        values = [run[key] for run in runs]
        assert max(values) - min(values) <= EXACT * max(*values, 1), (key, values)
    assert 1 < first["chip_byte_in"] < first["chip_byte_out"] < first["chip_line"]
    assert first["chip_line"] < first["chip_command"] < 1e6
    assert 1 < first["busy_out"] <= 100 and 1 < first["busy_in"] <= 100
    assert first["lost none"] == 0 < first["lost"]
    keys = {figure.key for figure in limits.FIGURES if figure.group == limits.CHIP}
    assert set(first) - {"lost", "lost none"} < keys
