# SPDX-License-Identifier: MIT
"""The documentation of config.json, made from the schema that the driver itself reads.

python -m onemo_tools.lint.config_docs      # docs/config.schema.json, the table in docs/config.md
"""

import ast
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onemo import schema, suites

from onemo_tools.lint import config_zh

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "lib" / "onemo" / "schema.py"
SCHEMA = Path("docs/config.schema.json")
PAGE = Path("docs/config.md")
PORTS = {"esp32": "ESP32", "rp2": "RP2", "rp2350": "RP2350", "samd": "SAMD"}
PORTS |= {"mimxrt": "i.MX RT", "nrf": "nRF", "pyboard": "STM32 and RA"}
BEGIN, END = "<!-- entries:begin -->\n", "<!-- entries:end -->"

# Printable ASCII without quote, comma and backslash, as at_syntax.check_text has it.
_TEXT = r"^[ !#-+\--\[\]-~]*$"


@dataclass
class Entry:
    """One entry of config.json: `rows` has its row for all ports (under "") and those for one."""

    path: str
    meaning: str
    default: str = ""
    rows: dict[str, str] = field(default_factory=dict)

    @property
    def optional(self) -> bool:
        """True if it may be left out on some port."""
        return not all(_needed(row) for row in self.rows.values())


def _needed(row: str) -> bool:
    return bool(schema.is_needed(row.partition(" ")[0]))


def _wanted(row: str) -> str:
    kind, _, wants = row.partition(" ")
    return str(schema.wanted(kind, wants))


def entries(source: Path = SOURCE) -> list[Entry]:
    """All rows of the schema, each with the comment above it, and below it what is in it.
    ValueError names a row without a comment."""
    body = source.read_text(encoding="utf-8").split("\nROWS = {\n")[1].split("\n}\n")[0]
    groups: dict[str, list[Entry]] = {}
    comment: list[str] = []
    for line in map(str.strip, body.splitlines()):
        if line.endswith(": ("):
            above = str(ast.literal_eval(line.removesuffix(": (")))
            group = groups.setdefault(above, [])
        elif line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif line != "),":
            key, rest = str(ast.literal_eval(line)).strip("\n").split(" ", 1)
            name, _, port = key.partition("@")
            path = f"{above}.{name}" if above else name
            if port:
                for one in port.split(","):
                    if group[-1].path != path or one not in PORTS:
                        raise ValueError(f"{key} has to follow {path}, and a port that is known")
                    group[-1].rows[one] = rest
                continue
            meaning, _, default = " ".join(comment).partition("Default: ")
            comment = []
            if not meaning:
                raise ValueError(f"{path} has no comment that says what it is")
            group.append(Entry(path, meaning.strip(), default.rstrip("."), {"": rest}))
    found = _with_what_is_inside(groups.pop(""), groups)
    if groups:
        raise ValueError(f"{', '.join(groups)}: no entry is called so")
    return found


def _with_what_is_inside(group: list[Entry], groups: dict[str, list[Entry]]) -> list[Entry]:
    found = []
    for entry in group:
        inside = [*groups.pop(entry.path, []), *groups.pop(f"{entry.path}[]", [])]
        found += [entry, *_with_what_is_inside(inside, groups)]
    return found


# The page


def table(chinese: bool = False) -> str:
    """Entry, what it must be, what it is where it is left out, and its meaning."""
    heads = config_zh.HEADINGS if chinese else ("entry", "must be", "if left out", "meaning")
    lines = ["| " + " | ".join(heads) + " |", "| --- | --- | --- | --- |"]
    for entry in entries():
        must = _wanted(entry.rows[""])
        for port, row in entry.rows.items():
            if port:
                must += f"; on {PORTS[port]} {_wanted(row)}"
        without, meaning = _said(entry, chinese)
        cells = (f"`{entry.path}`", must, without, meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _said(entry: Entry, chinese: bool) -> tuple[str, str]:
    """What it is where it is left out, and its meaning."""
    needed = _needed(entry.rows[""])
    if not chinese:
        return "must be there" if needed else entry.default or "–", entry.meaning
    if entry.path not in config_zh.MEANING:
        raise ValueError(f"{entry.path} has no Chinese: write it into lint/config_zh.py")
    without = config_zh.LEFT_OUT.get(entry.path, entry.default or "–")
    return config_zh.NEEDED if needed else without, config_zh.MEANING[entry.path]


def filled(page: str) -> str:
    """`page` with the table between its markers. ValueError: a marker is missing."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no lines {BEGIN.strip()} and {END}, in this order")
    return head + begin + table() + "\n" + end + tail


# The JSON Schema


def json_schema() -> dict[str, Any]:
    """What editors check config.json by, and show while one types."""
    every = entries()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.json of onemo",
        "description": "Made from lib/onemo/schema.py by `make schema`.",
        **_object("", every),
    }


def _object(path: str, every: list[Entry]) -> dict[str, Any]:
    above = f"{path}." if path else ""
    children = {
        entry.path.removeprefix(above): entry
        for entry in every
        if entry.path.startswith(above) and re.fullmatch(r"[^.\[]+", entry.path[len(above) :])
    }
    return {
        "type": "object",
        "properties": {name: _property(entry, every) for name, entry in children.items()},
        "required": [name for name, entry in children.items() if not entry.optional],
        "additionalProperties": False,
    }


def _property(entry: Entry, every: list[Entry]) -> dict[str, Any]:
    forms: list[dict[str, Any]] = []
    for row in entry.rows.values():
        kind, _, wants = row.partition(" ")
        new = [_form(kind.rstrip("?~"), wants.split(" "), entry.path, every)]
        if kind == "none" or kind.endswith("~"):
            new.append({"type": "null"})
        forms += [form for form in new if form and form not in forms]
    found: dict[str, Any] = {"description": entry.meaning}
    if entry.default:
        found["description"] += f" Default: {entry.default}."
    return found | (forms[0] if len(forms) == 1 else {"anyOf": forms})


def _form(kind: str, wants: list[str], path: str, every: list[Entry]) -> dict[str, Any]:
    if kind == "object":
        return _object(path, every)
    if kind == "list":
        return {"type": "array", "items": _object(f"{path}[]", every)}
    if kind == "none":
        return {}
    if kind == "bool":
        return {"type": "boolean"}
    if kind == "of":
        return {"enum": [json.loads(value) for value in wants]}
    if kind == "some":
        return {"type": "array", "items": {"enum": [json.loads(value) for value in wants]}}
    if kind == "hex":
        return {"type": "string", "pattern": f"^[0-9A-Fa-f]{{{wants[0]}}}$"}
    if kind == "suite":
        names = [suites.name(suite) for suite in suites.ids()]
        hexadecimal = {"type": "string", "pattern": "^0[xX][0-9A-Fa-f]+$"}
        number = {"type": "integer", "minimum": 0, "maximum": 0xFFFF}
        return {"anyOf": [number, {"enum": names}, hexadecimal]}
    low, high = int(wants[0]), int(wants[1])
    number = {"type": "integer", "minimum": low, "maximum": high}
    if kind == "int":
        return number
    if kind == "id":
        return {"anyOf": [number, {"type": "string", "minLength": 1, "maxLength": 8}]}
    text = {"type": "string", "minLength": low, "maxLength": high}
    patterns = {"str": {}, "source": {}, "text": {"pattern": _TEXT}}
    patterns["digits"] = {"pattern": "^[0-9]*$"}
    return text | patterns.get(kind, {"pattern": "^[^#+\\u0000]*$"})


def files() -> dict[Path, str]:
    """Path in the checkout -> text, as it should be."""
    return {
        SCHEMA: json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        PAGE: filled((ROOT / PAGE).read_text(encoding="utf-8")),
    }


def main() -> int:
    for path, text in files().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
