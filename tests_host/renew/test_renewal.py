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
from onemo_tools.proofs.renewal import ROOT, World

EXPIRED = (380, -15)
FRESH = (100, 265)
CUTS = 6
MPY_MAX = 3072


def serial_of(pem):
    return serial_text(x509.load_pem_x509_certificates(pem)[0].serial_number)


def test_it_is_as_small_as_promised():
    assert len(compile_mpy(ROOT / "lib" / "onemo" / "renew.py")) <= MPY_MAX


def test_a_certificate_that_is_due_is_renewed(devices, world):
    device = devices()
    before = device.run(device.accepted)
    assert device.run(device.renew) is True
    after = device.run(device.accepted)
    assert after != before == serial_of(device.first[0])
    assert device.credential(ACTIVE).serial == after
    assert world.states(device.unit_id) == {ACTIVE: 1, SUPERSEDED: 1}
    assert not world.admits(*device.first)
    # A program that starts anew, with the configuration that it always had, goes on with it.
    device.power_on()
    device.run(device.start)
    assert device.run(device.renew) is False
    assert device.run(device.accepted) == after


def test_twice_in_a_row(devices, world):
    device = devices()
    serials = [device.run(device.accepted)]
    for _ in range(2):
        assert device.run(device.renew) is True
        serials.append(device.run(device.accepted))
        age(device, world)
        device.power_on()
        device.run(device.start)
    assert len(set(serials)) == 3
    assert world.states(device.unit_id) == {ACTIVE: 1, SUPERSEDED: 2}


def age(device, world):
    """The module's clock goes on until the certificate in force is due."""
    active = device.credential(ACTIVE)
    module = device.rig.module
    module.set_date(active.not_before + (active.not_after - active.not_before) * 0.8)
    module._network_date = module.date()
    module._now0 = module.clock.now()


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
        # The power fails while the key comes: at its first piece, its second, and behind the last.
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
    device = devices()
    device.power_on(trace=lambda direction, data: seen.extend(data))
    device.run(device.start)
    assert device.run(device.renew) is True
    [key] = [pem for (kind, _), pem in device.rig.module.store.objects.items() if kind == 2]
    lines = key.splitlines()[1:-1]
    assert len(lines) > 1
    assert b"MIPRD" in seen
    assert b"MSSLKEYWR" in seen
    for line in lines:
        assert line[:16] not in seen
        assert line.hex()[:32].encode() not in seen.lower()
    assert not any(device.renewal.piece)


def test_rsa_as_well(tmp_path):
    with World(RSA_2048) as world:
        run = renewal.Run(world, tmp_path)
        run.go()
        assert world.states(run.device.unit_id) == {ACTIVE: 1, SUPERSEDED: 1}


def test_a_sample_of_cuts(world, tmp_path):
    count = renewal.steps(world, tmp_path)
    assert count > 300  # so many places are there
    chosen = random.Random(20261130).sample(list(renewal.every(count)), CUTS)
    tally = renewal.sweep(world, chosen, tmp_path)
    assert tally.failures == []
    assert tally.runs.total() == CUTS
    assert tally.lives > CUTS


def test_a_service_that_supersedes_too_early_is_found_out(world, tmp_path):
    """The sweep is no use if it does not notice what it is for: here the old identity is given up
    as soon as the new one is tried."""
    service = world.service
    admit = service.admit

    async def early(serial, **settings):
        visit = await admit(serial, **settings)
        if visit.credential.state == PENDING:
            await service.done(visit)
        return visit

    service.admit = early
    try:
        tally = renewal.sweep(world, [(Outage(step, "host"),) for step in (368, 380)], tmp_path)
    finally:
        service.admit = admit
    assert len(tally.failures) == 2
