# SPDX-License-Identifier: MIT
"""The virtual board answers as real firmware does, or its README says where it does not."""

import re
from pathlib import Path

import pytest
from onemo_board import VirtualBoard, mpremote
from onemo_board.wire import Wire

from .conftest import MOST_S, ROOT, UART

ASK = Path(__file__).with_name("questions.py")
README = ROOT / "tools" / "onemo_board" / "README.md"


def asked(port):
    """Name of the question -> answer."""
    words = ("exec", f"SETTINGS = {UART!r}", "run", ASK)
    said = mpremote(port, *words, timeout=MOST_S).stdout
    # the other lines are tracebacks of handlers that fail
    return dict(line.split(" -> ", 1) for line in said.splitlines() if " -> " in line)


def listed():
    """The differences that the README lists: names of questions."""
    table = README.read_text().partition("<!-- differences:begin -->")[2]
    table = table.partition("<!-- differences:end -->")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", table, re.M))


@pytest.fixture(scope="module")
def virtual(tmp_path_factory):
    folder = tmp_path_factory.mktemp("virtual")
    with (
        Wire() as wire,
        VirtualBoard(folder / "flash.img", port_like="rp2", uarts={1: wire.board_fd}) as board,
    ):
        yield asked(board.port)


def test_the_virtual_board_answers_as_real_firmware_does(start, virtual):
    real = asked(start(wired=[1]).port)
    assert len(real) > 140
    assert real.keys() == virtual.keys()
    other = {name: (real[name], virtual[name]) for name in real if real[name] != virtual[name]}
    told = "\n".join(f"{k}: {v}" for k, v in sorted(other.items()))
    assert other.keys() <= listed(), told
    if "(1, 26," in real["sys.implementation"]:  # a newer one has some answers in common
        assert listed() <= other.keys(), told


FLOW = """
from machine import UART
u = UART(1, 115200, tx=4, rx=5, flow=3, invert=1)
"""
AFTER = """
from machine import UART
u = UART(1, 115200)
print(u)
"""


def test_what_outlives_a_soft_reset_on_both(start, tmp_path):
    shown = []
    with VirtualBoard(tmp_path / "flash.img", port_like="rp2") as virtual:
        for board in (virtual, start()):
            mpremote(board.port, "exec", FLOW, timeout=MOST_S)
            # the second call resets softly first
            said = mpremote(board.port, "exec", AFTER, timeout=MOST_S).stdout
            shown.append(said.strip())
    assert shown[0] == shown[1]
    assert "invert=INV_TX" in shown[0]


OPEN = """
import machine
from onemo.uart import open_uart
FLOW = 0x40038030, 3 << 14  # of UART 1: what its hardware does by itself
def flow():
    return machine.mem32[FLOW[0]] & FLOW[1]
machine.UART(1, 115200, tx=4, rx=5, cts=6, rts=7, flow=3)
print(flow() == FLOW[1])
open_uart(SETTINGS)
print(flow())
for wrong in {"tx": 17}, {"rx": 18}, {"rts": 8}:
    try:
        open_uart(dict(SETTINGS, **wrong))
    except ValueError as error:
        print(error)
"""


def test_open_uart_clears_flow_control_and_names_the_pin_that_the_chip_refuses(start, deployed):
    board = start(deployed)
    words = ("exec", f"SETTINGS = {UART!r}\n{OPEN}")
    assert mpremote(board.port, *words, timeout=MOST_S).stdout.splitlines() == [
        "True",
        "0",
        "uart.tx is 17: bad TX pin",
        "uart.rx is 18: bad RX pin",
        "uart.rts is 8: bad RTS pin",
    ]
