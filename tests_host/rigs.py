# SPDX-License-Identifier: MIT
"""What the `rigs` fixtures make, whichever front and network they are for."""

import re
from contextlib import contextmanager
from dataclasses import replace

from onemo_simulator.profiles import find
from onemo_tools.proofs.rig import Rig


@contextmanager
def making(kind=Rig, network=None):
    """A function that makes rigs of a `kind`, each with a network of its own from `network()`. At
    the end they are closed, and no module has seen a violation of the protocol by the driver, nor
    a command that is not written as the manual writes it."""
    made = []

    def make(model="ML307R", *, strict=True, started=True, **settings):
        if network:
            settings.setdefault("network", network())
        rig = kind(model, **settings)
        rig.network = settings.get("network")
        made.append((rig, strict))
        if started:
            rig.modem.start()
        return rig

    yield make
    for rig, _ in reversed(made):
        rig.close()
    for rig, strict in made:
        assert not strict or rig.module.violations == []
        assert not strict or [name for name in names(rig) if name != name.upper()] == []


def names(rig):
    """The module's own commands that it has got, without their parameters; not the one that tests
    send in small letters themselves."""
    found = [re.split(rb"[=?;]", command)[0] for command in rig.module.commands]
    return [name for name in found if name[:4].upper() == b"AT+M" and name != b"AT+msslpsk"]


def unknown(series):
    """The profile of a model of a name that nobody knows, and all that `series` can do."""
    return replace(
        find(series)[0],
        series="ML309Z",
        cgmm="series",
        submodels=("ML309Z-DC",),
        later_submodels=(),
    )


def overheard(rig, pause_ms=30):
    """A list that grows by what the host sends from now on, as (ms, bytes): what comes within
    `pause_ms` belongs together, and a row of CRs is written as its length."""
    heard = []
    feed = rig.line.feed
    last_ms = None

    def listen(data):
        nonlocal last_ms
        now_ms = round(rig.clock.now() * 1000)
        if last_ms is None or now_ms - last_ms > pause_ms:
            heard.append((now_ms, b""))
        start_ms, before = heard[-1]
        heard[-1] = (start_ms, before + bytes(data))
        last_ms = now_ms
        return feed(data)

    rig.line.feed = listen
    return heard
