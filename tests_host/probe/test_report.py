# SPDX-License-Identifier: MIT
"""What goes into a bug report: short, true, and nothing that names a module, a SIM or a place."""

from __future__ import annotations

import json

import pytest
from onemo.model import Model
from onemo.models import identify
from onemo_simulator import SERIES
from onemo_tools.probe import report
from onemo_tools.probe.cli import as_json
from onemo_tools.probe.findings import anonymous
from onemo_tools.probe.probe import profile_of
from onemo_tools.probe.report import differences, driver_facts, driver_row, text

from tests_host.probe.bench import HOST, found, make_module, probing

IDENTITIES = {
    "imei": "861234059912345",
    "iccid": "898604A0192279912345",
    "imsi": "460049923456789",
    "ipv6": "2409:8d00:1234:5678::9abc",
    "operator": "SECRET TELECOM",
    "factory_apn": "secret.apn",
}


@pytest.mark.parametrize("model", ["ML307R", "ML307X", "MN316-S", "MN319"])
def test_no_identifier_is_in_the_report_or_the_profile(model):
    module = make_module(model, **IDENTITIES)
    module.store.objects[1, "customer-42.pem"] = b"x" * 77
    secret = [*IDENTITIES.values(), "10.11.12.13", "customer-42", "ML0123456789ABCD", HOST]
    result = probing(module).run()
    data = profile_of(result)
    shown = as_json(data) + text(data, ["read", "write", "connect", "reboot"])
    assert [name for name in secret if name in shown] == []


@pytest.mark.parametrize("command", [b"ATI", b"AT+CGMM", b"AT+CGMR", b"AT+CGMI", b"AT+MIPCALL=?"])
def test_firmware_that_tells_more_than_it_is_asked(command):
    """As some do in ATI: an IMEI, an address, a serial number."""
    module = make_module("ML307R-DL")
    lines = [
        b"ML307R-DL-MBRH0S01",
        b"IMEI: 861234059912345",
        b"SN: ML01234567890ABCDEF",
        b"IP: 10.1.2.3, 2409:8d00:1234:5678:0:0:0:9abc",
    ]
    module.reply(command, b"OK", None, lines=lines)
    data = profile_of(probing(module).run())
    shown = as_json(data) + text(data, ["read"])
    for secret in ("861234059912345", "ML01234567890ABCDEF", "10.1.2.3", "2409:8d00"):
        assert secret not in shown


@pytest.mark.parametrize(
    "harmless",
    [
        "ML307C-DC-CN-MBRH1S00_4.0.15",
        '+MIPCFG: "rcvbuf",(0-5),(1460-65535)',
        '+MIPOPEN: (0-5),("TCP","UDP"),,(1-65535),(1-180),(0-3)',
        "0xC02F 0x009C",
        "12:34:56",
        "s until a silent handshake ended (negotime 10, then timeout 10)",
    ],
)
def test_what_is_no_identifier_stays(harmless):
    assert anonymous(harmless) == harmless


@pytest.mark.parametrize(
    ("identifier", "hidden"),
    [
        ("861234050012345", "<number>"),
        ("+ICCID: 898604A0192270012345", "+ICCID: <number>"),
        ("89860112345678901234F", "<number>"),
        ("10.11.12.13", "<address>"),
        ('"2409:8d00::1:2"', '"<address>"'),
        ("call 13912345678", "call <number>"),
    ],
)
def test_what_is_one_does_not(identifier, hidden):
    assert anonymous(identifier) == hidden


def test_the_report_is_short_and_says_what_differs():
    _, result = found("ML307R-DL", prompt=b"\r\n> ", certrd_blank=1, window=4096)
    data = profile_of(result)
    told = text(data, ["read", "write", "psk", "connect", "reboot"])
    assert told.startswith(
        "onemo probe: ML307R-DL, MBRH0S01\nAsked: read, write, psk, connect, reboot. "
    )
    assert "  window: 4096 (simulated: 64240)\n" in told
    assert "  quirk prompt: b'\\r\\n> ' (usual: b'\\r\\n>')\n" in told
    assert "  quirk certrd_blank: 1 (usual: 0)\n" in told
    assert len(differences(data)) == 3
    assert "  volatile: deep sleep is not tried\n" in told
    assert len(told) < 4000 and len(told.splitlines()) < 45


@pytest.mark.parametrize("model", ["ML307R", "ML307X", "MR880A", "MN316", "MN319", "ML307H-DU"])
def test_as_simulated_nothing_differs(model):
    _, result = found(model)
    assert differences(profile_of(result)) == []


TABLE = [profile.submodels[0] for profile in SERIES] + ["ML307C-DL-CN", "ML307X-DB", "MN319-DL"]
ATTRIBUTES = [
    name for name in vars(Model) if not name.startswith("_") and name not in ("known", "volatile")
]


@pytest.mark.parametrize("name", TABLE)
def test_the_facts_are_those_that_the_drivers_table_has(name):
    """What can be asked of a row of lib/onemo/models.py is asked, and says the same."""
    _, result = found(name)
    data = profile_of(result)
    facts = driver_facts(data)
    _, model = identify(name)
    if not model.known:
        pytest.skip(f"the driver has no row for {name}")
    made = Model(model.name, model.series, facts)
    asked = {name for field, name, _ in report._ROW if data[field] is not None} & set(ATTRIBUTES)
    wrong = [a for a in sorted(asked) if getattr(made, a) != getattr(model, a)]
    assert wrong == []
    assert len(asked) >= (11 if data["tls"] else 5)
    row = driver_row(data)
    assert row.startswith(f"{data['series']} {name.removeprefix(data['series'] + '-')}: ")
    words = row.partition(": ")[2].split()
    assert words == ["as", "most"] or words[::2] == list(facts)


def test_the_file_has_an_entry_a_line():
    _, result = found("MN319")
    data = profile_of(result)
    shown = as_json(data)
    assert json.loads(shown) == data
    assert ' "absent_commands": ' in shown and "\n  " in shown
    assert max(map(len, shown.splitlines())) < 600
