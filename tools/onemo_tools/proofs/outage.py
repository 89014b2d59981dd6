# SPDX-License-Identifier: MIT
"""A host and a module that lose power at chosen steps, in one process on a virtual clock.

A step is a write to the UART, or one to the journal's file; outage_runs.py has the jobs that are
cut off at them.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onemo import provisioning_journal
from onemo.errors import ModemReset
from onemo_simulator import EchoPeer, LoopNetwork
from onemo_simulator.network import TlsRequest

from .rig import Rig, VirtualModem

HOST, PORT = "broker.example", 8883
KINDS = ("host", "half", "module", "both")
JOURNAL = "onemo.rotate"
FOREIGN = (1, "foreign.pem")


class Cut(BaseException):
    """The host has no power any more."""


@dataclass(frozen=True)
class Outage:
    """At step `step` (from 0) of a run: "host" loses power, before it; "half" loses it half-way
    through it; "module" reboots; "both"."""

    step: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}@{self.step}"

    @classmethod
    def parse(cls, text: str) -> Outage:
        """What `str` wrote."""
        kind, step = text.split("@")
        return cls(int(step), kind)


def pem(label: bytes, letter: str, lines: int) -> bytes:
    """Something that passes for a PEM: type and length of its content are right, the rest is one
    letter."""
    size = 48 * lines
    inside = bytes((0x81, size - 3)) if size > 129 else bytes((size - 2,))
    rest = size - len(inside) - 1
    if label == b"CERTIFICATE":
        begin = b"\x30" + (bytes((0x81, rest - 3)) if rest > 129 else bytes((rest - 2,))) + b"\xa0"
    else:
        begin = b"\x02\x01\x00\x30"
    text = (
        base64.b64encode((b"\x30" + inside + begin).ljust(12, b"\0"))
        + letter.encode() * 64 * lines
    )
    body = b"".join(text[at : at + 64] + b"\n" for at in range(0, 64 * lines, 64))
    return b"-----BEGIN " + label + b"-----\n" + body + b"-----END " + label + b"-----\n"


def profile(tag: str, folder: Path, letters: str = "") -> dict[str, Any]:
    """An identity named after `tag`, its files in `folder`; CA, certificate and key are made of
    one of `letters` each."""
    objects = []
    names = (f"ca-{tag}.pem", f"client-{tag}.pem", f"client-{tag}.key")
    for name, letter, lines in zip(names, letters or tag * 3, (5, 4, 3), strict=True):
        kind = "key" if name.endswith(".key") else "cert"
        label = b"PRIVATE KEY" if kind == "key" else b"CERTIFICATE"
        (folder / name).write_bytes(pem(label, letter, lines))
        objects.append({"name": name, "kind": kind, "source": str(folder / name)})
    ca, cert, key = names
    context = {"ssl_id": 1, "auth": "mutual", "ca": ca, "cert": cert, "key": key}
    return {
        "objects": objects,
        "contexts": [context],
        "endpoint": {"host": HOST, "port": PORT, "ssl_id": 1},
    }


def stored(identity: dict[str, Any]) -> dict[tuple[int, str], bytes]:
    """What the module's store holds of an identity."""
    return {
        (2 if item["kind"] == "key" else 1, item["name"]): Path(item["source"]).read_bytes()
        for item in identity["objects"]
    }


class Server(EchoPeer):
    """Accepts whole identities only, and of these only those in `accepted`."""

    def __init__(self) -> None:
        self.accepted: list[tuple[bytes, ...]] = []

    def accept(self, *identities: dict[str, Any]) -> None:
        self.accepted = [tuple(stored(identity).values()) for identity in identities]

    def verdict(self, tls: TlsRequest) -> int:
        """752 for a wrong CA, 754 for a client that is not let in."""
        if tls.auth != 2 or tls.ca not in [ca for ca, _, _ in self.accepted]:
            return 752
        return 0 if (tls.ca, tls.cert, tls.key) in self.accepted else 754


class _File:
    """A file whose every write is a step."""

    def __init__(self, file: Any, device: Device) -> None:
        self._file = file
        self._device = device

    def write(self, text: str) -> int:
        self._device.step(lambda: self._file.write(text[: len(text) // 2]))
        return int(self._file.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class _Os:
    """`os`, whose renames and removals are steps."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def rename(self, old: str, new: str) -> None:
        self._device.step()
        os.rename(old, new)

    def remove(self, path: str) -> None:
        self._device.step()
        os.remove(path)

    def fsync(self, number: int) -> None:
        """Nothing: power is cut in this process only, and waiting for a disk takes long."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


class Device:
    """Host and module. `outages` strike at their steps once `armed`; steps are counted from
    there. `network`: the module's, else one with `server`."""

    writers: tuple[Any, ...] = (provisioning_journal,)  # modules whose writes to files are steps

    def __init__(
        self,
        folder: Path,
        outages: Iterable[Outage] = (),
        *,
        network: Any = None,
        **module: Any,
    ) -> None:
        self.folder = folder
        self.server = Server()
        if network is None:
            network = LoopNetwork()
            network.listen(HOST, PORT, self.server)
        self.rig = Rig(network=network, boot_delay=1.0, **module)
        self.outages = sorted(outages, key=lambda outage: outage.step, reverse=True)
        self.steps = 0
        self.struck = 0
        self.armed = False
        self.dead = False
        self.modem: VirtualModem = self.rig.modem
        self._write = self.rig.uart.write
        self.rig.uart.write = self._uart_write  # type: ignore[method-assign]
        for writer in self.writers:
            writer.os = _Os(self)
            writer.open = self._open

    def close(self) -> None:
        self.rig.close()
        for writer in self.writers:
            writer.os = os
            del writer.open

    def power_on(self) -> VirtualModem:
        """The host starts; `modem` is its new driver."""
        self.dead = False
        self.modem = self.rig.new_driver(packet=256, buffer=64)
        return self.modem

    # Steps

    def step(self, half: Callable[[], object] = lambda: None) -> None:
        """Something is about to happen that an outage may come before; `half` does half of it."""
        if self.dead:
            raise Cut
        if not self.armed:
            return
        number = self.steps
        self.steps += 1
        if not self.outages or self.outages[-1].step > number:
            return
        kind = self.outages.pop().kind
        self.struck += 1
        if kind == "half":
            half()
        if kind in ("module", "both"):
            self.rig.module.reboot(lose_output=True)
        if kind != "module":
            self.dead = True
            raise Cut

    def _uart_write(self, buf: Any, *window: int) -> int | None:
        start = window[0] if len(window) == 2 else 0
        size = window[-1] if window else len(buf)
        if size:
            self.step(lambda: self._write(buf, start, max(1, size // 2)))
        return self._write(buf, *window)

    def _open(self, path: str, mode: str = "r") -> Any:
        file = open(path, mode)
        return _File(file, self) if "w" in mode else file

    # What must be so

    def identity(self, *identities: dict[str, Any]) -> int:
        """Index of the one that is in use. AssertionError unless it is exactly one, whole, alone,
        and accepted by the server."""
        module = self.rig.module
        objects = dict(module.store.objects)
        assert objects.pop(FOREIGN, b"foreign") == b"foreign", "a foreign object was changed"
        wholes = [stored(identity) for identity in identities]
        assert objects in wholes, f"not one whole identity alone: {sorted(objects)}"
        assert module.store.series is None, "a packet series is open"
        found = wholes.index(objects)
        try:
            self._talk()
        except ModemReset:  # a reboot that nothing has noticed yet
            self._talk()
        context = identities[found]["contexts"][0]
        names = tuple(context[name] for name in ("ca", "cert", "key"))
        assert module.contexts.names(1) == names, f"in use: {module.contexts.names(1)}"
        assert module.contexts.value(1, "auth") == 2
        return found

    def _talk(self) -> None:
        self.modem.attach()
        with self.modem.connect(HOST, PORT, self.modem.tls(1)) as stream:
            stream.write(b"ping")
            assert stream.read(4) == b"ping"
