# SPDX-License-Identifier: MIT
"""main.py under CPython: see onemo_tools.proofs.history_device."""

import sys

import pytest
from onemo_tools.proofs.history_device import (
    CERTIFICATE,
    COMMANDS,
    DEVICE,
    KEY,
    ROOT,
    TELEMETRY,
    Broker,
    Device,
    machine_of,
)

__all__ = ("CERTIFICATE", "COMMANDS", "DEVICE", "KEY", "ROOT", "TELEMETRY", "Broker", "Device")

WRITES = (b"AT+MSSLCERTWR", b"AT+MSSLKEYWR", b"AT+MSSLRM")


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Makes devices; at the end none of them has broken the module's protocol, but for those that
    could not hear it (strict=False)."""
    started = []

    def make(*, strict=True, **options):
        device = Device(tmp_path, **options)
        started.append((device, strict))
        monkeypatch.setitem(sys.modules, "machine", machine_of(device))
        monkeypatch.delitem(sys.modules, "mqtt", raising=False)
        monkeypatch.syspath_prepend(str(ROOT))
        monkeypatch.chdir(tmp_path)
        return device

    yield make
    for device, strict in started:
        device.rig.close()
        assert not strict or device.module.violations == []


def count(word, number):
    """For boot's `until`: so many lines begin so."""
    return lambda device: len(device.seen(word)) >= number


def pauses(lines):
    return [float(line.split()[2]) for line in lines if line.startswith("retrying in ")]


def once(device, condition, deed):
    """Does `deed` when `condition` first holds; then when is told."""
    when = []

    def each():
        if not when and condition():
            when.append(device.rig.clock.now())
            deed()

    device.each = each
    return when


MISSING = object()


def put(path, value):
    """A change of one entry: put("endpoint.port", 0); MISSING takes it away."""

    def change(config):
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            config = config[part]
        if value is MISSING:
            del config[last]
        else:
            config[last] = value

    return change
