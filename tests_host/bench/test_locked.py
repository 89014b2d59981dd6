# SPDX-License-Identifier: MIT
"""The receive path and the payload loop under micropython.heap_lock(), on real MicroPython.

What allocates in there fails; `seen` counts the bytes that went by meanwhile, so that a lock that
never closed is noticed as well.
"""

import pytest

CUTS = ("whole", "bytes", "odd")
LINE = len('\r\n+MIPURC: "others000.pem",1261\r\n')

pytestmark = pytest.mark.parametrize("cut", CUTS)


def test_lines_and_urcs_of_an_answer(device, cut):
    found = device.run(f"locked.received({cut!r})")
    assert found["size"] == 1234
    assert (found["urcs"], found["last"]) == (40, ord("1"))
    assert found["seen"] > 40 * LINE


def test_urcs_while_no_command_is_under_way(device, cut):
    found = device.run(f"locked.idle({cut!r})")
    assert (found["urcs"], found["last"]) == (40, ord("1"))
    assert found["seen"] >= 20 * LINE - 2


@pytest.mark.parametrize(("packet", "buffer"), [(2048, 256), (8192, 256), (256, 64), (4096, 1024)])
def test_a_payload_going_out(device, cut, packet, buffer):
    found = device.run(f"locked.written({cut!r}, {device.pems[8192]!r}, {packet}, {buffer})")
    assert found == {"done": True, "seen": 8192}


@pytest.mark.parametrize("buffer", [32, 100, 256, 1000])
def test_a_payload_coming_back(device, cut, buffer):
    size, _, digest = pem = device.pems[8192]
    found = device.run(f"locked.read_back({cut!r}, {pem!r}, {buffer})")
    assert (found["size"], found["digest"]) == (size, digest)
    assert found["seen"] >= size


def test_an_allocation_would_be_noticed(device, cut):
    assert device.run(f"locked.control({cut!r})") == "noticed"
