# SPDX-License-Identifier: MIT
"""What TLS on the board costs a real firmware, beside TLS by the module: connections to a real
server, through the simulated module, from the emulated RP2040."""

import datetime
import json

from onemo_board import mpremote
from onemo_board.rp2040 import EmulatedBoard, storage
from onemo_board.rp2040.firmware import Firmware
from onemo_simulator import Line, Module, SystemNetwork

from onemo_tools.deploy.deployment import library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers import pki
from onemo_tools.servers.endpoint import Endpoint, echo_lines

from .device import Device

HOST = "server.example"
_UART = {"id": 1, "baud": 115200, "tx": 4, "rx": 5}
_CALL_S = 900.0  # emulated time passes slower than ours while the board computes
# who does it, and the keys of server and client
CASES = (("module", "ec"), ("board", "ec"), ("board", "rsa"))

Values = dict[str, float]


def figures(device: Device, built: Firmware) -> Values:
    """Of each case: milliseconds, bytes of heap while open, of one more, and at most meanwhile."""
    found: Values = {}
    for who, algorithm in CASES:
        key = f"tls_{who}_{algorithm}"
        ms, live, _, more = opened(device, built, who, algorithm, False)
        found.update({f"{key}_ms": ms, f"{key}_live": live, f"{key}_more": more})
        if who == "board":
            found[f"{key}_peak"] = opened(device, built, who, algorithm, True)[2]
    return found


def opened(
    device: Device, built: Firmware, who: str, algorithm: str, sampled: bool
) -> tuple[float, float, float, float]:
    """A connection's ms, bytes of heap that the first takes, at most until one stands (0 unless
    `sampled`), and that one more takes."""
    authority = pki.Authority(f"onemo bench {algorithm}", algorithm=algorithm)
    identity = authority.issue(HOST, server=True, algorithm=algorithm)
    client = authority.issue("device-1", algorithm=algorithm)
    pems = {"ca.pem": authority.pem, "client.pem": client.chain, "client.key": client.key}
    module = Module("ML307R", network=SystemNetwork({HOST: "127.0.0.1"}), baud=_UART["baud"])
    for name, content in pems.items():
        module.store.objects[2 if name.endswith(".key") else 1, name] = content
    files = {f"/{path}": content for path, content in library(ROOT).items()}
    files |= {f"/{name}": content for name, content in pems.items()}
    files["/handshake.mpy"] = (device.folder / "handshake.mpy").read_bytes()
    flash, link = device.folder / "handshake.img", device.folder / "handshake"
    storage.write(flash, files)
    server = Endpoint(echo_lines, identity=identity, client_ca=authority.pem, timeout_s=_CALL_S)
    with (
        server as endpoint,
        Line(module) as line,
        EmulatedBoard(
            flash, firmware=built.with_tls, link=link, uarts={1: line.board_fd}
        ) as board,
    ):
        now = datetime.datetime.now(datetime.UTC)
        clock = (now.year, now.month, now.day, 0, now.hour, now.minute, now.second, 0)
        where = f"{HOST!r}, {endpoint.port}, {_UART!r}, {clock!r}"
        call = f"import handshake\nhandshake.opened({who!r}, {where}, {sampled})"
        said = mpremote(board.port, "exec", call, timeout=_CALL_S).stdout
    took, live, peak, more = json.loads(said.strip().splitlines()[-1])
    return took, live, peak, more
