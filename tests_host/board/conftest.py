# SPDX-License-Identifier: MIT
"""A virtual board per test, and the other end of its UART."""

from collections.abc import Callable, Iterator

import pytest
from onemo_board import Mpremote, VirtualBoard

from .helpers import Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    found = Peer()
    yield found
    found.close()


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., VirtualBoard]]:
    """Starts boards; stops them at the end of the test."""
    started: list[VirtualBoard] = []

    def make(flash: str = "flash.img", **options) -> VirtualBoard:
        board = VirtualBoard(tmp_path / flash, **options)
        board.start()
        started.append(board)
        return board

    yield make
    failures = [board.stop() for board in started]
    assert failures == [None] * len(failures)


@pytest.fixture
def at() -> Callable[[VirtualBoard], Mpremote]:
    return lambda board: Mpremote(board.port, timeout=60)
