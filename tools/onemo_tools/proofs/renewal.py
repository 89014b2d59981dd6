# SPDX-License-Identifier: MIT
"""Renewals, cut off at every step: `make renewal`.

The maker's service with its record, its two listeners and a product's server are real, and so is
TLS; devices are the library and mqtt.py on a simulated module, whose time jumps. A step is a write
to the UART or to a file. At chosen steps the host loses power, the module reboots, or both. After
each start exactly one whole identity is in the module, and the service and the product's server
accept it; in the end it is a new one, it is active in the record, and no other is.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import ssl
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from multiprocessing import Pool
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from onemo import aio, provisioning_journal, renew
from onemo_simulator import SystemNetwork
from rich.console import Console
from rich.progress import track
from rich.table import Table

from onemo_tools.factory import database
from onemo_tools.factory.authority import Authority, Validity, make_authority
from onemo_tools.factory.keys import P_256, DeviceKey
from onemo_tools.factory.records import Records, serial_text
from onemo_tools.factory.tables import ACTIVE, PENDING, Credential
from onemo_tools.renew import packets
from onemo_tools.renew.listener import Listeners, ServerIdentity
from onemo_tools.renew.service import Service
from onemo_tools.servers.endpoint import Endpoint, echo_lines
from onemo_tools.servers.loop_thread import LoopThread
from onemo_tools.servers.pki import Identity

from . import outage
from .history_device import JumpingLoop, VirtualModem, finish
from .outage import KINDS, Cut, Outage

ROOT = Path(__file__).resolve().parents[3]
HOST, SERVICE = "broker.example", "renewal.example"
DAY = timedelta(days=1)
DEVICE = "246f28010203"
_ANY = ("127.0.0.1", 0)
_UNITS = 10000
FILE = "onemo.renew"
_FIRST_FILES = ("client.pem", "client.key")
_TRIES = 4  # of a host that lives on
STARTS = 20  # of a device, until its renewal has to be through
_DUE = (300, 65)  # days since a certificate's start, and to its end
_EXPIRED = (380, -15)


@cache
def _root() -> tuple[bytes, rsa.RSAPrivateKey]:
    return make_authority("onemo renewal proof", datetime.now(UTC) - 1000 * DAY)


@cache
def mqtt_client() -> Any:
    """mqtt.py's Client."""
    spec = importlib.util.spec_from_file_location("mqtt", ROOT / "mqtt.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found.Client


class World:
    """The maker: a CA, a record, the service in a thread of its own, and the product's server."""

    def __init__(self, **service: Any) -> None:
        self._settings = service
        self._stack = ExitStack()
        self._numbers = count(1)
        self.said: list[str] = []

    def __enter__(self) -> Self:
        start = self._stack.enter_context
        self.folder = Path(start(tempfile.TemporaryDirectory(prefix="onemo-renewal-")))
        pem, private = _root()
        self.authority = Authority(x509.load_pem_x509_certificates(pem), private)
        self.server = server = self._server()
        files = server.write(self.folder)
        url = database.url_of("records.db", self.folder)
        self.records = start(Records.open(url, "renewal", make=True))
        self.records.plan("proof", _UNITS, "device-{number:05}", "L{number:05}")
        self.endpoint = start(Endpoint(echo_lines, identity=server, client_ca=pem))
        self._thread = LoopThread("renewal service")
        self._thread.start()
        self._stack.callback(self._thread.close)
        self._thread.do(self._serve(ServerIdentity(*files, pem)))
        self._stack.callback(lambda: self._thread.do(self.listeners.__aexit__(None, None, None)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def _serve(self, identity: ServerIdentity) -> None:
        self.service = Service(
            self.records, self.authority, tell=self.said.append, **self._settings
        )
        listeners = Listeners(self.service, identity, _ANY, _ANY, self.said.append)
        self.listeners = await listeners.__aenter__()

    def _server(self) -> Identity:
        names: list[x509.GeneralName] = [x509.DNSName(HOST), x509.DNSName(SERVICE)]
        key = DeviceKey.make(P_256)
        dates = self._dates(100, 900)
        pem = self.authority.sign_server(names, key.public, x509.random_serial_number(), dates)
        return Identity(HOST, pem, pem, bytes(key.pem), bytes(key.pem))

    def _dates(self, since: int, to_come: int) -> Validity:
        now = datetime.now(UTC).replace(microsecond=0)
        return Validity(now - since * DAY, now + to_come * DAY)

    def provision(
        self, days: tuple[int, int] = _DUE, algorithm: str = P_256
    ) -> tuple[int, bytes, bytes]:
        """A new unit with an active credential, as the line makes it: the unit's id, certificate
        and key."""
        unit = self.records.unit(f"device-{next(self._numbers):05}")
        assert unit is not None
        serial = x509.random_serial_number()
        dates = self._dates(*days)
        with DeviceKey.make(algorithm) as key:
            made = self.records.begin_credential(
                unit.id,
                serial=serial_text(serial),
                key_fingerprint=key.fingerprint,
                key_digests=key.digests,
                algorithm=key.algorithm,
                issuer=self.authority.fingerprint,
            )
            pem = self.authority.sign_device(unit.device_name, key.public, serial, dates)
            self.records.add_certificate(
                made.id, pem.decode(), not_before=dates.not_before, not_after=dates.not_after
            )
            self.records.activate(made.id)
            return unit.id, pem + self.authority.chain, bytes(key.pem)

    def stranger(self) -> tuple[bytes, bytes]:
        """Certificate and key that the CA has signed, and that are in no record."""
        key = DeviceKey.make(P_256)
        serial, dates = x509.random_serial_number(), self._dates(*_DUE)
        return self.authority.sign_device("x", key.public, serial, dates), bytes(key.pem)

    def states(self, unit_id: int) -> Counter[str]:
        """How many credentials a unit has of each state."""
        return Counter(found.state for found in self.records.credentials(unit_id))

    def admits(self, certificate: bytes, key: bytes, *, expired: bool = False) -> bool:
        """Whether a listener of the service lets an identity in: asked by this machine's TLS."""
        port = self.listeners.grace_port if expired else self.listeners.port
        return self._thread.do(_knock(port, certificate, key))


async def _knock(port: int, certificate: bytes, key: bytes) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*Identity("", b"", certificate, key, key).write(Path(folder)))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except OSError:
        return False
    try:
        writer.write(b"\x10\x0d\0\4MQTT\4\2\0\x3c\0\1x")
        return (await packets.receive(reader)).body[1] == packets.ACCEPTED
    except (OSError, EOFError):
        return False
    finally:
        writer.close()


class Device(outage.Device):
    """Host and module of one unit. `start` and `renew` run in an event loop whose time jumps."""

    writers = (provisioning_journal, renew)

    def __init__(
        self,
        world: World,
        folder: Path,
        outages: Iterable[Outage] = (),
        days: tuple[int, int] = _DUE,
        algorithm: str = P_256,
        **module: Any,
    ) -> None:
        hosts = {HOST: "127.0.0.1", SERVICE: "127.0.0.1"}
        self.network = SystemNetwork(
            hosts,
        )
        super().__init__(folder, outages, network=self.network, **module)
        self.world = world
        self.unit_id, certificate, key = world.provision(days, algorithm)
        pems = {"ca.pem": world.authority.pem, "client.pem": certificate, "client.key": key}
        objects = []
        for name, content in pems.items():
            (folder / name).write_bytes(content)
            kind = "key" if name.endswith(".key") else "cert"
            objects.append({"name": name, "kind": kind, "source": str(folder / name)})
        self.first = (certificate, key)
        context = {"ssl_id": 1, "auth": "mutual", "ca": "ca.pem"}
        self.config: dict[str, Any] = {
            "objects": objects,
            "contexts": [{**context, "cert": "client.pem", "key": "client.key"}],
            "endpoint": {"host": HOST, "port": world.endpoint.port, "ssl_id": 1},
            "renewal": {
                "host": SERVICE,
                "port": world.listeners.port,
                "grace_port": world.listeners.grace_port,
                "within_s": 0,
            },
        }
        self.front: Any  # a VirtualModem
        self.renewal: Any
        self.told: list[str] = []
        self._running = False

    def close(self) -> None:
        super().close()
        self.network.close()

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Runs it in a loop of its own, from the working directory of the device. Cut, if the
        host has lost power meanwhile."""
        before, sleep_ms = os.getcwd(), aio.sleep_ms
        loop = JumpingLoop(self.rig, self._look)
        loop.set_exception_handler(lambda loop, context: None)  # Cut, in whatever task
        os.chdir(self.folder)
        aio.sleep_ms = loop.nap
        self._running = True
        try:
            return loop.run_until_complete(work())
        finally:
            self._running = False
            if self.dead:
                self.rig.uart.sever()
            loop.call_soon(loop.stop)  # with the one that the end of `work` may have left behind
            loop.run_forever()
            finish(loop)
            aio.sleep_ms = sleep_ms
            os.chdir(before)
            self.rig.uart.init()

    def _look(self) -> None:
        # Whatever task it was that the power was cut off in, the others end as well.
        if self.dead and self._running:
            raise Cut

    def power_on(self, **settings: Any) -> Any:
        """The host starts anew."""
        self.dead = False
        self.front = VirtualModem(self.rig.uart, packet=512, **settings)
        self.front.on_event(lambda kind, text: self.told.append(f"{kind}: {text}"))
        self.forget_pause()
        return self.front

    def forget_pause(self) -> None:
        """As if the time until the next attempt were over."""
        self.renewal = renew.Renewal(self.front, self.config, DEVICE, mqtt_client())

    # What a program does

    async def start(self) -> None:
        """What every start does."""
        await self.front.start()
        await self.front.attach()
        await self.front.sync(self.config)

    async def renew(self) -> bool:
        """What it does then, if it is time: True if another identity came into force."""
        return bool(await self.renewal.check(await self.front.clock()))

    async def accepted(self) -> str:
        """The serial number of the one identity in the module, which is whole, and which the
        service and the product's server accept. AssertionError."""
        module = self.rig.module
        objects = dict(module.store.objects)
        kinds = sorted(kind for kind, _ in objects)
        assert kinds == [1, 1, 2], f"not one whole identity alone: {sorted(objects)}"
        assert module.store.series is None, "a packet series is open"
        tls = self.front.tls(1)
        stream = await self.front.connect(SERVICE, self.world.listeners.port, tls)
        asked = mqtt_client()(stream)
        await asked.connect(DEVICE, clean_session=True)
        await asked.close()
        stream = await self.front.connect(HOST, self.world.endpoint.port, tls)
        stream.write(b"ping\n")
        assert await stream.readline() == b"ping\n"
        # A module that has rebooted has its settings again, now that it has connected, and until it
        # reboots while it closes.
        ca, cert, key = module.contexts.names(1)
        await stream.wait_closed()
        assert set(objects) == {(1, ca), (1, cert), (2, key)}, f"in use: {ca}, {cert}, {key}"
        shown = x509.load_pem_x509_certificates(objects[1, cert])[0]
        return serial_text(shown.serial_number)

    def credential(self, state: str) -> Credential | None:
        """The record's, of this unit."""
        return self.world.records.credential(self.unit_id, state)


class Run:
    """One renewal on one device, with outages, to its end."""

    def __init__(self, world: World, folder: Path, outages: Iterable[Outage] = ()) -> None:
        self.world = world
        outages = list(outages)
        self.cut = any(one.kind != "module" for one in outages)
        self.device = Device(world, folder, outages)
        self.lives = 0

    def go(self) -> None:
        """Raises what must not happen."""
        device = self.device
        try:
            device.power_on()
            device.run(device.start)
            device.armed = True
            while not self.is_through():
                self.lives += 1
                assert self.lives <= STARTS, f"not renewed after {STARTS} starts: {device.told}"
                try:
                    device.run(self._live)
                except Cut:
                    jump = random.Random(device.steps).choice((0.05, 2.0, 60.0))
                    device.rig.clock.advance(jump)
                    device.power_on()
            device.armed = False
            device.power_on()
            self._check_end()
            if not self.cut:
                assert device.rig.module.violations == [], device.rig.module.violations
        finally:
            device.close()

    def is_through(self) -> bool:
        """Whether another identity is active, and the device knows that."""
        active = self.device.credential(ACTIVE)
        assert active is not None, "no credential is active"
        first = x509.load_pem_x509_certificates(self.device.first[0])[0].serial_number
        return active.serial != serial_text(first) and not (self.device.folder / FILE).exists()

    async def _live(self) -> None:
        # A program's life, up to a power cut: what fails is tried again.
        device = self.device
        for _ in range(_TRIES):
            try:
                await device.start()
                serial = await device.accepted()
                known = [device.credential(state) for state in (ACTIVE, PENDING)]
                assert serial in [one.serial for one in known if one], "in force, and not recorded"
                device.forget_pause()
                await device.renew()
                return
            except OSError as error:
                device.told.append(f"failed: {error}")
                if "reboot" in str(error):
                    await device.front.reboot()

    def _check_end(self) -> None:
        device, world = self.device, self.world
        device.run(device.start)
        serial = device.run(device.accepted)
        active = device.credential(ACTIVE)
        assert active is not None and active.serial == serial, "active, and not in force"
        states = world.states(device.unit_id)
        assert (states[ACTIVE], states[PENDING]) == (1, 0), states
        assert not world.admits(*device.first), "the old identity is let in"
        left = {path.name for path in device.folder.iterdir()} - {"ca.pem", *_FIRST_FILES}
        assert left == {outage.JOURNAL}, left


def steps(world: World, folder: Path) -> int:
    """How many steps a renewal has without an outage."""
    run = Run(world, folder)
    run.go()
    return run.device.steps


@dataclass
class Tally:
    """What a sweep counted: runs by kind of the first outage, starts of hosts, failures."""

    runs: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.runs += other.runs
        self.lives += other.lives
        self.failures += other.failures


def every(steps_in_all: int, kinds: Iterable[str] = KINDS) -> Iterator[tuple[Outage, ...]]:
    """Each kind of outage at each step; every other time a second one strikes after it."""
    for step in range(steps_in_all):
        for kind in kinds:
            rng = random.Random(f"{step} {kind}")
            first = Outage(step, kind)
            second = Outage(step + 1 + rng.randrange(steps_in_all), rng.choice(KINDS))
            yield (first, second) if rng.random() < 0.5 else (first,)


def sweep(world: World, chosen: Iterable[tuple[Outage, ...]], folder: Path) -> Tally:
    """Runs each; failures are told as what replays them and what happened."""
    tally = Tally()
    for number, outages in enumerate(chosen):
        place = folder / f"run-{os.getpid()}-{number}"
        place.mkdir()
        run = Run(world, place, outages)
        try:
            run.go()
        except Exception as caught:
            told = " ".join(map(str, outages))
            tally.failures.append(f"{told}: {type(caught).__name__}: {caught}")
        tally.runs[outages[0].kind] += 1
        tally.lives += run.lives
    return tally


def _part(task: tuple[int, int, int, int]) -> Tally:
    steps_in_all, stride, index, parts = task
    chosen = list(every(steps_in_all))[::stride][index::parts]
    with World() as world, tempfile.TemporaryDirectory() as folder:
        return sweep(world, chosen, Path(folder))


def main(
    stride: Annotated[int, typer.Option(help="every so many of the outages only")] = 1,
    jobs: Annotated[int, typer.Option(help="processes")] = os.cpu_count() or 1,
) -> None:
    """Cuts renewals off at every step; prints how they ended; exit status 1 on any failure."""
    console = Console()
    with World() as world, tempfile.TemporaryDirectory() as folder:
        in_all = steps(world, Path(folder))
    parts = 20
    tasks = [(in_all, stride, index, parts) for index in range(parts)]
    tally = Tally()
    with Pool(jobs) as pool:
        done = pool.imap_unordered(_part, tasks)
        for part in track(done, "renewals", len(tasks), console=console):
            tally.add(part)
    table = Table(title=f"renewals cut off: {in_all} steps")
    table.add_column("outage")
    table.add_column("runs", justify="right")
    for kind in KINDS:
        table.add_row(kind, str(tally.runs[kind]))
    console.print(table)
    for failure in tally.failures:
        console.print(failure, markup=False)
    console.print(
        f"{tally.runs.total()} renewals, {tally.lives} starts, {len(tally.failures)} failed"
    )
    raise typer.Exit(bool(tally.failures))


if __name__ == "__main__":
    typer.run(main)
