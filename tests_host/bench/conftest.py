# SPDX-License-Identifier: MIT
"""The library and the measurements, compiled once for all tests of a worker."""

import pytest
from onemo_tools.bench.device import Device


@pytest.fixture(scope="session")
def device(tmp_path_factory):
    return Device(tmp_path_factory.mktemp("bench"))
