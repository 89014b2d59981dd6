# SPDX-License-Identifier: MIT
"""Bytes on the wire, and time against what these bytes need on it: 10 bits each, one direction
at a time, for a dialogue has no other way. The simulated module itself takes no time here."""

import io
import json
import os
import select
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from onemo_simulator import Module, SimulatedUart

from onemo_tools.proofs.rig import Rig

from .device import BenchError, Device, finish, pem

BAUDS = (115200, 460800, 921600)
PACKETS = (256, 512, 1024, 2048, 4096, 8192)
PACKET = 2048  # the library's default
SIZE = 8192
_SERVE_S = 60.0
_LOOK_S = 0.00005  # s between looks at a paced line
_LOOKS = 100  # between looks at the process
_AT_ONCE: dict[str, Any] = {"answer_delay": 0.0, "prompt_delay": 0.0, "store_delay": 0.0}


@dataclass
class Transfer:
    """One verified write of `SIZE` bytes into an empty store."""

    extra: int  # bytes in both directions beyond the PEM's own
    ratio: float  # time over what all the bytes need on the line


def exact(packet: int, baud: int) -> Transfer:
    """On a clock that stands still while the driver thinks: what the protocol itself costs."""
    with Rig(
        uart={"baud": baud}, driver={"baud": baud, "packet": packet}, baud=baud, **_AT_ONCE
    ) as rig:
        rig.modem.start()
        before = rig.uart.bytes_written + rig.uart.bytes_read
        start = rig.clock.now()
        if not rig.modem.certs.write("ca.pem", io.BytesIO(pem(SIZE))):
            raise BenchError("the simulated module's store was not empty")
        count = rig.uart.bytes_written + rig.uart.bytes_read - before
        return _transfer(rig.clock.now() - start, count, baud)


def paced(device: Device, packet: int | None, baud: int, runs: int) -> Transfer:
    """In real time on real MicroPython; the best of `runs`, for what else this machine does is not
    the driver's time. packet None: the plain script."""
    module = Module("ML307R", baud=baud, **_AT_ONCE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        fd = theirs.fileno()
        path = device.pems[SIZE][1]
        call = f"paced.ours({fd}, {baud}, {path!r}, {packet}, {runs})"
        if packet is None:
            call = f"paced.peer({fd}, {path!r}, {runs})"
        process = device.start(call, fds=(fd,))
        try:
            _serve(SimulatedUart(module, baud=baud, txbuf=1 << 16), ours, process)
        finally:
            process.kill()
    status, output = finish(process)
    if status:
        raise BenchError(f"{call}: {output[-2000:]}")
    found = json.loads(output.splitlines()[-1])
    if packet is not None and module.violations:
        raise BenchError(f"violations of protocol: {module.violations}")
    us, count = min(found)
    return _transfer(us / 1e6, count, baud)


def _serve(uart: SimulatedUart, host: socket.socket, process: subprocess.Popen[str]) -> None:
    # Each byte at its own deadline, looked at so often that a turn of the dialogue costs little;
    # `simulator.Line`, with its millisecond, would be most of what is measured at 921600.
    end = time.monotonic() + _SERVE_S
    buffer = bytearray(4096)
    while process.poll() is None:
        if time.monotonic() > end:
            raise BenchError(f"no end of the uploads within {_SERVE_S} s")
        for _ in range(_LOOKS):
            if select.select([host], [], [], _LOOK_S)[0]:
                data = host.recv(4096)
                if not data:
                    break
                uart.write(data)
            count = uart.readinto(buffer)
            if count:
                os.write(host.fileno(), memoryview(buffer)[:count])


def _transfer(seconds: float, count: float, baud: int) -> Transfer:
    return Transfer(int(count) - SIZE, seconds * baud / (10 * count))
