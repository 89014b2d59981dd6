# SPDX-License-Identifier: MIT
"""`onemo simulate`: a module to talk to from a terminal program."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from .faults import Fault, FaultyLine
from .line import Line
from .module import Module
from .system_network import SystemNetwork

DEFAULT_PORT = "pty" if hasattr(os, "openpty") else "tcp:0"  # Windows has no ptys
_IMEI = re.compile(r"\d{15}")
_ICCID = re.compile(r"[0-9A-F]{19,20}")
_PORT = re.compile(r"pty|tcp(?::(\d{1,5}))?")


def parse_port(port: str) -> tuple[str, int]:
    """ "pty" or "tcp:PORT" (0 or none: any free one) as kind and number."""
    match = _PORT.fullmatch(port)
    if match is None or int(match.group(1) or 0) > 65535:
        raise ValueError(f'port is "pty" or "tcp:PORT", not {port!r}')
    return port[:3], int(match.group(1) or 0)


def parse_host(text: str) -> tuple[str, str]:
    """`NAME=ADDRESS`. ValueError."""
    name, equals, address = text.partition("=")
    if not (name and equals and address):
        raise ValueError(f"a host is given as NAME=ADDRESS, not {text!r}")
    return name, address


def identity_quirks(imei: str | None, iccid: str | None) -> dict[str, Any]:
    """What makes a module and its SIM another one than the next. ValueError."""
    if imei is not None and not _IMEI.fullmatch(imei):
        raise ValueError(f"an IMEI has 15 digits, not {imei!r}")
    if iccid is not None and not _ICCID.fullmatch(iccid):
        raise ValueError(f"an ICCID has 19 or 20 digits (A..F among them), not {iccid!r}")
    said = {"imei": imei, "iccid": iccid}
    return {name: value for name, value in said.items() if value is not None}


def reach(hosts: dict[str, str] | None) -> str:
    """Which hosts a module on this machine's network reaches, in a sentence."""
    also = "".join(f", {name} at {address}" for name, address in (hosts or {}).items())
    return f"it reaches the hosts that this machine reaches, by its DNS{also}"


def _say(text: str) -> None:
    print(text, flush=True)


def serve(
    model: str = "ML307R",
    port: str = "pty",
    baud: int | None = None,
    hosts: dict[str, str] | None = None,
    *,
    faults: Iterable[str] = (),
    profile: str | None = None,
    stop: threading.Event | Signalled | None = None,
    say: Callable[[str], None] = _say,
    **quirks: Any,
) -> None:
    """Serve a simulated module until `stop` is set or Ctrl-C; connections out of it are real.

    port: "pty" or "tcp:PORT". baud: pace the line, and the module's speed. hosts: names to
    addresses, before DNS. faults: texts of `Fault`s on the line. profile: a JSON file
    (`profile_file`) instead of `model`. Raises ValueError for a wrong model, profile, port, fault
    or option.
    """
    kind, number = parse_port(port)
    if baud:
        quirks.setdefault("baud", baud)
    struck = [Fault.parse(text) for text in faults]
    module = Module(model, profile=profile, network=SystemNetwork(hosts), **quirks)
    end = FaultyLine(module, struck) if struck else module
    line = Line(end, "pty" if kind == "pty" else "tcp", baud=baud, port=number)
    done = stop or threading.Event()
    with line:
        if kind == "pty":
            say(f"{module.submodel} listens on {line.path}")
        else:
            say(f"{module.submodel} listens on tcp {line.address[0]}:{line.address[1]}")
        say(reach(hosts))
        say("lines end with CR; Ctrl-C ends the simulation")
        try:
            while not done.wait(0.2) and line.alive:
                pass
        except KeyboardInterrupt:
            pass


class Signalled:
    """An event for a signal's handler to set. The handler of a `threading.Event` would wait for
    ever for its lock when the signal came while `wait` had it."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self, *_: object) -> None:
        self._is_set = True

    def wait(self, seconds: float) -> bool:
        """Whether it is set, after `seconds` at most."""
        if not self._is_set:
            time.sleep(seconds)
        return self._is_set


def serve_until_signalled(*args: Any, **kwargs: Any) -> None:
    """As `serve`, ended by SIGTERM as well: for a process of its own."""
    stop = Signalled()
    signal.signal(signal.SIGTERM, stop.set)
    serve(*args, stop=stop, **kwargs)
