# SPDX-License-Identifier: MIT
"""Debian's mosquitto with mutual TLS: `make mosquitto`. ONEMO_MOSQUITTO names another one."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
from onemo import AUTH_SERVER
from onemo.errors import CommandError
from onemo_simulator import SystemNetwork
from onemo_tools.servers.pki import Authority

from .away import back_from_away
from .small_mqtt import SmallMqtt
from .test_broker import BROKER, HostSocket, Listener, provisioned

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
