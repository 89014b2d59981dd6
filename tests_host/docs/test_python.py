# SPDX-License-Identifier: MIT
"""The Python of README and docs is run: what is for a board on the virtual board, with a module
and the servers that it names; what is for a PC here."""

import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from onemo_simulator import Module

from tests_host.docs.blocks import Block, blocks, pages
from tests_host.examples import stage as scene

BLOCKS = [
    block
    for page in pages()
    if not page.name.endswith((".zh.md", ".zh-CN.md"))  # whose code is the same
    for block in blocks(page)
    if block.kind in ("python", "json", "toml")
]
WHOLE = "Modem(UART"
AWAITS = re.compile(r"^(\w+ = )?await ", re.MULTILINE)
ON_PC = ("onemo_tools", "onemo_simulator", "Module(")
# What a page has set up before its block begins.
BEFORE = """
import io, json
from machine import UART
from onemo import AUTH_MUTUAL, AUTH_NONE, AUTH_SERVER, KEY, Modem
config = json.load(open("config.json"))
modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()
modem.clock()
modem.sync(config)
tls = modem.tls(1)
tls.configure(AUTH_SERVER, ca="ca.pem")
"""
# The same in asyncio, for blocks that await.
AWAITING = """
import asyncio, json
from machine import UART
from onemo.aio import Modem
config = json.load(open("config.json"))
device_id = "device-0001"
async def page():
    modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
    await modem.start()
    await modem.attach()
"""


def named(block: Block) -> str:
    return f"{block.where}: {block.text.strip().splitlines()[0][:40]}"


def for_board(block: Block) -> bool:
    return block.kind == "python" and not any(word in block.text for word in ON_PC)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with scene.built(tmp_path_factory.mktemp("board"), broker_echoes=True) as built:
        yield built


def scripts():
    """Blocks that are programs of their own, and for each page its other blocks, in their order:
    each goes on where the one before has ended."""
    for page in pages():
        parts = [block for block in BLOCKS if block.page == page and for_board(block)]
        for block in parts:
            if WHOLE in block.text:
                yield pytest.param(block.text, id=named(block))
        rest = [block.text for block in parts if WHOLE not in block.text]
        blocking = [text for text in rest if not AWAITS.search(text)]
        if blocking:
            yield pytest.param("\n".join([BEFORE, *blocking]), id=parts[0].where)
        awaiting = [textwrap.indent(text, "    ") for text in rest if AWAITS.search(text)]
        if awaiting:
            script = "\n".join([AWAITING, *awaiting, "asyncio.run(page())\n"])
            yield pytest.param(script, id=f"{parts[0].where} in asyncio")


@pytest.mark.parametrize("script", list(scripts()))
def test_what_is_for_a_board(stage, script):
    stage.begin(stored=True)
    try:
        stage.run(script)
    except OSError as error:
        pytest.fail(f"{error} in\n{script}")
    with stage.line.locked() as module:
        assert module.violations == []


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind == "python" and not for_board(b)], ids=named
)
def test_what_is_for_a_pc(block, tmp_path, monkeypatch):
    """A test in it is not called: tests_host/new does that with the one that `onemo new` makes."""
    monkeypatch.chdir(tmp_path)
    profile = {"base": "ML307C", "tls_links": 2}
    Path("ML307C-DC-CN.profile.json").write_text(json.dumps(profile))
    exec(compile(block.text, block.where, "exec"), {"Module": Module})


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind != "python"], ids=named)
def test_json_and_toml_are_what_they_are_called(block):
    {"json": json.loads, "toml": tomllib.loads}[block.kind](block.text)
