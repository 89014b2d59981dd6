# SPDX-License-Identifier: MIT
"""Runs measurements on real MicroPython, the library compiled as it goes to a board."""

import base64
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from onemo_tools.deploy import packages, romfs
from onemo_tools.deploy.mpy import compile_mpy, for_board

_BIN = Path(sys.executable).parent
_SCRIPTS = Path(__file__).parent / "device"
_RUN_S = 60.0
SIZES = tuple(range(1024, 8193, 1024))


class BenchError(Exception):
    """A measurement does not run; the message says why."""


class Device:
    """`folder` with the library and the measurements as .mpy, and PEM files of `SIZES`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        packages.write_mpy(folder)
        self._compile_for_host()
        for script in _SCRIPTS.glob("*.py"):
            (folder / f"{script.stem}.mpy").write_bytes(compile_mpy(script))
        library = {f"onemo/{path.name}": path.read_bytes() for path in folder.glob("onemo/*.mpy")}
        self.romfs = folder / "onemo.romfs"
        self.romfs.write_bytes(romfs.build(library))
        self.pems = {size: self._pem(size) for size in SIZES}

    def _compile_for_host(self) -> None:
        # As `deploy` does it for a board.
        there = {f"onemo/{path.name}": path for path in self.folder.glob("onemo/*")}
        files = {name: path.read_bytes() for name, path in there.items()}
        script = "import sys\nprint(getattr(sys.implementation, '_mpy', 0))"
        told = subprocess.check_output([_BIN / "micropython", "-c", script], timeout=_RUN_S)
        for path in there.values():
            path.unlink()
        for name, content in for_board(files, int(told)).items():
            (self.folder / name).write_bytes(content)

    def _pem(self, size: int) -> tuple[int, str, str]:
        name = f"{size}.pem"
        content = pem(size)
        (self.folder / name).write_bytes(content)
        return size, name, hashlib.md5(content).hexdigest()

    def start(
        self, call: str, heap: str = "1M", fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[str]:
        """Starts MicroPython on `call`, such as "speed.main(5)"; its value is printed as JSON."""
        module = call.partition(".")[0]
        code = f"import {module}, json\nprint(json.dumps({call}))"
        return self._popen(code, heap, fds)

    def _popen(self, code: str, heap: str, fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [_BIN / "micropython", "-X", f"heapsize={heap}", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A path takes room where it is kept or opened: all are as short as on a board.
            env={"MICROPYPATH": "./.:.frozen", "PATH": "/usr/bin:/bin"},
            cwd=self.folder,
            pass_fds=fds,
        )

    def run(self, call: str, heap: str = "1M", fds: tuple[int, ...] = ()) -> Any:
        """The value of `call`. BenchError with what MicroPython said."""
        status, output = finish(self.start(call, heap, fds))
        if status:
            raise BenchError(f"{call}: {output[-2000:]}")
        return json.loads(output.splitlines()[-1])

    def survives(self, call: str, heap: int) -> bool:
        """Whether `call` ends well in a heap of so many bytes."""
        module = call.partition(".")[0]
        status, output = finish(self._popen(f"import {module}\n{call}", str(heap)))
        if status and "MemoryError" not in output and "memory" not in output.lower():
            raise BenchError(f"{call} in {heap} bytes: {output[-2000:]}")
        return status == 0


def finish(process: subprocess.Popen[str], seconds: float = _RUN_S) -> tuple[int, str]:
    """Exit status and output of a started MicroPython, which is ended if it does not end."""
    try:
        output = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise BenchError(
            f"no end within {seconds} s: {process.communicate()[0][-2000:]}"
        ) from None
    return process.returncode, output


def pem(size: int) -> bytes:
    """A certificate of exactly `size` bytes (300 or more): its last line takes up what lines of 64
    characters do not, and a CR LF or two the rest. Inside are type and length of a certificate,
    and random bytes."""
    head, tail = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
    room = size - len(head) - len(tail)
    lines = room // 65 - 1
    last = (room - lines * 65 - 1) // 4 * 4  # up to two lines in one
    count = (64 * lines + last) // 4 * 3
    outside = b"\x30\x82" + (count - 4).to_bytes(2, "big")
    outside += b"\x30\x82" + (count - 8).to_bytes(2, "big") + b"\xa0\x03\x02\x01"
    body = base64.b64encode(outside + random.Random(size).randbytes(count - len(outside)))
    text = b"".join(body[i : i + 64] + b"\n" for i in range(0, 64 * lines, 64))
    text += body[64 * lines :] + b"\n"
    made = head + text + tail
    while len(made) < size:  # CR LF in the place of the first line ends
        at = size - len(made)
        made = made.replace(b"\n", b"\r\n", at)
    return made
