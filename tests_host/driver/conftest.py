"""A rig a test: driver and simulated module on a virtual clock, and no breach of protocol."""

import hashlib
from pathlib import Path

import pytest
from onemo_tools.rig import Rig

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def rigs():
    """Makes rigs; at the end none of their modules has seen a breach of protocol by the driver."""
    made = []

    def make(model="ML307R", *, strict=True, started=True, **settings):
        rig = Rig(model, **settings)
        made.append((rig, strict))
        if started:
            rig.modem.start()
        return rig

    yield make
    for rig, _ in reversed(made):
        rig.close()
    for rig, strict in made:
        assert not strict or rig.module.breaches == []


@pytest.fixture
def rig(rigs):
    """The commonest one: an ML307R, started."""
    return rigs()


@pytest.fixture(scope="session")
def manual_key():
    """The manual's example key: 1674 bytes."""
    return (DATA / "manual-key.pem").read_bytes()


@pytest.fixture(scope="session")
def manual_ca():
    """The manual's example certificate: 1261 bytes."""
    return (DATA / "manual-ca.pem").read_bytes()


def pem(size, kind="CERTIFICATE", end=b"\n"):
    """A PEM of exactly `size` bytes, 58 or more for a certificate, with line ends `end`."""
    head = b"-----BEGIN %s-----" % kind.encode() + end
    tail = end + b"-----END %s-----" % kind.encode()
    for closing in (b"", end, end + end, end + end + end, *(end + b" " * n for n in range(1, 70))):
        room = size - len(head) - len(tail) - len(closing)
        full, rest = divmod(room, 64 + len(end))
        if rest == 0:
            full, rest = full - 1, 64 + len(end)
        if full >= 0 and rest % 4 == 0 and 4 <= rest <= 64:
            text = head + (b"A" * 64 + end) * full + b"A" * rest + tail + closing
            assert len(text) == size
            return text
    raise AssertionError(f"no PEM of {size} bytes")


def md5(data):
    return hashlib.md5(data).hexdigest()
