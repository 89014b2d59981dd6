# SPDX-License-Identifier: MIT
"""main.py's configuration: what is wrong is named before anything is sent."""

import sys
from pathlib import Path

import pytest

from .conftest import MISSING, WRITES, count, put


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("uart", MISSING, "uart is missing; it must be an object such as"),
        (
            "uart.tx",
            MISSING,
            "uart.tx is missing; it must be an integer from 0 to 99, the number of the pin",
        ),
        ("uart.baud", "fast", 'uart.baud is "fast"; it must be an integer from 1200 to 4000000'),
        ("module", 1, "module is 1; it must be an object"),
        (
            "module.model",
            307,
            "module.model is 307; it must be a string of 1 to 32 characters, or null",
        ),
        (
            "module.apn",
            True,
            "module.apn is true; it must be a string of 1 to 99 characters, or null",
        ),
        ("objects", {}, "objects is {}; it must be a list"),
        ("objects.0", "ca.pem", 'objects[0] is "ca.pem"; it must be an object with name, kind'),
        (
            "objects.1.name",
            MISSING,
            "objects[1].name is missing; it must be a string of 1 to 64 characters, a name",
        ),
        ("objects.2.kind", "pem", 'objects[2].kind is "pem"; it must be "cert", "key" or "psk"'),
        ("objects.2.source", MISSING, "objects[2].source is missing; it must be the path"),
        ("contexts", MISSING, "contexts is missing; it must be a list of TLS contexts"),
        (
            "contexts.0.ssl_id",
            6,
            "contexts[0].ssl_id is 6; it must be an integer from 0 to 5, each once",
        ),
        (
            "contexts.0.ssl_id",
            True,
            "contexts[0].ssl_id is true; it must be an integer from 0 to 5",
        ),
        (
            "contexts.0.auth",
            "both",
            'contexts[0].auth is "both"; it must be "none", "server" or "mutual"',
        ),
        ("contexts.0.key", MISSING, "contexts[0].key is missing; it must be the name of a key"),
        (
            "contexts.0.ca",
            "root.pem",
            'contexts[0].ca is "root.pem"; it must be the name of a cert in objects',
        ),
        (
            "contexts.0.alpn",
            1,
            "contexts[0].alpn is not known; contexts[0] has ssl_id, auth, ca, cert",
        ),
        (
            "endpoint.host",
            "",
            'endpoint.host is ""; it must be a string of 1 to 253 characters, a host\'s name',
        ),
        ("endpoint.port", 65536, "endpoint.port is 65536; it must be an integer from 1 to 65535"),
        (
            "endpoint.port",
            "8883",
            'endpoint.port is "8883"; it must be an integer from 1 to 65535',
        ),
        (
            "endpoint.ssl_id",
            2,
            "endpoint.ssl_id is 2; it must be the ssl_id of one of the contexts",
        ),
        (
            "endpoint.every_s",
            MISSING,
            "endpoint.every_s is missing; it must be an integer from 1 to 31536000, seconds",
        ),
        (
            "retry.first_s",
            0,
            "retry.first_s is 0; it must be an integer from 1 to 31536000, seconds",
        ),
        (
            "retry.most_s",
            0.5,
            "retry.most_s is 0.5; it must be an integer from 1 to 31536000, seconds, first_s",
        ),
        (
            "endpoint.topic",
            MISSING,
            "endpoint.topic is missing; it must be a string of 1 to 200 characters, how",
        ),
        (
            "endpoint.topic",
            "a/#",
            'endpoint.topic is "a/#"; it must be a string of 1 to 200 characters, how',
        ),
        (
            "watchdog_s",
            0,
            "watchdog_s is 0; it must be an integer from 1 to 86400, seconds, or null",
        ),
        ("watchdog_s", True, "watchdog_s is true; it must be an integer from 1 to 86400"),
        ("retry", MISSING, "retry is missing; it must be an object"),
        ("module.anp", "x", 'module.anp is not known ("anp": did you mean "apn"?)'),
        ("wachdog_s", 60, 'wachdog_s is not known ("wachdog_s": did you mean "watchdog_s"?)'),
        ("endpoint.hots", "x", 'endpoint.hots is not known ("hots": did you mean "host"?)'),
        ("retry.last_s", 9, "retry.last_s is not known"),
        ("objects.0.sourcce", "x", '("sourcce": did you mean "source"?)'),
        ("uart.tx_pin", 4, '("tx_pin": did you mean "tx"?)'),
        ("sensors", [], "sensors is not known; config.json has $schema, uart, module, objects"),
        (
            "endpoint.every_s",
            1 << 30,
            "endpoint.every_s is 1073741824; it must be an integer from",
        ),
        (
            "retry.most_s",
            1 << 30,
            "retry.most_s is 1073741824; it must be an integer from 1 to 31536000",
        ),
        ("retry.first_s", 400, "retry.most_s is 300; it must be first_s or more"),
        ("contexts.0.ignoreverify", "false", 'contexts[0].ignoreverify is "false"; it must be'),
        ("contexts.0.version", True, "contexts[0].version is true; it must be 0, 1, 2, 3 or 255"),
        ("contexts.0.negotime_s", 45.0, "contexts[0].negotime_s is 45.0; it must be an integer"),
        ("contexts.0.ciphersuite", "C02F", 'contexts[0].ciphersuite is "C02F"; it must be the'),
        ("objects.1.name", "ca.pem", "objects[1].name is ca.pem once more; each object has its"),
    ],
)
def test_a_wrong_or_missing_entry_is_named_and_nothing_is_sent(start, path, value, said):
    device = start()
    put(path, value)(device.config)
    [line] = device.boot()
    assert line.startswith("config.json: ")
    assert said in line
    assert device.module.commands == []


@pytest.mark.parametrize(
    ("platform", "machine", "watchdog_s", "said"),
    [
        ("rp2", "with RP2040", 60, "watchdog_s is 60; it must be an integer from 1 to 8, seconds"),
        (
            "rp2",
            "with RP2350",
            60,
            "watchdog_s is 60; it must be an integer from 1 to 16, seconds",
        ),
        ("pyboard", "", 60, "watchdog_s is 60; it must be an integer from 1 to 32, seconds"),
    ],
)
def test_a_watchdog_that_the_board_does_not_have(
    start, monkeypatch, platform, machine, watchdog_s, said
):
    device = start()
    device.config["watchdog_s"] = watchdog_s
    if platform == "pyboard":
        device.config["uart"] = {"id": 2, "baud": 115200}
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys.implementation, "_machine", machine, raising=False)
    [line] = device.boot()
    assert said in line
    assert device.bites_after is None and device.module.commands == []


def test_a_suite_by_name_is_set_by_number(start):
    device = start()
    device.config["contexts"][0]["ciphersuite"] = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    device.boot()
    [connection] = device.network.connections
    assert b'AT+MSSLCFG="ciphersuite",1,C02F' in device.module.commands
    assert connection.tls.suite == 0xC02F


def test_a_context_takes_the_other_options_of_configure(start):
    device = start()
    device.config["contexts"][0]["negotime_s"] = 30
    device.config["contexts"][0]["session"] = False
    device.boot()
    [connection] = device.network.connections
    assert connection.tls.negotime == 30
    assert connection.tls.session is False


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "3", "null", '{"uart": }', "\ufeff{}", "{}\0", "uart: 1"]
)
def test_no_configuration_is_told_too(start, monkeypatch, text):
    device = start()
    monkeypatch.setattr(Path, "write_text", lambda self, data: 0)
    if text is not None:
        Path("config.json").write_bytes(text.encode())
    [line] = device.boot()
    assert line.startswith("config.json: ")
    assert device.module.commands == []


def test_a_file_that_is_no_pem_is_told_before_the_module_sees_it(start):
    device = start()
    Path(device.config["objects"][0]["source"]).write_bytes(b"no certificate\n")
    lines = device.boot(count("retrying ", 1))
    assert lines[-2].startswith("failed: ") and "PEM" in lines[-2]
    assert not [line for line in device.module.commands if line.startswith(WRITES)]
