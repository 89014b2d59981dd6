# SPDX-License-Identifier: MIT
"""A product that names its model needs no table of them; on MicroPython nobody keeps it."""

import subprocess
import sys
from pathlib import Path

import on_micropython
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = ("models", "model_find", "model_probe", "model_info")

UART = """
class Uart:
    def __init__(self):
        self.answer = b""
        self.seen = b""

    def any(self):
        return len(self.answer)

    def readinto(self, buf, n=None):
        data = self.answer[:n]
        buf[: len(data)] = data
        self.answer = self.answer[len(data) :]
        return len(data)

    def write(self, buf, at=0, n=None):
        data = bytes(buf)[at:] if n is None else bytes(buf)[at : at + n]
        self.seen += data
        answers = {"CMEE?": "+CMEE: 1", "CGMM": %r, "CGMR": %r, "CSQ": "+CSQ: 24,99"}
        for command in answers:
            if ("AT+" + command).encode() in data:
                self.answer += b"\\r\\n" + answers[command].encode() + b"\\r\\n"
        if data:
            self.answer += b"\\r\\nOK\\r\\n"
        return len(data)
"""
SCRIPT = """
import json, sys
from onemo import Modem
modem = Modem(Uart(), model=%r)
modem.start()
modem.command("+CSQ")
loaded = [name for name in %r if "onemo." + name in sys.modules]
print(json.dumps([modem.model, loaded, "CGMM" in modem.channel.uart.seen.decode()]))
"""


def script(model, said="ML307R", revision="ML307R-DC-MBRH0S01", modules=LOADED):
    return UART % (said, revision) + SCRIPT % (model, modules)


@pytest.mark.parametrize("model", ["ML307R", "ml307a-dsln", "ML307G-DC", "ML302A", "ML305A-DL"])
def test_on_cpython_the_table_is_not_loaded(model):
    done = subprocess.run(
        # model_info has a base of the modem's class, which only boards do without
        [sys.executable, "-c", script(model, modules=LOADED[:-1])],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": str(ROOT / "lib")},
    )
    series = model.upper().split("-")[0]
    assert done.stdout.strip() == f'["{series}", [], false]'


@pytest.mark.parametrize("model", ["ML307R", "ML307X-DC", "MN316", "ML307H-DU"])
def test_on_micropython_nothing_of_it_stays(model):
    series, loaded, asked = on_micropython.run(script(model))
    assert (series, loaded, asked) == (model.split("-")[0], [], False)


@pytest.mark.parametrize(
    ("said", "revision", "series"),
    [
        ("ML307R", "ML307R-DC-MBRH0S01", "ML307R"),
        ("+CGMM: ML307X", "Revision: ML307X-DC-MBRH1S00", "ML307X"),
        ("ML307H", "ML307H-GU-MBRH0S01", "ML307H"),
        ("ML309Z", "ML309Z-DC-MBRH0S01", None),
    ],
)
def test_nor_of_what_identifies_a_module(said, revision, series):
    found, loaded, asked = on_micropython.run(script(None, said, revision))
    assert (found, loaded, asked) == (series, [], True)
