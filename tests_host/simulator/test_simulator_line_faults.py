# SPDX-License-Identifier: MIT
"""Faults on a line that is served: a pty, TCP, a board's UART."""

import socket
import time

import pytest
from onemo_simulator import Fault, FaultyLine, Line, Module


def talk(line, text):
    with socket.create_connection(line.address, timeout=5) as client:
        client.sendall(text)
        got = b""
        while not got.endswith((b"OK\r\n", b"ERROR\r\n")):
            got += client.recv(100)
        return got


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("corrupt > 0 mask=4", b"\r\nERROR\r\n"),
        ("insert < 2 data=2a", b"\r\n*OK\r\n"),
        ("duplicate < 2", b"\r\nOOK\r\n"),
        ("drop > 0", b"\r\nERROR\r\n"),
    ],
)
def test_a_fault_strikes_once(fault, answer):
    faulty = FaultyLine(Module("ML307R", echo=False), [Fault.parse(fault)])
    with Line(faulty, "tcp") as line:
        assert talk(line, b"AT\r") == answer
        assert [str(one) for one in faulty.struck] == [fault]
        assert talk(line, b"AT\r") == b"\r\nOK\r\n"
        with line.locked() as module:
            assert isinstance(module, Module)


def test_paced_and_late():
    faulty = FaultyLine(Module("ML307R", echo=False), [Fault("stall", "<", 0, seconds=0.3)])
    with Line(faulty, "tcp", baud=115200) as line:
        began = time.monotonic()
        assert talk(line, b"AT\r") == b"\r\nOK\r\n"
        assert time.monotonic() - began > 0.25
