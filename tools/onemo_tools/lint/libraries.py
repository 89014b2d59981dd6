# SPDX-License-Identifier: MIT
"""Which MicroPython library runs on the module, and how: the README's table of them. Each cell is
a test (tests_host/sockets/test_libraries.py), which fails where it is not so."""

from __future__ import annotations

from dataclasses import dataclass, field

FRONTS = ("blocking", "asyncio")
MODES = ("plain", "module", "board")  # who does TLS

UNCHANGED = "unchanged"
NOT = "not"
NONE = "–"  # there is no such thing

# Lines that a product adds. mqtt_as and its kin ask for a WLAN that is up; a board without one has
# no such module at all.
NETWORK = """
class network:
    STA_IF = 0
    WLAN = lambda mode: network
    active = connect = config = lambda *args, **options: None
    isconnected = lambda: True
sys.modules["network"] = network
"""


@dataclass(frozen=True)
class Library:
    """One row."""

    name: str
    source: str
    cells: dict[tuple[str, str], str]
    glue: dict[tuple[str, str], str] = field(default_factory=dict)  # lines of a cell that has some


def _cells(blocking: str, asyncio: str) -> dict[tuple[str, str], str]:
    words = {"u": UNCHANGED, "n": NOT, "-": NONE, "6": "6 lines"}
    return {
        (front, mode): words[letter]
        for front, letters in zip(FRONTS, (blocking, asyncio), strict=True)
        for mode, letter in zip(MODES, letters, strict=True)
    }


def _glued(*modes: str) -> dict[tuple[str, str], str]:
    return {(front, mode): NETWORK for front in FRONTS for mode in modes}


LIBRARIES = (
    Library("umqtt.simple", "PyPI, 1.3.4", _cells("uuu", "nnn")),
    Library("umqtt.robust", "PyPI, 1.0", _cells("uuu", "nnn")),
    Library("umqtt.simple2", "PyPI, 2.2.0", _cells("uuu", "nnn")),
    Library("umqtt.robust2", "PyPI, 2.2.0", _cells("uuu", "nnn")),
    Library("urequests", "PyPI, 0.9.1", _cells("uuu", "nnn")),
    Library("requests", "in MicroPython, 0.10.2", _cells("uuu", "nnn")),
    Library("mip", "in MicroPython, 0.4.2", _cells("uuu", "nnn")),
    Library("ntptime", "its calls", _cells("u--", "n--")),
    Library("aiohttp", "its calls", _cells("uuu", "uuu")),
    Library(
        "mqtt_async",
        "PyPI, micropython-mqtt 0.7b4",
        _cells("66n", "66n"),
        _glued("plain", "module"),
    ),
    Library("mqtt_as", "its calls", _cells("666", "666"), _glued("plain", "module", "board")),
)
