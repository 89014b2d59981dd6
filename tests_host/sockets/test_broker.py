# SPDX-License-Identifier: MIT
"""A real broker (amqtt), behind a TLS front that demands client certificates; through the
simulated module's TLS, from both fronts, on CPython and on real MicroPython."""

import asyncio
import gc
import io
import socket
import threading
import warnings
from pathlib import Path

import pytest
from onemo import AUTH_MUTUAL, AUTH_SERVER, KEY
from onemo.errors import CommandError
from onemo_simulator import Module, SystemNetwork
from onemo_tools.servers.broker import Broker
from onemo_tools.servers.pki import Authority

from .away import back_from_away
from .device import run
from .small_mqtt import SmallMqtt

BROKER = "broker.example"

# amqtt leaves transports of clients that broke off to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def authority():
    return Authority("fleet ca")


@pytest.fixture(scope="module")
def broker(authority):
    with Broker(identity=authority.issue(BROKER, server=True), client_ca=authority.pem) as running:
        yield running
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def network():
    net = SystemNetwork({BROKER: "127.0.0.1"})
    yield net
    net.close()


class HostSocket:
    """This machine's sockets with the methods that MicroPython's have."""

    def socket(self):
        return HostSocket()

    def getaddrinfo(self, host, port):
        return [((host, port),)]

    def settimeout(self, seconds):
        pass

    setblocking = settimeout

    def connect(self, address):
        self._sock = socket.create_connection(address, timeout=30)
        self._file = self._sock.makefile("rb")
        self.read = self._file.read

    def write(self, data, n=None):
        self._sock.sendall(bytes(data[:n]))

    def close(self):
        self._sock.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._sock.close()


class Listener:
    """Subscribes on this machine, past the front, and keeps what comes."""

    def __init__(self, broker, topic, qos):
        self.messages = []
        self.client = SmallMqtt(
            HostSocket(), b"listener-" + topic[:2], "127.0.0.1", broker.plain_port
        )
        self.client.on_message = lambda topic, message: self.messages.append(message)
        self.client.connect()
        self.client.subscribe(topic, qos)
        self._ended = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        try:
            while True:
                self.client.wait()
        except (OSError, ValueError):
            self._ended = True

    def wait_for(self, message, seconds=20):
        """Until `message` has come."""
        deadline = threading.Event()
        for _ in range(int(seconds * 100)):
            if message in self.messages[-50:]:
                return
            deadline.wait(0.01)
        raise AssertionError(f"{message!r} did not come; the last were {self.messages[-3:]!r}")

    def close(self):
        self.client.sock.close()
        self._thread.join(10)
        assert self._ended


@pytest.fixture
def listen(broker):
    listeners = []

    def make(topic, qos):
        listeners.append(Listener(broker, topic, qos))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()


def provisioned(rig, authority):
    """A TLS context for mutual authentication, its objects in the module."""
    device = authority.issue("device-1")
    certs = rig.modem.certs
    certs.write("ca.pem", io.BytesIO(authority.pem))
    certs.write("client.pem", io.BytesIO(device.chain))
    certs.write("client.key", io.BytesIO(device.key), KEY)
    tls = rig.modem.tls(1)
    tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
    return tls


@pytest.mark.parametrize("qos", [0, 1])
def test_publish_and_subscribe(rigs, authority, broker, network, listen, qos):
    rig = rigs(network=network)
    tls = provisioned(rig, authority)
    topic = b"q%d/up" % qos
    listener = listen(topic, qos)
    client = SmallMqtt(rig.modem.socket_module(tls), b"device-%d" % qos, BROKER, broker.port)
    got = []
    client.on_message = lambda topic, message: got.append((topic, message))
    client.connect(timeout=20)
    client.subscribe(b"q%d/down" % qos, qos)
    for number in range(10):
        client.publish(topic, b"%d" % number, qos)
    client.publish(topic, b"L" * 20000, qos)
    listener.wait_for(b"L" * 20000)
    assert listener.messages == [b"%d" % number for number in range(10)] + [b"L" * 20000]
    listener.client.publish(b"q%d/down" % qos, b"hello", qos) if not qos else client.publish(
        b"q1/down", b"hello", 1
    )
    while not got:
        client.wait()
    assert got == [(b"q%d/down" % qos, b"hello")]
    client.disconnect()


def test_a_client_without_a_certificate_is_refused(rigs, authority, broker, network):
    rig = rigs(network=network)
    provisioned(rig, authority)
    tls = rig.modem.tls(2)
    tls.configure(AUTH_SERVER, ca="ca.pem")
    client = SmallMqtt(rig.modem.socket_module(tls), b"nobody", BROKER, broker.port)
    with pytest.raises(CommandError) as caught:
        client.connect(timeout=20)
    assert caught.value.code == 754
    client = SmallMqtt(rig.modem.socket_module(rig.modem.tls(1)), b"somebody", BROKER, broker.port)
    client.connect(timeout=20)
    client.disconnect()


def test_a_broker_that_is_not_ours_is_refused(rigs, authority, broker, network):
    rig = rigs(network=network)
    rig.modem.certs.write("ca.pem", io.BytesIO(Authority("someone else").pem))
    tls = rig.modem.tls(1)
    tls.configure(AUTH_SERVER, ca="ca.pem")
    with pytest.raises(CommandError) as caught:
        rig.modem.connect(BROKER, broker.port, tls=tls)
    assert caught.value.code == 752


def lost_none(rig, authority, broker, listen, count, every):
    """Publishes `count` messages with QoS 1, cutting the connection after each `every`."""
    tls = provisioned(rig, authority)
    listener = listen(b"cut/up", 1)
    client = SmallMqtt(rig.modem.socket_module(tls), b"cut", BROKER, broker.port)
    connections = 0
    for number in range(count):
        if number % every == every - 1:
            broker.cut()
        before = client.sock
        client.publish_again(b"cut/up", b"%d" % number)
        connections += client.sock is not before
    listener.wait_for(b"%d" % (count - 1))
    assert set(listener.messages) == {b"%d" % number for number in range(count)}
    assert connections > count // every // 2


def test_nothing_that_was_acknowledged_is_lost(rigs, authority, broker, network, listen):
    lost_none(rigs(network=network), authority, broker, listen, 200, 37)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nothing_of_ten_thousand_is_lost(rigs, authority, broker, network, listen):
    lost_none(rigs(network=network), authority, broker, listen, 10_000, 271)


def test_what_was_sent_while_the_device_was_away_comes(aios, authority, broker, network):
    rig = aios(network=network)
    rig.modem.start()
    provisioned(rig, authority)
    sender = SmallMqtt(HostSocket(), b"operator", "127.0.0.1", broker.plain_port)
    back_from_away(rig, BROKER, broker.port, sender)


def test_asyncio_publishes_while_it_listens(aios, authority, broker, network, listen):
    """A client of raw packets on two tasks: one waits for messages, the other publishes."""
    rig = aios(network=network)
    rig.modem.start()
    tls_of_the_other = provisioned(rig, authority)
    assert tls_of_the_other.ssl_id == 1
    listener = listen(b"ai/up", 0)

    async def go():
        tls = rig.aio.tls(1)
        await tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
        stream = await rig.aio.connect(BROKER, broker.port, tls=tls)
        stream.write(b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x02ai")
        assert await stream.readexactly(4) == b"\x20\x02\0\0"
        stream.write(b"\x82\x0a\0\x01\0\x05ai/up\0")
        assert await stream.readexactly(5) == b"\x90\x03\0\x01\0"

        async def read():
            got = []
            while len(got) < 50:
                assert await stream.readexactly(1) == b"\x30"
                size = (await stream.readexactly(1))[0]
                got.append((await stream.readexactly(size))[7:])
            return got

        reader = asyncio.create_task(read())
        for number in range(50):
            message = b"%d" % number
            stream.write(b"\x30" + bytes([7 + len(message)]) + b"\0\x05ai/up" + message)
            await stream.drain()
        assert await reader == [b"%d" % number for number in range(50)]
        await stream.wait_closed()

    rig.run(go())
    listener.wait_for(b"49")


def test_on_real_micropython(authority, broker, network, listen):
    """The same client on MicroPython; the connection is cut while it publishes."""
    device = authority.issue("device-1")
    listener = listen(b"mp/up", 1)
    stop = threading.Event()

    def cutting():
        while not stop.wait(0.7):
            broker.cut()

    module = Module("ML307R", network=network)
    module.store.objects[1, "ca.pem"] = authority.pem
    module.store.objects[1, "client.pem"] = device.chain
    module.store.objects[2, "client.key"] = device.key
    client = Path(__file__).with_name("small_mqtt.py").read_text()
    cutter = threading.Thread(target=cutting, daemon=True)
    cutter.start()
    try:
        out = run(
            module,
            client
            + """
from onemo import Modem, AUTH_MUTUAL
modem = Modem(uart)
modem.start()
tls = modem.tls(1)
tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
client = SmallMqtt(modem.socket_module(tls), b"mp", BROKER, PORT)
for number in range(COUNT):
    client.publish_again(b"mp/up", b"%d" % number)
client.publish_again(b"mp/up", b"x" * 5000)
gc.collect()
print("ok", gc.mem_alloc())
""",
            heap="320K",
            BROKER=BROKER,
            PORT=broker.port,
            COUNT=200,
        )
    finally:
        stop.set()
        cutter.join()
    assert out.startswith("ok")
    listener.wait_for(b"x" * 5000)
    assert {b"%d" % number for number in range(200)} <= set(listener.messages)
