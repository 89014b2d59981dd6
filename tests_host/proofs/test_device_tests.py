# SPDX-License-Identifier: MIT
"""tests_device on the virtual board, as `onemo test-device` runs it on any board."""

import json

import pytest
from onemo_board import PORTS, VirtualBoard
from onemo_board.wire import Wire
from onemo_simulator import Line, Module
from onemo_tools.cli.main import app
from onemo_tools.proofs import testdevice
from typer.testing import CliRunner

ROOT = testdevice.ROOT
BAUD = 115200
FAST = 460800


def config(port_like, baud=BAUD):
    """The uart of a board's config.json; stm32 has its pins fixed."""
    pins = {} if port_like == "stm32" else {"tx": 4, "rx": 5}
    return {"uart": {"id": 1, "baud": baud, **pins}}


def explained(results):
    """What the files said in which something failed."""
    files = {name.partition(".")[0].split()[0] for name in results.failed}
    return "\n".join(results.output[file] for file in files)


@pytest.mark.parametrize("port_like", PORTS)
def test_without_a_module(tmp_path, port_like):
    with (
        Wire() as wire,
        VirtualBoard(
            tmp_path / "flash.img", port_like=port_like, uarts={1: wire.board_fd}
        ) as board,
    ):
        results = testdevice.run(board.port, config(port_like))
        assert results.failed == [], explained(results)
        assert set(results.output) == {"test_lean", "test_uart", "test_upload"}
        assert len(results.ran) >= 20
        assert board.overruns[1] > 0  # the test of a small buffer made one


@pytest.mark.parametrize("port_like, patience", [("esp32", 0), ("stm32", 2), ("rp2", 2)])
def test_with_a_module(tmp_path, port_like, patience):
    """The simulated one; its line and the board's UART change their speed together.

    patience: seconds that it waits for data that do not come; 0: for ever."""
    module = Module("ML307R", ipr_lost=1, data_timeout=patience, baud=FAST)
    line = Line(module, baud=FAST)
    with (
        line,
        VirtualBoard(
            tmp_path / "flash.img",
            port_like=port_like,
            uarts={1: line.board_fd},
            overrun=False,
            on_baud=lambda uart, baud: line.set_baud(baud),
        ) as board,
    ):
        results = testdevice.run(board.port, config(port_like, FAST), real_module=True)
        assert results.failed == [], explained(results)
        assert set(results.output) == {"test_module", "test_module_reset"}
        with line.locked():
            assert module.store.objects == {}  # nothing of the tests is left in it
            assert module.baud == FAST
        soft = [boot for boot in board.history if boot.cause == "soft"]
        assert len(soft) > 2


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a small library and a runner, for tests of its own."""
    folder = tmp_path / "lib" / "onemo"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (tmp_path / "tests_device").mkdir()
    runner = (ROOT / "tests_device" / "unittest.py").read_text()
    (tmp_path / "tests_device" / "unittest.py").write_text(runner)
    return tmp_path


FAILING = """
import unittest

class One(unittest.TestCase):
    def setUp(self):
        self.log = []

    def test_good(self):
        with self.assertRaises(ValueError, "no"):
            raise ValueError("no good")

    def test_unequal(self):
        self.assertEqual(1, 2)

    def test_not_raised(self):
        with self.assertRaises(ValueError):
            pass

    def test_another_text(self):
        with self.assertRaises(ValueError, "other"):
            raise ValueError("no good")

    def test_another_error(self):
        with self.assertRaises(ValueError):
            raise KeyError("k")

    def test_none(self):
        self.assertIsNone(0)

    def test_among(self):
        self.assertIn(3, [1, 2])
"""


def test_what_fails_is_told_and_nothing_is_left(checkout):
    (checkout / "tests_device" / "test_a.py").write_text(FAILING)
    (checkout / "tests_device" / "test_b.py").write_text("import nothing_of_the_kind\n")
    (checkout / "tests_device" / "test_c.py").write_text("import unittest\n")
    (checkout / "tests_device" / "test_module_x.py").write_text("raise AssertionError\n")
    said = []
    with VirtualBoard(checkout / "flash.img") as board:
        results = testdevice.run(board.port, config("esp32"), root=checkout, say=said.append)
    failed = ["another_error", "another_text", "among", "none", "not_raised", "unequal"]
    assert sorted(results.failed) == sorted(
        [f"test_a.One.test_{name}" for name in failed]
        + ["test_b (ended early)", "test_c (no tests in it)"]
    )
    assert "ok   test_a.One.test_good" in said
    assert "1 is not 2" in results.output["test_a"]
    assert "nothing_of_the_kind" in results.output["test_b"]
    from onemo_board import images

    left = {"/lib/onemo/__init__.mpy", "/onemo.manifest"}
    assert set(images.read_files(checkout / "flash.img")) == left


def test_nothing_to_run_is_an_error(checkout):
    with pytest.raises(testdevice.DeviceTestError, match='no "uart"'):
        testdevice.run("nowhere", {}, root=checkout)
    with pytest.raises(testdevice.DeviceTestError, match="there is no test_x"):
        testdevice.run("nowhere", config("esp32"), only="test_x")


def test_the_command(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config("rp2")))
    words = ["test-device", "--config", str(tmp_path / "config.json"), "--only", "test_upload"]
    with VirtualBoard(tmp_path / "flash.img", port_like="rp2") as board:
        done = CliRunner().invoke(app, [*words, "--board", board.port])
        assert done.exit_code == 0, done.output
        assert "ok   test_upload.Flash.test_a_file_of_the_largest_size" in done.output
        assert "6 tests ran, 0 failed" in done.output
        done = CliRunner().invoke(app, [*words, "--board", board.port, "--json"])
        assert json.loads(done.stdout)["failed"] == []
    done = CliRunner().invoke(app, [*words, "--port", str(tmp_path / "none")])
    assert done.exit_code == 4  # a port
    assert "test-device: " in done.output and "Traceback" not in done.output


def test_the_runner_is_small():
    assert len((ROOT / "tests_device" / "unittest.py").read_text().splitlines()) <= 100
