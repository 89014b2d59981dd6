# SPDX-License-Identifier: MIT
"""A simulated OneMO module: the AT interface of every series, with real TLS behind it."""

from .clock import MonotonicClock, VirtualClock
from .faults import Fault, FaultyLine, damage_store, fill_store, random_cuts, random_fault
from .line import Line
from .loop_network import EchoPeer, LoopNetwork, Peer, VerifyingPeer
from .module import Module
from .profiles import NEWER, PROFILES, SERIES, Profile
from .quirks import Quirks
from .records import Recovery, Violation
from .serve import serve
from .system_network import SystemNetwork
from .uart import SimulatedUart

__all__ = [
    "NEWER",
    "PROFILES",
    "SERIES",
    "EchoPeer",
    "Fault",
    "FaultyLine",
    "Line",
    "LoopNetwork",
    "Module",
    "MonotonicClock",
    "Peer",
    "Profile",
    "Quirks",
    "Recovery",
    "SimulatedUart",
    "SystemNetwork",
    "VerifyingPeer",
    "Violation",
    "VirtualClock",
    "damage_store",
    "fill_store",
    "random_cuts",
    "random_fault",
    "serve",
]
