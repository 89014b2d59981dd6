# SPDX-License-Identifier: MIT
"""What is published is what was measured, and says what is not reached."""

import hashlib
import json
import re
import subprocess

import pytest
from onemo_tools.bench import limits, readme, table, wasm
from onemo_tools.bench.device import SIZES, pem
from onemo_tools.bench.report import quadratic_share
from onemo_tools.deploy.packages import ROOT

ROUNDED = 0.051  # KB or s that a page may differ from what was measured


@pytest.fixture(scope="module")
def report():
    return json.loads((ROOT / "docs" / "bench.json").read_text(encoding="utf-8"))


def test_the_readme_shows_the_measured_table(report):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.inside(text) == readme.section(report)
    assert readme.replaced(text, report) == text


def test_every_figure_is_in_the_document(report):
    found = {row["key"]: row for row in report["figures"]}
    for figure in limits.FIGURES:
        if figure.group == limits.SMALL and report["wasm"]:
            continue
        if figure.group == limits.CHIP and report["chip"]:
            continue
        row = found.pop(figure.key)
        assert row["reached"] == limits.reached(figure.key, row["ours"])
        same = ("group", "text", "limit", "at_most", "unit")
        assert [row[name] for name in same] == [getattr(figure, name) for name in same]
    assert not found


def test_what_is_not_reached_is_listed(report):
    """Times of this machine are not among them; those of the emulated chip are."""
    missed = {
        row["key"]
        for row in report["figures"]
        if row["reached"] is False
        if row["unit"] == "B" or limits.figure(row["key"]).group == limits.CHIP
    }
    assert missed == set(limits.OPEN)
    for key, guarded in limits.OPEN.items():
        assert guarded > limits.figure(key).at_most


@pytest.mark.parametrize("page", ["command-line.md", "command-line.zh.md"])
def test_what_the_page_says_of_files_romfs_and_frozen_was_measured(report, page):
    found = {row["key"]: row["ours"] for row in report["figures"]}
    if "chip_live_import_frozen" not in found:
        pytest.skip("make bench ran last where that firmware could not be built")
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    said = re.findall(r"^\|.*\| (\S+) KB \| (\S+) KB \| (\S+) KB \|$", text, re.MULTILINE)
    measured = [
        [found[f"chip_live_{stage}_{place}"] / 1024 for place in ("files", "rom", "frozen")]
        for stage in ("import", "loaded")
    ]
    assert [list(map(float, row)) for row in said] == [
        pytest.approx(row, abs=ROUNDED) for row in measured
    ]


def test_the_picture_is_there():
    text = (ROOT / "docs" / "bench.svg").read_text(encoding="utf-8")
    assert "Bytes allocated" in text
    assert text.rstrip().endswith("</svg>")


def test_the_table_says_what_is_not_reached():
    row = {"text": "x", "unit": "B", "limit": 0, "at_most": 10, "ours": 11}
    row |= {"plain": None, "published": None}
    assert "(not reached)" in table.cells({**row, "reached": False})[3]
    assert "(not reached)" not in table.cells({**row, "ours": 9, "reached": True})[3]


def test_a_run_without_node_shows_no_32_bit_rows(report):
    rows = [row for row in report["figures"] if row["group"] != limits.SMALL]
    shown = table.markdown({**report, "figures": rows})
    assert limits.SMALL not in shown
    assert limits.ALLOCATED in shown


@pytest.mark.parametrize("missing", ["node", "npm"])
def test_without_node_it_says_so(monkeypatch, missing):
    monkeypatch.setattr(wasm.shutil, "which", lambda name: None if name == missing else name)
    assert wasm.measure(None) == f"no 32-bit figures: {missing} is not installed"


def test_without_npms_registry_it_says_so(monkeypatch, tmp_path):
    def fails(command, folder, seconds):
        return subprocess.CompletedProcess(command, 1, "", "npm error code ENOTFOUND")

    monkeypatch.setattr(wasm.shutil, "which", lambda name: name)
    monkeypatch.setattr(wasm, "_call", fails)
    assert wasm.measure(None, tmp_path).endswith("npm ci failed, npm error code ENOTFOUND")


def test_the_lock_file_names_no_registry():
    lock = (ROOT / "tools" / "wasm" / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "integrity" in lock


def test_growth_is_told_apart():
    sizes = range(1000, 8001, 1000)
    assert quadratic_share({n: 50 + 3 * n for n in sizes}) == pytest.approx(0, abs=1e-6)
    assert quadratic_share({n: n * n for n in sizes}) == pytest.approx(1)


@pytest.mark.parametrize("size", [*SIZES, 300, 301, 365, 5000])
def test_pems_are_of_the_size_asked_for(size):
    content = pem(size)
    assert len(content) == size
    assert hashlib.md5(content).digest() == hashlib.md5(pem(size)).digest()
    assert content.endswith(b"-----END CERTIFICATE-----\n")


@pytest.mark.parametrize(
    ("page", "head", "places"),
    [
        (
            "README.md",
            r"allocates (\d+) bytes of a 32-bit heap; all that provisioning loads takes (\d+) KB",
            r"(\S+) KB of an RP2040's heap, against (\S+) KB in ROMFS and (\S+) KB from files",
        ),
        (
            "README.zh-CN.md",
            r"在 32 位堆上分配 (\d+) 字节；配置所需的全部代码占其中 (\d+) KB",
            r"占堆 (\S+) KB，在 ROMFS 里为 (\S+) KB，从文件加载为 (\S+) KB",
        ),
    ],
)
def test_what_the_readme_says_of_the_heap_was_measured(report, page, head, places):
    found = {row["key"]: row["ours"] for row in report["figures"]}
    if "chip_live_loaded_frozen" not in found or "small_upload" not in found:
        pytest.skip("make bench ran last where there were no boards, or no node")
    text = (ROOT / page).read_text(encoding="utf-8")
    upload, loaded = map(int, re.search(head, text).groups())
    assert upload == found["small_upload"]
    assert loaded == round(found["small_live_loaded"] / 1024)
    measured = [found[f"chip_live_loaded_{place}"] / 1024 for place in ("frozen", "rom", "files")]
    said = map(float, re.search(places, text).groups())
    assert list(said) == [pytest.approx(value, abs=ROUNDED) for value in measured]


@pytest.mark.parametrize("page", ["tls-where.md", "tls-where.zh.md"])
def test_what_the_page_says_of_tls_on_a_chip_was_measured(report, page):
    found = {row["key"]: row["ours"] for row in report["figures"]}
    if "tls_board_rsa_live" not in found:
        pytest.skip("make bench ran last where there were no boards")
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    cases = ("tls_module_ec", "tls_board_ec", "tls_board_rsa")
    expected = []
    for unit, key, scale in (("s", "ms", 1000), ("KB", "live", 1024), ("KB", "more", 1024)):
        measured = [found[f"{case}_{key}"] / scale for case in cases]
        expected.append([unit] + [pytest.approx(m, abs=ROUNDED) for m in measured])
    cells = re.findall(r"^\|.*?\| (\S+) (s|KB) \| (\S+) \2 \| (\S+) \2 \|$", text, re.M)
    assert [[unit, float(a), float(b), float(c)] for a, unit, b, c in cells] == expected
    said = re.search(r"^\|.*\| +\| (\S+) KB \| (\S+) KB \|$", text, re.M)
    measured = [found[f"{case}_peak"] / 1024 for case in cases[1:]]
    assert list(map(float, said.groups())) == [pytest.approx(m, abs=ROUNDED) for m in measured]
