# SPDX-License-Identifier: MIT
"""Boots, resets and crashes: what a firmware does around the user's scripts."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from onemo_board import (
    BUTTON,
    DEEP_SLEEP,
    HARD,
    POWER_ON,
    SOFT,
    WATCHDOG,
    BoardError,
    BoardTimeout,
    BootError,
    CrashLoop,
    VirtualBoard,
)
from onemo_board.images import read_files, write_files

from .helpers import eventually


@pytest.fixture
def flashed(start, tmp_path):
    """A board whose image holds these files."""

    def make(files: dict[str, str], **options) -> VirtualBoard:
        write_files(tmp_path / "flash.img", {k: v.encode() for k, v in files.items()})
        return start(**options)

    return make


def causes(board: VirtualBoard) -> list[str]:
    return [boot.cause for boot in board.history]


# -- boot.py and main.py ----------------------------------------------------------------------
def test_boot_py_then_main_py_then_the_prompt(flashed):
    board = flashed({"boot.py": "print('one', __name__)\nx = 1", "main.py": "print('two', x)"})
    board.output.wait_for(r"one __main__\s+two 1\s+MicroPython [^>]*>>> ")


def test_a_failing_boot_py_keeps_main_py_from_running(flashed):
    board = flashed({"boot.py": "1/0", "main.py": "print('main runs')"})
    board.output.wait_for("ZeroDivisionError[^>]*>>> ")
    text = str(board.output)
    assert 'Traceback (most recent call last):\n  File "boot.py", line 1, in <module>' in text
    assert "main runs" not in text


def test_a_failing_main_py_ends_at_the_prompt(flashed, at):
    board = flashed({"main.py": "import nothing_of_that_name"})
    board.output.wait_for("ImportError[^>]*>>> ")
    assert at(board)("eval", "1").stdout.strip() == "1"


def test_sys_exit_in_main_py_is_a_soft_reset(flashed):
    code = "import machine, sys\nif machine.reset_cause() != machine.SOFT_RESET: sys.exit()"
    board = flashed({"main.py": code})
    board.wait_boot(2)
    assert causes(board) == [POWER_ON, SOFT]
    board.output.wait_for("MPY: soft reboot\r\n")


@pytest.mark.parametrize(
    ("port", "listed", "path"),
    [
        ("esp32", "['boot.py', 'lib']", "['', '.frozen', '/lib']"),
        ("rp2", "['boot.py', 'lib']", "['', '.frozen', '/lib']"),
        ("stm32", "['flash']", "['', '.frozen', '/flash', '/flash/lib']"),
    ],
)
def test_what_a_program_finds(flashed, at, port, listed, path):
    files = {"boot.py": "pass", "lib/mod.py": "print('from lib')"}
    board = flashed(files, port_like=port)
    out = at(board).exec(
        "import sys, os, hashlib, machine, mod\n"
        "print(sys.platform, os.uname().sysname, os.uname().machine)\n"
        "print(sorted(os.listdir('/')))\nprint(sys.path)\n"
        "print([h for h in ('md5', 'sha1', 'sha256') if hasattr(hashlib, h)])\n"
        "print(len(machine.unique_id()), machine.freq(), sys.implementation._machine)\n"
        "print(__name__, sorted(sys.modules))\n"
        "print([n for n in ('system', 'getenv') if hasattr(os, n)], dir())\n"
    )
    platform, root, paths, hashes, chip, modules, rest = out.splitlines()[1:]
    said = "pyboard" if port == "stm32" else port
    assert platform.startswith(f"{said} {said} Virtual board with ")
    assert root == listed
    assert paths == path
    assert hashes == ("['sha256']" if port == "stm32" else "['md5', 'sha1', 'sha256']")
    assert int(chip.split()[0]) == {"esp32": 6, "stm32": 12, "rp2": 8}[port]
    assert modules == "__main__ ['_machine', 'mod']"
    assert rest.startswith("[] ")


def test_hashes_machine_and_unique_id_are_settable(flashed, at):
    board = flashed(
        {}, port_like="rp2", hashes=["sha256"], machine="My board", unique_id=b"\x01\xfe"
    )
    out = at(board).exec(
        "import hashlib, os, machine\n"
        "print(hasattr(hashlib, 'md5'), os.uname()[4], machine.unique_id())"
    )
    assert out.strip() == r"False My board b'\x01\xfe'"


# -- resets -----------------------------------------------------------------------------------
RESETS = {
    "esp32": {POWER_ON: 1, BUTTON: 1, HARD: 2, WATCHDOG: 3, DEEP_SLEEP: 4, SOFT: 5},
    "stm32": {POWER_ON: 1, BUTTON: 2, HARD: 2, WATCHDOG: 3, DEEP_SLEEP: 4, SOFT: 0},
    "rp2": {POWER_ON: 1, BUTTON: 1, HARD: 3, WATCHDOG: 3, DEEP_SLEEP: 3, SOFT: 1},
}

STEPS = """
import machine
try:
    n = int(open('n').read())
except OSError:
    n = 0
with open('n', 'w') as f:
    f.write(str(n + 1))
print('cause', machine.reset_cause())
if n == 0:
    machine.reset()
if n == 1:
    machine.soft_reset()
if n == 2:
    machine.deepsleep(50)
if n == 3:
    machine.WDT(timeout=100)
    while True:
        pass
"""


@pytest.mark.parametrize("port", RESETS)
def test_every_reset_and_its_cause(flashed, port):
    board = flashed({"main.py": STEPS}, port_like=port)
    board.wait_boot(5)
    board.output.wait_for(r"(cause \d+[^>]*){5}>>> ")
    for step in (board.hard_reset, board.power_on):
        mark = board.output.mark()
        step()
        board.output.wait_for("cause [^>]*>>> ", since=mark)
        board.power_cut()
    expected = [POWER_ON, HARD, SOFT, DEEP_SLEEP, WATCHDOG, BUTTON, POWER_ON]
    assert causes(board) == expected
    numbers = [int(n) for n in re.findall(r"cause (\d+)", str(board.output))]
    assert numbers == [RESETS[port][cause] for cause in expected]


def test_a_fed_watchdog_does_not_bite_and_its_range(flashed, at):
    board = flashed({}, port_like="rp2")
    out = at(board).exec(
        "from machine import WDT; import time\n"
        "try:\n    WDT(timeout=9000)\nexcept ValueError as e:\n    print(e)\n"
        "w = WDT(timeout=1500)\n"
        "for _ in range(20):\n    time.sleep_ms(100); w.feed()\n"
        "print('alive')"
    )
    assert out.splitlines() == ["timeout exceeds 8388", "alive"]
    # it goes on after a soft reset, and nobody feeds it there
    board.wait_boot(3)
    assert causes(board)[-1] == WATCHDOG


def test_deep_sleep_without_an_end_lasts_until_the_button(flashed, at):
    board = flashed({}, port_like="esp32")
    at(board)("exec", "--no-follow", "import machine; machine.deepsleep()")
    board.wait_off()
    assert not board.is_on
    board.hard_reset()
    assert board.is_on


def test_light_sleep_and_the_clock(flashed, at):
    board = flashed({})
    out = at(board).exec(
        "import machine, time\n"
        "t = time.ticks_ms(); machine.lightsleep(60)\n"
        "print(time.ticks_diff(time.ticks_ms(), t) >= 60)\n"
        "r = machine.RTC(); r.datetime((2031, 5, 6, 0, 7, 8, 9, 0)); print(r.datetime()[:5])"
    )
    assert out.splitlines() == ["True", "(2031, 5, 6, 1, 7)"]
    board.hard_reset()
    year = at(board)("eval", "__import__('machine').RTC().datetime()[0]").stdout
    assert year.strip() == "2031"  # it runs on through a reset


def test_a_crash_boots_again_and_a_crash_loop_ends(start):
    board = start()
    for count in range(2, 6):
        assert board.pid
        os.kill(board.pid, signal.SIGSEGV)
        board.wait_boot(count)
        assert causes(board)[-1] == HARD
    os.kill(board.pid, signal.SIGSEGV)
    with pytest.raises(CrashLoop, match="crashed 5 times"):
        board.wait_boot(99)
    eventually(lambda: not board.alive)
    with pytest.raises(CrashLoop):
        board.check()


def test_a_heap_too_small_is_a_boot_error(tmp_path):
    with pytest.raises(BootError, match="does not boot"):
        VirtualBoard(tmp_path / "flash.img", heap="4K").start()


def test_pins(start, at):
    seen = []
    board = start(on_pin=lambda pin, value: seen.append((pin, value)))
    board.set_pin(5, 1)
    board.set_pin("PB0", 0)
    out = at(board).exec(
        "from machine import Pin, Signal\n"
        "p = Pin(4, Pin.OUT, value=1); p.off(); p(1); print(p(), p.value(), p)\n"
        "print(Pin(5, Pin.IN).value(), Pin('PB0', Pin.IN)(), Pin(6, Pin.IN)())\n"
        "s = Signal(p, invert=True); s.on(); print(p())"
    )
    assert out.splitlines() == ["1 1 Pin(4)", "1 0 0", "0"]
    assert seen == [("4", 1), ("4", 0), ("4", 1), ("4", 0)]
    assert board.pins["4"] == 0


# -- the flash --------------------------------------------------------------------------------
def test_a_soft_reset_closes_open_files_and_a_hard_one_does_not(start, at):
    board = start()
    run = at(board)
    run.exec("f = open('kept', 'w'); f.write('all of it')")
    assert run.exec("print(open('kept').read())").strip() == "all of it"
    run.exec("g = open('lost', 'w'); g.write('all of it')")
    board.hard_reset()
    assert "all of it" not in run.exec(
        "import os; print('lost' in os.listdir() and open('lost').read())"
    )


@pytest.mark.parametrize("port", RESETS)
def test_a_full_flash_is_enospc(start, at, port):
    board = start(size=64 * 1024, port_like=port)
    out = at(board).exec(
        "n = 0\n"
        "try:\n"
        "    with open('big', 'w') as f:\n"
        "        while True:\n"
        "            n += f.write('x' * 512)\n"
        "except OSError as e:\n"
        "    print(e.errno == 28, 20000 < n < 65536)"
    )
    assert out.strip() == "True True"


UPDATE = """
import os
try:
    new = 'old' if open('state').read(3) == 'new' else 'new'
except OSError:
    new = 'old'
with open('state.tmp', 'w') as f:
    f.write(new * 900)
os.rename('state.tmp', 'state')
print('renamed')
"""


def test_a_power_cut_never_tears_a_file_replaced_by_rename(flashed, tmp_path):
    board = flashed({"main.py": UPDATE}, size=256 * 1024)
    board.output.wait_for("renamed")
    before, mark = board.flash_writes, board.output.mark()
    board.hard_reset()
    board.output.wait_for("renamed", since=mark)
    writes = board.flash_writes - before
    assert writes > 3
    seen = []
    for cut in range(writes):  # in the middle of each write that the update makes
        board.power_cut(after_writes=cut)
        board.hard_reset()
        board.wait_off()
        content = read_files(tmp_path / "flash.img")["/state"]
        assert content in (b"old" * 900, b"new" * 900)
        seen.append(content[:3])
        mark = board.output.mark()
        board.power_on()
        board.output.wait_for("renamed", since=mark)
    assert {b"old", b"new"} == set(seen)


def test_an_image_that_holds_something_else_is_a_boot_error(tmp_path):
    (tmp_path / "flash.img").write_bytes(b"something else. " * 4096)
    with pytest.raises(BootError, match="no littlefs"):
        VirtualBoard(tmp_path / "flash.img").start()
    (tmp_path / "odd.img").write_bytes(b"x" * 5000)
    with pytest.raises(BoardError, match="no flash image"):
        VirtualBoard(tmp_path / "odd.img")


def test_wrong_options_are_refused(tmp_path):
    with pytest.raises(BoardError, match="no such port: 'avr'"):
        VirtualBoard(tmp_path / "f.img", port_like="avr")
    with pytest.raises(BoardError, match="multiple of 4096"):
        VirtualBoard(tmp_path / "f.img", size=5000)
    with pytest.raises(BoardError, match="rp2 has no UART 5"):
        VirtualBoard(tmp_path / "f.img", port_like="rp2", uarts={5: 0}).start()
    with pytest.raises(BoardError, match="cannot open"):
        VirtualBoard(tmp_path / "f.img", uarts={1: str(tmp_path / "none")}).start()
    (tmp_path / "file").touch()
    with pytest.raises(BoardError, match="no symbolic link"):
        VirtualBoard(tmp_path / "f.img", link=tmp_path / "file").start()


def test_waiting_for_output_has_a_limit(start):
    board = start()
    with pytest.raises(BoardTimeout, match="no output matches 'never'"):
        board.output.wait_for("never", timeout=0.1)
    with pytest.raises(BoardTimeout, match="boot 9"):
        board.wait_boot(9, timeout=0.1)


# -- the heap ---------------------------------------------------------------------------------
def test_a_64_k_heap_is_nearly_all_the_applications(start, at, tmp_path):
    board = start(heap="64K", uarts={})
    script = tmp_path / "heap.py"
    script.write_text("import gc\ngc.collect()\nprint(gc.mem_alloc(), gc.mem_free())\n")
    used, free = map(int, at(board)("run", script).stdout.split())
    bare = subprocess.run(
        [Path(sys.executable).with_name("micropython"), "-X", "heapsize=64K", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    cost = used - int(bare.stdout.split()[0])
    assert cost < 8 * 1024
    assert free > 52 * 1024
    out = at(board).exec("b = bytearray(48 * 1024); from machine import UART; print(len(b))")
    assert out.strip() == str(48 * 1024)
