# SPDX-License-Identifier: MIT
"""A series as JSON: the fields of `Profile` by name, for a module that no table here has.

    {"base": "ML307C", "series": "ML307B", "submodels": ["ML307B-DC-CN"], "tls_links": 2}

`base` is a series or sub-model to take the other fields from; without it they are those of
`Profile`. Read strictly: an unknown field, a wrong type or a value out of range is an error.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .profile import Profile
from .profiles import find

_HINTS = get_type_hints(Profile)
_NEEDED = [field.name for field in fields(Profile) if field.default is MISSING]
# Lowest and highest of fields where a number out of range would break the simulation.
_RANGES = {
    "ssl_ids": (1, 100),
    "conn_ids": (1, 100),
    "tls_links": (0, 100),
    "cids": (1, 15),
    "send_prompt_limit": (1, 65535),
    "read_max": (1, 65535),
    "udp_packets": (1, 65535),
    "close_modes": (0, 9),
    "escape_guard": (0, 60),
    "window": (1, 1 << 20),
    "max_timeout": (1, 3600),
    "line": (64, 1 << 16),
    "factory_baud": (0, 921600),
    "factory_sleepmode": (0, 2),
}


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _checked(name: str, value: object) -> object:
    """The value of a field, with lists as tuples. ValueError when it cannot be one."""
    hint = _HINTS[name]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"{name} is one of {', '.join(parts)}, not {value!r}")
        return value
    if origin is tuple:
        kind, words = parts[0], "numbers" if parts[0] is int else "strings"
        if not isinstance(value, list) or not all(_is(item, kind) for item in value):
            raise ValueError(f"{name} is a list of {words}, not {value!r}")
        if parts[-1] is not Ellipsis and len(value) != len(parts):
            raise ValueError(f"{name} has {len(parts)} {words}, not {len(value)}")
        return tuple(value)
    if not _is(value, hint):
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
        raise ValueError(f"{name} is {kinds[hint]}, not {value!r}")
    low, high = _RANGES.get(name, (None, None))
    if low is not None and not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{name} is {low} to {high}, not {value!r}")
    return value


def from_dict(data: object) -> Profile:
    """The profile that parsed JSON describes. ValueError names the field that is wrong."""
    if not isinstance(data, dict):
        raise ValueError(f"a profile is a JSON object, not {type(data).__name__}")
    rest = dict(data)
    base: Profile | None = None
    if "base" in rest:
        named = rest.pop("base")
        if not isinstance(named, str):
            raise ValueError(f"base is the name of a series, not {named!r}")
        base = find(named)[0]
    unknown = sorted(set(rest) - set(_HINTS))
    if unknown:
        known = ", ".join(_HINTS)
        raise ValueError(f"no such field: {', '.join(unknown)}; a profile has base, {known}")
    values: dict[str, Any] = {name: _checked(name, value) for name, value in rest.items()}
    if base is None:
        missing = [name for name in _NEEDED if name not in values]
        if missing:
            raise ValueError(f"{' and '.join(missing)} missing (or base, a series to start from)")
        profile = Profile(**values)
    else:
        profile = replace(base, **values)
    if not profile.series or not profile.submodels or not all(profile.submodels):
        raise ValueError("series and submodels must not be empty")
    if not profile.versions or not profile.encodings or not profile.digests:
        raise ValueError("versions, encodings and digests must not be empty")
    return profile


def to_dict(profile: Profile) -> dict[str, object]:
    """What `from_dict` makes the same profile of."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(profile).items()
    }


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    for name, _ in pairs:
        if sum(name == other for other, _ in pairs) > 1:
            raise ValueError(f"{name} is there twice")
    return dict(pairs)


def load(path: str | Path) -> Profile:
    """The profile in a JSON file. ValueError says what is wrong, and where; OSError as usual."""
    text = Path(path).read_bytes()
    try:
        return from_dict(json.loads(text.decode("utf-8"), object_pairs_hook=_no_repeats))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are such
        raise ValueError(f"{path}: {error}") from None
