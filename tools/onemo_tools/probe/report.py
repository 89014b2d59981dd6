# SPDX-License-Identifier: MIT
"""What was found, for people: a short text for a bug report, and a row for the driver's table."""

from __future__ import annotations

import json
from typing import Any

from onemo.model import Model
from onemo_simulator import Quirks
from onemo_simulator.profile import Profile
from onemo_simulator.profile_file import quirks_from_dict
from onemo_simulator.profiles import find

from onemo_tools.probe.findings import PROFILE_FIELDS, anonymous

# Fields of a profile, and what the driver's table calls them.
_ROW = {
    "ssl_ids": "ssl_ids",
    "conn_ids": "connections",
    "tls_links": "tls_links",
    "data_mode": "prompt",
    "encodings": "encodings",
    "digests": "algorithms",
    "versions": "versions",
    "psk": "psk",
    "ciphers": "ciphers",
    "mipcfg_ssl": "mipcfg_ssl",
    "send_prompt_limit": "send_prompt",
    "read_max": "read_max",
    "tls": "tls",
    "suite_prefix": "suite_prefix",
    "sni": "sni",
}
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
    """What of a profile differs from class Model of the driver, by the table's names."""
    facts: dict[str, Any] = {}
    for field, name in _ROW.items():
        value = data.get(field)
        if value is None or not hasattr(Model, name):
            continue
        value = tuple(value) if isinstance(value, list) else value
        if name == "tls_links" and value == data.get("conn_ids"):
            value = None  # no limit but that of the ids
        if value != getattr(Model, name):
            facts[name] = value
    if data.get("data_mode") is False and hasattr(Model, "send_prompt"):
        facts["send_prompt"] = 0
    return facts


def driver_row(data: dict[str, Any]) -> str:
    """The same as a row of lib/onemo/models.py."""
    series = data["series"]
    endings = " ".join(name.removeprefix(series).lstrip("-") for name in data["submodels"])
    return f'yield b"{series}", b"{endings}", {json_like(driver_facts(data))}'


def json_like(facts: dict[str, Any]) -> str:
    """A dict as ruff would write it."""
    return "{" + ", ".join(f'"{name}": {value!r}' for name, value in facts.items()) + "}"


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
    lines += ["", "Row for lib/onemo/models.py:", f"  {driver_row(data)}"]
    return "\n".join(anonymous(line) for line in lines) + "\n"
