# SPDX-License-Identifier: MIT
"""One run of the sweep: a module, a driver, a script for them, and an oracle that judges each
answer of the driver by the module's own state at that moment.

A script is a coroutine for both fronts: with the blocking one, what it awaits never waits.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onemo import _port, aio, blocking
from onemo.errors import ModemError
from onemo_simulator import LoopNetwork, Module, Peer, VirtualClock
from onemo_simulator.loop_network import LoopConnection
from onemo_simulator.network import TlsRequest

from .sweep_faults import LATE_S, TO_HOST, TO_MODULE, FaultyUart, Strike
from .sweep_objects import KEY, PSK, SECRETS, folder

STEP_S = 900.0  # virtual; all deadlines of one call of the driver are far below
WAITS_MAX = 60_000  # of a run
TRIES = 4  # of a step: at once, at once again, after a minute, after modem.reboot()
NAP_S = 10.0
_SEND_S = 15.0  # the prompt of a MIPSEND is waited for
_DATA_MODE_S = 10.0  # a module leaves it by itself then
LEFT_OPEN_S = 60.0
_NO_PDP = 570
_TICK = 0.0002
_WRAP = 1 << 30
_DATA = re.compile(rb"\+MIPRD: \d+,\d+,(\d+),")

RIGHT, ERROR, BEYOND, WRONG = "right", "typed error", "undetectable", "wrong"


class Hang(BaseException):
    """The driver let its deadline pass."""


class Wrong(Exception):
    """The driver told what is not so. The first word of the text is its kind."""


class Server(Peer):
    """A peer; `replied` has what it sent over each connection. `answer` makes its answer to what
    came; `trusts`: (CA that vouches for it, certificate and key that it asks for, or None)."""

    def __init__(
        self,
        answer: Callable[[bytes], bytes] = bytes,
        hello: bytes = b"",
        ends_after: int = 0,
        trusts: tuple[bytes, tuple[bytes, bytes] | None] | None = None,
    ) -> None:
        self.answer = answer
        self.hello = hello
        self.ends_after = ends_after
        self.trusts = trusts

    def verdict(self, tls: TlsRequest) -> int:
        """752 for a wrong CA, 754 for a client that is not let in."""
        if self.trusts is None:
            return 0
        ca, client = self.trusts
        if tls.auth and not tls.ignoreverify and tls.ca != ca:
            return 752
        if client is not None and (tls.cert, tls.key) != client:
            return 754
        return 0

    def _say(self, conn: LoopConnection, data: bytes) -> None:
        if data and conn._end is None and not conn.closed:
            replied = conn.__dict__.setdefault("replied", bytearray())
            replied += data
            conn.reply(data)
            if self.ends_after and len(replied) >= self.ends_after:
                conn.end(1, 0.01)

    def on_connect(self, conn: LoopConnection) -> None:
        """Speaks first, if it has a hello."""
        self._say(conn, self.hello)

    def on_data(self, conn: LoopConnection, data: bytes) -> None:
        """Answers."""
        self._say(conn, self.answer(data))


class SweepModem(blocking.Modem):
    """The blocking front, whose waits move the virtual clock."""

    world: World

    def wait(self) -> None:
        self.world.wait(self.channel.max_sleep_ms())
        if ms := self.channel.min_sleep_ms():
            _port.sleep_ms(ms)


@dataclass
class Link:
    """A stream as the script sees it, and the connection that it is in truth."""

    stream: Any
    conn: LoopConnection | None
    written: bytearray = field(default_factory=bytearray)
    got: bytearray = field(default_factory=bytearray)


class World:
    """A module on a virtual clock, a driver, and what is known of the two."""

    def __init__(
        self,
        *,
        model: str = "ML307R",
        asyncio_front: bool = False,
        store: dict[tuple[int, str], bytes] | None = None,
        servers: dict[tuple[str, int], Server] | None = None,
        quirks: dict[str, Any] | None = None,
        driver: dict[str, Any] | None = None,
        strikes: tuple[Strike, ...] = (),
        log: bool = False,
    ) -> None:
        self.clock = VirtualClock()
        self.network = LoopNetwork()
        for (host, port), server in (servers or {}).items():
            self.network.listen(host, port, server)
        self.module = Module(model, clock=self.clock, network=self.network, **(quirks or {}))
        self.module.store.objects.update(store or {})
        self.expected = dict(store or {})
        self.uart = FaultyUart(self.module)
        if log:
            self.uart.log = []
        self.trace = bytearray()
        self.strikes = strikes
        self.told: list[BaseException] = []
        self.events: list[str] = []  # sentences of modem.on_event
        self.beyond: list[str] = []
        self.links: list[Link] = []
        self.struck_now = False  # a fault struck the step that ended last
        self.waits = self.pauses = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.asyncio_front = asyncio_front
        self.modem: Any
        settings = {"packet": 256, "buffer": 64, "trace": self._hear, **(driver or {})}
        self._real = (_port.ticks_ms, _port.sleep_ms, aio.sleep_ms)
        _port.ticks_ms = self._ticks_ms
        _port.sleep_ms = self._sleep_ms
        aio.sleep_ms = self._aio_sleep
        self._settings = settings
        if asyncio_front:
            self.modem = aio.Modem(self.uart, **settings)
        else:
            self.modem = SweepModem(self.uart, **settings)
            self.modem.world = self
        self.modem.on_event(lambda kind, text: self.events.append(text))
        self._limit = STEP_S
        self._waits_struck = {s.at: s.kind for s in strikes if s.kind in ("stop", "cancel")}
        self._pauses_struck = {s.at for s in strikes if s.kind == "nap"}
        self._armed = False

    def close(self) -> None:
        """Gives the driver its real clock back."""
        _port.ticks_ms, _port.sleep_ms, aio.sleep_ms = self._real

    def _hear(self, direction: str, data: bytes) -> None:
        self.trace += data

    # Time

    def _ticks_ms(self) -> int:
        return int(self.clock.now() * 1000) % _WRAP

    def _sleep_ms(self, ms: int) -> None:
        self.wait(ms)

    def wait(self, ms: int) -> None:
        """The driver waits."""
        self._count_wait("stop")
        now = self.clock.now()
        event = self.uart.next_event()
        until = now + ms / 1000
        if event is not None and event < until:
            until = event
        self.clock.advance_to(max(until, now + _TICK))
        if self.clock.now() > self._limit:
            raise Hang(f"still waiting after {STEP_S:.0f} s")

    async def _aio_sleep(self, ms: int) -> None:
        if self._armed and self._waits_struck:
            task = asyncio.current_task()
            at = min(self._waits_struck)
            if self.waits >= at and task in self.tasks and self._waits_struck[at] == "cancel":
                del self._waits_struck[at]
                self.uart.struck_by(Strike("cancel", "", at))
                self.note(f"cancel {at}")
                task.cancel()
        self.wait(ms)
        await asyncio.sleep(0)

    def _count_wait(self, kind: str) -> None:
        if not self._armed:
            return
        self.waits += 1
        if self.waits > WAITS_MAX:
            raise Hang(f"{WAITS_MAX} waits")
        if self._waits_struck.get(self.waits - 1) == kind:
            del self._waits_struck[self.waits - 1]
            self.uart.struck_by(Strike(kind, "", self.waits - 1))
            self.note(f"{kind} {self.waits - 1}")
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        """A remark in the conversation that is printed."""
        self.uart._note("!", text.encode())

    # Steps

    def arm(self) -> None:
        """The driver is in step; from here on faults strike."""
        self.uart.arm(list(self.strikes))
        self._armed = True

    async def front(self, call: Callable[[], Any]) -> Any:
        """What a method of the driver returns, with either front."""
        result = call()
        return await result if inspect.isawaitable(result) else result

    async def pause(self) -> None:
        """The host is idle between two steps."""
        if self.pauses in self._pauses_struck:
            self.uart.struck_by(Strike("nap", "", self.pauses))
            self.note("the module reboots without a word")
            self.uart.reboot(False)
            self.clock.advance(NAP_S)
        self.pauses += 1

    async def attempt(self, call: Callable[[], Any]) -> tuple[bool, Any]:
        """Calls the driver once: (True, result), or (False, error) for one that it may raise."""
        self._limit = self.clock.now() + STEP_S
        before = len(self.uart.struck)
        try:
            return True, await self.front(call)
        except (ModemError, KeyboardInterrupt) as error:
            return False, self.tell(error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or not task.uncancel() >= 0 or task not in self.tasks:
                raise
            return False, self.tell(error)
        except (OSError, ValueError) as error:
            # A damaged list may say that a name is another object's, or gone: told, at least.
            return False, self.tell(error)
        finally:
            self.struck_now = len(self.uart.struck) > before

    def tell(self, error: BaseException) -> BaseException:
        """The caller learns of an error."""
        self.told.append(error)
        self.note(f"{type(error).__name__}: {error}")
        return error

    async def do(
        self,
        call: Callable[[], Any],
        judge: Callable[[Any], object] = lambda result: None,
        wanted: Callable[[BaseException], bool] = lambda error: False,
    ) -> Any:
        """A step: repeated after errors, without start(); `judge` raises Wrong. `wanted`: an error
        that is the right result."""
        await self.pause()
        error: Any = None
        tries = 0
        while tries < TRIES:
            if tries >= 2:
                self.clock.advance(61)  # nobody can be right while the line is dead
            if tries == TRIES - 1:
                await self._reboot()
            done, result = await self.attempt(call)
            if done:
                judge(result)
                return result
            if wanted(result):
                self.told.remove(result)
                return result
            if getattr(result, "code", None) == _NO_PDP:
                await self.attempt(self.modem.attach)  # as the error says
            error = result
            tries += not self.struck_now  # none can succeed while faults strike
        raise Wrong(f"stuck: after {TRIES} tries: {type(error).__name__}: {error}")

    async def _reboot(self) -> None:
        for call in (self.modem.reboot, self.modem.attach):
            done, _ = await self.attempt(call)
            if not done:
                await self.attempt(call)

    async def ask(self, call: Callable[[], Any], right: Any) -> None:
        """A step that asks for a value, which is `right`. One damaged by a fault that struck this
        very step is beyond any driver; the answer to another command is not."""

        def judge(result: Any) -> None:
            if result == right:
                return
            if self.struck_now:
                self.beyond.append("a value")
                return
            raise Wrong(f"answer of another command, or damaged before: {result!r:.120}")

        await self.do(call, judge)

    # Judges

    def holds(self, kind: int, name: str, content: bytes | None) -> None:
        """The store has this content under that name; from now on it is expected to."""
        held = self.module.store.objects.get((kind, name))
        if held != content:
            raise Wrong(f"store: {name} is {held!r:.60}, and it was not told")
        if content is None:
            self.expected.pop((kind, name), None)
        else:
            self.expected[kind, name] = content

    def context(self, ssl_id: int, wanted: dict[str, Any]) -> None:
        """The module's context has these settings, unless a reboot took them all just now."""
        contexts = self.module.contexts
        if not contexts._set:
            return
        for option, value in wanted.items():
            kept = contexts.get(ssl_id, option)
            if kept != (value if isinstance(value, tuple) else (value,)):
                raise Wrong(f"context: {option} of {ssl_id} is {kept}, not {value}")

    # Connections

    async def connect(
        self, host: str, port: int, ssl_id: int | None = None, tls: dict[str, Any] | None = None
    ) -> Link:
        """Opens a connection and judges it. `tls`: what its handshake must have asked for."""
        link = Link(None, None)
        context = None if ssl_id is None else self.modem.tls(ssl_id)
        begun = [0]

        def call() -> Any:
            begun[0] = len(self.network.connections)
            return self.modem.connect(host, port, context)

        def judge(stream: Any) -> None:
            link.stream = stream
            link.conn = self._connection_of(stream, begun[0], host, port)
            asked = link.conn.tls
            if (asked is None) != (tls is None):
                raise Wrong(f"connected: TLS is {asked}")
            for name, value in (tls or {}).items():
                if getattr(asked, name) != value:
                    raise Wrong(f"connected: verified otherwise: {name} {getattr(asked, name)!r}")
            self.links.append(link)

        await self.do(call, judge)
        return link

    def _connection_of(self, stream: Any, begun: int, host: str, port: int) -> LoopConnection:
        number = stream._connection.id
        sock = self.module.sockets.get(number)
        new = self.network.connections[begun:]
        if sock is not None and sock.state in ("CONNECTED", "CLOSED"):
            conn = sock.connection
            if (sock.host, sock.port) == (host, port) and conn in new:
                return conn
            raise Wrong(f"connected: {number} is to {sock.host}:{sock.port}")
        found = [conn for conn in new if (conn.host, conn.port, conn.result) == (host, port, 0)]
        if found and sock is None:
            return found[-1]  # it ended meanwhile
        raise Wrong(f"connected: {number} is {sock and sock.state}")

    async def write(self, link: Link, data: bytes) -> None:
        """Writes to a stream, and sees that the module takes it."""
        link.written += data

        def call() -> Any:
            if not self.asyncio_front:
                return link.stream.write(data)
            link.stream.write(data)
            return link.stream.drain()

        await self._once(call)

    async def read(self, link: Link, size: int) -> bytes:
        """Reads so much, or to the end."""

        def call() -> Any:
            link.stream.settimeout(30)
            return link.stream._run(link.stream._read_steps(size))

        data = bytes(await self._once(call))
        link.got += data
        self.judge_read(link, size - len(data))
        return data

    async def _once(self, call: Callable[[], Any]) -> Any:
        await self.pause()
        done, result = await self.attempt(call)
        if not done:
            raise Broken
        return result

    def judge_read(self, link: Link, short: int) -> None:
        """What was read is what the peer sent; an end is one of the peer's."""
        replied = bytes(getattr(link.conn, "replied", b""))
        got = bytes(link.got)
        if replied[: len(got)] != got:
            if len(got) <= len(replied) and self._data_struck():
                self.beyond.append("data")
                return
            raise Wrong(f"read: {got!r:.80} of {replied!r:.80}")
        if short and link.conn is not None and (link.conn._end is None or got != replied):
            raise Wrong(f"read: {len(got)} of {len(replied)} bytes, and an end that was none")

    def _data_struck(self) -> bool:
        # Whether a fault struck application data on its way to the host.
        said = bytes(self.uart.said)
        ranges = []
        at = 0
        while found := _DATA.search(said, at):
            at = found.end() + int(found[1])
            ranges.append((found.end(), at))
        return any(
            strike.where == TO_HOST and start <= strike.at <= stop
            for strike in self.uart.struck
            for start, stop in ranges
        )

    async def close_link(self, link: Link) -> None:
        """Closes a stream; an error is told, and it counts as closed."""
        stream = link.stream
        await self.pause()
        await self.attempt(stream.wait_closed if self.asyncio_front else stream.close)

    async def session(self, host: str, port: int, data: bytes, answer: int, **tls: Any) -> None:
        """Connects, writes, reads, closes; after an error all of it once more."""
        for _ in range(TRIES):
            link = await self.connect(host, port, **tls)
            try:
                await self.write(link, data)
                await self.read(link, answer)
                return
            except Broken:
                pass
            finally:
                await self.close_link(link)
        raise Wrong("stuck: no session ends well")

    # The end

    def finish(self) -> None:
        """What must hold when the script is through."""
        self._judge_store()
        self._judge_peers()
        self._judge_secrets()

    def _judge_store(self) -> None:
        objects = self.module.store.objects
        for (kind, name), content in self.expected.items():
            if objects.get((kind, name)) != content and not self.told:
                raise Wrong(f"collateral: {name} is gone or changed, and nothing was told")
        told = " ".join([*map(str, self.told), *self.events])
        for kind, name in objects:
            if (kind, name) not in self.expected and name not in told:
                raise Wrong(f"stray: {name!r} stays in the store")

    def _judge_peers(self) -> None:
        owners: dict[int, Link] = {id(link.conn): link for link in self.links}
        everything = [bytes(link.written) for link in self.links]
        for conn in self.network.connections:
            link = owners.get(id(conn))
            written = bytes(link.written) if link else b""
            sent = bytes(conn.sent)
            if written.startswith(sent):
                continue
            if self.uart.sent_damaged and len(sent) <= len(written):
                self.beyond.append("data")
                continue
            same = 0
            while sent[same : same + 1] == written[same : same + 1]:
                same += 1
            rest = sent[same:]
            if self.told and any(rest in other for other in everything):
                continue  # they went to another connection's peer, and that was told
            if self.told and self._cannot_know(rest):
                self.beyond.append("a send")
                continue
            raise Wrong(f"peer: it got {rest!r:.60}, which nobody wrote to it")

    def _cannot_know(self, rest: bytes) -> bool:
        # Whether no driver could keep these bytes from a peer: a CR cut the size off its MIPSEND,
        # or all that was sent came later than anybody waits: than a MIPSEND and then the end of
        # its data mode, or than the latter, if another fault ended the wait for the prompt.
        waited = _DATA_MODE_S if len(self.uart.struck) > 1 else _SEND_S + _DATA_MODE_S
        return self.uart.send_cut or (
            any(
                (strike.kind, strike.where) == ("late", TO_MODULE) and LATE_S[strike.what] > waited
                for strike in self.uart.struck
            )
            and rest in b"AT+CMEE?\r" * len(rest)
        )

    def judge_left_open(self) -> None:
        """No connection of the script's stays open."""
        self.clock.advance(LEFT_OPEN_S)
        self.uart.any()
        for number in range(self.module.profile.conn_ids):
            sock = self.module.sockets.get(number)
            if sock is not None and sock.state == "CONNECTED" and not self.told:
                raise Wrong(f"open: connection {number} was closed, and is not")

    def _judge_secrets(self) -> None:
        texts = [("the trace", bytes(self.trace))]
        for error in self.told:
            parts = (str(error), repr(error), str(error.args), str(vars(error)))
            texts.append((f"a {type(error).__name__}", " ".join(parts).encode()))
        for conn in self.network.connections:
            texts.append(("a peer", bytes(conn.sent)))
        for (kind, name), content in self.module.store.objects.items():
            texts.append(("a name", name.encode("latin-1")))
            if kind not in (KEY, PSK):
                texts.append((name, content))
        for where, text in texts:
            if any(piece in text for piece in SECRETS):
                raise Wrong(f"secret: {where} shows key bytes")


class Broken(Exception):
    """A stream raised an error: the script connects again."""


Script = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """A script and the world that it runs in. `world`: World's keywords, made anew for each run.
    `variants`: quirks of modules, of which a run takes one."""

    name: str
    script: Script
    world: Callable[[], dict[str, Any]]
    asyncio_front: bool = False
    warm: bool = True  # start() has been called, and well
    variants: tuple[dict[str, Any], ...] = ({},)


@dataclass
class Verdict:
    """How a run ended. `why`: what is wrong, its kind first."""

    outcome: str
    why: str = ""
    struck: bool = True


_runner: list[asyncio.Runner] = []


def _drive(world: World, coroutine: Any) -> None:
    if not world.asyncio_front:
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("the blocking front waited in asyncio")
    if not _runner:
        _runner.append(asyncio.Runner())

    async def tasked() -> None:
        task = asyncio.current_task()
        assert task is not None
        world.tasks.add(task)
        await coroutine

    _runner[0].run(tasked())


def run(
    scenario: Scenario, strikes: tuple[Strike, ...] = (), variant: int = 0, log: bool = False
) -> tuple[World, Verdict]:
    """One run, judged."""
    settings = scenario.world()
    settings["quirks"] = {
        **settings.get("quirks", {}),
        **scenario.variants[variant % len(scenario.variants)],
    }
    world = World(asyncio_front=scenario.asyncio_front, strikes=strikes, log=log, **settings)

    async def whole() -> None:
        if scenario.warm:
            await world.front(world.modem.start)
        world.arm()
        await scenario.script(world)
        world.finish()

    try:
        _drive(world, whole())
    except Wrong as wrong:
        return world, Verdict(WRONG, str(wrong))
    except Hang as hang:
        return world, Verdict(WRONG, f"hang: {hang}")
    except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:
        return world, Verdict(WRONG, f"untyped: {type(error).__name__}: {error}")
    finally:
        world.close()
    outcome = BEYOND if world.beyond else ERROR if world.told else RIGHT
    return world, Verdict(outcome, ", ".join(world.beyond), bool(world.uart.struck))


def journal(name: str) -> str:
    """A path for a rotation's journal; there is none yet."""
    path = folder() / f"{name}.rotate"
    for old in (path, Path(f"{path}.new")):
        old.unlink(missing_ok=True)
    return str(path)
