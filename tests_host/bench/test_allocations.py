# SPDX-License-Identifier: MIT
"""Bytes that operations allocate once warm, on real MicroPython: counts with ceilings."""

import pytest
from onemo_tools.bench import limits

_OURS = """
command line line_kept urc refill_out refill_in upload upload_stream upload_forced upload_odd
read_back ciphers flash_upload
"""
OURS = tuple(_OURS.split())
ASYNCIO = ("command", "line", "upload", "read_back")


@pytest.fixture(scope="module")
def pems(device):
    return [device.pems[4096], device.pems[8192]]


@pytest.fixture(scope="module")
def ours(device, pems):
    return device.run(f"allocations.ours({pems!r})")


@pytest.fixture(scope="module")
def asynchronous(device, pems):
    return device.run(f"allocations.asynchronous({pems!r})")


@pytest.mark.parametrize("key", OURS)
def test_the_blocking_front_keeps_to_its_ceilings(ours, key):
    assert 0 <= ours[key] <= limits.ceiling(key)


@pytest.mark.parametrize("key", ASYNCIO)
def test_the_asyncio_front_keeps_to_its_ceilings(asynchronous, key):
    assert 0 <= asynchronous[key] <= limits.ceiling(f"aio_{key}")


def test_all_that_is_measured_is_guarded(ours, asynchronous):
    assert set(ours) == set(OURS)
    assert set(asynchronous) == set(ASYNCIO)


def test_a_command_that_is_measured_has_its_result(ours):
    """A list and its bytes cannot cost less than this on 64 bits."""
    assert ours["command"] >= 96


def test_asyncio_costs_at_most_twice_as_much(ours, asynchronous):
    assert asynchronous["command"] <= 2 * ours["command"]


def test_the_plain_script_holds_the_whole_pem(device, pems):
    """So the counting counts: 8 KB are there to be seen."""
    found = device.run(f"allocations.peer({pems!r})")
    assert found["upload"] > 8192
    assert found["read_back"] > 8192


def test_live_heap_counts_all_that_an_upload_loads(device):
    assert device.run(f"live.uncounted(*{device.pems[8192]!r})") == []


def test_live_heap(device):
    found = device.run("live.main()")
    assert 4096 < found["import"] <= limits.ceiling("live_import")
    assert found["import"] < found["loaded"] <= limits.ceiling("live_loaded")


def test_live_heap_with_the_library_in_romfs(device):
    found = device.run(f"live.in_place({str(device.romfs)!r})")
    assert 4096 < found["import"] <= limits.ceiling("live_import_rom")
    assert found["import"] < found["loaded"] <= limits.ceiling("live_loaded_rom")
