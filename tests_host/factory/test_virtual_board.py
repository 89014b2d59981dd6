# SPDX-License-Identifier: MIT
"""`onemo factory run` over a virtual board, real MicroPython: one connection from opening to
proof, and nothing of the key anywhere but in the module."""

import json
from pathlib import Path
from typing import Any

import pytest
from onemo_board import VirtualBoard
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.cli.main import app
from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.proofs.line_kills import PASSPHRASE, files_with, free_port, key_windows, new_line
from typer.testing import CliRunner

CONFIG = {"uart": {"id": 1, "baud": 115200, "tx": 17, "rx": 18}}


@pytest.mark.parametrize("algorithm", ["rsa-2048"])
def test_a_virtual_board_gets_an_identity(
    tmp_path: Path, monkeypatch: Any, algorithm: str
) -> None:
    monkeypatch.setenv("ONEMO_CA_PASSPHRASE", PASSPHRASE)
    file = new_line(tmp_path / "line", "records.db", free_port(), algorithm)
    module = Module("ML307R", network=SystemNetwork(), imei="861234050000042")
    with (
        Line(module) as wire,
        VirtualBoard(
            tmp_path / "flash.img",
            uarts={1: wire.board_fd},
            overrun=False,
            line_time=False,
            unique_id=b"\xb0\xa2\xd0\x00\x42",
        ) as board,
    ):
        deploy(board.port, library(ROOT) | {"config.json": json.dumps(CONFIG).encode()})
        words = ["factory", "run", str(file), "--slot", f"left={board.port}", "--once", "--json"]
        for detail in ("new identity", "had its identity"):
            writes = module.store.writes
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, done.output
            said = [json.loads(line) for line in done.stdout.splitlines()]
            assert said[-1] == {"event": "end", "passed": 1, "failed": 0}
            assert said[-2]["word"] == "PASS" and said[-2]["detail"] == detail
            assert module.store.writes - writes == (3 if detail == "new identity" else 0)
    key = module.store.keys["client.key"]
    assert key.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert files_with(tmp_path, key_windows([key])) == []  # the board's flash among them
    assert module.violations == []
