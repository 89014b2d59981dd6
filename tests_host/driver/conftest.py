# SPDX-License-Identifier: MIT
"""A rig a test: driver and simulated module on a virtual clock, and no violation."""

import hashlib
import io

import pytest
from rigs import making

from tests_host.pure.der import base64_of


@pytest.fixture
def rigs():
    """Makes rigs; at the end none of their modules has seen a violation."""
    with making() as make:
        yield make


@pytest.fixture
def rig(rigs):
    """The commonest one: an ML307R, started."""
    return rigs()


class Tape:
    """A source that cannot be rewound, and gives `most` bytes at a time."""

    def __init__(self, data, most=100):
        self._file = io.BytesIO(data)
        self._most = most

    def readinto(self, buf):
        return self._file.readinto(memoryview(buf)[: self._most])


def pem(size, kind="CERTIFICATE", end=b"\n"):
    """A PEM of exactly `size` bytes, 70 or more for a certificate, with line ends `end`: blocks,
    if that is possible, else with blank lines or spaces behind, which are no part of it."""
    head = b"-----BEGIN %s-----" % kind.encode() + end
    tail = end + b"-----END %s-----" % kind.encode()
    for closing in (b"", end, end + end, end + end + end, *(end + b" " * n for n in range(1, 70))):
        room = size - len(head) - len(tail) - len(closing)
        full, rest = divmod(room, 64 + len(end))
        if rest == 0:
            full, rest = full - 1, 64 + len(end)
        if full >= 0 and rest % 4 == 0 and 4 <= rest <= 64 and full * 64 + rest >= 12:
            body = base64_of(full * 64 + rest, kind)
            lines = [body[at : at + 64] for at in range(0, len(body), 64)]
            text = head + end.join(lines) + tail + closing
            assert len(text) == size
            return text
    raise AssertionError(f"no PEM of {size} bytes")


def md5(data):
    return hashlib.md5(data).hexdigest()
