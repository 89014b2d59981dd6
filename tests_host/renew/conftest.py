# SPDX-License-Identifier: MIT
"""A maker with a record, a CA, the renewal service and a product's server: real TLS."""

from collections.abc import Iterator
from typing import Any

import pytest
from onemo_tools.proofs.renewal import Device, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.fixture
def devices(world: World, tmp_path: Any) -> Iterator[Any]:
    """Makes devices that have been provisioned and have started; none has broken its module's
    protocol."""
    made: list[Device] = []

    def make(*, of: World = world, **settings: Any) -> Device:
        folder = tmp_path / f"device-{len(made)}"
        folder.mkdir()
        device = Device(of, folder, **settings)
        made.append(device)
        device.power_on()
        device.run(device.start)
        return device

    yield make
    for device in made:
        device.close()
        assert device.rig.module.violations == []
