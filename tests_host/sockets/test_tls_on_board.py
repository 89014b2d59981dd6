# SPDX-License-Identifier: MIT
"""TLS on the board, over a plain connection: MicroPython's ssl, real servers and certificates."""

import pytest
from onemo.errors import Unsupported
from onemo_simulator import Module, SystemNetwork
from onemo_tools.servers.endpoint import Endpoint, echo, flood, pattern, sink
from onemo_tools.servers.pki import Authority

from .conftest import HOST
from .device import run

NAME = "www.example"
SIZE = 200_000

HEAD = """
import ssl, time
from onemo import Modem
from onemo.cert_der import der, ders
modem = Modem(uart)
modem.start()

def context(mutual=False, ca="ca.pem"):
    it = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    it.verify_mode = ssl.CERT_REQUIRED  # certificate and name
    it.load_verify_locations(cadata=der(FOLDER + "/" + ca))
    if mutual:
        it.load_cert_chain(der(FOLDER + "/chain.pem"), der(FOLDER + "/key.pem"))
    return it

def refused(call, *args, **options):
    try:
        call(*args, **options)
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
    return "not refused"
"""


@pytest.fixture(scope="module")
def authority():
    return Authority("web ca")


@pytest.fixture
def folder(tmp_path, authority):
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "other.pem").write_bytes(Authority("another").pem)
    chain, key = authority.issue("device-1").write(tmp_path)
    chain.rename(tmp_path / "chain.pem")
    key.rename(tmp_path / "key.pem")
    return tmp_path


def on_board(folder, script, port, module=None, **names):
    """Runs it; what it printed, line by line."""
    module = module or Module(
        "ML307R", network=SystemNetwork({NAME: "127.0.0.1", "other.example": "127.0.0.1"})
    )
    out = run(module, HEAD + script, heap="1M", NAME=NAME, FOLDER=str(folder), PORT=port, **names)
    assert module.violations == []
    return out.splitlines()


def test_mutual_tls_with_certificates_from_flash(authority, folder):
    identity = authority.issue(NAME, server=True)
    with Endpoint(echo, identity=identity, client_ca=authority.pem) as server:
        out = on_board(
            folder,
            """
with modem.connect(NAME, PORT, ssl=context(True)) as stream:
    stream.write("hello\\n")
    print(stream.readline(), stream.cipher()[1])
    sent = got = 0
    while got < SIZE:
        while sent < SIZE and sent < got + 8000:
            sent += stream.write(pattern(sent, 4000))
        data = stream.read(2000)
        assert data == pattern(got, 2000), got
        got += len(data)
    print(sent, got, stream.get_extra_info("peername") == (NAME, PORT))
print(refused(stream.write, b"x")[:14])
""",
            server.port,
            SIZE=SIZE,
        )
        [seen] = server.wait(1)
    assert out == [f"b'hello\\n' {seen.version}", f"{SIZE} {SIZE} True", out[-1]]
    assert out[-1] != "not refused"
    assert seen.peer == "device-1"
    assert seen.server_name == NAME
    assert seen.error is None


def test_what_is_not_the_server_is_refused(authority, folder):
    identity = authority.issue(NAME, server=True)
    (folder / "empty.pem").write_text("nothing")
    with Endpoint(echo, identity=identity) as server:
        out = on_board(
            folder,
            """
print(refused(modem.connect, "other.example", PORT, ssl=context()))
print(refused(modem.connect, NAME, PORT, ssl=context(ca="other.pem")))
print(refused(modem.connect, NAME, PORT, modem.tls(1), ssl=context()))
print(refused(der, FOLDER + "/empty.pem"))
with modem.connect(NAME, PORT, ssl=context()) as stream:
    stream.write(b"x")
    print(stream.read(1))
anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
print(refused(modem.connect, "other.example", PORT, ssl=anyone))
stream = anyone.wrap_socket(modem.connect("other.example", PORT), server_hostname="x.example")
stream.write(b"y")
print(stream.read(1))
stream.close()
print([c for c in modem.connections._table if c])
""",
            server.port,
        )
        seen = server.wait(4)
    assert "name" in out[0].lower() or "CN" in out[0]
    assert out[0].startswith("ModemError: TLS on the board failed:")
    assert out[1].startswith("ModemError: TLS on the board failed:")
    assert out[0] != out[1]
    assert out[2].startswith("ValueError: tls= is TLS by the module")
    assert out[3].startswith("ValueError: ") and "no whole PEM block" in out[3]
    assert out[4] == "b'x'"
    assert out[5].startswith("ValueError: this SSLContext checks nobody")
    assert out[6:] == ["b'y'", "[]"]
    assert [one.server_name for one in seen] == ["other.example", NAME, NAME, "x.example"]
    assert all(one.received == 0 for one in seen[:2])


def test_it_reads_as_other_streams_do(authority, folder):
    def serve(connection):
        connection.send(b"one\ntwo\nrest of it" + b"x" * 3000)
        assert connection.receive() == b"more"
        connection.send(b"the end")

    with Endpoint(serve, identity=authority.issue(NAME, server=True)) as server:
        out = on_board(
            folder,
            """
import select
stream = modem.connect(NAME, PORT, ssl=context())
stream.settimeout(5)
print(stream.readline(), stream.readline(2), stream.readline(100), stream.read(4))
buf = bytearray(10)
print(stream.readinto(buf, 4), stream.read(2), bytes(buf[:4]))
at = 0
while at < 3000:
    at += len(stream.read(min(700, 3000 - at)))
poller = select.poll()
poller.register(stream, select.POLLIN | select.POLLOUT)
print([event for _, event in poller.poll(100)])
stream.settimeout(0.3)
print(refused(stream.read, 3)[:8], refused(stream.readline)[:8], refused(stream.readinto, buf)[:8])
stream.setblocking(False)
print(stream.read(1), stream.readline(), stream.readinto(buf))
print("more", end="", file=stream)
poller.modify(stream, select.POLLIN)
print([event for _, event in poller.poll(5000)])
stream.setblocking(True)
stream.settimeout(1)
print(stream.read(3), refused(stream.read)[:40], stream._rest)
stream.close()
stream.close()
""",
            server.port,
        )
    assert out == [
        "b'one\\n' b'tw' b'o\\n' b'rest'",
        "4 b'it' b' of '",
        "[4]",
        "Timeout: Timeout: Timeout:",
        "None None None",
        out[5],
        out[6],
    ]
    assert out[5] in ("[1]", "[17]")  # which also says that the server has gone
    assert out[6].startswith("b'the' ")


def test_much_one_way(authority, folder):
    with Endpoint(flood(SIZE), identity=authority.issue(NAME, server=True)) as server:
        out = on_board(
            folder,
            """
stream = modem.connect(NAME, PORT, ssl=context())
buf = bytearray(3000)
stream.read(1)
gc.collect()
before = gc.mem_alloc()
import hashlib
digest = hashlib.sha256()
n = total = 0
while total < SIZE - 1:
    n = stream.readinto(buf)
    digest.update(memoryview(buf)[:n])
    total += n
gc.collect()
print(total, gc.mem_alloc() - before < 2048)
from binascii import hexlify
print(hexlify(digest.digest()).decode())
stream.close()
""",
            server.port,
            SIZE=SIZE,
        )
    import hashlib

    assert out == [f"{SIZE - 1} True", hashlib.sha256(pattern(SIZE)[1:]).hexdigest()]


def test_a_handshake_ends(folder):
    """With a server that is silent, that speaks something else, or that goes."""

    def silent(connection):
        connection.receive()
        connection.receive()

    def dripping(connection):
        connection.receive()
        for byte in b"\x16\x03\x03\x00\x50" + bytes(50):
            connection.send(bytes([byte]))
            import time

            time.sleep(0.3)

    def http(connection):
        connection.receive()
        connection.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    for behaviour, limit, words in (
        (silent, 9, "Timeout: "),
        (dripping, 9, "Timeout: "),
        (http, 5, "ModemError: TLS on the board failed: "),
        (lambda connection: connection.receive(), 5, "ModemError: the peer ended the connection"),
        # Gone before the first packet: the module's URC tells it, or its refusal of the packet.
        (lambda connection: None, 5, ("ConnectionLost: ", "CommandError: AT+MIPSEND=0,144: 553")),
    ):
        with Endpoint(behaviour) as server:
            out = on_board(
                folder,
                """
start = time.ticks_ms()
print(refused(modem.connect, NAME, PORT, timeout_ms=6000, ssl=context()))
print(time.ticks_diff(time.ticks_ms(), start))
print(modem.command("+CSQ"))
""",
                server.port,
            )
        assert out[0].startswith(words)
        assert int(out[1]) < limit * 1000
        assert out[2] == "[b'+CSQ: 24,99']"


def test_a_stream_that_is_collected_is_closed_later_without_a_traceback(authority, folder):
    with Endpoint(echo, identity=authority.issue(NAME, server=True)) as server:
        module = Module("ML307R", network=SystemNetwork({NAME: "127.0.0.1"}))
        out = on_board(
            folder,
            """
def leave(make):
    stream = make()
    stream.write(b"hello")
    print(stream.read(5))

def wrapped():
    return context().wrap_socket(modem.connect(NAME, PORT), server_hostname=NAME)

def sock():
    s = modem.socket_module().socket()
    s.connect((NAME, PORT))
    return context().wrap_socket(s, server_hostname=NAME)

for make in (wrapped, sock, lambda: modem.connect(NAME, PORT, ssl=context())):
    leave(make)
    for _ in range(3):
        gc.collect()
    print(modem.command("+CSQ"))
for _ in range(7):  # more than the module has ids
    leave(wrapped)
    gc.collect()
print(len([c for c in modem.connections._table if c]) < 4)
""",
            server.port,
            module=module,
        )
    assert out == ["b'hello'", "[b'+CSQ: 24,99']"] * 3 + ["b'hello'"] * 7 + ["True"]
    closes = [command for command in module.commands if command.startswith(b"AT+MIPCLOSE")]
    assert len(closes) >= 8


def test_under_asyncio(authority, folder):
    identity = authority.issue(NAME, server=True)
    with Endpoint(echo, identity=identity, client_ca=authority.pem) as server:
        out = on_board(
            folder,
            """
import asyncio
from onemo.aio import Modem as AsyncModem

async def go():
    modem = AsyncModem(uart)
    await modem.start()
    stream = await modem.connect(NAME, PORT, ssl=context(True))
    stream.write(b"hello\\n")
    await stream.drain()
    print(await stream.readline())
    ticks = []
    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep_ms(5)
    ticker = asyncio.create_task(tick())
    for at in range(0, 40000, 4000):
        await stream.awrite(pattern(at, 4000))
        assert await stream.readexactly(4000) == pattern(at, 4000)
    ticker.cancel()
    print(len(ticks) > 50)
    await stream.aclose()
    await asyncio.sleep_ms(500)
    with modem.use_as_socket():
        reader, writer = await asyncio.open_connection(NAME, PORT, ssl=context(True))
        await writer.awrite(b"again")
        print(await reader.readexactly(5))
        await writer.aclose()
    async def leave():
        stream = await modem.connect(NAME, PORT, ssl=context(True))
        await stream.awrite(b"left")
    for _ in range(3):
        await leave()
        gc.collect()
        await asyncio.sleep_ms(700)
    # The collector may still see the last one, in a register or an old frame.
    print(len([c for c in modem.connections._table if c]) <= 1)
    try:
        await modem.connect(NAME, PORT, modem.tls(1), ssl=context())
    except ValueError as error:
        print(error)
    told = []
    for _ in range(8):  # more than the module has ids
        stream = await modem.connect("other.example", PORT, ssl=context(True))
        try:
            await stream.awrite(b"x")
            await stream.read(1)
        except (OSError, ValueError) as error:
            told.append("CN" in str(error))
        await stream.aclose()
    print(told == [True] * 8)

asyncio.run(go())
""",
            server.port,
        )
    assert out == [
        "b'hello\\n'",
        "True",
        "b'again'",
        "True",
        "tls= is TLS by the module, ssl= is TLS on the board: give one of them",
        "True",
    ]


def test_on_cpython_it_says_what_it_needs(rigs):
    import ssl

    with pytest.raises(Unsupported, match="MicroPython's own ssl"):
        rigs().modem.connect(HOST, 7, ssl=ssl.create_default_context())


def test_der_of_pem_files(tmp_path, authority):
    import ssl

    from onemo.cert_der import der, ders

    first = authority.issue("one").write(tmp_path)[0].read_bytes()
    path = tmp_path / "two.pem"
    path.write_bytes(b"some words: above\n" + first.replace(b"\n", b"\r\n") + authority.pem)
    found = list(ders(str(path)))
    assert found[-1] == ssl.PEM_cert_to_DER_cert(authority.pem.decode())
    assert next(ders(str(path))) == found[0] == ssl.PEM_cert_to_DER_cert(first.decode())
    path.write_bytes(first)
    assert der(str(path)) == found[0]
    for text in (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA",
    ):
        path.write_bytes(text)
        with pytest.raises(ValueError, match="encrypted"):
            der(str(path))
    for text in (b"", b"words", authority.pem[:200]):
        path.write_bytes(text)
        with pytest.raises(ValueError, match="no whole PEM block"):
            list(ders(str(path)))


def test_sink_counts(authority, folder):
    """A megabyte upwards, in records as `ssl` makes them: none is lost."""
    with Endpoint(sink(300_000), identity=authority.issue(NAME, server=True)) as server:
        out = on_board(
            folder,
            """
stream = modem.connect(NAME, PORT, ssl=context())
for at in range(0, 300000, 10000):
    stream.write(pattern(at, 10000))
print(stream.read(1))
stream.close()
""",
            server.port,
        )
        [seen] = server.wait(1)
    assert seen.received == 300_000
    assert len(out) == 1
