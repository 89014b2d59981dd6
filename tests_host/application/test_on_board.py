# SPDX-License-Identifier: MIT
"""main.py on MicroPython: its end at the prompt, and by the watchdog."""

import json
import time

from onemo_board import VirtualBoard, images
from onemo_tools.deploy.deployment import library

from .conftest import ROOT, put


def on_board(tmp_path, **changes):
    """A flash image with the application, that says when it has booted."""
    config = json.loads((ROOT / "config.json").read_bytes())
    for path, value in changes.items():
        put(path.replace("__", "."), value)(config)
    files = {f"/{name}": (ROOT / name).read_bytes() for name in ("boot.py", "main.py", "mqtt.py")}
    files |= {f"/{path}": content for path, content in library(ROOT).items()}
    files["/boot.py"] += b"print('booted')\n"
    files["/config.json"] = json.dumps(config).encode()
    images.write_files(tmp_path / "flash.img", files)
    return VirtualBoard(tmp_path / "flash.img")


def test_on_micropython_a_wrong_entry_ends_at_the_prompt_without_a_traceback(tmp_path):
    with on_board(tmp_path, endpoint__port="8883", watchdog_s=1) as board:
        board.output.wait_for(">>> ", timeout=20)
        said = str(board.output)
    assert 'config.json: endpoint.port is "8883"; it must be an integer from 1 to 65535' in said
    assert "Traceback" not in said


def test_on_micropython_the_watchdog_bites_only_once_main_py_has_ended(tmp_path):
    with on_board(tmp_path, watchdog_s=2) as board:  # and no module
        board.output.wait_for("booted", timeout=20)
        time.sleep(5)
        assert str(board.output).count("booted") == 1
        assert ">>> " not in str(board.output)
        mark = board.output.mark()
        with open(board.port, "wb", buffering=0) as terminal:
            terminal.write(b"\x03")
            board.output.wait_for("KeyboardInterrupt", timeout=20, since=mark)
            board.output.wait_for("booted", timeout=20, since=mark)
