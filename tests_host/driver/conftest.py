# SPDX-License-Identifier: MIT
"""A rig a test: driver and simulated module on a virtual clock, and no violation."""

import hashlib
import io

import pytest
from onemo_tools import fake_pem
from rigs import making


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
    """A PEM of exactly `size` bytes, 62 or more for a certificate, with line ends `end`."""
    return fake_pem.pem(size, kind.encode(), end)


def md5(data):
    return hashlib.md5(data).hexdigest()
