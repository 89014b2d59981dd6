# SPDX-License-Identifier: MIT
"""What is live at each stage of a product's life, on real MicroPython with a simulated module at
its other end: after import, start, sync and connect, and at most while a certificate goes out."""

from typing import Any

from onemo_simulator import LoopNetwork, Module, Peer

from . import wire
from .device import Device

HOST, PORT = "broker.example", 8883  # as device/life.py has them
_BAUD = 921600
# Program -> how the keys of its figures begin.
PROGRAMS = {"blocking": "life", "asynchronous": "life_aio", "written": "life_written"}
_SYNCED, _WRITTEN = 2048, 8192  # bytes of the PEMs


class _Echo(Peer):
    def on_data(self, conn, data: bytes) -> None:  # type: ignore[no-untyped-def]
        conn.reply(data)


def stages(device: Device, program: str) -> dict[str, Any]:
    """Stage -> live bytes beyond the UART's; "modules": stage -> what is loaded of the library."""
    return _run(device, f"life.{program}", [device.pems[size][1] for size in (_SYNCED, _WRITTEN)])


def connection(device: Device) -> dict[str, float]:
    """Bytes that a TLS connection allocates once warm, and a message in it."""
    return _run(device, "connection.main", [device.pems[_SYNCED][1]])


def _run(device: Device, function: str, paths: list[str]) -> dict[str, Any]:
    network = LoopNetwork()
    network.listen(HOST, PORT, _Echo())
    module = Module("ML307R", baud=_BAUD, network=network, register_delay=0.0)
    call = f"{function}({{fd}}, {_BAUD}, *{paths!r})"
    return dict(wire.talk(device, module, _BAUD, call))
