# SPDX-License-Identifier: MIT
"""Debian's mosquitto with mutual TLS: `make mosquitto`. ONEMO_MOSQUITTO names another one."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
from onemo import AUTH_SERVER
from onemo.errors import CommandError
from onemo_simulator import Module, SystemNetwork
from onemo_tools.lint.libraries import LIBRARIES, NOT
from onemo_tools.servers.pki import Authority

from .away import back_from_away
from .device import ROOT, run
from .library_scripts import START
from .small_mqtt import SmallMqtt
from .test_broker import BROKER, HostSocket, Listener, provisioned
from .test_libraries import FOLDER, MQTT, mqtt_on_board

pytestmark = pytest.mark.mosquitto


@pytest.fixture(scope="module")
def authority():
    return Authority("fleet ca")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def broker(authority, tmp_path_factory):
    program = os.environ.get("ONEMO_MOSQUITTO") or shutil.which(
        "mosquitto", path=os.environ["PATH"] + ":/usr/sbin"
    )
    assert program, "mosquitto is not installed: apt-get install mosquitto"
    folder = tmp_path_factory.mktemp("mosquitto")
    chain, key = authority.issue(BROKER, server=True).write(folder)
    (folder / "ca.pem").write_bytes(authority.pem)
    ports = SimpleNamespace(port=free_port(), plain_port=free_port())
    (folder / "mosquitto.conf").write_text(
        f"""
user {getpass.getuser()}
allow_anonymous true
max_queued_messages 0
listener {ports.plain_port} 127.0.0.1
listener {ports.port} 127.0.0.1
cafile {folder}/ca.pem
certfile {chain}
keyfile {key}
require_certificate true
tls_version tlsv1.2
"""
    )
    running = subprocess.Popen([program, "-c", folder / "mosquitto.conf"])
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", ports.port), 1).close()
                break
            except OSError:
                assert running.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        ports.process = running
        yield ports
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture
def network():
    net = SystemNetwork({BROKER: "127.0.0.1"})
    yield net
    net.close()


def test_a_client_without_a_certificate_is_refused(rigs, authority, broker, network):
    rig = rigs(network=network)
    provisioned(rig, authority)
    tls = rig.modem.tls(2)
    tls.configure(AUTH_SERVER, ca="ca.pem")
    with pytest.raises(CommandError) as caught:
        rig.modem.connect(BROKER, broker.port, tls=tls)
    assert caught.value.code == 754


def test_what_was_sent_while_the_device_was_away_comes(aios, authority, broker, network):
    rig = aios(network=network)
    rig.modem.start()
    provisioned(rig, authority)
    sender = SmallMqtt(HostSocket(), b"operator", "127.0.0.1", broker.plain_port)
    back_from_away(rig, BROKER, broker.port, sender)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "count", [500, pytest.param(10_000, marks=pytest.mark.slow)], ids=["short", "long"]
)
@pytest.mark.parametrize("qos", [0, 1])
def test_messages_arrive(rigs, authority, broker, network, count, qos):
    """With QoS 1 the connection is cut and restored in between, and nothing is lost."""
    rig = rigs(network=network)
    tls = provisioned(rig, authority)
    topic = b"m%d/%d" % (qos, count)
    listener = Listener(broker, topic, qos)
    client = SmallMqtt(rig.modem.socket_module(tls), b"cut", BROKER, broker.port)
    sockets = set()
    for number in range(count):
        if qos and number % 97 == 96:
            rig.module.sockets.pdp_gone()
        client.publish_again(topic, b"%d" % number, qos)
        sockets.add(client.sock)
    listener.wait_for(b"%d" % (count - 1))
    listener.close()
    assert set(listener.messages) == {b"%d" % number for number in range(count)}
    assert len(sockets) > (count // 97 // 2 if qos else 0)


# The README's table, its cells of MQTT without TLS


@pytest.mark.parametrize(
    ("library", "front"),
    [
        pytest.param(library, front, id=f"{library.name}-{front}")
        for library in LIBRARIES
        for (front, mode), what in library.cells.items()
        if library.name in MQTT and mode == "plain" and what != NOT
    ],
)
def test_libraries_at_mosquitto(authority, broker, tmp_path, library, front):
    mode = "plain"
    glue = library.glue.get((front, mode), "")
    listener = Listener(broker, f"{library.name}-{front}-{mode}/#".encode(), 1)
    port = broker.plain_port
    mqtt_on_board(library, front, mode, authority, port, tmp_path, glue, listener)


# Keep-alive that lapses: the broker waits half as long again (MQTT 3.1.1, 3.1.2.10), and some
# seconds more before it looks.

KEEPALIVE_S = 2
LAPSE_S = 12

SILENT = """
def job(modem):
    from umqtt.%s import MQTTClient
    MQTTClient.DELAY = 0.1
    c = MQTTClient(b"lapse", NAME, PORT, keepalive=KEEPALIVE_S)
    c.set_last_will(TOPIC, b"gone", qos=1)
    c.connect()
    c.publish(TOPIC, b"before", qos=1)
    time.sleep(LAPSE_S)
    try:
        c.publish(TOPIC, b"after", qos=1)
        if hasattr(c, "is_conn_issue") and c.is_conn_issue():  # robust2's way: it has kept it
            c.reconnect()
            c.send_queue()
        print("published")
    except OSError:
        print("OSError")
    except Exception as error:
        print(type(error).__name__)
    print(modem.command("+CSQ"))

blocking()
"""

OWN = """
async def own():
    from onemo.aio import Modem
    from mqtt import Client
    modem = Modem(uart)
    await modem.start()
    c = Client(await modem.connect(NAME, PORT), keepalive_s=KEEPALIVE_S)
    await c.connect("lapse", clean_session=True, will=(TOPIC, b"gone", 1, False))
    await c.publish(TOPIC, b"before")
    began = time.time()
    try:
        await c.wait(LAPSE_S)
        await c.publish(TOPIC, b"after")
        print("published")
    except OSError:
        print("OSError", time.time() - began <= 3 * KEEPALIVE_S)
    await c.close()
    print(await modem.command("+CSQ"))

asyncio.run(own())
"""


def lapse(broker, script, topic):
    return run(
        Module("ML307R", network=SystemNetwork({BROKER: "127.0.0.1"})),
        f"sys.path.insert(0, {str(ROOT)!r})\nMODE = 'plain'\n" + START.format(glue="") + script,
        heap="1M",
        LIBRARIES=str(FOLDER),
        NAME=BROKER,
        PORT=broker.plain_port,
        TOPIC=topic,
        KEEPALIVE_S=KEEPALIVE_S,
        LAPSE_S=LAPSE_S,
    ).splitlines()


@pytest.mark.parametrize(
    ("name", "then"),
    [
        ("simple", "OSError"),
        ("robust", "published"),
        ("simple2", "MQTTException"),
        ("robust2", "published"),
    ],
)
def test_a_library_that_says_nothing_is_dropped_and_its_will_is_published(broker, name, then):
    topic = f"lapse/{name}".encode()
    listener = Listener(broker, topic, 1)
    try:
        assert lapse(broker, SILENT % name, topic) == [then, "[b'+CSQ: 24,99']"]
        assert listener.messages[:2] == [b"before", b"gone"]
        if then == "published":  # it has connected anew
            listener.wait_for(b"after")
    finally:
        listener.close()


def test_pings_of_mqtt_py_keep_a_silent_connection(broker):
    listener = Listener(broker, b"lapse/own", 1)
    try:
        assert lapse(broker, OWN, b"lapse/own") == ["published", "[b'+CSQ: 24,99']"]
        listener.wait_for(b"after")
        assert listener.messages == [b"before", b"after"]
    finally:
        listener.close()


def test_mqtt_py_notices_a_broker_that_stands_still(broker):
    listener = Listener(broker, b"lapse/still", 1)

    def stop():
        listener.wait_for(b"before")
        broker.process.send_signal(signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        assert lapse(broker, OWN, b"lapse/still") == ["OSError True", "[b'+CSQ: 24,99']"]
    finally:
        stopper.join()
        broker.process.send_signal(signal.SIGCONT)
        listener.close()
