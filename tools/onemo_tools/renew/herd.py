# SPDX-License-Identifier: MIT
"""How many devices come to the service at once, simulated with the very functions by which a
device decides when to come: `onemo renew herd`.

Time is in seconds from the moment at which the first certificate begins. A device looks whether it
is due once a minute, as main.py with "every_s": 60 does. The service makes so many identities at a
time, each of which takes a while; who comes then is told that it is busy.
"""

import heapq
import random
from collections import Counter, deque
from dataclasses import dataclass

from onemo import cert_validity, renew

DAY_S = 86400
LIFE_DAYS = 365
EXCHANGE_S = 20.0  # a renewal on a cellular network, writing included
_LOOK_S = 60.0
_BOOT_S = 60.0  # within which devices are back after a power failure
_MINUTE_S = 60


@dataclass(frozen=True)
class Scenario:
    """`made_days`: over so many days the certificates begin, evenly; 0: all at one moment.
    `down`: from when to when (days) the service is not there. `dark`: likewise the devices, which
    then start together. `spread`: False: every device comes at two thirds of a life to the minute,
    as none does; who is told that the service is busy is counted no further."""

    name: str
    made_days: float = 0.0
    down: tuple[float, float] = (0.0, 0.0)
    dark: tuple[float, float] = (0.0, 0.0)
    spread: bool = True


SCENARIOS = (
    Scenario("made over a year", made_days=365),
    Scenario("made at one moment"),
    Scenario("... service away for 3 days", down=(255, 258)),
    Scenario("... all without power for a day", dark=(255, 256)),
    Scenario("... all without power for a week", dark=(255, 262)),
    Scenario("... no spread, to compare", spread=False),
)


@dataclass
class Report:
    """What the service saw. Peaks are requests; `least_left_days`: of the life of a certificate
    as it was replaced, at worst; `lost`: devices whose certificate ended before."""

    devices: int
    requests: int = 0
    peak_second: int = 0
    peak_minute: int = 0
    mean_minute: float = 0.0
    refused: int = 0
    tries_max: int = 0
    least_left_days: float = float(LIFE_DAYS)
    lost: int = 0


def simulate(
    scenario: Scenario,
    devices: int,
    at_once: int,
    within_s: float = renew.WITHIN_S,
    seed: int = 1,
) -> Report:
    """One generation of certificates, to the last device. `within_s`: config.json's."""
    random.seed(seed)  # pause() is the device's own
    ends, waiting = _comings(scenario, devices, within_s)
    busy: deque[float] = deque()  # ends of what is under way
    seconds: Counter[int] = Counter()
    report = Report(devices)
    while waiting:
        at, number, failures = heapq.heappop(waiting)
        seconds[int(at)] += 1
        while busy and busy[0] <= at:
            busy.popleft()
        down = scenario.down[0] * DAY_S <= at < scenario.down[1] * DAY_S
        if down or len(busy) >= at_once:
            report.refused += 1
            if scenario.spread:
                again = _awake(scenario, at + renew.pause(failures), within_s)
                heapq.heappush(waiting, (again, number, failures + 1))
            continue
        busy.append(at + EXCHANGE_S)
        report.tries_max = max(report.tries_max, failures + 1)
        left_days = (ends[number] - at) / DAY_S
        report.least_left_days = min(report.least_left_days, left_days)
        report.lost += left_days < 0
    minutes: Counter[int] = Counter()
    for second, count in seconds.items():
        minutes[second // _MINUTE_S] += count
    report.requests = seconds.total()
    report.peak_second, report.peak_minute = max(seconds.values()), max(minutes.values())
    report.mean_minute = report.requests / (max(minutes) - min(minutes) + 1)
    return report


def _comings(
    scenario: Scenario, devices: int, within_s: float
) -> tuple[list[int], list[tuple[float, int, int]]]:
    # When each certificate ends, and when each device comes first, as a heap.
    life = LIFE_DAYS * 1440
    ends, waiting = [], []
    for number in range(devices):
        begin = int(scenario.made_days * 1440 * number / devices)
        due = begin + life * 2 // 3
        if scenario.spread:
            due = cert_validity.due(begin, begin + life, f"{number:012x}")
        look = random.uniform(0, _LOOK_S) if scenario.spread else 0.0
        ends.append((begin + life) * 60)
        waiting.append((_awake(scenario, due * 60 + look, within_s), number, 0))
    heapq.heapify(waiting)
    return ends, waiting


def _awake(scenario: Scenario, at: float, within_s: float) -> float:
    # A device without power comes as it starts again, within the time that config.json has.
    since, until = (day * DAY_S for day in scenario.dark)
    if not since <= at < until:
        return at
    return until + random.uniform(0, _BOOT_S) + random.uniform(0, within_s)
