# SPDX-License-Identifier: MIT
"""The module's certificate store: objects by kind and name, and the series being written."""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field

CERT, KEY, PSK = 1, 2, 3  # MSSLLIST's types
MAX_OBJECT = 8192  # bytes (manual 3.2)

_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+?)-----END ([A-Z0-9 ]+)-----"
)


def pem_ok(kind: int, data: bytes) -> bool:
    """Whether every PEM block is whole and there is one of the kind asked for."""
    labels = []
    for begin, body, end in _BLOCK.findall(data):
        try:
            b64decode(b"".join(body.split()), validate=True)
        except Base64Error:
            return False
        if begin != end:
            return False
        labels.append(begin)
    if len(labels) != data.count(b"-----BEGIN"):
        return False
    wanted = b"CERTIFICATE" if kind == CERT else b"PRIVATE KEY"
    return any(label.endswith(wanted) for label in labels)


@dataclass(slots=True)
class Series:
    """A packet series that is open: the object is not complete yet."""

    kind: int
    name: str
    remain: int  # as the last accepted packet said
    counted: bool  # whether <length> said how long that packet was
    touched: float  # when
    command: int  # number of the command that brought the last packet
    data: bytearray = field(default_factory=bytearray)


class Store:
    """Stored objects, `objects[(kind, name)] -> bytes`, and their limits. Open to tests."""

    def __init__(self, capacity: int, most: int) -> None:
        self.capacity = capacity  # bytes; lower it to make the store full
        self.most = most  # objects
        self.objects: dict[tuple[int, str], bytes] = {}
        self.series: Series | None = None
        self.writes = 0  # objects completed

    @property
    def certs(self) -> dict[str, bytes]:
        """Certificates by name."""
        return self._of(CERT)

    @property
    def keys(self) -> dict[str, bytes]:
        """Private keys by name."""
        return self._of(KEY)

    @property
    def psks(self) -> dict[str, bytes]:
        """PSKs by id."""
        return self._of(PSK)

    def _of(self, kind: int) -> dict[str, bytes]:
        return {name: data for (k, name), data in self.objects.items() if k == kind}

    def used(self) -> int:
        """Bytes of all objects."""
        return sum(map(len, self.objects.values()))

    def fits(self, size: int) -> bool:
        """Whether one more object of `size` bytes has room."""
        return self.used() + size <= self.capacity and len(self.objects) < self.most

    def put(self, kind: int, name: str, data: bytes) -> None:
        """Store an object."""
        self.objects[kind, name] = data
        self.writes += 1

    def find(self, name: str, kinds: tuple[int, ...]) -> tuple[int, bytes] | None:
        """The first object of that name, with its kind."""
        for kind in kinds:
            data = self.objects.get((kind, name))
            if data is not None:
                return kind, data
        return None

    def damage(
        self, name: str, offset: int = 0, mask: int = 0x01, kind: int | None = None
    ) -> None:
        """Flip bits of one stored byte, as worn flash does. KeyError: no such name."""
        found = self.find(name, (CERT, KEY, PSK) if kind is None else (kind,))
        if found is None:
            raise KeyError(name)
        data = bytearray(found[1])
        data[offset] ^= mask
        self.objects[found[0], name] = bytes(data)

    def clear(self) -> None:
        """Everything is gone."""
        self.objects.clear()
        self.series = None


def check_code(data: bytes, algorithm: int) -> bytes:
    """The check code of MSSLCHECK (manual 3.8): lower-case hex of the raw bytes' digest."""
    if algorithm == 3:
        return b"%08x" % zlib.crc32(data)
    name = ("md5", "sha1", "sha256")[algorithm]
    return hashlib.new(name, data, usedforsecurity=False).hexdigest().encode()
