"""The smallest heap in which a program gets as far as a stage: `-X heapsize=`, bisected."""

from .device import BenchError, Device

STEP = 64  # bytes between heaps tried at the end
_MOST = 1 << 18
FRONTS = ("none", "plain", "blocking", "aio")
STAGES = ("import", "command", "upload", "loaded_import", "loaded_command", "loaded_upload")


def call(device: Device, front: str, stage: str) -> str:
    """What runs on the device."""
    size, path, digest = device.pems[8192]
    return f"heap_step.main({front!r}, {stage!r}, {path!r}, {digest.encode()!r}, {size})"


def smallest(device: Device, front: str, stage: str) -> int:
    """Bytes of the smallest heap, to `STEP`."""
    text = call(device, front, stage)
    low, high = 1024, _MOST  # in multiples of STEP; low fails
    if not device.survives(text, high):
        raise BenchError(f"{text} does not end well in {high} bytes")
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        if device.survives(text, middle):
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
