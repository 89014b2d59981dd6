# SPDX-License-Identifier: MIT
"""What a person is told whose Python cannot run the tools."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "check_python.py"
complaint = runpy.run_path(str(SCRIPT))["complaint"]


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 4), (3, 13, 1)])
def test_what_the_wheel_is_built_for_is_fine(version):
    assert complaint(version, "x86_64", "Linux") is None


@pytest.mark.parametrize(
    ("version", "machine", "system"),
    [
        ((3, 10, 2), "x86_64", "Linux"),
        ((3, 14, 0), "x86_64", "Linux"),
        ((2, 7, 18), "x86_64", "Linux"),
        ((3, 11, 2), "aarch64", "Linux"),
        ((3, 11, 2), "x86_64", "Darwin"),
    ],
)
def test_anything_else_is_told_in_words(version, machine, system):
    said = complaint(version, machine, system)
    assert f"Python {version[0]}.{version[1]} on {system} {machine}" in said
    assert "3.11, 3.12 or 3.13" in said
    assert "make PYTHON=" in said
