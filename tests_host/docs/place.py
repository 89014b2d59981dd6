# SPDX-License-Identifier: MIT
"""Where the documents' commands are run: a checkout to write into, ports, and what a reader has
made before."""

import contextlib
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onemo_board import VirtualBoard
from onemo_board.wire import Wire
from onemo_simulator import Line, Module, SystemNetwork
from onemo_tools.cli.main import app
from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers.endpoint import Endpoint, echo_lines
from onemo_tools.servers.pki import Authority, Identity
from typer.testing import CliRunner

# Commands that run until Ctrl-C, and what they say once they are ready.
SERVERS = {
    "board": "/",
    "simulate": "listens on|/dev/pts/",
    "probe-server": r"\d+",
}
# What a reader's terminal has, and what he types when he is asked.
_TYPED = {"COLUMNS": "200", "ONEMO_CA_PASSPHRASE": "a passphrase to read with"}
_READY_S = 20
_COMMAND_S = 60


@dataclass
class Result:
    status: int
    output: str


@dataclass
class Place:
    """`folder` has the project in `onemo`, as links, and in `product` what `onemo new` made;
    `board` and `module` are ports."""

    folder: Path
    board: str
    module: str
    stack: ExitStack
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        return self.folder / "onemo"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def looped(self) -> str:
        """The port of a board whose TX is wired to its RX."""
        wire = self.stack.enter_context(Wire())
        flash = self.temporary / "looped.img"
        board = self.stack.enter_context(VirtualBoard(flash, uarts={1: wire.board_fd}))
        return board.port

    def begin(self, where: str, *, deployed: bool) -> None:
        """A reader who sits in that folder. `deployed`: whose virtual board, if he starts one, has
        library and product already, so that deploying them does not take its time."""
        self.cwd = self.folder / where
        for made in (self.temporary, self.folder / "thermometer", self.checkout / "thermometer"):
            shutil.rmtree(made, ignore_errors=True)
        self.temporary.mkdir()
        if deployed and (self.folder / "deployed.img").exists():
            shutil.copy(self.folder / "deployed.img", self.temporary / "flash.img")

    def words(self, command: str) -> list[str]:
        """The words of a command, with the ports that are here in place of the reader's."""
        words = shlex.split(command)
        for at, word in enumerate(words):
            if word.startswith("/dev/tty"):
                words[at] = self.module if words[at - 1] == "--serial" else self.board
                if "test-device" in words and "--real-module" not in words:
                    words[at] = self.looped()
            elif word.startswith("/tmp/") or "=/tmp/" in word:
                words[at] = word.replace("/tmp/", f"{self.temporary}/", 1)
        return words

    def run(self, command: str) -> Result:
        """Runs a command as a shell in a terminal would; one that serves is left running."""
        words = self.words(command)
        name = Path(words[0]).name
        here = self.checkout if words[0] in ("./onemo", ".venv/bin/mpremote") else self.cwd
        if name == "cd":
            self.cwd = self.cwd / words[1]
            assert self.cwd.is_dir(), f"{command}: there is no {self.cwd}"
            return Result(0, "")
        if name == "onemo-simulator":
            return self._serve([sys.executable, "-m", "onemo_simulator", *words[1:]], "simulate")
        if name == "onemo":
            if words[1] in SERVERS:
                return self._serve([sys.executable, "-m", "onemo_tools", *words[1:]], words[1])
            with contextlib.chdir(here):
                done = CliRunner().invoke(app, words[1:], env=_TYPED)
            if done.exception and not isinstance(done.exception, SystemExit):
                raise done.exception
            return Result(done.exit_code, done.output)
        if name == "mpremote":
            words[:1] = [sys.executable, "-m", "mpremote"]
        ended = subprocess.run(
            words,
            cwd=here,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        return Result(ended.returncode, ended.stdout)

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
        return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def _serve(self, words: list[str], name: str) -> Result:
        process = subprocess.Popen(
            words,
            cwd=self.cwd,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(process)
        killer = threading.Timer(_READY_S, process.kill)
        killer.start()
        said = ""
        try:
            for line in process.stdout or ():
                said += line
                if re.search(SERVERS[name], line) and not line.startswith("the module"):
                    return Result(0, said)
        finally:
            killer.cancel()
        return Result(process.wait(), said)

    def end(self) -> None:
        """Ends what is still running."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.communicate(timeout=20)
        self.running.clear()


@contextmanager
def made(folder: Path) -> Iterator[Place]:
    """The place, with PEM files in the checkout's `certs/`, and a server that answers as
    broker.example and mqtt.example. The board has library and product, the modules
    its certificates."""
    checkout, product = folder / "onemo", folder / "product"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".git", "build", "certs"):
            (checkout / path.name).symlink_to(path)
    done = CliRunner().invoke(app, ["new", str(product), "--host", "mqtt.example"])
    assert done.exit_code == 0, done.output
    shutil.copytree(product / "board" / "certs", checkout / "certs")
    pki = product / "pki"
    chain, key = (pki / "server.pem").read_bytes(), (pki / "server.key").read_bytes()
    identity = Identity("mqtt.example", chain, chain, key, key)
    root = Authority("a root that came as DER").pem.decode()
    (checkout / "root.cer").write_bytes(ssl.PEM_cert_to_DER_cert(root))
    answer = {"certificatePem": (pki / "ca.pem").read_text()}
    (checkout / "aws-answer.json").write_text(json.dumps(answer))
    (product / "trace.txt").write_text("    0.000 > AT\n    0.004 < OK\n")
    (checkout / "ML307C-DC-CN.profile.json").write_text('{"base": "ML307C", "tls_links": 2}')
    with ExitStack() as stack:
        start = stack.enter_context
        ca = (pki / "ca.pem").read_bytes()
        server = start(Endpoint(echo_lines, identity=identity, client_ca=ca))
        network = _OnePort(server.port)
        module = Module("ML307R", network=network, boot_delay=0.1)
        alone = Module("ML307R", network=_OnePort(server.port), boot_delay=0.1)
        for one in (module, alone):  # as the product's first start leaves it
            for kind, name in ((1, "ca.pem"), (1, "client.pem"), (2, "client.key")):
                pem = (product / "board" / "certs" / name).read_bytes()
                one.store.objects[kind, name] = pem
        line = start(Line(module))
        port = start(Line(alone, "pty"))
        board = start(
            VirtualBoard(
                folder / "flash.img",
                heap="256K",
                uarts={1: line.board_fd},
                overrun=False,
                line_time=False,
            )
        )
        place = Place(folder, board.port, str(port.path), stack)
        stack.callback(place.end)
        place.begin("product", deployed=False)
        first = place.run("onemo deploy --board /dev/ttyUSB0")
        assert first.status == 0, first.output
        shutil.copy(folder / "flash.img", folder / "deployed.img")
        yield place


class _OnePort(SystemNetwork):
    """Every port of the names that documents have is the same server."""

    def __init__(self, port: int) -> None:
        super().__init__({"mqtt.example": "127.0.0.1", "broker.example": "127.0.0.1"})
        self._port = port

    def open(self, host, port, *rest, **options):
        return super().open(host, self._port, *rest, **options)
