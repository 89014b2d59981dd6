# SPDX-License-Identifier: MIT
"""Bytes and time on the line, exact: the clock stands still while the driver thinks."""

import pytest
from onemo_tools.bench import limits, wire


@pytest.mark.parametrize("baud", wire.BAUDS)
def test_the_default_packet_keeps_to_the_limits(baud):
    found = wire.exact(wire.PACKET, baud)
    assert 60 <= found.extra <= limits.ceiling("wire_extra")
    assert found.ratio >= 1
    if baud in (115200, 921600):
        assert found.ratio <= limits.ceiling(f"exact_{baud}")


def test_larger_packets_cost_less():
    found = [wire.exact(packet, 921600) for packet in wire.PACKETS]
    assert [f.extra for f in found] == sorted((f.extra for f in found), reverse=True)
    assert found[-1].ratio < found[0].ratio


def test_in_real_time_it_is_the_same_conversation(device):
    """No ceiling of time here: this machine may be busy."""
    found = wire.paced(device, wire.PACKET, 921600, 1)
    assert found.extra == wire.exact(wire.PACKET, 921600).extra
    assert found.ratio >= 1


def test_the_proof_of_a_connection_keeps_to_its_limits():
    found = wire.proof(115200)
    assert 300 < found.extra <= limits.ceiling("proof_extra")
    assert found.extra * 10 / 115.2 * 0.99 < found.ms <= limits.ceiling("proof_ms")
