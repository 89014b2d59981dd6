# SPDX-License-Identifier: MIT
"""A device with two identities in files, on a virtual clock."""

import pytest
from onemo_tools.proofs.outage import FOREIGN, Device, profile


@pytest.fixture
def device(tmp_path):
    """Host and module; the module has one foreign certificate. Its driver has started and is
    attached; the server accepts identities A and B."""
    made = Device(tmp_path)
    made.a, made.b = profile("A", tmp_path), profile("B", tmp_path)
    made.server.accept(made.a, made.b)
    made.journal = str(tmp_path / "onemo.rotate")
    made.store = made.rig.module.store
    made.store.objects[FOREIGN] = b"foreign"
    start(made)
    yield made
    made.close()
    assert made.rig.module.violations == []


def start(device):
    """A new driver, as after a reset of the host."""
    modem = device.power_on()
    modem.start()
    modem.attach()
    return modem
