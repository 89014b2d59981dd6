# SPDX-License-Identifier: MIT
"""main.py's way from an empty module to telemetry, and to commands."""

import re

import pytest

from .conftest import CERTIFICATE, COMMANDS, DEVICE, KEY, TELEMETRY, WRITES, count


def test_from_an_empty_module_to_telemetry(start):
    device = start()
    lines = device.boot()
    assert lines[0] == "module ML307R found"
    assert lines[1].startswith("attached, address 10.")
    store = device.module.store
    assert store.certs == {"ca.pem": CERTIFICATE, "client.pem": CERTIFICATE}
    assert store.keys == {"client.key": KEY}
    # The manual's own vector: this is what its module says of its key.
    digest = "9e5e120bc7827646a0c4b007ec3e1453"
    assert f"client.key written, MD5 {digest} confirmed by the module" in lines
    told = [line for line in lines if line.startswith("client.key ") and "/" in line]
    assert told == [f"client.key {done}/1674" for done in (512, 1024, 1536, 1674)]
    assert "configure: 1" in lines
    assert any(re.fullmatch(r"the time is 20\d\d-\d\d-\d\d [\d:]{8}", line) for line in lines)
    assert "connected to broker.example:8883" in lines
    assert "keep-alive by MQTT, a ping every 30 s" in lines
    assert not any(line.startswith("NAT") for line in lines)
    line = '{"device": "246f2801", "line": 1, "signal": "+CSQ: 24,99"}'
    assert lines[-1] == f"published {line}"
    assert device.broker.published == [(TELEMETRY, line.encode())]
    hello = b"\0\4MQTT\4\0\0\x3c\0\x08" + DEVICE.encode()
    assert device.broker.packets[0] == (0x10, hello)
    assert device.broker.packets[1][1][4:] == COMMANDS.encode() + b"\1"
    [connection] = device.network.connections
    assert (connection.tls.auth, connection.tls.version) == (2, 3)
    assert not connection.tls.ignorestamp and not connection.tls.ignoreverify


@pytest.mark.parametrize(("seconds", "told"), [(240, False), (241, True), (900, True)])
def test_a_keep_alive_that_nat_does_not_wait_for_is_told(start, seconds, told):
    device = start()
    device.config["endpoint"]["keepalive_s"] = seconds
    lines = device.boot()
    assert f"keep-alive by MQTT, a ping every {seconds // 2} s" in lines
    said = "NAT may forget the connection sooner: keepalive_s 240 or less"
    assert (said in lines) == told


def test_telemetry_goes_out_regularly_for_hours_and_pings_between(start):
    device = start()
    device.config["endpoint"]["every_s"] = 300
    began = device.rig.clock.now()
    device.boot(count("published ", 6))
    assert device.broker.lines() == [1, 2, 3, 4, 5, 6]
    assert 1500 <= device.rig.clock.now() - began <= 1560
    assert len(device.network.connections) == 1
    pings = [packet for packet in device.broker.packets if packet[0] == 0xC0]
    assert 48 <= len(pings) <= 51


def test_commands_are_printed_and_acknowledged_while_it_waits(start):
    device = start()
    broker = device.broker
    broker.on_subscribed = lambda: broker.send(COMMANDS, b"on", 7)
    device.boot(count("command ", 1))
    broker.on_subscribed = lambda: (
        broker.send(COMMANDS, b"x" * 5000, 8),
        broker.send(COMMANDS, b"off"),
    )
    lines = device.boot(
        lambda device: count("command ", 2)(device) and count("published ", 1)(device)
    )
    assert [line for line in lines if line.startswith("command ")] == [
        "command None",  # too much for a small heap
        "command b'off'",
    ]
    assert (0x40, b"\0\7") in broker.packets
    assert (0x40, b"\0\x08") in broker.packets


def test_a_second_boot_writes_nothing(start):
    device = start()
    device.boot()
    wrote, mark = device.module.store.writes, len(device.module.commands)
    assert wrote == 3
    lines = device.boot()
    assert "certificates and keys unchanged" in lines
    assert not [line for line in lines if " written" in line]
    assert device.module.store.writes == wrote
    assert not [line for line in device.module.commands[mark:] if line.startswith(WRITES)]


def test_only_what_differs_is_written(start):
    device = start()
    device.boot()
    device.module.store.damage("client.pem", 100)
    lines = device.boot()
    written = [line.split()[0] for line in lines if " written, " in line]
    assert written == ["client.pem"]
    assert device.module.store.certs["client.pem"] == CERTIFICATE
    assert device.module.store.writes == 4
