# SPDX-License-Identifier: MIT
"""What the `rigs` fixtures make, whichever front and network they are for."""

from contextlib import contextmanager

from onemo_tools.proofs.rig import Rig


@contextmanager
def making(kind=Rig, network=None):
    """A function that makes rigs of a `kind`, each with a network of its own from `network()`. At
    the end they are closed, and no module has seen a violation of the protocol by the driver."""
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
