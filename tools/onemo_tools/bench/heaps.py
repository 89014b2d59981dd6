# SPDX-License-Identifier: MIT
"""The smallest heap in which a program gets as far as a stage: `-X heapsize=`, bisected."""

from collections.abc import Callable

from .device import BenchError, Device

STEP = 64  # bytes between heaps tried at the end
BLOCK = 32  # bytes of a block of the heap
_MOST = 1 << 18
STAGES = ("import", "command", "upload", "loaded_import", "loaded_command", "loaded_upload")


def call(device: Device, front: str, stage: str) -> str:
    """What runs on the device."""
    size, path, digest = device.pems[8192]
    return f"heap_step.main({front!r}, {stage!r}, {path!r}, {digest.encode()!r}, {size})"


def smallest(device: Device, front: str, stage: str) -> int:
    """Bytes of the smallest heap, to `STEP`. Where the garbage of importing comes to lie makes it
    jump by some KB from one version to the next."""
    text = call(device, front, stage)
    return _bisected(lambda heap: device.survives(text, heap), 1024, _MOST, STEP, text)


def room(device: Device, who: str, what: str) -> int:
    """Bytes of free heap that a `what` (command, upload) of `who` (blocking, plain) needs once all
    is loaded, to `BLOCK`."""
    pem = device.pems[8192]

    def enough(free: int) -> bool:
        return device.survives(f"room.main({who!r}, {what!r}, {free}, *{pem!r})", _MOST)

    return _bisected(enough, 0, 1 << 16, BLOCK, f"{what} of {who}") + BLOCK  # its own head


def _bisected(enough: Callable[[int], bool], low: int, high: int, step: int, text: str) -> int:
    """The least multiple of `step` that is enough; `low` is not."""
    if not enough(high):
        raise BenchError(f"{text} does not end well in {high} bytes")
    while high - low > step:
        middle = (low + high) // 2 // step * step
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def all_stages(device: Device) -> dict[str, dict[str, int]]:
    """Front -> stage -> bytes. "none" is the interpreter with the scripted UART alone."""
    found: dict[str, dict[str, int]] = {"none": {"import": smallest(device, "none", "import")}}
    found["plain"] = {s: smallest(device, "plain", s) for s in ("import", "command", "upload")}
    for front in ("blocking", "aio"):
        found[front] = {stage: smallest(device, front, stage) for stage in STAGES}
    return found
