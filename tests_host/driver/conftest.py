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
    """A PEM of exactly `size` bytes, 70 or more for a certificate, with line ends `end`. Lines are
    shorter than 64 characters, and one line end is LF, if there is no other way."""
    head = b"-----BEGIN %s-----" % kind.encode()
    tail = b"-----END %s-----" % kind.encode()
    room = size - len(head) - len(tail)
    for count in range(1, room):
        for plain in (0, 1):
            ends = [end] * (count + 1 - plain) + [b"\n"] * plain
            characters = room - sum(map(len, ends))
            if characters % 4 == 0 and 12 <= characters <= 64 * count and count <= characters:
                body = base64_of(characters, kind)
                lines = [head]
                for left in range(count - 1, -1, -1):
                    length = min(64, len(body) - left)
                    lines.append(body[:length])
                    body = body[length:]
                text = b"".join(x + y for x, y in zip(lines, ends, strict=True)) + tail
                assert len(text) == size
                return text
    raise AssertionError(f"no PEM of {size} bytes")


def md5(data):
    return hashlib.md5(data).hexdigest()
