"""A simulated OneMO module: the AT interface of twelve series, with real TLS behind it."""

from .clock import MonotonicClock, VirtualClock
from .loop_network import EchoPeer, LoopNetwork, Peer, VerifyingPeer
from .module import Module
from .oddities import Oddities
from .profiles import SERIES, Profile
from .records import Breach, Recovery
from .uart import SimulatedUart

__all__ = [
    "SERIES",
    "Breach",
    "EchoPeer",
    "LoopNetwork",
    "Module",
    "MonotonicClock",
    "Oddities",
    "Peer",
    "Profile",
    "Recovery",
    "SimulatedUart",
    "VerifyingPeer",
    "VirtualClock",
]
