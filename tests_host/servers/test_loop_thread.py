# SPDX-License-Identifier: MIT
"""loop_thread: work in another thread's event loop, and its end."""

import asyncio
import threading

import pytest
from onemo_tools.servers.loop_thread import LoopThread


async def where():
    await asyncio.sleep(0)
    return threading.current_thread().name


async def fails():
    raise OSError("broken")


def test_work_is_done_there_and_its_outcome_comes_back():
    loop = LoopThread("elsewhere")
    loop.start()
    try:
        assert loop.do(where()) == "elsewhere"
        with pytest.raises(OSError, match="broken"):
            loop.do(fails())
        assert loop.do(where()) == "elsewhere"
    finally:
        loop.close()
    assert loop.loop.is_closed()
    assert "elsewhere" not in [thread.name for thread in threading.enumerate()]
