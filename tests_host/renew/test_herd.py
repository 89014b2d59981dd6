# SPDX-License-Identifier: MIT
"""How many devices come at once: the simulation behind `onemo renew herd`."""

import json

import pytest
from onemo_tools.cli.main import app
from onemo_tools.renew.herd import SCENARIOS, Scenario, simulate
from typer.testing import CliRunner

DEVICES = 8_000
AT_ONCE = 2


@pytest.mark.parametrize("scenario", SCENARIOS[:-1], ids=lambda scenario: scenario.name)
def test_every_device_is_renewed_long_before_its_certificate_ends(scenario):
    report = simulate(scenario, DEVICES, AT_ONCE)
    assert report.lost == 0
    assert report.least_left_days > 60
    assert report.requests == DEVICES + report.refused


def test_made_at_one_moment_they_come_over_a_month():
    report = simulate(SCENARIOS[1], DEVICES, AT_ONCE)
    assert report.refused < DEVICES // 100
    assert report.peak_minute < 8  # chance: 0.18 come in a minute
    assert report.mean_minute == pytest.approx(DEVICES / (365 / 12 * 1440), rel=0.01)


def test_without_the_spread_they_come_at_once():
    report = simulate(SCENARIOS[-1], DEVICES, AT_ONCE)
    assert report.peak_second == DEVICES
    assert report.refused == DEVICES - AT_ONCE


def test_a_service_that_is_back_is_not_overrun():
    away = SCENARIOS[2]
    report = simulate(away, DEVICES, AT_ONCE)
    waited = DEVICES * 3 // (365 // 12)  # devices that became due meanwhile
    assert report.refused > waited
    assert report.peak_minute < waited / 30


def test_a_certificate_that_ends_is_counted():
    away = Scenario("the service is away for too long", down=(200, 370))
    assert simulate(away, 100, AT_ONCE).lost > 0


def test_the_command():
    done = CliRunner().invoke(app, ["renew", "herd", "--devices", "500", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert list(said) == [scenario.name for scenario in SCENARIOS]
    assert all(report["devices"] == 500 for report in said.values())
