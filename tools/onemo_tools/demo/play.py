# SPDX-License-Identifier: MIT
"""The acts of the demo. Each shows something and checks that it truly happened: in the simulated
module's store, at the servers, and in what the board printed."""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from onemo_board import BoardError, MpremoteError, mpremote

from onemo_tools.deploy import deployment
from onemo_tools.servers.endpoint import Endpoint, Seen

from . import stage
from .errors import DemoFailed, Limit, expect
from .screen import Screen
from .stage import Handshake, Stage
from .watch import Watch

TOTAL_S = 150.0  # for everything; it takes some 30 s
_DEVICE = Path(__file__).parent / "device"
_FLOW = _DEVICE / "flow.py"
_ONEMO = "./onemo" if (stage.ROOT / "onemo").exists() else "onemo"
_NEXT = (
    f"{_ONEMO} new thermometer      a product's folder: program, certificates, a test",
    f"{_ONEMO} deploy --board PORT  the library and the application to a real board",
    f"{_ONEMO} doctor --board PORT  what works there, and what to do",
)
# The commands that make a flow (manual 4.1), as they set something.
_TELLING = (b'AT+MSSLCFG="auth",2,', b'AT+MSSLCFG="cert",2,', b"AT+MIPOPEN=")
_WRITES = (b"AT+MSSLCERTWR", b"AT+MSSLKEYWR", b"AT+MSSLRM")


def play(screen: Screen | None = None, total_s: float = TOTAL_S) -> bool:
    """Plays all acts; whether everything that they show happened."""
    screen = screen or Screen()
    limit = Limit(total_s)
    began = time.monotonic()
    try:
        with stage.built() as set_up:
            Play(set_up, screen, limit).acts()
    except (DemoFailed, BoardError, MpremoteError, deployment.DeployError, TimeoutError) as error:
        screen.end_progress()
        screen.failed(str(error))
        return False
    finally:
        screen.end_progress()
    screen.say("")
    screen.proved(f"all of it, in {time.monotonic() - began:.0f} s")
    screen.act("Next")
    for line in _NEXT:
        screen.say(line)
    return True


@dataclass
class Play:
    stage: Stage
    screen: Screen
    limit: Limit

    def acts(self) -> None:
        self.introduce()
        self.deploy()
        self.first_boot()
        self.three_flows()
        self.second_boot()
        self.wrong_ca()
        self.messages()
        self.tasks()
        self.rotation()
        self.conduct()

    # Acts

    def introduce(self) -> None:
        say = self.screen.say
        self.screen.act("On the stage")
        stg = self.stage
        say(f"module  {stage.MODEL}, simulated, on a line paced to {stage.BAUD} bit/s")
        say(
            f"board   real MicroPython behind {stg.board.port}, heap {stage.HEAP_KB} KB; "
            f"{stage.LEAST_KB} KB were enough (64-bit: objects take twice a board's memory)"
        )
        for server, what in (
            (stg.open_server, "asks for no certificate"),
            (stg.strict_server, "demands a client certificate"),
        ):
            say(f"server  {stage.HOST}:{server.port} on loopback, TLS 1.2, {what}")
        say(f"broker  {stage.HOST}:{stg.broker.port}, MQTT, demands a client certificate as well")
        for name, pem in stg.pems.items():
            blocks = pem.count(b"-----BEGIN")
            say(f"file    {name}: {len(pem)} bytes, {blocks} PEM block{'s' * (blocks > 1)}")

    def deploy(self) -> None:
        self.screen.act("Deploy: library as .mpy, application and certificates, through mpremote")
        files = deployment.application(stage.ROOT)
        files["config.json"] = _json(self.stage.config)
        files |= {f"certs/{name}": pem for name, pem in self.stage.pems.items()}
        done = self._deploy(files)
        expect(len(done.copied) == len(files), "a fresh board took only " + str(done.copied))
        again = self._deploy(files)
        expect(not again.copied, f"deployed again, {again.copied} were copied once more")
        self.screen.proved(
            f"{len(files)} files, {done.size} bytes, copied; the second time nothing is"
        )

    def first_boot(self) -> None:
        self.screen.act("First boot: main.py finds an empty module")
        stg = self.stage
        with stg.line.locked() as module:
            expect(not module.store.objects, "the module's store is not empty to begin with")
        served = len(stg.broker.seen)
        watch = self._boot()
        digests = {}
        for name in stg.pems:
            found = watch.until(
                name.replace(".", r"\.") + r" written, MD5 (\w+) confirmed by the module"
            )
            digests[name] = found.group(1)
        self.screen.end_progress()
        self._bars(watch)
        self._compare(digests)
        self._talk(watch, served, "each verified the other's certificate")

    def three_flows(self) -> None:
        self.screen.act("The three flows of the manual's 4.1, each by a script through mpremote")
        stg = self.stage
        self._flow("none", stg.open_server, (0, None, None, None), None)
        self._flow("server", stg.open_server, (1, "ca.pem", None, None), None)
        self._flow(
            "mutual", stg.strict_server, (2, "ca.pem", "client.pem", "client.key"), stage.DEVICE
        )
        served = len(stg.strict_server.connections)
        said = self._run_flow("server", stg.strict_server)
        refused = [line for line in said if line.startswith("refused ")]
        expect(refused and ": 754," in refused[0], f"no client certificate, and yet: {said}")
        seen = self._new(stg.strict_server, served)
        expect(seen.error and seen.received == 0, f"the server let the device in: {seen}")
        self.screen.proved(f"without its certificate the device does not get in: {seen.error}")

    def second_boot(self) -> None:
        self.screen.act("Second boot: nothing has changed")
        served = len(self.stage.broker.seen)
        with self.stage.line.locked() as module:
            before, commands = module.store.writes, len(module.commands)
        watch = self._boot()
        watch.until("certificates and keys unchanged")
        self._talk(watch, served, "the certificates that were there serve again")
        with self.stage.line.locked() as module:
            wrote = module.store.writes - before
            sent = [line for line in module.commands[commands:] if line.startswith(_WRITES)]
        expect(wrote == 0 and not sent, f"{wrote} objects were written again: {sent}")
        expect(not watch.bars, f"the board reported progress of {list(watch.bars)}")
        self.screen.proved("nothing was written: lengths and digests say that all is there")

    def wrong_ca(self) -> None:
        self.screen.act("A wrong CA: the server must be refused")
        stg = self.stage
        objects = [dict(item) for item in stg.config["objects"]]
        objects[0]["source"] = "/certs/other-ca.pem"
        # To the server that tells what became of a handshake.
        endpoint = {**stg.config["endpoint"], "port": stg.strict_server.port}
        files = {
            "certs/other-ca.pem": stg.other_ca,
            "config.json": _json({**stg.config, "objects": objects, "endpoint": endpoint}),
        }
        self._deploy(files)
        served = len(stg.strict_server.connections)
        watch = self._boot()
        watch.until(r"ca\.pem written, MD5 \w+ confirmed by the module")
        self.screen.end_progress()
        failed = watch.until("failed: (.*)").group(1)
        watch.until(r"retrying in [\d.]+ s")
        words = ": 752, the server's certificate failed verification"
        expect(words in failed, f"that should have been error 752 in words: {failed!r}")
        said = "\n".join(watch.lines)
        expect("connected" not in said, "the board says that it was connected")
        expect("client" not in said, "more than the CA was written")
        seen = self._new(stg.strict_server, served)
        expect(seen.error and seen.received == 0, f"the server was not refused: {seen}")
        self.screen.proved(f"error 752 in words, and the server saw no more than: {seen.error}")

    def messages(self) -> None:
        self.screen.act("Publish and subscribe: telemetry up, commands down, the connection cut")
        stg = self.stage
        self._deploy({"config.json": _json(stg.config)})
        served = len(stg.broker.seen)
        watch = self._boot()
        watch.until(r"ca\.pem written, MD5 \w+ confirmed by the module")
        self.screen.end_progress()
        topic = self._talk(watch, served, "with the right CA again")
        self._command(watch, topic, "valve 1 open")
        stg.broker.cut()
        watch.until("failed: .*")
        watch.until(r"retrying in [\d.]+ s")
        watch.until(rf"connected to {stage.HOST}:{stg.broker.port}")
        self._telemetry(watch)
        self._command(watch, topic, "valve 1 shut")
        expect(len(stg.broker.seen) == served + 2, "the broker did not see it come back once")
        self.screen.proved("the connection was cut, and the board came back by itself")

    def tasks(self) -> None:
        self.screen.act("asyncio: two tasks share the modem, one talks, one asks for the signal")
        server = self.stage.strict_server
        served = len(server.connections)
        preset = f"host, port = {stage.HOST!r}, {server.port}"
        said = self._run("exec", preset, "run", _DEVICE / "tasks.py")
        echoes = [at for at, line in enumerate(said) if line.startswith("echo of reading ")]
        signals = [
            at for at, line in enumerate(said) if re.fullmatch(r"signal -\d+ dBm, .+", line)
        ]
        expect(len(echoes) == len(signals) == 3, f"the tasks said {said}")
        expect(min(signals) < max(echoes), f"one task waited for the other: {said}")
        self._secure(self._new(server, served), stage.DEVICE)
        self.screen.proved(f"{len(echoes)} lines and back, {len(signals)} looks at the signal")

    def rotation(self) -> None:
        self.screen.act("Rotation: another identity, tried before the old one is removed")
        stg = self.stage
        files = {f"certs/{name}": pem for name, pem in stg.next_pems.items()}
        self._deploy(files | {"next.json": _json(stg.next_config)})
        served = len(stg.broker.seen)
        said = self._run("run", _DEVICE / "rotation.py")
        names = sorted(item["name"] for item in stg.next_config["objects"])
        expect("rotated True" in said, f"the rotation ended with {said}")
        expect(f"in force {' '.join(names)} proven" in said, f"in force is {said}")
        with stg.line.locked() as module:
            stored = sorted(name for _, name in module.store.objects)
        expect(stored == names, f"the module holds {stored}, not {names}")
        expect(len(stg.broker.seen) == served + 1, "the broker saw no trial connection")
        self._secure(stg.broker.seen[-1], stage.NEXT_DEVICE)
        self.screen.proved(f"the broker saw {stage.NEXT_DEVICE}; the old key is gone")

    def conduct(self) -> None:
        """What must hold over all acts together."""
        stg = self.stage
        self.screen.act("Conduct")
        with stg.line.locked() as module:
            expect(not module.violations, f"the driver broke the protocol: {module.violations}")
            count = len(module.commands)
        expect(stg.line.overruns == 0 and not stg.board.overruns, "a UART buffer overran")
        stg.board.check()
        self.screen.proved(
            f"{count} commands, {stg.line.to_module} bytes to the module and {stg.line.to_host} "
            "bytes back, no violation of the protocol, no byte lost"
        )

    # What acts are made of

    def _boot(self) -> Watch:
        """Resets the board; what it prints from then on."""
        watch = Watch(self.stage.board, self.screen, self.limit)
        self.stage.board.hard_reset()
        watch.until("module ML307R found")
        watch.until("attached, address .+")
        return watch

    def _deploy(self, files: dict[str, bytes]) -> deployment.Deployed:
        return deployment.deploy(self.stage.board.port, files, timeout=self.limit.left())

    def _bars(self, watch: Watch) -> None:
        """What was told of progress begins small, grows and ends at each file's size."""
        for name, pem in self.stage.pems.items():
            told = watch.bars.get(name, [])
            steps = [done for done, _ in told]
            whole = bool(steps) and steps[-1] == len(pem) and steps == sorted(set(steps))
            expect(
                whole and len(steps) > 1 and {total for _, total in told} == {len(pem)},
                f"progress of {name}, {len(pem)} bytes, was told as {told}",
            )

    def _compare(self, told: dict[str, str]) -> None:
        """Three digests of each file: ours, of the module's store, and the one the board told."""
        rows = []
        with self.stage.line.locked() as module:
            store = {name: data for (_, name), data in module.store.objects.items()}
        expect(store.keys() == self.stage.pems.keys(), f"the module holds {sorted(store)}")
        for name, pem in self.stage.pems.items():
            ours, theirs = _md5(pem), _md5(store[name])
            expect(
                ours == theirs == told[name] and store[name] == pem,
                f"{name}: the file's MD5 is {ours}, in the module {theirs}, told {told[name]}",
            )
            rows.append((name, f"{len(pem)} bytes", "file", ours))
            rows.append(("", f"{len(store[name])} bytes", "module", theirs))
        self.screen.table(rows)
        self.screen.proved("file, module and board agree on every digest")

    def _talk(self, watch: Watch, served: int, what: str) -> str:
        """main.py connects and two lines of telemetry come through; `served`: connections before
        that. What the device's topics begin with."""
        stg = self.stage
        watch.until(rf"connected to {stage.HOST}:{stg.broker.port}")
        topic = self._telemetry(watch)
        expect(self._telemetry(watch) == topic, "the topic changed")
        count = len(stg.broker.seen) - served
        expect(count == 1, f"the broker saw {count} connections instead of one")
        seen = stg.broker.seen[-1]
        self._secure(seen, stage.DEVICE)
        with stg.line.locked() as module:
            infos = [module.tls_info(number) for number in range(6)]
        peers = [info.peer for info in infos if info and info.version == seen.version]
        expect(any(stage.HOST in peer for peer in peers), f"the module's peers are {infos}")
        self.screen.proved(
            f"{seen.version}, {seen.cipher}; server {peers[-1]}, client {seen.peer}: {what}"
        )
        self.screen.proved(f"telemetry came through the broker, under {topic}telemetry")
        return topic

    def _telemetry(self, watch: Watch) -> str:
        """A line that the board published has come to the operator; the topics' beginning."""
        said = watch.until("published (.+)").group(1)
        expect(set(json.loads(said)) == {"device", "line", "signal"}, f"telemetry is {said}")
        topic = self.stage.operator.wait_for(said, self.limit.left(20))
        return topic.removesuffix("telemetry")

    def _command(self, watch: Watch, topic: str, text: str) -> None:
        """The operator sends a command, and the board prints it."""
        self.screen.say(f"broker  {topic}commands: {text}", "dim")
        self.stage.operator.send(f"{topic}commands", text)
        watch.until(re.escape(f"command {text.encode()!r}"))
        self.screen.proved("the command came through the broker, with QoS 1")

    def _flow(
        self,
        flow: str,
        server: Endpoint,
        settings: tuple[object, ...],
        client: str | None,
    ) -> None:
        served = len(server.connections)
        said = self._run_flow(flow, server)
        kept = "read back: auth " + " ".join(map(str, settings))
        expect(kept in said, f"flow {flow}: the module should keep {kept!r}: {said}")
        expect(f"reply flow {flow}" in said, f"flow {flow}: no reply: {said}")
        seen = self._new(server, served)
        expect(seen.received == seen.sent == len(f"flow {flow}\n"), f"the server saw {seen}")
        expect(seen.error is None, f"the server says {seen.error}")
        self._secure(seen, client)
        self.screen.proved(
            f"{flow}: {seen.version}, {seen.cipher}, "
            + (f"client {client}" if client else "no client certificate asked for")
        )

    def _run_flow(self, flow: str, server: Endpoint) -> list[str]:
        """flow.py on the board: what it printed."""
        self.screen.say("")
        with self.stage.line.locked() as module:
            mark = len(module.commands)
        preset = f"flow, host, port = {flow!r}, {stage.HOST!r}, {server.port}"
        words = ("exec", preset, "run", _FLOW)
        said = mpremote(self.stage.board.port, *words, timeout=self.limit.left()).stdout
        with self.stage.line.locked() as module:
            commands = module.commands[mark:]
        for command in commands:
            if command.startswith(_TELLING) or command.endswith(b",1,2"):
                self.screen.wire(command)
        lines = said.splitlines()
        for line in lines:
            self.screen.board(line)
        return lines

    def _run(self, *words: str | Path) -> list[str]:
        """A script on the board, through mpremote: what it printed."""
        said = mpremote(self.stage.board.port, *words, timeout=self.limit.left()).stdout
        for line in said.splitlines():
            self.screen.board(line)
        return said.splitlines()

    def _new(self, server: Endpoint, served: int) -> Seen:
        """The one connection that the server has seen since."""
        server.wait(served + 1, timeout=self.limit.left(20))
        count = len(server.connections) - served
        expect(count == 1, f"the server saw {count} connections instead of one")
        return server.connections[-1]

    def _secure(self, seen: Seen | Handshake, client: str | None) -> None:
        expect(seen.version == "TLSv1.2" and seen.cipher, f"the server saw {seen}")
        expect(seen.peer == client, f"the server saw client {seen.peer}, not {client}")


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _json(config: dict[str, object]) -> bytes:
    return json.dumps(config, indent=2).encode()
