# SPDX-License-Identifier: MIT
"""Command lines as the module reads them (manual 2.1): name, form, parameters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# Texts for AT+CMEE=2; manual 5.2 in English, 3GPP TS 27.007 for those below 100.
ERROR_TEXTS = {
    10: "SIM not inserted",
    50: "Incorrect parameters",
    550: "Unknown TCP/IP error",
    551: "Connection id not in use",
    552: "Connection id in use",
    553: "Not connected",
    557: "Connection refused",
    558: "Connect timeout",
    570: "PDP context not active",
    580: "DNS error",
    750: "SSL unknown error",
    751: "SSL resource initialisation error",
    752: "SSL server certificate verification failed",
    753: "SSL negotiation timeout",
    754: "SSL negotiation failed",
    760: "CERTS/KEYS unknown error",
    761: "CERTS/KEYS invalid",
    762: "CERTS/KEYS not exist",
    763: "CERTS/KEYS already exist",
    764: "CERTS/KEYS write error",
    765: "CERTS/KEYS another one is being written",
    766: "CERTS/KEYS read error",
    767: "CERTS/KEYS delete error",
    768: "CERTS/KEYS too large",
    769: "CERTS/KEYS load error",
}


class Refusal(Exception):
    """A command ends with an error: `code` for +CME ERROR, None for a plain ERROR."""

    def __init__(self, code: int | None = 50) -> None:
        super().__init__(code)
        self.code = code


class Malformed(Exception):
    """The quotes of a command line do not add up."""


class Arg(NamedTuple):
    """One parameter: its bytes without quotes, and whether it had them."""

    value: bytes
    quoted: bool


class Command(NamedTuple):
    """A parsed extended command. `form`: exec, read, test or set; `name` in upper case."""

    name: str
    form: str
    args: list[Arg]


_EXTENDED = re.compile(rb"\+([A-Za-z0-9]+)(=\?|\?|=)?", re.ASCII)


def split_args(text: bytes) -> list[Arg]:
    """Cut parameters at the commas outside quotes. A string cannot hold a quote."""
    args = []
    at = 0
    while True:
        if text[at : at + 1] == b'"':
            end = text.find(b'"', at + 1)
            if end < 0 or text[end + 1 : end + 2] not in (b"", b","):
                raise Malformed
            args.append(Arg(text[at + 1 : end], True))
            at = end + 1
        else:
            end = text.find(b",", at)
            end = len(text) if end < 0 else end
            value = text[at:end]
            if b'"' in value:
                raise Malformed
            args.append(Arg(value.strip(), False))
            at = end
        if at >= len(text):
            return args
        at += 1  # the comma


@lru_cache(maxsize=1024)
def parse_extended(text: bytes) -> Command | None:
    """Parse what stands behind AT, from the plus sign on; None when it is no such command. Kept
    for the next time, so nobody changes what it returns."""
    match = _EXTENDED.match(text)
    if match is None:
        return None
    name = match.group(1).decode().upper()
    mark = match.group(2)
    rest = text[match.end() :]
    if mark == b"=":
        return Command(name, "set", split_args(rest))
    if rest:
        return None
    return Command(name, {None: "exec", b"?": "read", b"=?": "test"}[mark], [])


def integer(arg: Arg, low: int, high: int) -> int:
    """A decimal parameter within low..high."""
    if arg.quoted or not arg.value.isdigit() or len(arg.value) > 9:
        raise Refusal(50)
    number = int(arg.value)
    if not low <= number <= high:
        raise Refusal(50)
    return number


def counted(args: list[Arg], least: int, most: int) -> None:
    """Refuse a wrong number of parameters."""
    if not least <= len(args) <= most:
        raise Refusal(50)
