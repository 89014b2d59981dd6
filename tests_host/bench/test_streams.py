# SPDX-License-Identifier: MIT
"""Streams keep to what `make bench` promises of them."""

import pytest
from onemo_tools.bench import limits, streams


def test_every_figure_is_within_its_limit():
    found = streams.measure()
    named = {figure.key for figure in limits.FIGURES if figure.group == limits.STREAM}
    assert named == set(found)
    for key, value in found.items():
        figure = limits.figure(key)
        assert figure.limit is None or value >= figure.limit, key
        if figure.at_most is not None:
            assert value <= limits.ceiling(key), (key, value)


@pytest.mark.parametrize("baud", streams.BAUDS)
def test_more_read_ahead_costs_less_time(baud):
    ratios = [streams.reading(baud, 64, readahead=size) for size in (64, 256, 1024, 4096)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 1.5
    assert streams.reading(baud, 64) == ratios[1]  # the default


def test_large_pieces_cost_next_to_nothing():
    rows = {row["bytes"]: row for row in streams.table()}
    for baud in streams.BAUDS:
        assert rows[16384][f"write_{baud}"] < 1.02
        assert rows[16384][f"read_{baud}"] < 1.03
        assert rows[65536][f"write_{baud}"] < 1.02
        writes = [round(rows[size][f"write_{baud}"], 4) for size in streams.SIZES]
        assert writes == sorted(writes, reverse=True)


def test_a_message_costs_less_than_by_ppp():
    assert streams.publish_limit() == 118
    told = streams.publish(115200)
    assert told.commands == 2
    assert told.bytes < streams.publish_by_ppp() * 1.1
