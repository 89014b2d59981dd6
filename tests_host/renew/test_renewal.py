# SPDX-License-Identifier: MIT
"""Renewals through the library, mqtt.py, a simulated module, TLS, the service and its record."""

import random

import pytest
from cryptography import x509
from onemo.errors import CommandError, ModemError, Unsupported
from onemo_tools.deploy.mpy import compile_mpy
from onemo_tools.factory.keys import RSA_2048
from onemo_tools.factory.records import serial_text
from onemo_tools.factory.tables import ACTIVE, PENDING, REVOKED, SUPERSEDED, VOID
from onemo_tools.proofs import renewal
from onemo_tools.proofs.outage import Cut, Outage
from onemo_tools.proofs.renewal import ROOT

EXPIRED = (380, -15)
FRESH = (100, 265)
CUTS = 2
MPY_MAX = 3072


def serial_of(pem):
    return serial_text(x509.load_pem_x509_certificates(pem)[0].serial_number)


def test_it_is_as_small_as_promised():
    assert len(compile_mpy(ROOT / "lib" / "onemo" / "renew.py")) <= MPY_MAX


def test_a_certificate_that_is_due_is_renewed_and_the_next_one_too(devices, world):
    device = devices()
    assert device.run(device.renew) is True
    first = device.run(device.accepted)
    assert device.credential(ACTIVE).serial == first != serial_of(device.first[0])
    # A program that starts anew, with the configuration that it always had, goes on with it.
    device.power_on()
    device.run(device.start)
    assert device.run(device.renew) is False
    age(device)
    device.power_on()
    device.run(device.start)
    assert device.run(device.renew) is True
    assert device.credential(ACTIVE).serial == device.run(device.accepted) != first
    assert world.states(device.unit_id) == {ACTIVE: 1, SUPERSEDED: 2}
    assert not world.admits(*device.first)


def age(device):
    """The module's clock goes on until the certificate in force is due."""
    active = device.credential(ACTIVE)
    module = device.rig.module
    module.set_date(active.not_before + (active.not_after - active.not_before) * 0.8)
    module._network_date = module.date()
    module._now0 = module.clock.now()


@pytest.mark.parametrize("matready", [True, False])
def test_a_module_that_has_rebooted_since_it_was_set_up_is_renewed(devices, matready):
    """It has lost its contexts until the next connection."""
    device = devices()
    module = device.rig.module
    module.quirks.matready = matready
    module.reboot()
    device.rig.clock.advance(60)
    assert not any(module.contexts.names(1))
    assert device.run(device.renew) is True
    assert device.credential(ACTIVE).serial == device.run(device.accepted)


def test_one_that_is_not_due_stays_and_nobody_is_asked(devices, world):
    device = devices(days=FRESH)
    said = len(world.said)
    assert device.run(device.renew) is False
    assert not device.renewal.is_due()
    assert len(world.said) == said
    assert world.states(device.unit_id) == {ACTIVE: 1}


def test_expired_comes_back(devices, world):
    device = devices(days=EXPIRED)
    assert not world.admits(*device.first)
    assert world.admits(*device.first, expired=True)
    with pytest.raises((CommandError, ModemError, OSError)):
        device.run(device.accepted)
    assert device.run(device.renew) is True
    assert device.credential(ACTIVE).serial == device.run(device.accepted)
    assert world.states(device.unit_id) == {ACTIVE: 1, SUPERSEDED: 1}
    assert not world.admits(*device.first, expired=True)


def test_expired_too_long_ago_does_not(devices, world):
    device = devices(days=(900, -731))
    assert not world.admits(*device.first, expired=True)
    with pytest.raises(OSError, match="not authorized"):
        device.run(device.renew)
    assert world.states(device.unit_id) == {ACTIVE: 1}


@pytest.mark.parametrize("days", [(300, 65), EXPIRED])
def test_revoked_is_refused(devices, world, days):
    device = devices(days=days)
    world.records.revoke(device.credential(ACTIVE).id, "stolen")
    for expired in (False, True):
        assert not world.admits(*device.first, expired=expired)
    with pytest.raises(OSError, match="not authorized"):
        device.run(device.renew)
    assert not device.renewal.is_due()  # it waits before it asks again
    assert world.states(device.unit_id) == {REVOKED: 1}
    assert set(device.rig.module.store.objects) == {
        (1, "ca.pem"),
        (1, "client.pem"),
        (2, "client.key"),
    }


def test_three_repeats_leave_one_active(devices, world):
    device = devices()
    service = world.service
    piece = service.piece
    for repeat in range(3):
        # The power fails while the key comes.
        def fails(visit, what, left, repeat=repeat):
            if what == "key":
                device.dead = True
            return piece(visit, what, left)

        service.piece = fails
        try:
            with pytest.raises(Cut):
                device.run(device.renew)
        finally:
            service.piece = piece
        assert world.states(device.unit_id) == {ACTIVE: 1, PENDING: 1} | (
            {VOID: repeat} if repeat else {}
        )
        device.power_on()
        device.run(device.start)
    assert device.run(device.accepted) == serial_of(device.first[0])
    assert device.run(device.renew) is True
    assert world.states(device.unit_id) == {ACTIVE: 1, SUPERSEDED: 1, VOID: 3}
    assert device.credential(ACTIVE).serial == device.run(device.accepted)


def test_done_that_got_lost_is_said_again(devices, world):
    device = devices()
    done = world.service.done

    async def lost(visit):
        device.dead = True
        raise OSError

    world.service.done = lost
    try:
        with pytest.raises(Cut):
            device.run(device.renew)
    finally:
        world.service.done = done
    # The device has gone over, the record does not know it yet: both identities are good.
    pending = device.credential(PENDING)
    device.power_on()
    device.run(device.start)
    assert device.run(device.accepted) == pending.serial
    assert device.run(device.renew) is False  # it only says so
    assert device.credential(ACTIVE).serial == pending.serial
    assert world.states(device.unit_id) == {ACTIVE: 1, SUPERSEDED: 1}


def test_an_identity_that_the_products_server_refuses_does_not_come_into_force(devices, world):
    device = devices()
    device.config["endpoint"]["port"] = 1  # nobody is there
    with pytest.raises(OSError, match="refused"):
        device.run(device.renew)
    device.config["endpoint"]["port"] = world.endpoint.port
    device.run(device.start)
    assert device.run(device.accepted) == serial_of(device.first[0])
    assert world.states(device.unit_id) == {ACTIVE: 1, PENDING: 1}


def test_a_busy_service_is_asked_again_later(devices, world):
    device = devices()
    world.service._at_once, at_once = 0, world.service._at_once
    try:
        with pytest.raises(ModemError, match="busy"):
            device.run(device.renew)
    finally:
        world.service._at_once = at_once
    assert not device.renewal.is_due()
    assert device.run(device.renew) is False
    device.forget_pause()
    assert device.run(device.renew) is True


def test_a_module_that_forgets_in_deep_sleep_is_left_alone(devices, world):
    device = devices()
    device.front.require_model().volatile = True
    with pytest.raises(Unsupported):
        device.run(device.renew)
    assert world.states(device.unit_id) == {ACTIVE: 1}


def test_no_trace_and_no_piece_in_ram_has_the_key(devices):
    seen = bytearray()
    device = devices(algorithm=RSA_2048)
    device.power_on(trace=lambda direction, data: seen.extend(data))
    device.run(device.start)
    assert device.run(device.renew) is True
    [key] = [pem for (kind, _), pem in device.rig.module.store.objects.items() if kind == 2]
    lines = key.splitlines()[1:-1]
    assert len(lines) > 20  # so that it comes in several pieces
    assert b"MIPRD" in seen
    assert b"MSSLKEYWR" in seen
    for line in lines:
        assert line[:16] not in seen
        assert line.hex()[:32].encode() not in seen.lower()
    assert not any(device.renewal.piece)


def test_a_model_that_takes_data_inside_commands(devices):
    """Its packets are shorter than the pieces that come."""
    device = devices(algorithm=RSA_2048, model="MN316-S", mipcfg_ssl=True)
    assert device.run(device.renew) is True
    assert device.credential(ACTIVE).serial == device.run(device.accepted)


def test_a_sample_of_cuts(world, tmp_path):
    count = renewal.steps(world, tmp_path)
    assert count > 300  # so many places are there
    chosen = random.Random(20261130).sample(list(renewal.every(count)), CUTS)
    tally = renewal.sweep(world, chosen, tmp_path)
    assert tally.failures == []
    assert tally.runs.total() == CUTS
    assert tally.lives > CUTS


def test_a_service_that_supersedes_too_early_is_found_out(world, tmp_path, monkeypatch):
    """The sweep is no use if it does not notice what it is for: here the old identity is given up
    as soon as the new one is tried."""
    service = world.service
    admit = service.admit

    async def early(serial, **settings):
        visit = await admit(serial, **settings)
        if visit.credential.state == PENDING:
            await service.done(visit)
        return visit

    monkeypatch.setattr(service, "admit", early)
    monkeypatch.setattr(renewal, "STARTS", 2)
    tally = renewal.sweep(world, [(Outage(380, "host"),)], tmp_path)  # in the trial
    assert len(tally.failures) == 1
