# SPDX-License-Identifier: MIT
"""What stands in for `socket`: MQTT and HTTP clients that know no modem."""

import random

import pytest
from onemo.errors import CommandError, ModemError, Timeout
from onemo_simulator import Peer

from .conftest import HOST, network, sends
from .small_mqtt import SmallMqtt


class TinyBroker(Peer):
    """Answers every MQTT packet that comes whole, and keeps how they came."""

    def __init__(self):
        self.packets = []
        self.rest = {}

    def on_data(self, conn, data):
        data = self.rest.pop(conn, b"") + data
        while len(data) >= 2:
            size, at = 0, 1
            for at in range(1, 5):
                size |= (data[at] & 0x7F) << 7 * (at - 1)
                if data[at] < 0x80:
                    break
            end = at + 1 + size
            if len(data) < end:
                break
            packet, data = data[:end], data[end:]
            self.packets.append(packet)
            kind = packet[0] & 0xF0
            if kind == 0x10:
                conn.reply(b"\x20\x02\0\0")
            elif kind == 0xC0:
                conn.reply(b"\xd0\0")
            elif kind == 0x80:
                conn.reply(b"\x90\x03" + packet[2:4] + packet[-1:])
            elif packet[0] & 6:
                topic = packet[at + 2] + (packet[at + 1] << 8)
                conn.reply(b"\x40\x02" + packet[at + 3 + topic : at + 5 + topic])
        self.rest[conn] = data


@pytest.fixture
def mqtt(rigs):
    """(rig, broker, client), not connected yet."""
    net = network()
    broker = net.listen("broker.example", 1883, TinyBroker())
    rig = rigs(network=net)
    client = SmallMqtt(rig.modem.socket_module(), b"device-1", "broker.example", 1883)
    return rig, broker, client


def test_every_mqtt_packet_goes_out_whole_and_at_once(mqtt):
    rig, broker, client = mqtt
    client.connect()
    assert sends(rig) == [22]
    client.publish(b"a/b", b"x" * 50)  # QoS 0: nothing is read afterwards
    assert sends(rig) == [22, 57]
    assert broker.packets[-1].endswith(b"a/b" + b"x" * 50)
    client.publish("text", "words", qos=1)
    client.ping()
    assert broker.packets[-1] == b"\xc0\0"
    client.subscribe(b"t", 1)
    assert len(sends(rig)) == 5
    client.publish(b"big", b"y" * 3000)
    client.publish(b"bigger", b"z" * 20000, 1)
    client.publish(b"a", b"")
    assert [len(packet) for packet in broker.packets[-3:]] == [3008, 20014, 5]
    assert sends(rig)[5:] == [8, 3000, 14, 8192, 8192, 3616, 5]
    for _ in range(20):
        client.check()
    client.disconnect()
    assert broker.packets[-1] == b"\xe0\0"


def test_pieces_of_any_size_come_out_as_they_were_written(mqtt):
    _, broker, client = mqtt
    client.connect()
    choice = random.Random(11)
    wanted = []
    stream = bytearray()
    for _ in range(60):
        body = choice.randbytes(choice.choice([0, 1, 100, 126, 127, 128, 900, 1100, 3000]))
        head, n = client._header(0x30, 2 + 1 + len(body))
        packet = bytes(head[:n]) + b"\0\x01t" + body
        wanted.append(packet)
        stream += packet
    at = 0
    while at < len(stream):
        n = choice.choice([1, 2, 3, 50, 500, 1024, 4000])
        client.sock.write(stream[at : at + n])
        at += n
        if choice.random() < 0.05:
            client.check()  # in the middle of a packet
    assert broker.packets[1:] == wanted


def test_messages_come_while_nobody_waits(mqtt):
    rig, broker, client = mqtt
    got = []
    client.on_message = lambda topic, message: got.append((topic, message))
    client.connect(timeout=5)
    conn = rig.network.connections[0]
    assert client.check() is None
    conn.reply(b"\x30\x06\0\x01tabc" + b"\x32\x07\0\x01u\x12\x34de")
    rig.clock.advance(1)
    assert client.check() == 0x30
    assert client.check() == 0x32
    assert client.check() is None
    assert got == [(b"t", b"abc"), (b"u", b"de")]
    assert broker.packets[-1] == b"\x40\x02\x12\x34"
    client.sock.settimeout(2)
    with pytest.raises(Timeout):
        client.wait()
    conn.end()
    with pytest.raises(OSError):
        client.wait()


def test_it_goes_on_after_every_kind_of_failure(mqtt):
    rig, broker, client = mqtt
    done = 0
    for number in range(30):
        client.publish_again(b"t", b"%d" % number)
        done += 1
        conn = rig.network.connections[-1]
        if number % 3 == 0:
            conn.end(2)
        elif number % 3 == 1:
            rig.module.reply(b"AT+MIPSEND", b"+CME ERROR: 560")
    said = [packet for packet in broker.packets if packet[0] & 0xF0 == 0x30]
    assert done == 30
    for number in range(30):
        assert any(packet.endswith(b"%d" % number) for packet in said)


def test_other_protocols_go_out_as_they_are_written(rigs):
    rig = rigs()
    socket = rig.modem.socket_module()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with pytest.raises(ModemError, match="not connected"):
        sock.write(b"x")
    with pytest.raises(ModemError, match="not connected"):
        sock.recv(1)
    sock.close()
    sock.connect((HOST, 7))
    for word in (b"a", b"\x10", b"GET / HTTP/1.0"):
        assert sock.send(word) == len(word)
    assert sends(rig) == [1, 1, 14]
    sock.sendall(b"!")
    assert sock.recv(100) == b"a"
    file = sock.makefile("rb")
    assert file.read(2) == b"\x10G"
    with pytest.raises(ModemError):
        sock.connect((HOST, 7))
    with pytest.raises(ValueError):
        socket.socket(socket.AF_INET, 3)  # raw
    sock.close()


def test_a_packet_in_single_bytes_goes_out_in_one_piece(rigs):
    rig = rigs()
    sock = rig.modem.socket_module().socket()
    sock.connect((HOST, 7))
    for byte in (b"\x10", b"\x82", b"\x01", *[b"x"] * 129):
        sock.write(byte)
        assert sends(rig) == []
    sock.write(b"x")
    assert sends(rig) == [133]
    sock.write(b"\xc0")
    sock.write(b"\0")
    assert sends(rig) == [133, 2]


def test_the_head_of_a_request_goes_out_in_one_piece(rigs):
    rig = rigs()
    socket = rig.modem.socket_module()
    sock = socket.socket()
    sock.connect(socket.getaddrinfo(HOST, 7, 0, socket.SOCK_STREAM)[0][-1])
    for word in (b"POST / HTTP/1.0\r\n", b"Host", b": ", "x", b"\r\n"):
        sock.write(word)
    assert sends(rig) == []
    sock.write(b"\r\n")
    assert sends(rig) == [28]
    sock.write(b"body")
    assert sends(rig) == [28, 4]
    assert sock.readline() == b"POST / HTTP/1.0\r\n"


def test_tls_and_errors_are_the_modules(rigs):
    rig = rigs()
    tls = rig.modem.tls(2)
    tls.configure(0)
    sock = rig.modem.socket_module(tls).socket()
    sock.settimeout(7)
    sock.connect((HOST, 7))
    assert rig.network.connections[-1].tls is not None
    assert any(command.endswith(b",7,2,2") for command in rig.module.commands)
    refused = rig.modem.socket_module(tls).socket()
    with pytest.raises(CommandError):
        refused.connect((HOST, 752))
    refused.close()
