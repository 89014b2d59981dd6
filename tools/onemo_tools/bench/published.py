# SPDX-License-Identifier: MIT
"""A MicroPython modem driver as its author published it, for the table's last column:
micropython-am7020, the only one found on PyPI. It drives another modem with the same commands for
the network, verifies nothing, and reads its answers byte by byte into a str."""

import sys
from pathlib import Path

from onemo_tools.deploy.mpy import compile_mpy

from . import heaps
from .device import BenchError, Device

NAME = "micropython-am7020"
PACKAGE = "am7020"
# Where `make libraries` puts it; its version and hash are in tools/requirements/micropython.txt.
FOLDER = Path(sys.executable).parents[1] / "micropython" / PACKAGE
_MODULES = ("__init__", "am7020_modem", "am7020_nb")

Values = dict[str, float]


def compiled() -> dict[str, bytes]:
    """Path on the board -> content, compiled as onemo is. BenchError where it was not fetched."""
    if not FOLDER.is_dir():
        raise BenchError(f"{NAME} is not here yet: make libraries")
    return {f"{PACKAGE}/{name}.mpy": compile_mpy(FOLDER / f"{name}.py") for name in _MODULES}


def install(device: Device) -> None:
    """Puts it beside the measurements."""
    for path, content in compiled().items():
        target = device.folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)


def measure(device: Device) -> Values:
    """What can be measured of it on MicroPython for a PC, by the keys of limits.FIGURES."""
    install(device)
    found: Values = device.run(f"allocations.of_published({[device.pems[8192]]!r})")
    found["live_import"] = device.run("live_published.main()")
    for stage in ("import", "command", "upload"):
        found[f"heap_{stage}"] = heaps.smallest(device, "published", stage)
    return found
