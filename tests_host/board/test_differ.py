# SPDX-License-Identifier: MIT
"""Boards and modules that differ: id, IMEI and ICCID by the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from onemo_board.cli import parse_id
from onemo_simulator.serve import identity_quirks
from onemo_tools.store.repl import Session

ROOT = Path(__file__).resolve().parents[2]

_ASK = """
from binascii import hexlify
from machine import UART, unique_id
import time
print(hexlify(unique_id()).decode())
uart = UART(1, 115200, timeout=0, rxbuf=512)
for command in ("AT+CGSN=1", "AT+MCCID"):
    uart.write(command + "\\r")
    time.sleep(0.3)
    print(uart.read().decode())
"""


def test_a_board_has_the_id_imei_and_iccid_that_it_is_given(tmp_path: Path) -> None:
    path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
    own = {"--id": "b0a2d00007", "--imei": "861234050000007", "--iccid": "8986040000000000007F"}
    options = [text for pair in own.items() for text in pair]
    command = [sys.executable, "-m", "onemo_tools", "board", str(tmp_path / "flash")]
    process = subprocess.Popen(
        [*command, "--module", "1", "--link", str(tmp_path / "b"), *options],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None and process.stdout.readline()
        with Session(str(tmp_path / "b")) as board:
            said = board.run(_ASK, 10)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    for value in own.values():
        assert value in said


@pytest.mark.parametrize("text", ["", "xyz", "0" * 34])
def test_an_id_is_hexadecimal(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 16 bytes in hex"):
        parse_id(text)


def test_an_imei_and_an_iccid_are_digits_of_their_lengths() -> None:
    assert identity_quirks(None, None) == {}
    with pytest.raises(ValueError, match="15 digits"):
        identity_quirks("12345", None)
    with pytest.raises(ValueError, match="19 or 20 digits"):
        identity_quirks(None, "8986")
