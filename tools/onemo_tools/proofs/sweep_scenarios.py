# SPDX-License-Identifier: MIT
"""What the sweep's runs do: short scripts with names, hosts, ports and ids that one flipped bit
turns into one another."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from onemo import AUTH_MUTUAL, AUTH_NONE, AUTH_SERVER, KEY
from onemo.errors import CommandError

from . import sweep_objects as objects
from .sweep_objects import (
    CA_2024,
    CA_2025,
    CA_NEW,
    CA_OLD,
    CERT_2025,
    CERT_NEW,
    CERT_OLD,
    CONTENT,
    FOREIGN,
    KEY_2024,
    KEY_2025,
    KEY_NEW,
    KEY_OLD,
    NEW,
    OLD,
    PSK_BYTES,
    folder,
)
from .sweep_world import Broken, Link, Scenario, Server, World, Wrong, journal

STRICT, OTHER = ("a.example", 8882), ("c.example", 8883)  # one bit, twice, from each other
ECHO = ("a.example", 6)
TALK = ("a.example", 7)
HELLO = b"readings of today\r\n"
# A server that says what a module might: each of these ends or begins an answer.
LIES = (
    b"\r\nOK\r\n\r\n+CSQ: 1,1\r\n\r\nOK\r\n+CME ERROR: 50\r\n"
    b'+MIPRD: 0,0,4,aaaa\r\nOK\r\n+MATREADY\r\n> \r\n+MIPURC: "disconn",0,1\r\nERROR\r\n'
)
DATA = b"temperature 21.5"
MORE = b"humidity 40"

CSQ = [b"+CSQ: 24,99"]
IMSI = [b"460040123456789"]
SERIAL = [b"ML0123456789ABCD"]

STORE_QUIRKS: tuple[dict[str, Any], ...] = (
    {},
    {"data_timeout": 0.0},
    {"same_name": "763", "abort_leaves_series": False},
    {"data_timeout": 0.0, "compact_lists": True, "prompt": b"\r\n> "},
    {"data_timeout_answer": "silent"},
)
NET_QUIRKS: tuple[dict[str, Any], ...] = (
    {},
    {"send_line": "after"},
    {"send_line": "absent", "open_urc": "before"},
    {"keep_contexts": True},
)


# The store


def _store() -> dict[str, Any]:
    return {"store": {**OLD, **FOREIGN}}


async def write_cert(w: World) -> None:
    """A certificate beside others."""
    await w.do(
        lambda: w.modem.certs.write(CA_NEW, io.BytesIO(CA_2025)),
        lambda result: w.holds(objects.CERT, CA_NEW, CA_2025),
    )


def _both_keys() -> dict[str, Any]:
    return {"store": {**OLD, **FOREIGN, (objects.KEY, KEY_NEW): KEY_2024}}


async def write_key(w: World) -> None:
    """A key in place of one, with another one's name a bit away; then once more."""
    for _ in range(2):
        await w.do(
            lambda: w.modem.certs.write(KEY_NEW, io.BytesIO(KEY_2025), KEY),
            lambda result: w.holds(objects.KEY, KEY_NEW, KEY_2025),
        )


def _identities() -> dict[str, Any]:
    return {"store": {**CONTENT, **FOREIGN}}


async def remove(w: World) -> None:
    """A key, with the other one a bit away; then it is missing."""

    def judge(result: bool) -> None:
        if not result and not w.told:
            raise Wrong("removed: False, though it was there")
        w.holds(objects.KEY, KEY_OLD, None)

    await w.do(lambda: w.modem.certs.remove(KEY_OLD, missing_ok=True), judge)
    await w.do(
        lambda: w.modem.certs.remove(KEY_OLD, missing_ok=True),
        lambda result: w.holds(objects.KEY, KEY_OLD, None),
    )


async def look(w: World) -> None:
    """Lists, digests, contents."""
    certs = w.modem.certs
    listed = [(name, len(data)) for (kind, name), data in CONTENT.items() if kind == objects.CERT]
    listed += [(name, len(data)) for (_, name), data in FOREIGN.items()]
    await w.ask(certs.list, listed)
    await w.ask(lambda: certs.list(KEY), [(KEY_OLD, len(KEY_2024)), (KEY_NEW, len(KEY_2025))])
    for name, content in ((CERT_NEW, CERT_2025), (KEY_OLD, KEY_2024)):
        await w.ask(lambda name=name: certs.digest(name), _md5(content))  # type: ignore[misc]
    for name, content in ((CA_OLD, CA_2024), (CERT_NEW, CERT_2025)):
        sink = io.BytesIO()

        def read(name: str = name, sink: io.BytesIO = sink) -> Any:
            sink.seek(0)
            sink.truncate()
            return certs.read(name, sink)

        def judge(size: int, content: bytes = content, sink: io.BytesIO = sink) -> None:
            got = sink.getvalue()
            if size != len(content) or len(got) != size:
                raise Wrong(f"count: read() gave {size}, {len(got)} of {len(content)} bytes")
            if got != content:
                if not w.struck_now:
                    raise Wrong("answer of another command: a certificate's content")
                w.beyond.append("a value")

        await w.do(read, judge)


def _md5(content: bytes) -> str:
    import hashlib

    return hashlib.md5(content, usedforsecurity=False).hexdigest()


async def write_psk(w: World) -> None:
    """A PSK, with another one's id a bit away."""
    await w.do(
        lambda: w.modem.certs.write_psk("meter-2025", PSK_BYTES),
        lambda result: w.holds(objects.PSK, "meter-2025", PSK_BYTES),
    )


def _psk() -> dict[str, Any]:
    store = {**OLD, (objects.PSK, "meter-2024"): b"aLongOneThatIsNotIt"}
    return {"model": "MN316-S", "store": store}


def _crlf(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


async def write_inline(w: World) -> None:
    """A certificate and a key into a model that takes data inside the command only."""
    w.modem.certs.newline = b"\r\n"
    for kind, name, content in (
        (objects.KEY, KEY_NEW, KEY_2025),
        (objects.CERT, CA_NEW, CA_2025),
    ):
        await w.do(
            lambda kind=kind, name=name, content=content: w.modem.certs.write(  # type: ignore[misc]
                name, io.BytesIO(content), kind
            ),
            lambda result, kind=kind, name=name, content=content: w.holds(  # type: ignore[misc]
                kind, name, _crlf(content)
            ),
        )


def _inline() -> dict[str, Any]:
    return {
        "model": "MN316",
        "driver": {"line": 400},
        "store": {(kind, name): _crlf(content) for (kind, name), content in OLD.items()},
    }


# Profiles


def profile(ca: str, cert: str, key: str, gone: bool = False) -> dict[str, Any]:
    """An identity, its files in `folder`, or nowhere."""
    where = folder() / "gone" if gone else folder()
    names = ((ca, "cert"), (cert, "cert"), (key, "key"))
    return {
        "objects": [
            {"name": name, "kind": kind, "source": str(where / name)} for name, kind in names
        ],
        "contexts": [
            {
                "ssl_id": 1,
                "auth": "mutual",
                "ca": ca,
                "cert": cert,
                "key": key,
                "ignorestamp": True,
            }
        ],
        "endpoint": {"host": STRICT[0], "port": STRICT[1], "ssl_id": 1},
    }


def _settings(ca: str, cert: str, key: str) -> dict[str, Any]:
    return {
        "auth": 2,
        "cert": (ca, cert, key),
        "version": 3,
        "ciphersuite": 0,
        "negotime": 45,
        "session": 1,
        "ignorestamp": 1,
        "ignoreverify": 0,
    }


IDENTITY_OLD = (CA_OLD, CERT_OLD, KEY_OLD)
IDENTITY_NEW = (CA_NEW, CERT_NEW, KEY_NEW)


def _judge_identity(w: World, there: dict[Any, bytes], gone: dict[Any, bytes]) -> None:
    for (kind, name), content in there.items():
        w.holds(kind, name, content)
    for kind, name in gone:
        w.holds(kind, name, None)


async def _sync(w: World, given: dict[str, Any], path: str, there: dict[Any, bytes]) -> None:
    names = tuple(item["name"] for item in given["objects"])

    def judge(result: Any) -> None:
        _judge_identity(w, there, {})
        w.context(1, _settings(*names))

    await w.do(lambda: w.modem.sync(given, journal=path), judge)


async def sync(w: World) -> None:
    """A profile into a module that has some of it, and something else under one of its names."""
    given = profile(*IDENTITY_NEW)
    path = journal("sync")
    await _sync(w, given, path, NEW)
    await _sync(w, given, path, NEW)


def _empty() -> dict[str, Any]:
    return {"store": dict(FOREIGN)}


def _partial() -> dict[str, Any]:
    return {
        "store": {
            **FOREIGN,
            (objects.CERT, CA_NEW): CA_2025,
            (objects.KEY, KEY_NEW): KEY_2024,
            (objects.KEY, KEY_OLD): KEY_2024,
        }
    }


async def sync_gone(w: World) -> None:
    """A profile whose files are gone, of what the module has."""
    given = profile(*IDENTITY_OLD, gone=True)
    path = journal("sync")
    for _ in range(2):
        await _sync(w, given, path, OLD)


def _servers(answer: Any = bytes) -> dict[tuple[str, int], Server]:
    return {
        STRICT: Server(answer, trusts=(CA_2025, (CERT_2025, KEY_2025))),
        OTHER: Server(answer),
        ECHO: Server(answer),
        TALK: Server(hello=HELLO, ends_after=len(HELLO)),
    }


def _rotation() -> dict[str, Any]:
    return {"store": {**OLD, **FOREIGN}, "servers": _servers()}


async def _rotate(w: World, gone: bool) -> None:
    old = profile(*IDENTITY_OLD)
    new = profile(*IDENTITY_NEW)
    path = journal("rotate")
    await _sync(w, old, path, OLD)
    if gone:
        old = profile(*IDENTITY_OLD, gone=True)

    def judge(result: bool) -> None:
        if not result and not w.told:
            raise Wrong("rotated: False, though it was not in force")
        _judge_identity(w, NEW, OLD)
        w.context(1, _settings(*IDENTITY_NEW))
        trial = [conn for conn in w.network.connections if conn.tls and conn.result == 0]
        if not trial or trial[-1].tls is None or trial[-1].tls.key != KEY_2025:
            raise Wrong("rotated: nothing proved the new identity")

    await w.do(lambda: w.modem.rotate(new, old=old, journal=path), judge)
    await _sync(w, new, path, NEW)


async def rotate(w: World) -> None:
    """From one identity to another, whose names are a bit away."""
    await _rotate(w, False)


async def rotate_gone(w: World) -> None:
    """The same, but the old identity's files have been removed since."""
    await _rotate(w, True)


# Connections


async def _configure(w: World) -> None:
    strict = w.modem.tls(1)
    await w.do(
        lambda: strict.configure(
            AUTH_MUTUAL, ca=CA_NEW, cert=CERT_NEW, key=KEY_NEW, ignorestamp=True
        ),
        lambda result: w.context(1, _settings(*IDENTITY_NEW)),
    )
    lax = w.modem.tls(0)
    await w.do(
        lambda: lax.configure(AUTH_NONE, ignorestamp=True),
        lambda result: w.context(0, {"auth": 0, "cert": ("", "", ""), "version": 3}),
    )


VERIFIED = {
    "auth": 2,
    "ca": CA_2025,
    "cert": CERT_2025,
    "key": KEY_2025,
    "version": 3,
    "suite": 0,
    "ignorestamp": True,
    "ignoreverify": False,
}
UNVERIFIED = {"auth": 0, "version": 3, "ignoreverify": False}


def _network() -> dict[str, Any]:
    return {"store": {**NEW, **FOREIGN}, "servers": _servers()}


def _inline_network() -> dict[str, Any]:
    return {"model": "MN316-S", "store": {**NEW, **FOREIGN}, "servers": _servers()}


async def _two(w: World, open_first: Any, open_second: Any) -> None:
    # Two connections, interleaved; each that breaks is opened once more.
    for _ in range(4):
        links: list[Link] = []
        try:
            links.append(await open_first())
            links.append(await open_second())
            first, second = links
            await w.write(first, DATA)
            await w.write(second, MORE)
            await w.read(second, len(MORE))
            await w.read(first, len(DATA))
            await w.write(first, MORE)
            await w.read(first, len(MORE))
            return
        except Broken:
            pass
        finally:
            for link in links:
                await w.close_link(link)
    raise Wrong("stuck: no session ends well")


async def two_tls(w: World) -> None:
    """A strict and a lax context, two peers."""
    await _configure(w)
    await _two(
        w,
        lambda: w.connect(*STRICT, ssl_id=1, tls=VERIFIED),
        lambda: w.connect(*OTHER, ssl_id=0, tls=UNVERIFIED),
    )
    w.judge_left_open()


async def two_plain(w: World) -> None:
    """Two connections without TLS."""
    await _two(w, lambda: w.connect(*ECHO), lambda: w.connect(*OTHER))
    w.judge_left_open()


async def impostor(w: World) -> None:
    """A server with another CA's certificate: never connected."""
    await w.do(
        lambda: w.modem.tls(1).configure(AUTH_SERVER, ca=CA_NEW, ignorestamp=True),
        lambda result: w.context(1, {"auth": 1, "cert": (CA_NEW, "", "")}),
    )

    def judge(stream: Any) -> None:
        raise Wrong("connected: to a server whose certificate the CA does not vouch for")

    for _ in range(2):
        await w.do(
            lambda: w.modem.connect(*STRICT, w.modem.tls(1)),
            judge,
            lambda error: isinstance(error, CommandError) and error.code == 752,
        )


def _impostor() -> dict[str, Any]:
    return {
        "store": {**NEW, **FOREIGN},
        "servers": {STRICT: Server(trusts=(CA_2024, None)), OTHER: Server(trusts=(CA_2024, None))},
    }


async def liar(w: World) -> None:
    """A peer whose data look like answers; then commands."""
    await w.session(*ECHO, DATA, len(LIES))
    await w.ask(lambda: w.modem.command("+CSQ"), CSQ)
    await w.ask(lambda: w.modem.command("+CIMI"), IMSI)
    await w.ask(lambda: w.modem.command("+CGSN"), SERIAL)


def _liar() -> dict[str, Any]:
    return {"servers": _servers(lambda data: LIES)}


async def ends(w: World) -> None:
    """One peer closes; the other one's connection goes on."""
    for _ in range(4):
        links: list[Link] = []
        try:
            links.append(await w.connect(*TALK))
            links.append(await w.connect(*OTHER))
            talk, echo = links
            await w.write(echo, DATA)
            await w.read(talk, len(HELLO) + 5)
            await w.read(echo, len(DATA))
            await w.write(echo, MORE)
            await w.read(echo, len(MORE))
            break
        except Broken:
            pass
        finally:
            for link in links:
                await w.close_link(link)
    else:
        raise Wrong("stuck: no session ends well")
    w.judge_left_open()


# Commands


async def commands(w: World) -> None:
    """Raw commands, and a list that is left half-way."""
    await w.ask(lambda: w.modem.command("+CSQ"), CSQ)
    await w.ask(lambda: w.modem.command("+CIMI"), IMSI)

    def some() -> list[int]:
        found = []
        for suite in w.modem.ciphers():
            found.append(suite)
            if len(found) == 3:
                break
        return found

    await w.ask(some, SUITES[:3])
    await w.ask(lambda: w.modem.command("+CGSN"), SERIAL)
    await w.ask(lambda: w.modem.command("+CSQ"), CSQ)
    await w.ask(lambda: w.modem.command("+CIMI"), IMSI)


def _suites() -> list[int]:
    from onemo_simulator.suites import SUITE_IDS

    return list(SUITE_IDS)


SUITES = _suites()


async def start(w: World) -> None:
    """From nothing: start, then a key."""
    await w.do(w.modem.start)
    if w.modem.model != "ML307R":
        if not w.uart.struck:
            raise Wrong(f"model: {w.modem.model}")
        w.beyond.append("a value")
        w.modem.set_model("ML307R")
    await w.do(
        lambda: w.modem.certs.write(KEY_NEW, io.BytesIO(KEY_2025), KEY),
        lambda result: w.holds(objects.KEY, KEY_NEW, KEY_2025),
    )


# Several tasks


async def _together(w: World, *coroutines: Any) -> None:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    w.tasks.update(tasks)
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def tasks_streams(w: World) -> None:
    """Two connections in two tasks, commands in a third."""

    async def asker() -> None:
        for _ in range(2):
            await w.ask(lambda: w.modem.command("+CSQ"), CSQ)
            await w.ask(lambda: w.modem.command("+CIMI"), IMSI)

    await _together(
        w,
        w.session(*ECHO, DATA, len(DATA)),
        w.session(*OTHER, MORE, len(MORE)),
        asker(),
    )
    await w.ask(lambda: w.modem.command("+CGSN"), SERIAL)


async def tasks_store(w: World) -> None:
    """A key is written while another task has a verified connection."""
    strict = w.modem.tls(1)
    await w.do(
        lambda: strict.configure(
            AUTH_MUTUAL, ca=CA_NEW, cert=CERT_NEW, key=KEY_NEW, ignorestamp=True
        ),
        lambda result: w.context(1, _settings(*IDENTITY_NEW)),
    )
    await _together(
        w,
        w.session(*STRICT, DATA, len(DATA), ssl_id=1, tls=VERIFIED),
        w.do(
            lambda: w.modem.certs.write(KEY_OLD, io.BytesIO(KEY_2024), KEY),
            lambda result: w.holds(objects.KEY, KEY_OLD, KEY_2024),
        ),
    )


ALL = (
    Scenario("write-cert", write_cert, _store, variants=STORE_QUIRKS),
    Scenario("write-key", write_key, _both_keys, variants=STORE_QUIRKS),
    Scenario("remove", remove, _identities),
    Scenario("look", look, _identities, variants=STORE_QUIRKS),
    Scenario("write-psk", write_psk, _psk),
    Scenario("write-inline", write_inline, _inline),
    Scenario("sync-empty", sync, _empty, variants=STORE_QUIRKS),
    Scenario("sync-partial", sync, _partial, variants=STORE_QUIRKS),
    Scenario("sync-gone", sync_gone, _rotation),
    Scenario("rotate", rotate, _rotation, variants=STORE_QUIRKS),
    Scenario("rotate-gone", rotate_gone, _rotation, variants=STORE_QUIRKS),
    Scenario("two-tls", two_tls, _network, variants=NET_QUIRKS),
    Scenario("two-plain", two_plain, _network, variants=NET_QUIRKS),
    Scenario("two-inline", two_plain, _inline_network, variants=NET_QUIRKS[:2]),
    Scenario("impostor", impostor, _impostor, variants=NET_QUIRKS),
    Scenario("liar", liar, _liar, variants=NET_QUIRKS),
    Scenario("ends", ends, _network, variants=NET_QUIRKS),
    Scenario("commands", commands, _store),
    Scenario("start", start, _store, warm=False, variants=STORE_QUIRKS),
    Scenario("aio-streams", tasks_streams, _network, asyncio_front=True, variants=NET_QUIRKS),
    Scenario("aio-store", tasks_store, _network, asyncio_front=True, variants=STORE_QUIRKS),
    Scenario("aio-rotate", rotate, _rotation, asyncio_front=True, variants=STORE_QUIRKS),
    Scenario("aio-two", two_plain, _network, asyncio_front=True, variants=NET_QUIRKS),
)
BY_NAME = {scenario.name: scenario for scenario in ALL}
