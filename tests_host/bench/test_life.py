# SPDX-License-Identifier: MIT
"""What a product has on its heap from stage to stage: what is needed once goes when it is done."""

import pytest
from onemo_tools.bench import life, limits

ALWAYS = {"_port", "at_channel", "at_syntax", "errors", "modem", "blocking"}
MODULES = {  # that are loaded at the end of a stage
    "import": ALWAYS,
    "start": ALWAYS | {"model"},
    "sync": ALWAYS | {"model", "tls", "tls_rows"},
    "upload": ALWAYS | {"model", "tls", "tls_rows"},
    "connect": ALWAYS | {"model", "tls", "tls_rows", "net_flow", "net_links", "net_stream"},
}
STAGES = ("sync", "uploading", "upload", "connect")


@pytest.fixture(scope="module")
def lives(device):
    return {program: life.stages(device, program) for program in life.PROGRAMS}


def test_what_is_needed_once_is_let_go_of(lives):
    for stage, modules in MODULES.items():
        assert set(lives["blocking"]["modules"][stage].split()) == modules, stage
    assert set(lives["written"]["modules"]["upload"].split()) == ALWAYS | {"model"}
    asyncio = {name.replace("blocking", "aio") for name in MODULES["sync"]}
    assert set(lives["asynchronous"]["modules"]["sync"].split()) == asyncio


def test_sync_without_a_rotation_loads_nothing_of_one(lives):
    loaded = lives["blocking"]["modules"]["uploading"].split()
    assert {name for name in loaded if name.startswith("provisioning")} == {
        "provisioning",
        "provisioning_journal",
        "provisioning_objects",
    }


def test_what_is_let_go_of_really_goes(lives):
    """Weighed: code that something still held would be there. Names stay, which no interpreter
    lets go of, and what was set."""
    found = lives["blocking"]
    assert found["upload"] - found["sync"] < 512
    assert lives["written"]["uploading"] - lives["written"]["upload"] > 15_000
    assert found["uploading"] - found["sync"] > 30_000


@pytest.mark.parametrize("program", ["blocking", "asynchronous"])
def test_a_product_keeps_to_its_ceilings(lives, program):
    for stage in STAGES:
        key = f"{life.PROGRAMS[program]}_{stage}"
        assert 4096 < lives[program][stage] <= limits.ceiling(key), stage


def test_a_connection_keeps_to_its_ceilings(device):
    for key, taken in life.connection(device).items():
        assert 0 <= taken <= limits.ceiling(key), key


def test_a_program_that_writes_one_certificate_keeps_to_its_ceilings(lives):
    for stage in ("uploading", "upload"):
        assert 4096 < lives["written"][stage] <= limits.ceiling(f"life_written_{stage}"), stage
