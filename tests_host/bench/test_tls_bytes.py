# SPDX-License-Identifier: MIT
"""What TLS costs on the UART, by the module and on the board, as docs/tls-where.md says it."""

import json
import re

import pytest
from onemo_tools.bench import tls_bytes
from onemo_tools.deploy.packages import ROOT

VARIES = 16  # bytes: serial numbers and signatures are not always as long


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
    said = [float(cell.replace(",", "")) for row in rows for cell in row]
    expected = []
    for value in measured.values():
        expected += [
            pytest.approx(value, abs=VARIES),
            pytest.approx(value * 10 / 115200, abs=0.01),
        ]
    assert said == expected
