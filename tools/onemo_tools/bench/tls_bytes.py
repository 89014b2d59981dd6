# SPDX-License-Identifier: MIT
"""Bytes over the UART of TLS by the module and on the board, real MicroPython against a real
TLS 1.2 server with RSA-2048 keys."""

from onemo_simulator import Module, SystemNetwork

from onemo_tools.servers import pki
from onemo_tools.servers.endpoint import Endpoint, echo_lines

from . import wire
from .device import Device

_HOST = "server.example"
_BAUD = 921600
# Key of the figure -> who does TLS, and whether the server wants a client certificate.
CASES = {
    "tls_bytes_module": ("module", False),
    "tls_bytes_board": ("board", False),
    "tls_bytes_module_mutual": ("module", True),
    "tls_bytes_board_mutual": ("board", True),
}


def measure(device: Device) -> dict[str, float]:
    """Of each case: bytes in both directions, opening and 100 bytes there and back; and of the
    first such connection after start()."""
    authority = pki.Authority("onemo bench")
    identity = authority.issue(_HOST, server=True)
    client = authority.issue("device-1")
    pems = {"ca.pem": authority.pem, "client.pem": client.chain, "client.key": client.key}
    for name, content in pems.items():
        (device.folder / name).write_bytes(content)
    found: dict[str, float] = {}
    for key, (who, mutual) in CASES.items():
        module = Module("ML307R", network=SystemNetwork({_HOST: "127.0.0.1"}), baud=_BAUD)
        for name, content in pems.items():
            module.store.objects[2 if name.endswith(".key") else 1, name] = content
        wanted = authority.pem if mutual else None
        with Endpoint(echo_lines, identity=identity, client_ca=wanted) as server:
            where = f"{_HOST!r}, {server.port}, {who!r}, {mutual}"
            call = f"tls_bytes.main({{fd}}, {_BAUD}, {where})"
            found[f"{key}_first"], found[key] = wire.talk(device, module, _BAUD, call)
    return found
