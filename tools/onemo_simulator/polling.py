# SPDX-License-Identifier: MIT
"""Waiting for descriptors: poll where the system has it, else select, which Windows has."""

from __future__ import annotations

import select
from typing import Protocol

POLLIN = getattr(select, "POLLIN", 1)
POLLOUT = getattr(select, "POLLOUT", 4)
POLLERR = getattr(select, "POLLERR", 8)
POLLHUP = getattr(select, "POLLHUP", 16)


class Poller(Protocol):
    """What is used of select.poll."""

    def register(self, fd: int, events: int, /) -> None:
        """Watch a descriptor."""

    def poll(self, ms: float, /) -> list[tuple[int, int]]:
        """Wait; (descriptor, what happened) pairs."""


class SelectPoller:
    """The same by select: sockets only, and no POLLHUP (their end is read as b"")."""

    def __init__(self) -> None:
        self._read: list[int] = []
        self._write: list[int] = []

    def register(self, fd: int, events: int, /) -> None:
        """Watch a socket's descriptor."""
        if events & POLLIN:
            self._read.append(fd)
        if events & POLLOUT:
            self._write.append(fd)

    def poll(self, ms: float, /) -> list[tuple[int, int]]:
        """Wait `ms` milliseconds at the most."""
        found = select.select(self._read, self._write, self._read + self._write, ms / 1000)
        happened: dict[int, int] = {}
        for fds, event in zip(found, (POLLIN, POLLOUT, POLLERR), strict=True):
            for fd in fds:
                happened[fd] = happened.get(fd, 0) | event
        return list(happened.items())


def new_poller() -> Poller:
    """One with nothing registered yet."""
    return select.poll() if hasattr(select, "poll") else SelectPoller()
