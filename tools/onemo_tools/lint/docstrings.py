# SPDX-License-Identifier: MIT
"""The library's docstrings as Markdown, for the API reference: an extension of griffe's.

What a docstring says of a parameter begins with its name in backquotes, on a line of its own or in
the middle of a paragraph. On a page each gets a line.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_INTERNAL = "For the library's own parts."


def as_markdown(text: str) -> str:
    """A docstring in which each line that begins with `name`: is an item of a list."""
    lines: list[str] = []
    in_list = False
    for line in text.splitlines():
        if re.match(r'(`\w+`|"\w+")(\([^)]*\))?(, `\w+`)*:', line) or (
            re.match(r"`\w+\(.*\)`:", line)
        ):
            if not in_list:
                lines.append("")
            lines.append("- " + line)
            in_list = True
        elif in_list and line.strip():
            lines.append("  " + line)
        else:
            in_list = False
            lines.append(line)
    return "\n".join(lines)


class Listed(griffe.Extension):
    """Turns docstrings into Markdown, and leaves out what is for the library's own parts."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        for name, member in list(cls.members.items()):
            text = member.docstring.value if not member.is_alias and member.docstring else ""
            if _INTERNAL in " ".join(text.split()):
                del cls.members[name]
