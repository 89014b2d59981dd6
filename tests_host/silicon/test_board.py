# SPDX-License-Identifier: MIT
"""The emulated board itself: what one does to it, and its command."""

import re
import signal
import subprocess
import sys

import pytest
from board.helpers import Peer
from onemo_board import BoardError
from onemo_board.rp2040 import EmulatedBoard

from .conftest import ROOT, eventually

CAUSE = "import machine\nprint(machine.reset_cause())"


def test_resets_and_their_causes(start, at):
    board = start()
    call = at(board)
    assert call.exec(CAUSE) == "1\n"
    call("reset")  # machine.reset()
    eventually(lambda: board.causes == ["power-on", "watchdog"])
    board.wait_boot(2)
    assert call.exec(CAUSE) == "3\n"
    board.hard_reset()
    assert call.exec(CAUSE) == "1\n"
    call.exec("with open('kept', 'w') as file:\n file.write('x' * 999)")
    board.power_cut()
    assert not board.is_on
    board.power_on()
    assert call.exec("import os\nprint(os.stat('kept')[6])") == "999\n"
    assert board.causes == ["power-on", "watchdog", "button", "power-on"]


def test_pins_to_and_from_the_host(start, at):
    told = []
    board = start(on_pin=lambda pin, value: told.append((pin, value)))
    script = """
from machine import Pin
key, wake = Pin(15, Pin.OUT, value=0), Pin(14, Pin.IN)
key.on(); key.off(); key.on()
print(wake.value())
"""
    assert at(board).exec(script) == "0\n"
    assert [value for pin, value in told if pin == "15"][-3:] == [1, 0, 1]
    assert board.pins["15"] == 1
    board.set_pin(14, 1)
    assert at(board).exec(script) == "1\n"


def test_speeds_bytes_breaks_and_overrun(start, at):
    peer = Peer()
    speeds, breaks = [], []
    board = start(
        uarts={1: peer.board_fd},
        on_baud=lambda uart, baud: speeds.append((uart, baud)),
        on_break=breaks.append,
    )
    try:
        said = at(board).exec(
            "from machine import UART\nu = UART(1, 9600)\nu.init(921600)\nu.write(b'ping')\n"
            "u.sendbreak()"
        )
        assert said == ""
        assert peer.receive(4) == b"ping"
        assert speeds[-2:] == [(1, 9600), (1, 921600)]
        assert breaks == [1]
        # 2000 bytes for a ring of 256 and a FIFO of 32 that nobody reads
        script = "import time\nu = UART(1, 115200, rxbuf=256)\ntime.sleep(1)\n"
        at(board)("exec", "--no-follow", "from machine import UART\n" + script)
        eventually(lambda: board.stats()["uarts"][1]["baud"] > 115000)
        peer.send(bytes(2000))
        eventually(lambda: board.stats()["uarts"][1]["received"] == 2000)
        assert board.stats()["uarts"][1]["lost"] == 2000 - 256 - 32
    finally:
        peer.close()


def test_marks_count_cycles_and_the_same_in_every_run(start, at):
    script = """
import machine
def work(n):
    for i in range(n):
        pass
def measure(n):
    machine.mem32[0x40070000] = 1
    work(n)
    machine.mem32[0x40070000] = 2
measure(10); measure(1000); measure(2000)
"""
    board = start()
    runs = []
    for _ in range(2):
        at(board).exec(script)
        marks = board.stats()["marks"]
        pairs = zip(marks[::2], marks[1::2], strict=True)
        runs.append([last["cycles"] - first["cycles"] for first, last in pairs])
    for first, second in zip(*runs, strict=True):
        assert abs(first - second) <= 0.02 * first
    _, thousand, two = runs[0]
    assert 1.9 < two / thousand < 2.1
    assert 20 < thousand / 1000 < 2000  # cycles of a turn of the loop


def test_a_profile_knows_where_the_time_goes(start, at, built):
    board = start()
    board.profile(True)
    at(board).exec("for i in range(20000): pass")
    found = board.profile(False)
    assert sum(found.values()) > 500
    rows = [line.split() for line in built.symbols.read_text().splitlines()]
    symbols = sorted((int(row[0], 16), row[2]) for row in rows if len(row) == 3)

    def name(pc):
        return [symbol for address, symbol in symbols if address <= pc][-1]

    most = max(found, key=lambda pc: found[pc])
    assert re.search("mp_|vm|binary|qstr|int", name(most)), name(most)


def test_a_firmware_that_is_none_is_told(tmp_path, start):
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(b"this is no firmware at all" * 100)
    with pytest.raises(BoardError, match="the firmware has stopped"):
        EmulatedBoard(tmp_path / "flash.img", firmware=wrong).start()
    small = tmp_path / "small.img"
    small.write_bytes(b"\xff" * 4096)
    with pytest.raises(BoardError, match="no flash image: it has not 2097152 bytes"):
        EmulatedBoard(small, firmware=wrong)


def test_the_command(tmp_path, built, at):
    link = tmp_path / "board"
    words = ["board", str(tmp_path / "flash.img"), "--firmware", str(built.uf2)]
    words += ["--link", str(link), "--wire", "0", "--module", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "onemo_tools", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout and process.stdout.readline().strip() == str(link)
        from onemo_board import Mpremote

        script = "from machine import UART\nimport time\nu = UART(0, 115200)\nu.write(b'round')\n"
        script += "m = UART(1, 115200)\nm.write(b'AT\\r')\ntime.sleep_ms(200)\n"
        said = Mpremote(str(link), timeout=60).exec(script + "print(u.read(), m.read())")
        assert said.startswith("b'round' ")
        assert "OK" in said
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stdout.close() if process.stdout else None
    assert not link.exists()
