# SPDX-License-Identifier: MIT
"""What was found, for people: a short text for a bug report, and facts for the driver's table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from onemo.model import Model
from onemo_simulator import Quirks
from onemo_simulator.profile import Profile
from onemo_simulator.profile_file import quirks_from_dict
from onemo_simulator.profiles import find

from onemo_tools.probe.findings import PROFILE_FIELDS, anonymous

# Fields of a profile, what the driver's table calls them, and how it says them.
_ROW: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("tls", "tls", bool),
    ("ssl_ids", "ssl_ids", int),
    ("conn_ids", "connections", int),
    ("tls_links", "tls_links", int),
    ("data_mode", "prompt", bool),
    ("encodings", "encodings", tuple),
    ("digests", "algorithms", tuple),
    ("versions", "versions", tuple),
    ("suite_prefix", "suite_0x", bool),
    ("sni", "sni", bool),
    ("psk", "psk", bool),
    ("ciphers", "ciphers", bool),
    ("store_memory", "ram_store", lambda value: value == "ram"),
    ("cclk", "clock_zoned", lambda value: value != "utc-fields"),
    ("mipcfg_ssl", "mipcfg_ssl", bool),
    ("send_prompt_limit", "send_prompt", int),
    ("read_max", "read_max", int),
    ("power_saving", "sleep_permanent", lambda value: value == "permanent"),
)
_PER_DESK = ("echo", "cmee", "baud", "verbose", "sleepmode", "zone", "revision")
_WIDTH = 96
# The least that is told of what a module did, even where it is as expected.
_TOLD = (
    *("names", "clock", "MSSLCFG of an unknown option", "codes of a name that is not there"),
    *("a series of packets that is broken off", "another name after a broken packet"),
    *("MSSLCFG options", "MIPCFG options", "TLS with a wrong name", "one TLS link too many"),
    *('SNI with "sni" 1', "framing", "not answered", "left behind"),
)


def driver_facts(data: dict[str, Any]) -> dict[str, Any]:
    """What of a profile differs from class Model of the driver, by its names."""
    facts: dict[str, Any] = {}
    for field, name, convert in _ROW:
        if data.get(field) is None or not hasattr(Model, name):
            continue
        value = convert(data[field])
        if name == "tls_links" and value == data.get("conn_ids"):
            value = None  # no limit but that of the ids
        if value != getattr(Model, name):
            facts[name] = value
    if data.get("data_mode") is False:
        facts["send_prompt"] = 0
    return facts


def driver_row(data: dict[str, Any]) -> str:
    """The same in words for lib/onemo/models.py: series, endings, and what differs."""
    series = data["series"]
    endings = " ".join(name.removeprefix(series).lstrip("-") for name in data["submodels"])
    facts = " ".join(f"{name} {_plain(value)}" for name, value in driver_facts(data).items())
    return f"{series} {endings}: {facts or 'as most'}".replace(" :", ":")


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(int(value)) if isinstance(value, (bool, int)) else str(value)


def differences(data: dict[str, Any]) -> list[str]:
    """What differs from the simulated module's profile of this series and its usual quirks."""
    base: Profile | None = None
    for name in (*data["submodels"], data["series"]):
        try:
            base = find(name)[0]
            break
        except ValueError:
            continue
    lines = []
    for field in PROFILE_FIELDS:
        value = data[field]
        if value is None or field == "submodels":
            continue
        usual = getattr(base, field) if base else getattr(Profile, field, None)
        value = tuple(value) if isinstance(value, list) else value
        if field == "absent_commands":
            value, usual = tuple(sorted(value)), tuple(sorted(usual or ()))
        if value != usual:
            lines.append(f"{field}: {_shown(value)} (simulated: {_shown(usual)})")
    usual_quirks = Quirks()
    for field, value in quirks_from_dict(data).items():
        usual = getattr(usual_quirks, field)
        if value != usual and field not in _PER_DESK:
            lines.append(f"quirk {field}: {_shown(value)} (usual: {_shown(usual)})")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(value)) or "none"
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return repr(value)


def text(data: dict[str, Any], done: list[str], version: str = "") -> str:
    """The report. `done`: the groups of questions that were asked."""
    quirks = data["quirks"]
    fields = [data[name] for name in PROFILE_FIELDS] + list(quirks.values())
    known = sum(value is not None for value in fields)
    firmware = quirks.get("revision") or "firmware not told"
    lines = [
        f"onemo probe{version}: {' '.join(data['submodels'])}, {firmware}",
        f"Asked: {', '.join(done)}. {known} of {len(fields)} fields known.",
    ]
    found = differences(data)
    known_series = "base" in data
    where = f"{data['series']} is simulated" if known_series else "a 4G module is simulated"
    lines += ["", f"Different from how {where}:" if found else f"As {where} in every field asked."]
    lines += [f"  {line}" for line in found]
    why: dict[str, list[str]] = {}
    for name, reason in data["unknown"].items():
        field = name.removeprefix("quirks.")
        if name in PROFILE_FIELDS or field in quirks:
            why.setdefault(reason, []).append(field)
    if why:
        lines += ["", "Not known:"]
        lines += [f"  {', '.join(names)}: {reason}" for reason, names in why.items()]
    lines += ["", "Seen:"]
    for name in _TOLD:
        if name in data["observed"]:
            value = data["observed"][name]
            shown = value if isinstance(value, str) else json.dumps(value)
            lines.append(f"  {name}: {shown}")
    lines += ["", "For lib/onemo/models.py:", f"  {driver_row(data)}"]
    return "\n".join(anonymous(line) for line in lines) + "\n"
