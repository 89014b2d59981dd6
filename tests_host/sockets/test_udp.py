# SPDX-License-Identifier: MIT
"""Datagrams: modem.udp of both fronts, and SOCK_DGRAM sockets."""

import asyncio
import errno
import socket as real
import struct
import threading
import time

import pytest
from onemo.errors import CommandError, ConnectionLost, ModemReset, Timeout
from onemo_simulator import EchoPeer, Module, Peer, SystemNetwork

from .conftest import HOST, Sink, commands, network
from .device import run


class Twice(Peer):
    """Answers each datagram with two: itself, and its length."""

    def on_data(self, conn, data):
        conn.reply(data)
        conn.reply(b"%d" % len(data), 0.01)


def udp_network():
    net = network()
    net.listen(HOST, 21, Twice())
    net.listen("other.example", 7, EchoPeer())
    return net


@pytest.mark.parametrize("model", ["ML307R", "ML305U", "MN316", "MN316-S", "unknown"])
def test_datagrams_come_as_they_were_sent(rigs, model):
    rig = rigs(model if model != "unknown" else "ML307R", network=udp_network())
    if model == "unknown":
        rig.modem.set_model("XX999")
    with rig.modem.udp(HOST, 7) as there:
        opened = commands(rig, b"AT+MIPOPEN=")[0]
        assert opened == b'AT+MIPOPEN=0,"UDP","%s",7,55,3' % HOST.encode()
        assert there.get_extra_info("peername") == (HOST, 7)
        most = there.size_max
        assert most == (1460 if model.startswith("ML") else (1024 - 24) // 2)
        for data in (b"x", b"\r\nOK\r\n", bytes(range(256)), b"y" * most):
            assert there.send(data) == len(data)
            assert there.recv() == data
        for data in (b"one", b"seven", b"\0" * 100):
            there.send(data)
        buf = bytearray(4)
        assert there.recv_into(buf) == 3
        assert buf == b"one\0"
        assert there.recv_into(buf) == 4  # what there is no room for is lost
        assert buf == b"seve"
        assert there.recv(10) == b"\0" * 10
        there.settimeout(0.5)
        with pytest.raises(Timeout):
            there.recv()
        there.settimeout(0)
        assert there.recv() is None
        for data in (b"", b"x" * (most + 1)):
            with pytest.raises(ValueError, match=f"1 to {most} bytes"):
                there.send(data)
    there.close()
    with pytest.raises(ConnectionLost):
        there.send(b"late")


def test_many_wait_in_the_module_and_come_in_their_order(rigs):
    rig = rigs(network=udp_network())
    there = rig.modem.udp(HOST, 21)
    for number in range(20):
        there.send(b"%d" % number * 10)
    got = [there.recv() for _ in range(40)]
    assert got[0::2] == [b"%d" % number * 10 for number in range(20)]
    assert got[1::2] == [b"%d" % len(data) for data in got[0::2]]


def test_what_the_module_has_no_room_for_is_dropped_and_the_rest_is_whole(rigs):
    rig = rigs("MN316", network=udp_network())
    room = rig.module.profile.udp_packets
    there = rig.modem.udp(HOST, 7)
    for number in range(room + 20):
        there.send(b"%03d" % number * 50)
    there.settimeout(1)
    got = []
    with pytest.raises(Timeout):
        while True:
            got.append(there.recv())
    assert room <= len(got) < room + 20
    assert got == sorted(got)
    assert all(len(set(data.split(data[:3]))) == 1 for data in got)


def test_a_report_that_was_lost_is_asked_for(rigs):
    rig = rigs(network=udp_network())
    there = rig.modem.udp(HOST, 7)
    there.settimeout(3)
    urc = rig.module.urc

    def lossy(line, *args):
        if not line.startswith(b'+MIPURC: "rudp"'):
            urc(line, *args)

    rig.module.urc = lossy
    there.send(b"hello")
    assert there.recv() == b"hello"


def test_errors_of_datagrams(rigs):
    rig = rigs(network=udp_network(), open_result=580)
    with pytest.raises(CommandError) as caught:
        rig.modem.udp("nowhere.example", 7)
    assert caught.value.errno == errno.EHOSTUNREACH
    rig = rigs(network=udp_network())
    with pytest.raises(ValueError, match="host"):
        rig.modem.udp('a"b', 7)
    there = rig.modem.udp(HOST, 7)
    tcp = rig.modem.connect(HOST, 7)  # both at once
    tcp.write(b"stream")
    there.send(b"datagram")
    assert there.recv() == b"datagram"
    assert tcp.read(6) == b"stream"
    rig.module.sockets.pdp_gone()
    with pytest.raises(ConnectionLost):
        there.recv()
    again = rig.modem.udp(HOST, 7)
    rig.modem.reboot()
    with pytest.raises(ModemReset):
        again.send(b"x")


def test_a_host_that_never_answers(rigs):
    rig = rigs(network=udp_network())
    there = rig.modem.udp(HOST, 9)
    start = rig.clock.now()
    there.send(b"anybody?")
    with pytest.raises(Timeout):
        there.recv()
    assert 60 <= rig.clock.now() - start < 70


def test_awaited(aios):
    rig = aios(network=udp_network())

    async def go():
        async with await rig.aio.udp(HOST, 7) as there:
            reader = asyncio.create_task(there.recv())
            await rig.sleep(1)
            assert await rig.aio.command("+CSQ") == [b"+CSQ: 24,99"]  # holds nobody up
            assert await there.send(b"hello") == 5
            assert await reader == b"hello"
            there.settimeout(2)
            with pytest.raises(Timeout):
                await there.recv(10)
            with pytest.raises(ValueError, match="1 to 1460"):
                await there.send(b"")
            waiting = asyncio.create_task(there.recv())
            await rig.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await there.send(b"after")
            buf = bytearray(3)
            assert await there.recv_into(buf) == 3
            assert buf == b"aft"
        await there.close()

    rig.run(go())


# SOCK_DGRAM under asyncio


@pytest.fixture
def there(aios):
    """A rig with `socket`, SOCK_DGRAM under asyncio, `got`, which waits for a datagram, and
    `caught`, the error of a call."""
    rig = aios(network=udp_network())
    rig.run(rig.aio.start())
    rig.socket = rig.aio.socket_module().socket(2, 2)
    rig.socket.setblocking(False)

    async def got(seconds=30):
        for _ in range(int(seconds * 20)):
            if rig.socket.ioctl(3, 1):
                return rig.socket.recvfrom(1460)
            await rig.sleep(0.05)
        return None

    def caught(call, *args):
        with pytest.raises(OSError) as caught:
            call(*args)
        return caught.value.errno or caught.value.args[0]

    rig.got, rig.caught = got, caught
    return rig


def test_a_socket_of_datagrams_never_waits(there):
    sock = there.socket

    async def go():
        for call in (lambda: sock.send(b"x"), lambda: sock.recv(1), lambda: sock.write(b"x")):
            assert there.caught(call) == errno.ENOTCONN
        assert sock.ioctl(3, 5) == 4
        sock.bind(("0.0.0.0", 5000))
        assert sock.sendto(b"hello", (HOST, 7)) == 5
        assert sock.send(b"second") == 6
        assert there.caught(sock.send, b"third") == errno.EAGAIN
        assert there.caught(sock.sendto, b"third", (HOST, 7)) == errno.EAGAIN
        assert sock.write(b"third") is None and sock.ioctl(3, 5) == 0
        assert there.caught(sock.recv, 5) == errno.EAGAIN
        assert sock.read(5) is None
        assert await there.got() == (b"hello", (HOST, 7))
        assert await there.got() == (b"second", (HOST, 7))
        for wrong in (b"", b"x" * 1461):
            with pytest.raises(ValueError, match="1 to 1460"):
                sock.sendto(wrong, (HOST, 7))
        with pytest.raises(ValueError, match="port"):
            sock.sendto(b"x", (HOST, 0))
        sock.connect((HOST, 7))
        buf = bytearray(4)
        assert sock.write(b"abcdef", 5) == 5
        await there.sleep(2)
        assert sock.recv_into(buf, 3) == 3 and buf == b"abc\0"  # the rest of it is lost
        assert sock.readinto(buf) is None
        assert await there.aio.command("+CSQ") == [b"+CSQ: 24,99"]
        sock.send(b"last words")
        sock.close()
        sock.close()
        assert there.caught(sock.send, b"x") == errno.ENOTCONN
        await there.sleep(2)

    there.run(go())
    [conn] = there.network.connections
    assert conn.closed and bytes(conn.sent).endswith(b"last words")


def test_it_goes_over_to_other_addresses_and_back(there):
    async def go():
        for name in (HOST, "other.example", HOST):
            there.socket.sendto(name.encode(), 0, (name, 7))
            assert await there.got() == (name.encode(), (name, 7))
        there.socket.sendto(b"one", (HOST, 7))
        there.socket.sendto(b"two", ("other.example", 7))
        await there.sleep(2)
        there.socket.close()
        await there.sleep(2)

    there.run(go())
    assert [bytes(conn.sent)[-3:] for conn in there.network.connections[-2:]] == [b"one", b"two"]
    assert all(conn.closed for conn in there.network.connections)


def test_what_fails_is_raised_once_and_the_next_datagram_goes(there):
    sock = there.socket

    async def go():
        sock.sendto(b"x", ("nowhere.example", 7))
        await there.sleep(5)
        assert sock.ioctl(3, 1) == 17  # readable: the error
        assert there.caught(sock.recv, 5) == errno.EHOSTUNREACH
        sock.sendto(b"hello", (HOST, 7))
        assert await there.got() == (b"hello", (HOST, 7))
        there.module.modem.hang_up()
        await there.sleep(30)
        assert there.caught(sock.send, b"x")
        assert there.caught(sock.send, b"x") == errno.ENOTCONN
        there.module.modem.back(1)
        sock.sendto(b"again", (HOST, 7))
        assert await there.got() == (b"again", (HOST, 7))
        sock.close()
        await there.sleep(1)

    there.run(go())


def test_a_report_that_was_lost_is_asked_for_by_itself(there):
    urc, lost = there.module.urc, []

    def lossy(line, *args):
        if line.startswith(b'+MIPURC: "rudp"'):
            lost.append(line)
        else:
            urc(line, *args)

    async def go():
        there.socket.sendto(b"hello", (HOST, 7))
        assert await there.got() == (b"hello", (HOST, 7))
        there.module.urc = lossy
        there.socket.send(b"lost")
        assert await there.got() == (b"lost", (HOST, 7)) and lost
        there.module.commands.clear()
        await there.sleep(900)
        asked = len(commands(there, b"AT+MIPSTATE="))  # after 10 s, 20 s, 40 s and so on
        assert 4 <= asked <= 7
        there.socket.close()
        await there.sleep(1)

    there.run(go())


def test_one_that_would_block_is_refused_in_words(there):
    there.socket.settimeout(1)
    with pytest.raises(OSError, match="must not block"):
        there.socket.sendto(b"x", (HOST, 7))
    with pytest.raises(ValueError, match="SOCK_STREAM"):
        there.aio.socket_module().socket(2, 3)


# As sockets


def test_sockets_of_datagrams(rigs):
    rig = rigs(network=udp_network())
    socket = rig.modem.socket_module()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for call in (
        lambda: sock.send(b"x"),
        lambda: sock.recv(1),
        lambda: sock.readinto(bytearray(1)),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENOTCONN
    sock.bind(("0.0.0.0", 5000))
    sock.settimeout(1)
    address = socket.getaddrinfo(HOST, 7, 0, socket.SOCK_DGRAM)[0][-1]
    assert sock.ioctl(3, 5) == 4
    assert sock.sendto(b"hello", address) == 5
    assert sock.recvfrom(100) == (b"hello", (HOST, 7))
    assert sock.sendto(b"again", 0, address) == 5
    assert sock.recv(100) == b"again"
    [opened] = commands(rig, b"AT+MIPOPEN=")
    assert opened.startswith(b'AT+MIPOPEN=0,"UDP","%s",7,' % HOST.encode())
    assert sock.sendto(b"elsewhere", ("other.example", 7)) == 9
    assert sock.recvfrom(4) == (b"else", ("other.example", 7))
    assert len(commands(rig, b"AT+MIPOPEN=")) == 2
    with pytest.raises(OSError) as caught:
        sock.recv(1)
    assert caught.value.errno == errno.ETIMEDOUT
    sock.setblocking(False)
    assert sock.read(5) is None
    for call in (lambda: sock.recv(5), lambda: sock.recv_into(bytearray(5))):
        with pytest.raises(OSError, match="no datagram yet") as caught:
            call()
        assert caught.value.args[0] == errno.EAGAIN
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with pytest.raises(OSError, match="no such option: 1, 6") as caught:
        sock.setsockopt(socket.SOL_SOCKET, 6, 1)  # broadcasts
    assert caught.value.args[0] == errno.ENOPROTOOPT
    sock.connect(("other.example", 7))
    buf = bytearray(10)
    assert sock.write(b"query") == 5
    rig.clock.advance(1)
    assert sock.ioctl(3, 1) == 1
    assert sock.readinto(buf, 3) == 3
    assert buf[:4] == b"que\0"
    assert sock.write(b"answers", 6) == sock.send(b"answers", 6) == 6
    rig.clock.advance(1)
    assert sock.recv_into(buf, 2) == 2
    assert (buf[:2], buf[2:4]) == (b"an", b"e\0")
    assert sock.read(4) == b"answ"
    sock.close()
    sock.close()
    rig.clock.advance(1)
    rig.modem.command("+CSQ")
    assert all(conn.closed for conn in rig.network.connections)


def test_a_socket_of_datagrams_waits_as_long_as_its_module_says(rigs):
    rig = rigs(network=udp_network())
    socket = rig.modem.socket_module()
    socket.default_timeout = 7
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((HOST, 9))
    for use in (lambda: None, lambda: sock.settimeout(None), lambda: sock.setblocking(True)):
        use()
        began = rig.clock.now()
        with pytest.raises(Timeout):
            sock.recv(1)
        assert 7 <= rig.clock.now() - began < 9
        sock.settimeout(1)


@pytest.mark.parametrize("end", ["told", "refused"])
def test_a_poll_tells_that_a_socket_of_datagrams_has_ended(rigs, end):
    rig = rigs(network=udp_network())
    socket = rig.modem.socket_module()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((HOST, 7))
    assert sock.ioctl(3, 5) == 4
    if end == "told":
        rig.network.connections[-1].end(2)
        rig.clock.advance(1)
    else:
        rig.module.reply(b"AT+MIPSEND", b"+CME ERROR: 553")
        with pytest.raises(CommandError):
            sock.send(b"x")
    assert sock.ioctl(3, 5) == 16
    sock.sendto(b"again", (HOST, 7))
    assert sock.recv(5) == b"again"


def test_what_the_interpreter_asks_of_a_stream_is_answered_with_its_numbers(rigs):
    rig = rigs(network=udp_network())
    socket = rig.modem.socket_module()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((HOST, 7))
    assert sock.ioctl(10, 0) == -errno.EINVAL
    assert not commands(rig, b"AT+MIPCLOSE=")
    assert sock.ioctl(4, 0) == 0  # close
    assert commands(rig, b"AT+MIPCLOSE=") == [b"AT+MIPCLOSE=0"]


# On real MicroPython, with real servers

NTP_2027 = 4007750400


class Server:
    """A UDP server on loopback that answers with what `answer` makes of a datagram."""

    def __init__(self, answer):
        self._sock = real.socket(real.AF_INET, real.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(30)
        self.port = self._sock.getsockname()[1]
        self.seen = []
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        try:
            while True:
                data, address = self._sock.recvfrom(4096)
                self.seen.append(data)
                for answer in self._answer(data):
                    self._sock.sendto(answer, address)
        except OSError:
            pass  # closed, or nobody came

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._sock.close()
        self._thread.join(5)


def test_a_time_client_that_makes_ntptimes_calls_on_micropython():
    """`ntptime` itself is nowhere to be had as a package: these are its calls, in its order."""

    def ntp(data):
        assert len(data) == 48 and data[0] == 0x23
        yield b"\x24" + bytes(39) + struct.pack("!II", NTP_2027, 0)

    with Server(ntp) as server:
        out = run(
            Module("ML307R", network=SystemNetwork({"pool.example": "127.0.0.1"})),
            """
from onemo import Modem
modem = Modem(uart)
modem.start()
with modem.use_as_socket():
    import socket, struct
    query = bytearray(48)
    query[0] = 0x23
    address = socket.getaddrinfo("pool.example", PORT)[0][-1]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.settimeout(1)
        s.sendto(query, address)
        message = s.recv(48)
    finally:
        s.close()
    print(struct.unpack("!I", message[40:44])[0])
""",
            PORT=server.port,
        )
    assert out == f"{NTP_2027}\n"


def test_a_name_is_asked_for_on_micropython_as_coap_and_dns_clients_do():
    """And 1000 answers nobody asked for leave the heap as it was."""

    def dns(data):
        yield data[:2] + b"\x81\x80" + data[4:] + b"answer"
        if data[-1] == 9:
            for number in range(1000):
                yield b"%04d" % number * 300

    with Server(dns) as server:
        out = run(
            Module("ML307R", network=SystemNetwork({"dns.example": "127.0.0.1"})),
            """
import select
from time import sleep_ms
from onemo import Modem
modem = Modem(uart)
modem.start()
with modem.use_as_socket():
    import usocket
    s = usocket.socket(usocket.AF_INET, usocket.SOCK_DGRAM)
    s.setblocking(False)
    s.connect(("dns.example", PORT))
    query = b"$\\x1a\\x01\\0\\0\\x01"
    view = memoryview(query)
    while view:
        view = view[s.write(view) or 0:]
    poller = select.poll()
    poller.register(s, select.POLLIN)
    print(len(poller.poll(5000)))
    buf = bytearray(2000)
    print(buf[: s.readinto(buf)])
    print(s.readinto(buf))
    s.write(b"flood\\x09")
    sleep_ms(500)
    modem.command("+CSQ")
    print(s.readinto(buf))
    gc.collect()
    before = gc.mem_alloc()
    n = 0
    last = b""
    while True:
        got = s.readinto(buf)
        if got is None:
            break
        assert got == 1200 and bytes(buf[:4]) > last, (got, buf[:4])
        last = bytes(buf[:4])
        n += 1
    gc.collect()
    print(n > 100, gc.mem_alloc() - before < 512)
    s.close()
""",
            PORT=server.port,
        )
    assert out.splitlines() == [
        "1",
        "bytearray(b'$\\x1a\\x81\\x80\\x00\\x01answer')",
        "None",
        "12",
        "True True",
    ]


def test_datagrams_under_micropythons_asyncio():
    """As a CoAP client does it: polled by asyncio itself, others go on, a flood costs nothing."""

    def answer(data):
        yield data[::-1]
        if data == b"flood":
            for number in range(300):
                yield b"%04d" % number * 300

    with Server(answer) as server:
        module = Module("ML307R", network=SystemNetwork({"coap.example": "127.0.0.1"}))
        out = run(
            module,
            """
import asyncio, errno
from onemo.aio import Modem

async def request(sock, data):
    sock.sendto(data, ADDRESS)
    while True:
        yield asyncio.core._io_queue.queue_read(sock)
        try:
            return sock.recvfrom(1500)[0]
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise

async def main():
    global ADDRESS
    modem = Modem(uart)
    await modem.start()
    with modem.use_as_socket():
        import socket
        ADDRESS = socket.getaddrinfo("coap.example", PORT)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep_ms(5)

        counter = asyncio.create_task(count())
        for data in (b"hello", b"world"):
            print(await asyncio.wait_for(request(sock, data), 10))
        print(await asyncio.wait_for(request(sock, b"flood"), 10), turns > 3)
        await asyncio.sleep_ms(300)
        buf = bytearray(1500)
        gc.collect()
        before = gc.mem_alloc()
        n = 0
        for _ in range(100):
            if sock.readinto(buf):
                n += 1
            await asyncio.sleep_ms(10)
        gc.collect()
        print(n > 5, gc.mem_alloc() - before < 2048)
        counter.cancel()
        sock.close()
        await asyncio.sleep_ms(500)

asyncio.run(main())
""",
            PORT=server.port,
        )
    assert out.splitlines() == ["b'olleh'", "b'dlrow'", "b'doolf' True", "True True"]
    assert module.violations == []


def test_the_server_helper_notices(monkeypatch):
    with (
        Server(lambda data: [data[::-1]]) as server,
        real.socket(real.AF_INET, real.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(5)
        sock.sendto(b"abc", ("127.0.0.1", server.port))
        assert sock.recv(10) == b"cba"
        deadline = time.monotonic() + 5
        while not server.seen and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.seen == [b"abc"]


def test_a_sink_takes_datagrams(rigs):
    net = network()
    net.listen(HOST, 30, Sink())
    rig = rigs(network=net)
    there = rig.modem.udp(HOST, 30)
    there.send(b"a" * 1000)
    there.send(b"b")
    assert bytes(net.connections[-1].sent) == b"a" * 1000 + b"b"
