# SPDX-License-Identifier: MIT
"""What the demo plays on: certificates, servers, the simulated module, the virtual board."""

import asyncio
import json
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onemo_board import VirtualBoard
from onemo_simulator import Line, Module, SystemNetwork

from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers import pki
from onemo_tools.servers.broker import Broker
from onemo_tools.servers.endpoint import Endpoint, echo_lines

from .operator import Operator

HOST = "broker.example"
DEVICE = "device-0001"
NEXT_DEVICE = "device-0002"
MODEL = "ML307R-DL"
BAUD = 115200  # the line takes its time, so that the progress is real
BUNDLE = 8192  # bytes, the most that the module takes (manual 3.2)
# Objects of this 64-bit build are twice those of a 32-bit MCU; bytecode is the same. All acts run
# in LEAST_KB, main.py compiled on the board; 16 KB less, and memory is short when the line is cut.
HEAP_KB = 256
LEAST_KB = 224
EVERY_S = 2  # between two lines of telemetry: long enough to interrupt the board in between


@dataclass(frozen=True)
class Handshake:
    """What the broker's front agreed on with a client."""

    version: str
    cipher: str
    peer: str  # the common name in the client's certificate


class SeeingBroker(Broker):
    """Keeps the handshakes that succeeded."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[Handshake] = []

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link: ssl.SSLObject = writer.get_extra_info("ssl_object")
        subject = dict(part[0] for part in link.getpeercert()["subject"])  # type: ignore
        cipher = link.cipher()
        assert cipher is not None
        self.seen.append(Handshake(str(link.version()), cipher[0], subject["commonName"]))
        await super()._pass_on(reader, writer)


@dataclass(frozen=True)
class Stage:
    """Everything that is started, and what was made for it."""

    pems: dict[str, bytes]  # what the module is to hold, by name
    next_pems: dict[str, bytes]  # another identity, for the rotation
    next_config: dict[str, Any]
    other_ca: bytes  # a CA that has nothing to do with the server
    config: dict[str, Any]  # config.json of this demo
    open_server: Endpoint  # asks no client for a certificate
    strict_server: Endpoint  # demands one
    broker: SeeingBroker  # MQTT; demands one as well
    operator: Operator  # at the other end of the broker
    module: Module
    line: Line
    board: VirtualBoard


@contextmanager
def built() -> Iterator[Stage]:
    """Starts everything on loopback, and ends it."""
    authority = pki.Authority("onemo demo root")
    server = authority.issue(HOST, server=True)
    devices = authority.subordinate("onemo demo devices")
    client, following = devices.issue(DEVICE), devices.issue(NEXT_DEVICE)
    pems = {
        "ca.pem": authority.bundle(BUNDLE),
        "client.pem": client.chain,
        "client.key": client.key,
    }
    next_pems = {"client-2.pem": following.chain, "client-2.key": following.key}
    module = Module(MODEL, network=SystemNetwork({HOST: "127.0.0.1"}), baud=BAUD)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onemo-demo-")))
        start = stack.enter_context
        open_server = start(Endpoint(echo_lines, identity=server))
        strict = start(Endpoint(echo_lines, identity=server, client_ca=authority.pem))
        broker = start(SeeingBroker(identity=server, client_ca=authority.pem))
        config = default_config()
        config["uart"]["baud"] = BAUD
        changed = {"host": HOST, "port": broker.port, "every_s": EVERY_S}
        config["endpoint"] = {**config["endpoint"], **changed}
        topic = f"{config['endpoint']['topic']}/+/telemetry"
        operator = start(Operator(broker.plain_port, topic))
        line = start(Line(module, "socketpair", baud=BAUD))
        board = start(
            VirtualBoard(
                folder / "flash.img", heap=f"{HEAP_KB}K", uarts={_uart_id(): line.board_fd}
            )
        )
        other = pki.Authority("some other root").pem
        servers = (open_server, strict, broker, operator)
        yield Stage(pems, next_pems, _next(config), other, config, *servers, module, line, board)


def default_config() -> dict[str, Any]:
    """config.json as it is in the project."""
    return dict(json.loads((ROOT / "config.json").read_bytes()))


def _next(config: dict[str, Any]) -> dict[str, Any]:
    """The same with another identity's names."""
    objects = [config["objects"][0]] + [
        {"name": name, "source": f"/certs/{name}", "kind": kind}
        for name, kind in (("client-2.pem", "cert"), ("client-2.key", "key"))
    ]
    context = {**config["contexts"][0], "cert": "client-2.pem", "key": "client-2.key"}
    return {**config, "objects": objects, "contexts": [context]}


def _uart_id() -> int:
    return int(default_config()["uart"]["id"])
