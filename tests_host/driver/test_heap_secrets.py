# SPDX-License-Identifier: MIT
"""After an upload no piece of the key is left in the memory of the MCU: the process of a real
MicroPython is searched for it, heap, freed heap and all else."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from onemo_tools.servers import pki

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "tools" / "onemo_tools" / "bench" / "device"
MICROPYTHON = Path(sys.executable).parent / "micropython"
WINDOW = 8  # bytes
PRINTABLE = re.compile(rb"[ -~]{8,}")
HEAD = 40  # characters of base64 that are alike in all keys of a kind

START = """
import gc, sys
sys.path[:0] = [{lib!r}, {device!r}]
from scripted import OK, PROMPT, Uart
from onemo import KEY, Modem
uart = Uart()
uart.upload(b"{digest}")
uart.answer(b"AT+MSSLKEYWR=", PROMPT)
modem = Modem(uart, model="ML307R", buffer={buffer})
"""
WRITE = """
modem.start()
print(modem.certs.write("client.key", {path!r}, KEY))
"""
# A source without a path: a socket, or a file of the application's own.
STREAM = """
modem.start()
with open({path!r}, "rb") as file:
    print(modem.certs.write("client.key", file, KEY))
del file
"""
ASYNCIO = """
import asyncio
from onemo import aio

async def main():
    modem = aio.Modem(uart, model="ML307R", buffer={buffer})
    await modem.start()
    print(await modem.certs.write("client.key", {path!r}, KEY))

asyncio.run(main())
"""
# The module refuses the key in the middle of it.
BROKEN = """
modem.start()
uart.answer(b"AT+MSSLKEYWR=", b"\\r\\n+CME ERROR: 768\\r\\n")
try:
    modem.certs.write("client.key", {path!r}, KEY)
except OSError as error:
    print(error.code == 768)
"""
# A model that takes data in the command; its module says OK to each line.
INLINE = """
class Inline(Uart):
    open = False

    def write(self, buf, at=0, n=None):
        if not self.open:
            self.begun = bytes(buf[at : at + 14])
        if n is None:
            n = len(buf) - at
        if n:
            self.open = buf[at + n - 1] != 13
            if not self.open:
                super().write(self.begun)
        return n

uart = Inline()
uart.upload(b"{digest}")
uart.answer(b"AT+MSSLKEYWR=", OK)
modem = Modem(uart, model="{model}", buffer={buffer})
modem.start()
modem.certs.encoding = {encoding}
print(modem.certs.write("client.key", {path!r}, KEY))
"""
# What a driver does that reads the key into memory.
PLAIN = """
modem.start()
with open({path!r}) as file:
    kept = file.read()
print(True)
"""
PSK = """
modem.set_model("MN316-S")
modem.start()
psk = bytearray({size})
with open({path!r}, "rb") as file:
    file.readinto(psk)
uart.answer(b"AT+MSSLCHECK=", b"\\r\\n+MSSLCHECK: {digest}\\r\\n\\r\\nOK\\r\\n")
print(modem.certs.write_psk("meter", psk))
for i in range(len(psk)):
    psk[i] = 0
"""
END = """
gc.collect()
print("done")
sys.stdin.readline()
"""


def memory_of(pid):
    """All that a process may write to, as bytes, region by region."""
    with (
        open(f"/proc/{pid}/maps", encoding="ascii") as maps,
        open(f"/proc/{pid}/mem", "rb", buffering=0) as memory,
    ):
        for line in maps:
            span, rights, *_ = line.split()
            if rights.startswith("rw") and "[v" not in line:
                start, stop = (int(part, 16) for part in span.split("-"))
                memory.seek(start)
                yield memory.read(stop - start)


def windows(secret):
    """Every `WINDOW` bytes of it, but for what all secrets of its kind have."""
    lines = [line for line in secret.splitlines() if not line.startswith(b"-----")]
    found = set()
    for number, line in enumerate(lines):
        first = HEAD if number == 0 and len(lines) > 1 else 0
        found.update(line[at : at + WINDOW] for at in range(first, len(line) - WINDOW + 1))
    return {piece for piece in found if len(set(piece)) > 4}


def canonical(secret):
    """What of a file goes into the module."""
    lines = [line.rstrip(b" ") for line in secret.split(b"\n") if b":" not in line]
    return b"\n".join(lines)


def left(script, secret, folder, buffer=256, **more):
    """The windows of `secret` that are found after the script, which has it as a file."""
    path = folder / "secret"
    path.write_bytes(secret)
    settings = {
        "lib": str(ROOT / "lib"),
        "device": str(DEVICE),
        "digest": hashlib.md5(canonical(secret), usedforsecurity=False).hexdigest(),
        "path": str(path),
        "size": len(secret),
        "buffer": buffer,
        **more,
    }
    source = folder / "script.py"
    source.write_text((START + script + END).format(**settings))
    process = subprocess.Popen(
        [MICROPYTHON, "-X", "heapsize=256K", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["True\n", "done\n"]
        memory = b"\n".join(memory_of(process.pid))
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
    assert len(memory) > 256 * 1024
    texts = b"\n".join(PRINTABLE.findall(memory))
    return {
        piece
        for piece in windows(secret)
        for shown in (piece, piece.hex().encode(), piece.hex().upper().encode())
        if shown in texts
    }


@pytest.fixture(scope="module")
def keys():
    made = {
        name: pki.Authority(name, algorithm="ec").issue("device", algorithm=name).key
        for name in ("ec", "rsa")
    }
    made["rsa with text"] = b"Bag Attributes: none  \n" + made["rsa"].replace(b"\n", b" \n")
    return made


@pytest.mark.parametrize("script", [WRITE, STREAM, ASYNCIO], ids=["path", "stream", "asyncio"])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("buffer", [256, 64])
def test_nothing_of_a_key_is_left(script, kind, buffer, keys, tmp_path):
    assert left(script, keys[kind], tmp_path, buffer) == set()


@pytest.mark.parametrize(
    ("model", "encoding"), [("MN316", 2), ("MN316-S", 2), ("MN316-S", 1), ("MN316-S", 0)]
)
def test_nothing_of_a_key_is_left_by_an_inline_model(model, encoding, keys, tmp_path):
    for kind in ("ec", "rsa with text"):
        found = left(INLINE, keys[kind], tmp_path, model=model, encoding=encoding)
        assert found == set()


@pytest.mark.parametrize("how", ["inline=True", 'inline=True, check_length="typed"'])
@pytest.mark.parametrize(("model", "encoding"), [("ML307R", 2), ("MN316-S", 1)])
def test_nothing_of_a_key_is_left_by_data_in_the_command(how, model, encoding, keys, tmp_path):
    script = INLINE.replace("KEY))", f"KEY, {how}))")
    assert script != INLINE
    assert left(script, keys["rsa with text"], tmp_path, model=model, encoding=encoding) == set()


def test_nothing_of_a_key_is_left_that_was_refused(keys, tmp_path):
    assert left(BROKEN, keys["rsa"], tmp_path) == set()


@pytest.mark.parametrize("size", [37, 172, 900])
def test_nothing_of_a_psk_is_left_but_the_callers(size, tmp_path):
    psk = hashlib.shake_128(b"psk").hexdigest(450).encode()[:size]
    assert left(PSK, psk, tmp_path) == set()


def test_a_key_that_stays_is_found(keys, tmp_path):
    key = keys["rsa"]
    assert left(PLAIN, key, tmp_path) == windows(key)
