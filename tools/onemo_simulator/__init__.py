# SPDX-License-Identifier: MIT
"""A simulated OneMO module: the AT interface of twelve series, with real TLS behind it."""

from .clock import MonotonicClock, VirtualClock
from .faults import Fault, FaultyLine, damage_store, fill_store, random_cuts, random_fault
from .line import Line
from .loop_network import EchoPeer, LoopNetwork, Peer, VerifyingPeer
from .module import Module
from .oddities import Oddities
from .profiles import SERIES, Profile
from .records import Breach, Recovery
from .serve import serve
from .system_network import SystemNetwork
from .uart import SimulatedUart

__all__ = [
    "SERIES",
    "Breach",
    "EchoPeer",
    "Fault",
    "FaultyLine",
    "Line",
    "LoopNetwork",
    "Module",
    "MonotonicClock",
    "Oddities",
    "Peer",
    "Profile",
    "Recovery",
    "SimulatedUart",
    "SystemNetwork",
    "VerifyingPeer",
    "VirtualClock",
    "damage_store",
    "fill_store",
    "random_cuts",
    "random_fault",
    "serve",
]
