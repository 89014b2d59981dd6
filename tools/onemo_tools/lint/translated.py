# SPDX-License-Identifier: MIT
"""README.zh-CN.md beside README.md: the same headings, the same code, the same made tables.

python -m onemo_tools.lint.translated      # copies what is made, and code, from one to the other
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ORIGINAL, TRANSLATION = ROOT / "README.md", ROOT / "README.zh-CN.md"
_MADE = re.compile(r"<!-- (\w+):begin -->\n(.*?)<!-- \1:end -->", re.DOTALL)


def without_made(text: str) -> str:
    """The text, with nothing between the marks of what is made."""
    return _MADE.sub(lambda found: f"<!-- {found[1]} -->", text)


def headings(text: str) -> list[int]:
    """The level of each heading, in order."""
    return [len(level) for level in re.findall(r"^(#+) ", without_made(text), re.MULTILINE)]


def code(text: str) -> list[str]:
    """Each block of code, fenced or indented, without its indentation."""
    blocks: list[list[str]] = []
    fenced = inside = False
    for line in without_made(text).splitlines():
        if line.startswith("```"):
            fenced = not fenced
            inside = False
            if not fenced:
                continue
        elif not fenced and not (line.startswith("    ") or (inside and not line)):
            inside = False
            continue
        if not inside:
            blocks.append([])
            inside = True
        blocks[-1].append(line.strip())
    return ["\n".join(block).strip() for block in blocks]


def with_made(translation: str, original: str) -> str:
    """The translation with the made parts of the original. ValueError where it lacks one."""
    made = dict(_MADE.findall(original))
    found = [name for name, _ in _MADE.findall(translation)]
    if found != list(made):
        raise ValueError(f"{TRANSLATION.name} has the parts {found}, not {list(made)}")
    return _MADE.sub(
        lambda part: f"<!-- {part[1]}:begin -->\n{made[part[1]]}<!-- {part[1]}:end -->",
        translation,
    )


def differences(original: str, translation: str) -> list[str]:
    """What is not in step, in words."""
    found = []
    if headings(original) != headings(translation):
        found.append(f"headings: {headings(original)} and {headings(translation)}")
    for ours, theirs in zip(code(original), code(translation), strict=False):
        if ours != theirs:
            found.append(f"code:\n{ours}\n--- and ---\n{theirs}")
    if len(code(original)) != len(code(translation)):
        found.append(f"blocks of code: {len(code(original))} and {len(code(translation))}")
    if with_made(translation, original) != translation:
        found.append("made parts: run python -m onemo_tools.lint.translated")
    return found


def main() -> int:
    """Brings the made parts over and prints what a person has to bring in step."""
    original = ORIGINAL.read_text(encoding="utf-8")
    translation = with_made(TRANSLATION.read_text(encoding="utf-8"), original)
    TRANSLATION.write_text(translation, encoding="utf-8")
    found = differences(original, translation)
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
