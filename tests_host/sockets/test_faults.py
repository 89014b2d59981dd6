# SPDX-License-Identifier: MIT
"""A fault at any byte of a conversation: a typed error or none, within its time, and the next
connection carries what it is given."""

import random

import pytest
from onemo.errors import ModemError
from onemo_simulator import random_fault
from onemo_tools.proofs.rig import Rig

from .conftest import HOST, network


def talk(modem, many=True):
    """What came back, of a few exchanges on two connections."""
    got = b""
    streams = [modem.connect(HOST, 7) for _ in range(2 if many else 1)]
    for number, stream in enumerate(streams):
        stream.settimeout(20)
        for size in (5, 300, 1500):
            stream.write(bytes([65 + number]) * size)
            got += stream.read(size)
    for stream in streams:
        stream.close()
    return got


GOOD = b"A" * 1805 + b"B" * 1805


@pytest.fixture(scope="module")
def counts():
    """How many bytes go each way when all goes well, from after start."""
    with Rig(network=network()) as rig:
        rig.modem.start()
        before = dict(rig.line.counts)
        assert talk(rig.modem) == GOOD
        return before, rig.line.counts


@pytest.mark.parametrize("block", range(8))
def test_any_fault_is_survived(counts, block):
    before, after = counts
    room = {way: after[way] - before[way] for way in after}
    unharmed = 0
    for seed in range(block * 25, block * 25 + 25):
        fault = random_fault(random.Random(seed), room)
        fault = type(fault).parse(
            str(fault).replace(
                f" {fault.position}", f" {fault.position + before[fault.direction]}", 1
            )
        )
        with Rig(network=network()) as rig:
            rig.modem.start()
            rig.line.add(fault)
            start = rig.clock.now()
            try:
                unharmed += talk(rig.modem) == GOOD
            except ModemError:
                pass
            except Exception as error:
                raise AssertionError(f"seed {seed}, {fault}: {error!r}") from error
            assert rig.clock.now() - start < 180, f"seed {seed}, {fault}"
            rig.clock.advance(40)
            for last in (False, True):
                try:
                    got = talk(rig.modem, False)
                    break
                except ModemError as error:
                    assert not last, f"seed {seed}, {fault}: {error!r}"
            assert got == GOOD[:1805], f"seed {seed}, {fault}"
    assert unharmed  # cuts and stalls do no harm
