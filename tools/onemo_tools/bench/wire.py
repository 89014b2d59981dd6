# SPDX-License-Identifier: MIT
"""Bytes on the wire, and time against what these bytes need on it: 10 bits each, one direction
at a time, for a dialogue has no other way. The simulated module itself takes no time here."""

import io
import itertools
import json
import os
import select
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from onemo import AUTH_MUTUAL, KEY
from onemo_simulator import LoopNetwork, Module, Peer, SimulatedUart

from onemo_tools.proofs.rig import Rig
from onemo_tools.servers import pki

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


# What a driver sends that proves nothing: settings of the connection, and the opening.
_BARE = (b'AT+MIPCFG="ssl",1,', b'AT+MIPCFG="encoding",', b'AT+MIPCFG="autofree",', b"AT+MIPOPEN=")


@dataclass
class Proof:
    """What the proof in an opening costs that a driver without it saves: that the context is the
    one asked for, the names are there, the peer is the right one. Both directions."""

    extra: int  # bytes
    ms: float


def proof(baud: int) -> Proof:
    """Of the second connection with mutual TLS to one host; the first one's id is 0."""
    sent: list[tuple[bytes, float, int]] = []
    network = LoopNetwork()
    network.listen("broker.example", 8883, Peer())

    def trace(way: str, data: bytes) -> None:
        if way == ">" and data.startswith(b"AT"):
            sent.append((data, rig.clock.now(), rig.uart.bytes_read))

    with Rig(
        uart={"baud": baud},
        driver={"baud": baud, "trace": trace},
        baud=baud,
        network=network,
        **_AT_ONCE,
    ) as rig:
        modem = rig.modem
        modem.start()
        modem.attach()
        modem.clock()
        for name in ("ca.pem", "client.pem"):
            modem.certs.write(name, io.BytesIO(pem(1024)))
        key = pki.Authority("bench", algorithm="ec").issue("device", algorithm="ec").key
        modem.certs.write("client.key", io.BytesIO(key), KEY)
        context = modem.tls(1)
        context.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
        modem.connect("broker.example", 8883, context).close()
        rig.clock.advance(1.0)
        sent.clear()
        modem.connect("broker.example", 8883, context)
        sent.append((b"", rig.clock.now(), rig.uart.bytes_read))
    found = Proof(0, 0.0)
    for (command, began, read), (_, ended, read_after) in itertools.pairwise(sent):
        if not command.startswith(_BARE):
            found.extra += len(command) + read_after - read
            found.ms += (ended - began) * 1000
    return found


def paced(device: Device, packet: int | None, baud: int, runs: int) -> Transfer:
    """In real time on real MicroPython; the best of `runs`, for what else this machine does is not
    the driver's time. packet None: the plain script."""
    call = f"paced.ours({{fd}}, {baud}, {device.pems[SIZE][1]!r}, {packet}, {runs})"
    if packet is None:
        call = f"paced.peer({{fd}}, {device.pems[SIZE][1]!r}, {runs})"
    module = Module("ML307R", baud=baud, **_AT_ONCE)
    found = talk(device, module, baud, call, check=packet is not None)
    us, count = min(found)
    return _transfer(us / 1e6, count, baud)


def talk(device: Device, module: Module, baud: int, call: str, *, check: bool = True) -> Any:
    """Returns the value of `call` on real MicroPython; {fd} in it becomes the descriptor of a line
    to `module`. BenchError if it fails or, with `check`, if the module saw its protocol
    violated."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        fd = theirs.fileno()
        process = device.start(call.format(fd=fd), fds=(fd,))
        try:
            serve(SimulatedUart(module, baud=baud, txbuf=1 << 16), ours, process)
        finally:
            process.kill()
    status, output = finish(process)
    if status:
        raise BenchError(f"{call}: {output[-2000:]}")
    if check and module.violations:
        raise BenchError(f"violations of protocol: {module.violations}")
    return json.loads(output.splitlines()[-1])


def serve(uart: SimulatedUart, host: socket.socket, process: subprocess.Popen[str]) -> None:
    """A simulated module at the other end of a line, until `process` ends. Each byte comes at its
    own deadline, looked at so often that a turn of the dialogue costs little; `simulator.Line`,
    with its millisecond, would be most of what is measured at 921600."""
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
