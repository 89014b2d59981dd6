# SPDX-License-Identifier: MIT
"""Each file says under which licence it is."""

import subprocess

from onemo_tools.deploy.packages import ROOT


def test_each_source_file_has_its_spdx_line():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in listed:
        if name.endswith((".py", ".toml", ".ini", ".mjs")) or name in ("Makefile", "onemo"):
            head = (ROOT / name).read_text(encoding="utf-8").splitlines()[:3]
            assert any("SPDX-License-Identifier: MIT" in line for line in head), name
