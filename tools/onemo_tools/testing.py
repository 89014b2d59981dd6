# SPDX-License-Identifier: MIT
"""For a product's own tests: its files on a virtual board, with a simulated module and a broker.

with simulated_product(Path("board"), Path("pki"), tmp_path) as stage:
    print(stage.wait_for_message().payload)
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from onemo_board import VirtualBoard
from onemo_simulator import Line, Module, SystemNetwork

from onemo_tools.demo.operator import Operator
from onemo_tools.deploy import deployment, folders
from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers.broker import Broker
from onemo_tools.servers.pki import Authority, Identity


@dataclass(frozen=True)
class Message:
    """What came through the broker."""

    topic: str
    payload: str


@dataclass(frozen=True)
class Stage:
    """What runs. `with stage.line.locked() as module:` gives the simulated module."""

    board: VirtualBoard
    line: Line
    broker: Broker
    operator: Operator

    def wait_for_message(self, timeout: float = 60) -> Message:
        """The first message that has come under the product's topic. DemoFailed after `timeout`
        seconds."""
        topic, payload = self.operator.first(timeout)
        return Message(topic, payload)

    def command(self, topic: str, payload: str) -> None:
        """Publishes to the product."""
        self.operator.send(topic, payload)


@contextmanager
def simulated_product(
    app: Path, pki: Path | None, folder: Path, port_like: str = "esp32", model: str = "ML307R"
) -> Iterator[Stage]:
    """Starts all of it and deploys the product's files.

    app: the folder that goes to the board, config.json and certs/ in it. pki: a folder as `onemo
    pki` makes it, with the server's certificate and key and the CA of the devices; None: a server
    that somebody else's CA vouches for. folder: for the board's flash. The broker takes the place
    of config.json's endpoint, at a port of its own.
    """
    config = json.loads((app / "config.json").read_bytes())
    endpoint = config["endpoint"]
    identity, client_ca = _server(pki, endpoint["host"])
    network = SystemNetwork({endpoint["host"]: "127.0.0.1"})
    module = Module(model, network=network, baud=config["uart"]["baud"])
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(identity=identity, client_ca=client_ca))
        operator = stack.enter_context(Operator(broker.plain_port, f"{endpoint['topic']}/#"))
        line = stack.enter_context(Line(module))
        board = stack.enter_context(
            VirtualBoard(
                folder / "flash.img",
                port_like=port_like,
                uarts={config["uart"]["id"]: line.board_fd},
                overrun=False,
                line_time=False,
            )
        )
        config["endpoint"] = {**endpoint, "port": broker.port}
        files = deployment.library(ROOT) | folders.application(app).files
        files["config.json"] = json.dumps(config).encode()
        deployment.deploy(board.port, files)
        board.hard_reset()
        yield Stage(board, line, broker, operator)


def _server(pki: Path | None, host: str) -> tuple[Identity, bytes]:
    if pki is None:
        authority = Authority("somebody else's CA")
        return authority.issue(host, server=True), authority.pem
    chain, key = (pki / "server.pem").read_bytes(), (pki / "server.key").read_bytes()
    return Identity(host, chain, chain, key, key), (pki / "ca.pem").read_bytes()
