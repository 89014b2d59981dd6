# SPDX-License-Identifier: MIT
"""A virtual board with the library, a simulated module, and the servers that examples talk to.

The examples run as they are: their hosts and ports are mapped to servers on loopback.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from onemo_board import VirtualBoard, images
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.deploy import deployment
from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers.broker import Broker
from onemo_tools.servers.endpoint import Connection, Endpoint, echo_lines
from onemo_tools.servers.pki import Authority
from onemo_tools.store.repl import Session

LIBRARIES = ROOT / ".venv" / "micropython"
ECHO, BROKER, API, OTHER = "echo.example", "broker.example", "api.example", "other.example"
CA = "ca.example"
# What a program before has left on the board.
FORGET = """
import os
for name in os.listdir():
    if name.startswith("onemo.r"):
        os.remove(name)
"""
TIME = "pool.ntp.org"
NTP_ANSWER = b"\x24" + bytes(39) + b"\xef\x99\x81\x80" + bytes(4)  # 2027-05-22 04:00:00 UTC
UNIX_TIME = 0xEF998180 - 2208988800


class Mapped(SystemNetwork):
    """This machine's loopback behind the names and ports that an example has."""

    def __init__(self, servers: dict[tuple[str, int], int]) -> None:
        super().__init__({host: "127.0.0.1" for host, _ in servers})
        self._servers = servers

    def open(self, host, port, *rest, **options):
        return super().open(host, self._servers.get((host, port), port), *rest, **options)

    def open_datagram(self, host, port, timeout):
        return super().open_datagram(host, self._servers.get((host, port), port), timeout)


@dataclass(frozen=True)
class Stage:
    board: VirtualBoard
    module: Module
    line: Line
    echo: Endpoint
    objects: dict[tuple[int, str], bytes]  # of the module's store, as upload.py writes them

    def begin(self, stored: bool) -> None:
        """A module that has just been switched on, and holds the certificates, or nothing."""
        with self.line.locked() as module:
            module.store.objects.clear()
            if stored:
                module.store.objects.update(self.objects)
            module.power_cycle()
            module.commands.clear()
            module.violations.clear()

    def run(self, code: str, seconds: float = 20) -> list[str]:
        """What an example prints, line by line; BoardFailed if it broke off."""
        with Session(self.board.port) as repl:
            repl.run(FORGET, seconds)
            return repl.run(code, seconds).splitlines()

    def run_until(self, code: str, enough: Callable[[], bool], seconds: float = 20) -> list[str]:
        """What one that never ends prints, until enough() is true; then Ctrl-C ends it."""
        over = threading.Event()
        with Session(self.board.port) as repl:
            repl.run(FORGET, seconds)
            port = repl._transport.serial

            def end_it():
                for _ in range(int(seconds / 0.05)):
                    if enough() or over.wait(0.05):
                        break
                port.write(b"\x03")

            watcher = threading.Thread(target=end_it)
            watcher.start()
            try:
                printed, error = repl._transport.exec_raw(code, timeout=seconds)
            finally:
                over.set()
                watcher.join()
        assert error.decode().splitlines()[-1] == "KeyboardInterrupt: ", error.decode()
        return printed.decode().splitlines()


def _api(connection: Connection) -> None:
    _answer(connection, lambda path: json.dumps({"path": path}).encode())


def _answer(connection: Connection, made: Callable[[str], bytes]) -> None:
    """HTTP, one request."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.receive()
    body = made(request.split()[1].decode())
    connection.send(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@contextmanager
def _time_server() -> Iterator[int]:
    """NTP, at the port that it gives."""
    over = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                try:
                    sock.sendto(NTP_ANSWER, sock.recvfrom(100)[1])
                except TimeoutError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            over.set()
            thread.join(5)


@contextmanager
def built(folder: Path, *, broker_echoes: bool = False) -> Iterator[Stage]:
    """Starts everything, and ends it. `broker_echoes`: what answers under the broker's name sends
    lines back, and asks nobody for a certificate."""
    authority, others = Authority("examples' CA"), Authority("somebody else's CA")
    first, second = authority.issue("device-0001"), authority.issue("device-0002")
    client_ca = authority.pem
    with ExitStack() as stack:
        start = stack.enter_context
        echo = start(
            Endpoint(echo_lines, identity=authority.issue(ECHO, server=True), client_ca=client_ca)
        )
        api = start(Endpoint(_api, identity=authority.issue(API, server=True)))
        other = start(Endpoint(echo_lines, identity=others.issue(OTHER, server=True)))
        opened = start(Endpoint(echo_lines, identity=authority.issue(BROKER, server=True)))
        broker = start(Broker(identity=authority.issue(BROKER, server=True), client_ca=client_ca))
        again = json.dumps({"certChain": [authority.issue("device-0001").chain.decode()]}).encode()
        renewing = start(
            Endpoint(
                lambda connection: _answer(connection, lambda path: again),
                identity=authority.issue(CA, server=True),
            )
        )
        ntp_port = start(_time_server())
        network = Mapped(
            {
                (ECHO, 8443): echo.port,
                (ECHO, 1): 1,
                (API, 443): api.port,
                (OTHER, 8443): other.port,
                (CA, 9000): renewing.port,
                (BROKER, 8883): opened.port if broker_echoes else broker.port,
                (TIME, 123): ntp_port,
            }
        )
        module = Module("ML307R", network=network, boot_delay=0.1, register_delay=0.1)
        line = start(Line(module))
        config = json.loads((ROOT / "config.json").read_bytes())
        config["endpoint"] |= {"host": ECHO, "port": 8443, "every_s": 1}
        config["renewal"] = {"host": ECHO, "port": 8443, "grace_port": 8443}
        config |= {"retry": {"first_s": 1, "most_s": 1}, "recovery": {"after": 1}}
        files = {f"/{name}": content for name, content in deployment.library(ROOT).items()}
        files |= {
            "/mqtt.py": (ROOT / "mqtt.py").read_bytes(),
            "/config.json": json.dumps(config).encode(),
            "/next.json": json.dumps(_next(config)).encode(),
            "/certs/ca.pem": authority.pem,
            "/certs/client.pem": first.chain,
            "/certs/client.key": first.key,
            "/certs/client-2.pem": second.chain,
            "/certs/client-2.key": second.key,
        }
        for path in (LIBRARIES / "umqtt").glob("simple*"):
            files[f"/lib/umqtt/{path.name}"] = path.read_bytes()
        images.write_files(folder / "flash.img", files)
        board = start(
            VirtualBoard(
                folder / "flash.img",
                heap="384K",
                uarts={1: line.board_fd},
                overrun=False,
                line_time=False,
            )
        )
        objects = {
            (1, "ca.pem"): authority.pem,
            (1, "client.pem"): first.chain,
            (2, "client.key"): first.key,
        }
        yield Stage(board, module, line, echo, objects)
        with line.locked() as module:
            module.power_off()  # which ends its connections


def _next(config):
    text = json.dumps(config)
    for name in ("client.pem", "client.key"):
        text = text.replace(name, name.replace("client", "client-2"))
    return json.loads(text)
