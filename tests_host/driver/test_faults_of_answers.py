# SPDX-License-Identifier: MIT
"""What info(), clock() and tls.set() tell is true, or an error is raised, whatever a fault on the
line does; and the next try does the job."""

import calendar
import random

import pytest
from onemo.errors import ModemError
from onemo_simulator import FaultyLine
from onemo_simulator.faults import random_fault
from onemo_tools.proofs.rig import Rig

TRUE = {
    "imei": "861234050012345",
    "iccid": "898604A0192270012345",
    "imsi": "460040123456789",
    "firmware": "ML307C-DL-CN-MBRH0S01",
}
PARTS = 6
EACH = 40


def identity(rig):
    info = rig.modem.info()
    wrong = {key: info[key] for key in TRUE if info[key] not in (TRUE[key], None)}
    assert wrong == {}
    return all(info[key] for key in TRUE)


def clock(rig):
    told = calendar.timegm(rig.modem.clock())
    assert abs(told - rig.module.network_date().timestamp()) <= 300
    return True


def option(rig):
    tls = rig.modem.tls(1)
    tls.set("auth", 2)
    assert rig.module.contexts.value(1, "auth") == 2
    tls.set("cert", ("ca.pem", "client.pem", "client.key"))
    assert rig.module.contexts.names(1) == ("ca.pem", "client.pem", "client.key")
    tls.set("version", 3)
    assert rig.module.contexts.value(1, "version") == 3
    assert tls.get("version") == 3
    assert tls.get("cert") == ("ca.pem", "client.pem", "client.key")
    return True


JOBS = {"info": identity, "clock": clock, "set": option}


def made(faults=()):
    return Rig("ML307C", faults=list(faults), store_memory="flash", keep_contexts=True)


def attempt(rig, job):
    try:
        return job(rig)
    except ModemError as error:
        assert str(error)
        return False


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", JOBS)
def test_true_or_an_error_and_the_next_try_does_it(name, part):
    job = JOBS[name]
    with made() as rig:
        rig.modem.start()
        before = dict(rig.line.counts)
        assert job(rig)
        counts = dict(rig.line.counts)
    assert isinstance(rig.line, FaultyLine)
    chance = random.Random(f"{name} {part}")
    for _ in range(EACH):
        fault = random_fault(chance, counts)
        if fault.position < before[fault.direction]:
            continue  # of the start, which test_faults.py strikes
        with made([fault]) as rig:
            rig.modem.start()
            tries = 0
            while not attempt(rig, job):
                tries += 1
                assert tries < 4, fault
