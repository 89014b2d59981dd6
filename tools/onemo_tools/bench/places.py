# SPDX-License-Identifier: MIT
"""Live heap on a real firmware, by where the library is: in files, in ROMFS, frozen into it."""

import json

from onemo_board import BoardError, mpremote
from onemo_board.rp2040 import EmulatedBoard, storage
from onemo_board.rp2040.firmware import Firmware, frozen

from onemo_tools.deploy import mpy, romfs
from onemo_tools.deploy.deployment import library
from onemo_tools.deploy.packages import ROOT, modules

from .device import Device

MANIFEST = ROOT / "manifest.py"
SOURCES = tuple(ROOT / "lib" / "onemo" / f"{module}.py" for module in modules())
# place -> where the board says that it has imported the library from
PLACES = {
    "files": "/lib/onemo/__init__.mpy",
    "rom": "/rom/lib/onemo/__init__.mpy",
    "frozen": "onemo/__init__.py",
}
_CALL_S = 600.0
_CODE = """
import json, live
found = live.main()
import onemo
print(json.dumps([found, onemo.__file__]))
"""

Values = dict[str, float]


def figures(device: Device, built: Firmware) -> Values:
    """Of each place: bytes live after the import, and with all that provisioning loads.
    Missing, where the firmware with the library in it cannot be built."""
    found: Values = {}
    for place in PLACES:
        for stage, taken in live(device, built, place).items():
            found[f"chip_live_{stage}_{place}"] = taken
    return found


def live(device: Device, built: Firmware, place: str) -> Values:
    """Bytes live at each stage, as device/live.py has them, with the library in that place."""
    scripts = ("live.mpy", "modules.mpy")
    files = {f"/{name}": (device.folder / name).read_bytes() for name in scripts}
    firmware, rom = built.uf2, b""
    if place == "frozen":
        firmware = frozen(built, MANIFEST, SOURCES)
    else:
        compiled = mpy.for_board(library(ROOT), mpy.tells("armv6m"))
        if place == "rom":
            rom = romfs.build(compiled)
        else:
            files |= {f"/{path}": content for path, content in compiled.items()}
    flash, link = device.folder / "places.img", device.folder / "places"
    storage.write(flash, files, rom)
    with EmulatedBoard(flash, firmware=firmware, link=link, paced=False) as board:
        said = mpremote(board.port, "exec", _CODE, timeout=_CALL_S).stdout
    found, path = json.loads(said.strip().splitlines()[-1])
    if path != PLACES[place]:
        raise BoardError(f"the library was to be imported from {PLACES[place]}, not from {path}")
    return dict(found)
