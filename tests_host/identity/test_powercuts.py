# SPDX-License-Identifier: MIT
"""Power cuts everywhere: seeded samples of `make powercut`."""

import random

import pytest
from onemo_tools.proofs import outage_runs, powercut
from onemo_tools.proofs.outage import Outage
from onemo_tools.proofs.outage_runs import SCENARIOS

IN_PROCESS = 24  # runs a scenario
ON_BOARD = 15


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_sample_in_process(name, tmp_path):
    count = outage_runs.steps(name, tmp_path)
    assert count > 40  # so many places are there
    place = tmp_path / "runs"
    place.mkdir()
    chosen = random.Random(20261122).sample(list(outage_runs.every(count)), IN_PROCESS)
    tally = outage_runs.sweep(name, chosen, place)
    assert tally.failures == []
    assert tally.runs.total() == IN_PROCESS


def test_an_outage_really_strikes(tmp_path):
    run = outage_runs.Run("rotate", tmp_path, [Outage(200, "both"), Outage(230, "host")])
    run.go()
    assert run.device.struck == 2
    assert run.device.rig.module.boots >= 1


def test_a_broken_driver_is_found_out(tmp_path, monkeypatch):
    # A journal that is written too late: what was cut off before it leaves orphans.
    from onemo import provisioning_journal

    monkeypatch.setattr(provisioning_journal.Journal, "write", lambda self, entry: None)
    chosen = [(Outage(step, "host"),) for step in range(60, 100, 5)]
    assert outage_runs.sweep("rotate", chosen, tmp_path).failures


def test_outages_can_be_replayed_from_their_text():
    outage = Outage(17, "half")
    assert Outage.parse(str(outage)) == outage


def test_a_sample_on_a_real_board():
    with powercut.Bench() as bench:
        size = bench.measure()
        chosen = powercut.cuts(size, size["commands"] + size["writes"] + 30, seed=20261122)
        by_kind = {kind: [cut for cut in chosen if cut.kind == kind] for kind in powercut.KINDS}
        sample = [cut for found in by_kind.values() for cut in found[: ON_BOARD // 5]]
        tally = powercut.Tally()
        powercut.on_board(sample, bench, tally)
        assert tally.failures == []
        assert tally.ends.total() == ON_BOARD
        # A board that starts anew sends one probe before it knows: a packet that lacked a few
        # bytes takes them, and the rest of the probe is what the module objects to.
        probe = b"+++AT+CMEE?"
        for _, kind, data in bench.module.violations:
            assert kind == "quotes" or probe.endswith(data.strip()), (kind, data)
