# SPDX-License-Identifier: MIT
"""What README and docs show as code, block by block: commands to type, Python, JSON."""

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onemo_tools.deploy.packages import ROOT
from onemo_tools.lint.translated import without_made

# How a command begins, in a block whose language nobody names.
_COMMANDS = {".", "cd", "git", "make", "mpremote", "onemo", "./onemo", "openssl", "pip", "pipx"}
_COMMANDS |= {"pytest", "python", "python3", "$"}
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|(?<=:end -->\n))(?: {4}.*\n|\n(?= {4}))+")


@dataclass(frozen=True)
class Block:
    """`kind`: "sh", "python", "json", "toml" or "" for what nobody types."""

    page: Path
    kind: str
    text: str

    @property
    def where(self) -> str:
        return str(self.page.relative_to(ROOT))

    @property
    def commands(self) -> list[str]:
        """Each command of a "sh" block, without its comment."""
        lines = re.sub(r" *\\\n *", " ", self.text).splitlines()
        if any(line.startswith("$ ") for line in lines):  # the others are what came of it
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in (re.sub(r"(^|\s+)#.*", "", line) for line in lines) if line]


def pages() -> list[Path]:
    """README, docs and what explains the examples, in both languages."""
    return [
        ROOT / "README.md",
        ROOT / "README.zh-CN.md",
        ROOT / "examples" / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, without what is made: that is tested where it is made."""
    text = without_made(page.read_text(encoding="utf-8"))
    found = []
    for fence in _FENCE.finditer(text):
        found.append((fence.start(), fence[2], textwrap.dedent(fence[3])))
    rest = _FENCE.sub(lambda fence: "x" * len(fence[0]), text)
    for indented in _INDENTED.finditer(rest):
        for part in re.split(r"\n\s*\n", textwrap.dedent(indented[0]).strip("\n")):
            found.append((indented.start(), _kind(part), part + "\n"))
    for _, kind, body in sorted(found, key=lambda block: block[0]):
        yield Block(page, kind if kind in ("sh", "python", "json", "toml") else "", body)


def mentioned(page: Path) -> list[str]:
    """Commands that stand in the middle of its sentences."""
    text = _FENCE.sub("", without_made(page.read_text(encoding="utf-8")))
    spans = re.findall(r"`([^`\n]+)`", text)
    known = ("make ", "./onemo ", "onemo ", "python -m ")
    return [span for span in spans if span.startswith(known)]


def _kind(body: str) -> str:
    """What a block without a fence is."""
    first = body.split(maxsplit=1)[0]
    if first in _COMMANDS or first.startswith(".venv/"):
        return "sh"
    try:
        parsed = ast.parse(body)
    except SyntaxError:
        return ""
    plain = (ast.Expr, ast.AnnAssign)
    return "" if all(isinstance(node, plain) for node in parsed.body) else "python"
