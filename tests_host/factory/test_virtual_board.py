# SPDX-License-Identifier: MIT
"""`onemo factory run` over a virtual board, real MicroPython: one connection from opening to
proof, and nothing of the key anywhere but in the module."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from onemo_board import VirtualBoard
from onemo_simulator import Line, Module, SystemNetwork
from onemo_simulator.store import Series
from onemo_tools.bench.line import Boards, run
from onemo_tools.cli.main import app
from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.factory import database
from onemo_tools.factory.audit import audit
from onemo_tools.factory.records import Records
from onemo_tools.proofs.line_kills import PASSPHRASE, files_with, key_windows, new_line
from typer.testing import CliRunner

CONFIG = {"uart": {"id": 1, "baud": 115200, "tx": 17, "rx": 18}}


@pytest.mark.parametrize("algorithm", ["rsa-2048"])
def test_a_virtual_board_gets_an_identity(
    tmp_path: Path, monkeypatch: Any, algorithm: str
) -> None:
    monkeypatch.setenv("ONEMO_CA_PASSPHRASE", PASSPHRASE)
    file = new_line(tmp_path / "line", "records.db", algorithm)
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
        # As a program leaves it that the station interrupts in the midst of a write.
        module.store.series = Series(1, "old.pem", 500, True, module.moment, 1)
        for detail in ("new identity", "had its identity"):
            writes = module.store.writes
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, done.output
            said = [json.loads(line) for line in done.stdout.splitlines()]
            assert said[-1] == {"event": "end", "passed": 1, "failed": 0}
            assert said[-2]["word"] == "PASS" and said[-2]["detail"] == detail
            assert module.store.writes - writes == (3 if detail == "new identity" else 0)
    rebooted = module.commands.index(b"AT+MREBOOT")  # which ends that write, once
    assert module.commands.count(b"AT+MREBOOT") == 1
    then = [one[:13] for one in module.commands[rebooted:]]
    assert then.index(b"AT+CGSN=1") < then.index(b"AT+MSSLKEYWR=")  # the same module still?
    key = module.store.keys["client.key"]
    assert key.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert files_with(tmp_path, key_windows([key])) == []  # the board's flash among them
    assert module.violations == []


@pytest.mark.postgresql
@pytest.mark.timeout(600)
def test_a_killed_station_leaves_virtual_boards_that_the_next_one_serves(tmp_path: Path) -> None:
    """As the sweeps do it, with mpremote's connection to real MicroPython: whatever the board was
    doing when its station died, the next one gets through to it."""
    file = new_line(tmp_path / "line", "records.db", "p-256")
    command = [
        sys.executable,
        "-m",
        "onemo_tools",
        "factory",
        "run",
        str(file),
        "--once",
        "--json",
    ]
    chance = random.Random(3)
    with Boards(tmp_path, 2) as boards:
        ports = boards.fresh(1, 2)
        slots = [word for n, port in enumerate(ports) for word in ("--slot", f"s{n}={port}")]
        killed = 0
        for _ in range(4):
            process = subprocess.Popen(
                [*command, *slots],
                env={**os.environ, "ONEMO_CA_PASSPHRASE": PASSPHRASE},
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            process.stdout.readline()  # the first board is being served
            time.sleep(chance.uniform(0, 2.5))
            process.kill()
            killed += process.wait() == -9
            process.stdout.close()
        assert killed >= 2
        run(file, ports)  # which fails unless both pass
        with Records.look(database.url_of("records.db", file.parent)) as records:
            report = audit(records)
            assert report.findings == []
            units = [records.unit(f"b0a2d{number:07d}") for number in (1000, 1001)]
            held = [records.credential(unit.id, "active") for unit in units if unit is not None]
        assert all(held) and len(held) == 2
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".key":
            assert b"BEGIN EC PRIVATE KEY" not in path.read_bytes(), path
