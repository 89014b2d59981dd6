# SPDX-License-Identifier: MIT
"""Two field histories, short and dense; and that what goes wrong in one would be seen."""

import json

import pytest
from onemo import supervisor
from onemo_tools.proofs import history

HOUR = 3600.0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [3, 4])
def test_a_history(number):
    report = history.history(number, days=1.0, every_s=2 * HOUR)
    assert report.failures == []
    assert sum(report.events.values()) > 5
    assert report.lines > 60
    [*_, steps] = history.summary([report])
    assert steps[0] == "steps taken"
    assert f"| lines acknowledged | {report.lines} |" in history.markdown([report])


@pytest.mark.timeout(600)
def test_every_event_ends_well_by_itself(monkeypatch):
    """All of them, one after the other; a few minutes each, where they last."""
    short = tuple(
        history.Event(e.name, e.begin, tuple(min(s, 400) for s in e.lasts), e.needs_restart)
        if e is not history.POWER_CUT
        else e
        for e in history.EVENTS
    )
    order = iter(short)
    monkeypatch.setattr(history.World, "choose", lambda self: [next(order, short[5])])
    report = history.history(0, days=0.9, every_s=600)
    assert report.failures == []
    assert set(report.events) >= {event.name for event in short}


def test_a_ladder_that_is_missing_is_seen(monkeypatch):
    monkeypatch.setattr(supervisor.Supervisor, "_is_due", lambda self: False)
    wedged = [event for event in history.EVENTS if event.name == "wedged"]
    monkeypatch.setattr(history.World, "choose", lambda self: wedged)
    report = history.history(0, days=0.2, every_s=HOUR)
    assert any("not online" in text for text in report.failures)


def test_a_duplicate_without_its_mark_and_a_lost_line_are_seen(tmp_path):
    world = history.World(0, 1.0, HOUR, tmp_path)
    try:
        broker = world.broker
        broker.boot = 1
        broker.had = [(1, 1, False), (1, 1, False), (1, 2, True), (1, 2, True)]
        lines = [f"published {json.dumps({'line': n})}" for n in (1, 2, 3)]
        world._compare(lines)
    finally:
        world.device.rig.close()
    assert [text.split(": ")[1] for text in world.report.failures] == [
        "line 1 of boot 1 came twice without DUP",
        "line 3 of boot 1 was lost",
    ]
