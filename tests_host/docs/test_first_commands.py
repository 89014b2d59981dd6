# SPDX-License-Identifier: MIT
"""The README's way from nothing to a product of one's own, typed as it stands there."""

import os
import re
import subprocess

import pytest
from onemo_tools.deploy.packages import ROOT

from tests_host.docs.blocks import blocks

PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
_LEFT_OUT = ("PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS")


def first_commands(page):
    return next(block for block in blocks(page) if block.kind == "sh").commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_they_are_six_at_the_most(page):
    typed = first_commands(page)
    assert typed[0] == "git clone REPOSITORY onemo"
    assert len(typed) <= 6


@pytest.mark.commands
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_they_lead_to_a_product_that_publishes(page, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    script = "\n".join(["set -e", *first_commands(page)]).replace("REPOSITORY", f"'{ROOT}'")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^devices/\w+/telemetry \{.*\"line\": 1", done.stdout, re.MULTILINE)
    assert "2 passed" in done.stdout
