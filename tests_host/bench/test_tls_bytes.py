# SPDX-License-Identifier: MIT
"""What TLS costs on the UART, by the module and on the board, as docs/tls-where.md says it."""

import json
import re

import pytest
from onemo_tools.bench import tls_bytes
from onemo_tools.deploy.packages import ROOT

VARIES = 16  # bytes: serial numbers and signatures vary in length


@pytest.fixture(scope="module")
def measured(device):
    return tls_bytes.measure(device)


def test_the_published_figures_are_those_measured(measured):
    report = json.loads((ROOT / "docs" / "bench.json").read_text(encoding="utf-8"))
    published = {row["key"]: row["ours"] for row in report["figures"]}
    for key, value in measured.items():
        assert value == pytest.approx(published[key], abs=VARIES), key


@pytest.mark.parametrize("page", ["tls-where.md", "tls-where.zh.md"])
def test_the_page_says_what_was_measured(measured, page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = re.findall(
        r"^\|.*\| ([\d,]+) ?[(（].*?([\d.]+) s.* \| ([\d,]+) ?[(（]([\d.]+) s.*\|$", text, re.M
    )
    expected = []
    for mutual in ("", "_mutual"):
        for who in ("module", "board"):
            expected += _bytes_and_seconds(measured[f"tls_bytes_{who}{mutual}"])
    assert [_number(cell) for row in rows for cell in row] == expected
    said = re.search(r"`start\(\)`.*?(\d,\d+)\D+(\d,\d+)\D+(\d,\d+)\D+(\d,\d+)", text)
    first = [
        pytest.approx(measured[f"tls_bytes_{who}{mutual}_first"], abs=VARIES)
        for mutual in ("", "_mutual")
        for who in ("module", "board")
    ]
    assert list(map(_number, said.groups())) == first


@pytest.mark.parametrize("page", ["low-power.md", "low-power.zh.md"])
def test_the_page_about_power_says_it_too(measured, page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    said = text[text.index("RSA-2048") + len("RSA-2048") :]
    numbers = re.findall(r"\b\d,\d{3}\b|\b0\.\d\d(?= s)", said)[:8]
    expected = []
    for first in ("", "_first"):
        pairs = [
            _bytes_and_seconds(measured[f"tls_bytes_{who}_mutual{first}"])
            for who in ("module", "board")
        ]
        expected += [pairs[0][0], pairs[1][0], pairs[0][1], pairs[1][1]]
    assert list(map(_number, numbers)) == expected


def _number(text):
    return float(text.replace(",", ""))


def _bytes_and_seconds(count):
    return [pytest.approx(count, abs=VARIES), pytest.approx(count * 10 / 115200, abs=0.0061)]
