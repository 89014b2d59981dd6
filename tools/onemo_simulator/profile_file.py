# SPDX-License-Identifier: MIT
"""A series as JSON: the fields of `Profile` by name, for a module that no table here has.

    {"base": "ML307C", "series": "ML307B", "submodels": ["ML307B-DC-CN"], "tls_links": 2,
     "quirks": {"prompt": "\r\n> ", "same_name": "763", "ignored_options": ["version"]}}

`base` is a series or sub-model to take the other fields from; without it they are those of
`Profile`. null: not known, taken from there too. `quirks`: fields of `Quirks`, bytes as text
(Latin-1), sets as lists; null there: the default. Where None means something by itself, it has a
word: see `NONE_WORDS`. `unknown` (name of a field: why it is not known) and `observed` (anything)
are what `onemo probe` has to say besides; they are passed over.

Read strictly: an unknown field, a wrong type or a value out of range is an error.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields, replace
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .profile import Profile
from .profiles import find
from .quirks import Quirks

_HINTS = get_type_hints(Profile)
_QUIRKS = get_type_hints(Quirks)
_BESIDES = ("quirks", "unknown", "observed")
# None, of quirks where it is a value and not "as the profile has it".
NONE_WORDS = {"data_timeout_answer": "error", "series_timeout": "never"}
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
    rest = {name: value for name, value in data.items() if value is not None}
    quirks_from_dict(data)
    for name in _BESIDES:
        rest.pop(name, None)
    base: Profile | None = None
    if "base" in rest:
        named = rest.pop("base")
        if not isinstance(named, str):
            raise ValueError(f"base is the name of a series, not {named!r}")
        base = find(named)[0]
    unknown = sorted(set(rest) - set(_HINTS))
    if unknown:
        known = ", ".join(["base", "quirks", *_HINTS])
        raise ValueError(f"no such field: {', '.join(unknown)}; a profile has {known}")
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


def quirks_from_dict(data: dict[str, Any]) -> dict[str, Any]:
    """Keywords of `Module` that parsed JSON holds. ValueError names the field that is wrong."""
    for name in ("unknown", "observed", "quirks"):
        if data.get(name) is not None and not isinstance(data[name], dict):
            raise ValueError(f"{name} is a JSON object, not {data[name]!r}")
    given = data.get("quirks") or {}
    wrong = sorted(set(given) - set(_QUIRKS))
    if wrong:
        raise ValueError(f"no such quirk: {', '.join(wrong)}; Quirks has {', '.join(_QUIRKS)}")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if value == NONE_WORDS.get(name, ...):
            found[name] = None
            continue
        try:
            found[name] = _quirk(_QUIRKS[name], value)
        except (TypeError, ValueError):
            raise ValueError(f"quirks.{name} cannot be {value!r}") from None
    try:
        Quirks(**found)
    except ValueError as error:
        raise ValueError(f"quirks.{error}") from None
    return found


def _quirk(hint: Any, value: object) -> object:
    """A value of the kind that a field of `Quirks` has. ValueError when it is none."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        for part in parts:
            try:
                return _quirk(part, value)
            except (TypeError, ValueError):
                continue
        raise ValueError(value)
    if origin is Literal:
        if value not in parts:
            raise ValueError(value)
        return value
    if hint is bytes and isinstance(value, str):
        return value.encode("latin-1")
    if hint is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if origin is frozenset and isinstance(value, list) and all(_is(v, str) for v in value):
        return frozenset(value)
    if origin is tuple and isinstance(value, list):
        if parts[-1] is Ellipsis:
            return tuple(_quirk(parts[0], item) for item in value)
        return tuple(_quirk(part, item) for part, item in zip(parts, value, strict=True))
    if isinstance(hint, type) and hint is not type(None) and _is(value, hint):
        return value
    raise ValueError(value)


def quirks_to_dict(quirks: dict[str, Any]) -> dict[str, object]:
    """What `quirks_from_dict` makes the same keywords of, as the object `quirks`."""
    return {name: _plain(NONE_WORDS.get(name) if v is None else v) for name, v in quirks.items()}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    for name, _ in pairs:
        if sum(name == other for other, _ in pairs) > 1:
            raise ValueError(f"{name} is there twice")
    return dict(pairs)


def load(path: str | Path) -> Profile:
    """The profile in a JSON file. ValueError says what is wrong, and where; OSError as usual."""
    return load_module(path)[0]


def load_module(path: str | Path) -> tuple[Profile, dict[str, Any]]:
    """The profile and the quirks (keywords of `Module`) in a JSON file; errors as `load`'s."""
    text = Path(path).read_bytes()
    try:
        data = json.loads(text.decode("utf-8"), object_pairs_hook=_no_repeats)
        return from_dict(data), quirks_from_dict(data)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are such
        raise ValueError(f"{path}: {error}") from None
