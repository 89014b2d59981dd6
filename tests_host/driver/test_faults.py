# SPDX-License-Identifier: MIT
"""One fault at one byte: a seeded sample of `make faults`, and the faults that once failed."""

import random

import pytest
from onemo_simulator import Fault
from onemo_tools.proofs import sweep_single as sweep

SAMPLE = 2400
PARTS = 8


@pytest.fixture(scope="session")
def counts():
    """Bytes each way of a conversation without a fault."""
    return sweep.lengths()


def test_a_conversation_without_a_fault_is_clean(counts):
    assert sweep.strike(None).ending == "clean"
    assert counts[">"] > 1500
    assert counts["<"] > 1000


@pytest.mark.parametrize("part", range(PARTS))
def test_a_sample_of_all_faults(counts, part):
    every = list(sweep.faults(counts))
    chosen = random.Random(20260801).sample(every, SAMPLE)[part::PARTS]
    tally = sweep.sweep(chosen)
    assert tally.failures == []
    assert sum(tally.endings.values()) == SAMPLE // PARTS
    assert tally.endings["clean"] > 0
    assert tally.endings["recovered"] > 0


@pytest.mark.parametrize(
    "fault",
    [
        "stall > 2 mask=4 data=41 seconds=40.0",  # its late answers were taken for the model
        "insert < 49 mask=16 data=0d0a seconds=3.0",  # cut the model's name in two
        "corrupt > 539 data=22 seconds=0.3",
    ],
)
def test_faults_that_once_failed(fault):
    sweep.strike(Fault.parse(fault))
