# SPDX-License-Identifier: MIT
"""The Chinese pages beside the English ones: the same headings, the same code, the same links, as
many rows of tables, the same made parts.

python -m onemo_tools.lint.translated      # copies what is made from one to the other
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from onemo_tools.lint import doc_pages, made_zh

ROOT = Path(__file__).parents[3]
ORIGINAL, TRANSLATION = ROOT / "README.md", ROOT / "README.zh-CN.md"
_MADE = re.compile(r"<!-- (\w+):begin -->\n(.*?)<!-- \1:end -->", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def pairs() -> dict[Path, Path]:
    """English page -> Chinese page, whether it is there or not."""
    english = [page for page in doc_pages.pages() if not page.name.endswith(".zh.md")]
    return {ORIGINAL: TRANSLATION} | {page: page.with_suffix(".zh.md") for page in english}


def without_made(text: str) -> str:
    """The text, with nothing between the marks of what is made."""
    return _MADE.sub(lambda found: f"<!-- {found[1]} -->", text)


def headings(text: str) -> list[int]:
    """The level of each heading, in order."""
    prose = re.sub(r"^( *)```.*?^\1```$", "", without_made(text), flags=re.MULTILINE | re.DOTALL)
    return [len(level) for level in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def code(text: str) -> list[str]:
    """Each block of code, fenced or indented, without its indentation; API directives, too."""
    blocks: list[list[str]] = []
    fenced = inside = False
    for line in without_made(text).splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            inside = False
            if not fenced:
                continue
        elif not fenced and not (line.startswith(("    ", ":::")) or (inside and not line)):
            inside = False
            continue
        if not inside:
            blocks.append([])
            inside = True
        blocks[-1].append(line.strip())
    return ["\n".join(block).strip() for block in blocks]


def links(text: str) -> list[str]:
    """Where its links lead, in whichever language; sorted, for each language has its order."""
    found = []
    for target in _LINK.findall(without_made(text)):
        if target not in ("README.md", "README.zh-CN.md"):
            file, mark, _ = target.partition("#")  # headings have other words
            found.append(re.sub(r"\.zh\.(md|svg)", r".\1", file) + mark)
    return sorted(found)


def rows(text: str) -> int:
    """How many rows its tables have."""
    return len(re.findall(r"^\|", without_made(text), re.MULTILINE))


def with_made(translation: str, original: str) -> str:
    """The translation with the made parts of the original, in Chinese as far as that is known, but
    for those that doc_pages makes in each language. ValueError where it lacks one."""
    made = dict(_MADE.findall(original))
    found = [name for name, _ in _MADE.findall(translation)]
    if found != list(made):
        raise ValueError(f"the translation has the parts {found}, not {list(made)}")
    own = set(doc_pages.made()) - set(made_zh.PARTS)

    def fill(part: re.Match[str]) -> str:
        name = part[1]
        if name in own:
            return part[0]
        text = made_zh.chinese(made[name]) if name in made_zh.PARTS else made[name]
        return f"<!-- {name}:begin -->\n{text}<!-- {name}:end -->"

    return _MADE.sub(fill, translation)


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
    for target in sorted({*links(original), *links(translation)}):
        counts = links(original).count(target), links(translation).count(target)
        if counts[0] != counts[1]:
            found.append(f"links to {target}: {counts[0]} and {counts[1]}")
    if rows(original) != rows(translation):
        found.append(f"rows of tables: {rows(original)} and {rows(translation)}")
    if with_made(translation, original) != translation:
        found.append("made parts: run python -m onemo_tools.lint.translated")
    return found


def main() -> int:
    """Brings the made parts over and prints what a person has to bring in step."""
    status = 0
    for page, chinese in pairs().items():
        if not chinese.exists():
            print(f"{page.relative_to(ROOT)} is not translated: {chinese.name} is missing")
            status = 1
            continue
        original = page.read_text(encoding="utf-8")
        translation = with_made(chinese.read_text(encoding="utf-8"), original)
        chinese.write_text(translation, encoding="utf-8")
        for name, part in _MADE.findall(original):
            for line in made_zh.unknown(part) if name in made_zh.PARTS else ():
                print(f"{chinese.relative_to(ROOT)}: still English, see made_zh.py: {line}")
        for difference in differences(original, translation):
            print(f"{chinese.relative_to(ROOT)}: {difference}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
