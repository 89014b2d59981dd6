# SPDX-License-Identifier: MIT
"""Keys and PSKs are never seen: what conftest.py looks for in every test, and that it would find
it."""

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import watched
from onemo import KEY, aio
from onemo.errors import CommandError, ModemError
from onemo_tools.proofs.rig import Rig
from onemo_tools.servers import pki

PSK = "c0rrect-horse-battery-staple"
MODELS = ("ML307R", "MN316", "MN316-S")
HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def key():
    return pki.Authority("secrets", algorithm="ec").issue("device", algorithm="ec").key


def provision(modem, key):
    certs = modem.certs
    modem.start()
    certs.write("device.key", io.BytesIO(key), KEY)
    if modem.require_model().psk:
        certs.write_psk("device", PSK)
    return certs


@pytest.mark.parametrize("model", MODELS)
def test_the_watch_hears_and_knows_the_secrets(model, key):
    heard = []
    with Rig(model, driver={"trace": lambda way, data: heard.append((way, data))}) as rig:
        certs = provision(rig.modem, key)
        with pytest.raises(CommandError):
            rig.modem.command("+NONSENSE")
    watch = watched.watch
    assert watched.pieces(key) <= watch.secrets
    assert watch.secrets
    streams = {what: bytes(data) for what, data in watch.streams}
    for way in "<>":
        assert streams[f"a trace ({way})"] == b"".join(data for told, data in heard if told == way)
    assert any(isinstance(error, CommandError) for error in watch.said)
    assert any(reference() is certs for reference in watch.objects)
    assert watch.leaks() == []


def test_asyncio_is_heard_too(key):
    with Rig("MN316-S") as rig:

        async def nap(ms):
            rig.clock.advance(max(ms, 1) / 1000)

        async def go():
            modem = aio.Modem(rig.uart)
            await modem.start()
            await modem.certs.write("device.key", io.BytesIO(key), KEY)
            with pytest.raises(CommandError):
                await modem.command("+NONSENSE")

        real, aio.sleep_ms = aio.sleep_ms, nap
        try:
            asyncio.run(go())
        finally:
            aio.sleep_ms = real
    assert watched.pieces(key) <= watched.watch.secrets
    assert any(isinstance(error, CommandError) for error in watched.watch.said)
    assert any(b"MSSLKEYWR" in data for _, data in watched.watch.streams)


@pytest.mark.parametrize("where", ["trace", "error", "ValueError", "repr", "output"])
def test_a_leak_would_be_found(where, key, monkeypatch):
    watch = watched.Watch()
    watch.secret(key)
    assert watch.leaks("nothing to see") == []
    part = bytes(key)[60:100]  # from anywhere
    if where == "trace":
        hear = watch.trace(None)
        hear(">", part[:19])  # in two calls
        hear(">", part[19:])
        assert watch.leaks()
    elif where == "error":
        watch.said.append(CommandError(None, "AT+X", part.decode()))
        assert watch.leaks()
        watched.watch.clear()  # which has heard of that error as well
    elif where == "ValueError":
        watch.said.append(ValueError("bad value", part))
        assert watch.leaks()
    elif where == "repr":
        import weakref

        thing = type("Thing", (), {"__repr__": lambda self: part.decode()})()
        watch.objects.append(weakref.ref(thing))
        assert watch.leaks()
    else:
        assert watch.leaks("and here it is: " + part.decode())


@pytest.mark.parametrize("broken", ["begin_secret", "text"])
def test_a_driver_that_shows_them_would_be_found(broken, key, monkeypatch):
    # `begin_secret` does nothing: the driver has lost its discretion. Or an error says too much.
    from onemo.at_channel import Channel

    if broken == "begin_secret":
        monkeypatch.setattr(Channel, "begin_secret", lambda self: self)
    with Rig("MN316-S") as rig:
        provision(rig.modem, key)
    if broken == "text":
        with pytest.raises(ModemError):
            raise ModemError("could not write " + PSK)
    leaks = watched.watch.leaks()
    watched.watch.clear()
    assert any("trace" in leak for leak in leaks) == (broken == "begin_secret")
    assert any("ModemError" in leak for leak in leaks) == (broken == "text")


def test_conftest_fails_a_test_that_shows_one(tmp_path):
    (tmp_path / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        """
import watched

SECRET = b"abcdefgh12345678ABCDEFGH"

def test_output():
    watched.watch.secret(SECRET)
    print("here:", SECRET[:20])

def test_error():
    watched.watch.secret(SECRET)
    watched.watch.said.append(ValueError(SECRET))

def test_silent():
    watched.watch.secret(SECRET)
"""
    )
    paths = [HERE, HERE.parent / "lib", HERE.parent / "tools"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "output shows b'abcdefgh12345678'" in done.stdout
    assert "a ValueError shows" in done.stdout
    assert "test_silent" not in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("psk", ['s3cret-with-a-"quote', "s3cret-with-\\-in-it", "s3cret-ümlaut"])
def test_a_psk_that_is_refused_is_not_shown(psk):
    with Rig("MN316-S") as rig:
        rig.modem.start()
        with pytest.raises(ValueError) as caught:
            rig.modem.certs.write_psk("device", psk)
    assert "s3cret" not in str(caught.value)
    assert watched.watch.leaks() == []


def test_a_key_that_is_refused_is_not_shown(key):
    with Rig("ML307R") as rig:
        rig.modem.start()
        for bad in (key[:-30], key.replace(b"\n", b"\n\n"), key + key, key[40:]):
            with pytest.raises(ValueError):
                rig.modem.certs.write("device.key", io.BytesIO(bad), KEY)
    assert watched.watch.leaks() == []
