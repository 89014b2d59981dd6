# SPDX-License-Identifier: MIT
"""`onemo size`: what the library costs, module by module.

Flash: bytes of .mpy, as `deploy` compiles them. RAM: bytes of heap that stay taken once a module
has been imported and the collector has run, on the unix port, whose words have 64 bits: most
objects take half of that on a microcontroller, bytecode and strings as much.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from onemo_tools.deploy import mpy, packages
from onemo_tools.deploy.packages import ROOT

# What a run that writes certificates loads; the rest of the provision part is loaded when needed:
# another kind of model, an error to explain, TLS contexts, a speed to change.
_PROVISIONING = """
__init__ _pem_viper _port at_channel at_resync at_retry at_syntax blocking cert_pem cert_store
cert_upload certs errors md5 model models modem
"""
PROVISIONING = tuple(_PROVISIONING.split())
AIM = 16 * 1024  # bytes of .mpy for provision only
_RUN_S = 60.0
_ARCHITECTURE = "armv6m"  # an RP2040's, of what is compiled to machine code

_METER = """
import gc, json, sys
sys.path.insert(0, {folder!r})
import binascii, hashlib, io, select, time
found = []
def taken():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()
for name in {names!r}:
    found.append(0)
for i, name in enumerate({names!r}):
    before = taken()
    __import__(name)
    found[i] = taken() - before
print(json.dumps(found))
"""


class SizeError(Exception):
    """The meter does not run; the message says why."""


@dataclass
class Module:
    """One module's cost in bytes."""

    name: str
    part: str
    flash: int  # of .mpy, as `deploy` compiles it
    heap: int


@dataclass
class Report:
    """All modules, and the sums."""

    modules: list[Module]
    loaded: Module  # what writing certificates loads
    provision: Module  # the provision part
    everything: Module


def measure(root: Path = ROOT) -> Report:
    """Compiles and imports every module. SizeError, mpy.CompileError."""
    order = packages.in_order(root)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages.write_mpy(folder, root)
        flash = {path.stem: _flash(path) for path in (folder / "onemo").iterdir()}
        heap = _heap(folder, order)
    found = [Module(m, packages.part_of(m), flash[m], heap[m]) for m in order]
    return Report(
        found,
        _sum("loaded to write certificates", [m for m in found if m.name in PROVISIONING]),
        _sum("provision only", [m for m in found if m.part == "provision"]),
        _sum("everything", found),
    )


def _flash(path: Path) -> int:
    # What goes as source where the board is not known is compiled for it by `deploy`.
    if path.suffix == ".py":
        return len(mpy.compile_mpy(path, _ARCHITECTURE))
    return path.stat().st_size


def _sum(name: str, found: list[Module]) -> Module:
    return Module(name, "", sum(m.flash for m in found), sum(m.heap for m in found))


def _heap(folder: Path, order: list[str]) -> dict[str, int]:
    """Heap that stays taken after each import, each behind what it imports itself."""
    names = [f"onemo.{m}" if m != "__init__" else "onemo" for m in order]
    meter = Path(sys.executable).with_name("micropython")
    script = _METER.format(folder=str(folder), names=names)
    done = subprocess.run(
        [str(meter), "-X", "heapsize=1M", "-c", script],
        cwd=folder,  # MicroPython imports from the current folder first
        capture_output=True,
        text=True,
        timeout=_RUN_S,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise SizeError(f"MicroPython cannot import the library: {said}")
    return dict(zip(order, json.loads(done.stdout), strict=True))


def as_json(report: Report) -> str:
    """The report for a machine."""
    return json.dumps(asdict(report), indent=2)


def as_text(report: Report) -> str:
    """The report as a table; bytes."""
    lines = [f"{'module':<30} {'part':<10} {'.mpy':>7} {'heap':>7}"]

    def add(module: Module) -> None:
        lines.append(f"{module.name:<30} {module.part:<10} {module.flash:>7} {module.heap:>7}")

    for part in packages.PARTS:
        for module in report.modules:
            if module.part == part:
                add(module)
    lines.append("")
    for total in (report.loaded, report.provision, report.everything):
        add(total)
    lines.append("")
    lines.append("heap: bytes that stay taken after the import, on the 64-bit unix port")
    lines.append("_md5_viper is loaded only where hashlib has no MD5")
    return "\n".join(lines)
