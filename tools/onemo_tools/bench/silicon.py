# SPDX-License-Identifier: MIT
"""What the library costs a real firmware's processor: cycles, bytes lost, gaps, on the emulated
RP2040. The module is a script in the emulator, in the board's own time: runs are alike."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from onemo_board import BoardError, mpremote
from onemo_board.rp2040 import EmulatedBoard, Missing, storage
from onemo_board.rp2040.firmware import Firmware, firmware

from onemo_tools.deploy import mpy
from onemo_tools.deploy.deployment import library
from onemo_tools.deploy.packages import ROOT

from . import handshake, places, published
from .device import Device

BAUDS = (115200, 460800, 921600)
BUFFERS = (256, 1024, None)  # rxbuf; None: open_uart's own choice
SIZES = (1024, 8192)
_CALL_S = 600.0
_LINES = 40
_POLLS = 100  # as in device/chip.py
_MHZ = 125
_DELAY_US = 20  # until the module answers
_OK = b"\r\nOK\r\n"

Values = dict[str, float]


def measure(device: Device, ours: Values, plain: Values, theirs: Values) -> str | None:
    """Adds the figures; a sentence where there can be no board. BoardError where it fails."""
    try:
        built = firmware()
    except Missing as error:
        return f"no figures of the RP2040: {error}"
    for values, who in ((ours, "ours"), (plain, "plain")):
        values.update(figures(device, built, who))
    with booted(device, built, published.compiled()) as board:
        spent = _spent(board, "of_published()")
        theirs["chip_command"] = spent[2][0] - spent[1][0]
    ours.update(handshake.figures(device, built))
    try:
        ours.update(places.figures(device, built))
    except Missing as error:
        return f"no figures of the library frozen: {error}"
    return None


def figures(device: Device, built: Firmware, who: str) -> Values:
    """The figures of the library ("ours") or of the plain script."""
    with booted(device, built) as board:
        found = costs(board, who)
        for baud in BAUDS:
            for rxbuf in BUFFERS:
                key = f"lost_{baud}_{rxbuf or 'default'}"
                found[key] = lost(board, who, baud, rxbuf, SIZES[-1])
        for rxbuf in BUFFERS:
            key = f"lost_list_{rxbuf or 'default'}"
            found[key] = lost(board, who, BAUDS[-1], rxbuf, None)
        found["gap_out"], found["gap_in"] = gaps(board, who)
        return found


def gaps(board: EmulatedBoard, who: str) -> tuple[float, float]:
    """Milliseconds for which a 5 ms task did not run, at most: upload and read-back."""
    upload, read = json.loads(_call(board, f"gaps({who!r}, {SIZES[-1]})"))
    return upload / 1000, read / 1000


def booted(
    device: Device, built: Firmware, more: Mapping[str, bytes] = MappingProxyType({})
) -> EmulatedBoard:
    """A board, not started yet, with library, scripts, PEMs and `more` in its file system."""
    compiled = mpy.for_board(library(ROOT), mpy.tells("armv6m"))
    files = {f"/{path}": content for path, content in compiled.items()}
    files |= {f"/{path}": content for path, content in more.items()}
    for name in ("chip.mpy", "plain.mpy", "published.mpy", "common.mpy", "scripted.mpy"):
        files[f"/{name}"] = (device.folder / name).read_bytes()
    for size in SIZES:
        files[f"/{size}.pem"] = (device.folder / f"{size}.pem").read_bytes()
    flash = device.folder / "chip.img"
    storage.write(flash, files)
    link = device.folder / "chip"
    return Scripted(flash, firmware=built.uf2, link=link, paced=False, rules=script(device))


class Scripted(EmulatedBoard):
    """A board with a script at its UART 1."""

    def __init__(self, flash: Path, *, rules: list[dict[str, Any]], **options: Any) -> None:
        super().__init__(flash, **options)
        self._rules = rules

    def start(self) -> None:
        super().start()
        self.script(1, self._rules)


def script(device: Device) -> list[dict[str, Any]]:
    """The rules for script.mjs: commands and answers."""
    rows: list[tuple[str, bytes, int, bytes]] = [
        ("AT+CMEE?", b"\r\n+CMEE: 1\r\n" + _OK, 0, b""),
        ("AT+CGMM", b"\r\nML307R\r\n" + _OK, 0, b""),
        ("AT+CSQ", b"\r\n+CSQ: 24,99\r\n" + _OK, 0, b""),
        ("AT+X=0", _OK, 0, b""),
        (f"AT+X={_LINES}", _lines(b"+X:"), 0, b""),
        ("AT+MSSLLIST=2", _lines(b"+MSSLLIST:"), 0, b""),
    ]
    for size in SIZES:
        _, name, digest = device.pems[size]
        pem = (device.folder / name).read_bytes()
        rows += [
            (f'AT+MSSLCERTWR="{name}"', b"\r\n>", size, _OK),
            (f'AT+MSSLCHECK="{name}"', b"\r\n+MSSLCHECK: %s\r\n" % digest.encode() + _OK, 0, b""),
            (f'AT+MSSLCERTRD="{name}"', b"\r\n+MSSLCERTRD: %d,%s\r\n" % (size, pem) + _OK, 0, b""),
        ]
    rows.append(("AT", _OK, 0, b""))
    return [
        {
            "line": line,
            "delayUs": _DELAY_US,
            "answer": base64.b64encode(answer).decode(),
            "bytes": count,
            "then": base64.b64encode(then).decode(),
        }
        for line, answer, count, then in rows
    ]


def _lines(prefix: bytes) -> bytes:
    rows = (b'\r\n%s "others%03d.pem",1261\r\n' % (prefix, n) for n in range(_LINES))
    return b"".join(rows) + _OK


def _call(board: EmulatedBoard, call: str) -> str:
    said = mpremote(board.port, "exec", f"import chip\nchip.{call}", timeout=_CALL_S).stdout
    return said.strip().splitlines()[-1] if said.strip() else ""


def _spent(board: EmulatedBoard, call: str) -> dict[int, tuple[float, float]]:
    """Number of each mark -> cycles awake and cycles in all since the mark before it."""
    board.stats()  # marks of before
    _call(board, call)
    marks = board.stats()["marks"]
    return {
        last["number"]: (
            last["cycles"] - first["cycles"],
            (last["ns"] - last["flashNs"] - first["ns"] + first["flashNs"]) * _MHZ / 1000,
        )
        for first, last in zip(marks[::2], marks[1::2], strict=True)
        if last["number"]
    }


def costs(board: EmulatedBoard, who: str) -> Values:
    """Cycles of a command, a line, a byte; and how long the processor is awake, in percent."""
    spent = _spent(board, f"costs({who!r}, {SIZES!r})")
    cycles = {number: busy - spent[1][0] for number, (busy, _) in spent.items()}
    span = SIZES[-1] - SIZES[0]
    found = {
        "chip_command": cycles[2],
        "chip_line_kept": (cycles[11] - cycles[10]) / _LINES,
        "chip_byte_out": (cycles[101] - cycles[100]) / span,
        "chip_byte_in": (cycles[201] - cycles[200]) / span,
    }
    if 12 in cycles:
        found["chip_line"] = (cycles[12] - cycles[10]) / _LINES
        found["chip_idle"] = cycles[13] / _POLLS
        found["chip_byte_judge"] = cycles[14] / SIZES[-1]
    spent = _spent(board, f"share({who!r}, {SIZES[-1]})")
    for number, key in ((1, "out"), (2, "in")):
        busy, whole = spent[number]
        found[f"busy_{key}"] = 100 * busy / whole
        found[f"cycles_{key}"] = busy / 1e6
    return found


def lost(board: EmulatedBoard, who: str, baud: int, rxbuf: int | None, size: int | None) -> float:
    """Bytes that overran while so many came back to back; None: a list of 40 lines."""
    before = board.stats()["uarts"][1]["lost"]
    whole = json.loads(_call(board, f"losses({who!r}, {baud}, {rxbuf!r}, {size!r})"))
    found = float(board.stats()["uarts"][1]["lost"] - before)
    if not whole and not found:
        raise BoardError(f"at {baud} not all came, and yet nothing was lost")
    return found
