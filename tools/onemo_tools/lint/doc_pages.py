# SPDX-License-Identifier: MIT
"""The parts of docs/ that are made from what runs: examples, codes, commands, exit statuses.

python -m onemo_tools.lint.doc_pages      # writes them between their marks, in both languages

The tables of models, of config.json and of the manual's commands are made by modules of their own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
ENGLISH, CHINESE = "en", "zh"
_MADE = re.compile(r"<!-- (\w+):begin -->\n.*?<!-- \1:end -->", re.DOTALL)

_HEADS = {
    "codes": (("code", "meaning", "what to do"), ("错误码", "含义", "处理办法")),
    "statuses": (("status", "meaning"), ("退出状态", "含义")),
    "options": (("option", "meaning", "if left out"), ("选项", "含义（英文原文）", "缺省")),
}
_STATUSES_ZH = {
    0: "完成",
    1: "失败；消息说明原因",
    2: "命令行有误",
    3: "deploy：已完成，但保留了不是它放上去的文件",
    4: "端口不存在、被占用、没有权限或已拔出",
    5: "端口无人应答，或应答的是别的设备",
    6: "发送之前即被拒绝：PEM 文件、名字或数值有误",
    7: "现有内容与用来比较的内容不同",
    8: "模组拒绝，或它所存的内容与发出的不同",
    9: "缺少某个可选部件，或本系统没有它",
    130: "被 Ctrl-C 中断",
}
_REQUIRED = ("must be given", "必填")


def language_of(page: Path) -> str:
    """The language that a page is written in, by its name."""
    return CHINESE if page.name.endswith(".zh.md") else ENGLISH


def pages() -> list[Path]:
    """The pages in both languages."""
    return sorted(DOCS.rglob("*.md"))


def codes(language: str) -> str:
    """The module's codes in words, with their remedies."""
    from onemo import error_texts

    from onemo_tools.doctor import words

    rows = []
    for code in sorted(error_texts.every(), key=lambda code: (code < 0, code)):
        said, remedy = words.CODES_ZH[code] if language == CHINESE else error_texts.describe(code)
        rows.append((str(code), said, remedy))
    return _table("codes", language, rows)


def statuses(language: str) -> str:
    """The exit statuses of the `onemo` command."""
    from onemo_tools.cli import exits

    meanings = _STATUSES_ZH if language == CHINESE else exits.MEANING
    return _table("statuses", language, [(str(n), meanings[n]) for n in exits.MEANING])


def options(language: str) -> str:
    """Each command with its arguments and options."""
    parts = []
    for name, command in _commands():
        help_text = (command.help or "").replace("\b\n", "").strip()
        parts.append(f"### onemo {name}\n\n{_paragraph(help_text)}\n")
        rows = [_option(parameter, language) for parameter in command.params]
        parts.append(_table("options", language, rows) + "\n")
    return "\n".join(parts).rstrip("\n")


@cache
def _commands() -> tuple[tuple[str, Any], ...]:
    import typer

    from onemo_tools.cli.main import app

    group: Any = typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():
        for below, part in getattr(command, "commands", {"": command}).items():
            found.append((f"{name} {below}".strip(), part))
    return tuple(found)


def _paragraph(text: str) -> str:
    """Help text as Markdown: what it calls an option is code."""
    parts = text.split("`")  # every second one is code already
    parts[::2] = [re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", part) for part in parts[::2]]
    return "`".join(parts)


def _option(parameter: Any, language: str) -> tuple[str, str, str]:
    at = (ENGLISH, CHINESE).index(language)
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    if parameter.required:
        left_out = _REQUIRED[at]
    elif default in (None, False, "", ()) or callable(default):
        left_out = ""
    elif isinstance(default, Path):
        left_out = f"`{default.name}`" if default.name != ROOT.name else ""
    else:
        left_out = "" if default is True else f"`{default}`"
    return names, _paragraph(parameter.help or "").replace("|", r"\|"), left_out


def _example(name: str) -> Callable[[str], str]:
    def fenced(language: str) -> str:
        text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
        text = text.removeprefix("# SPDX-License-Identifier: MIT\n#\n")
        return f"```python\n{text.rstrip()}\n```"

    return fenced


def _models(language: str) -> str:
    from onemo_tools.lint import made_zh, tables

    return made_zh.chinese(tables.model_table()) if language == CHINESE else tables.model_table()


def _calls(language: str) -> str:
    from onemo_tools.lint import made_zh, manual_calls

    table = manual_calls.table()
    return made_zh.chinese(table) if language == CHINESE else table


def _entries(language: str) -> str:
    from onemo_tools.lint import config_docs

    return config_docs.table(language == CHINESE)


def _table(head: str, language: str, rows: Sequence[tuple[str, ...]]) -> str:
    names = _HEADS[head][(ENGLISH, CHINESE).index(language)]
    lines = [names, ("---",) * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def made() -> dict[str, Callable[[str], str]]:
    """Name of a part -> what makes it, in a language."""
    parts: dict[str, Callable[[str], str]] = {
        "codes": codes,
        "statuses": statuses,
        "options": options,
        "models": _models,
        "calls": _calls,
        "entries": _entries,
    }
    for path in sorted((ROOT / "examples").glob("*.py")):
        parts[f"example_{path.stem}"] = _example(path.stem)
    return parts


def filled(text: str, language: str) -> str:
    """The text with each part that is made here as it must be."""
    parts = made()

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name not in parts:
            return found[0]
        return f"<!-- {name}:begin -->\n{parts[name](language)}\n<!-- {name}:end -->"

    return _MADE.sub(fill, text)


def stale() -> Iterator[Path]:
    """The pages in which something is not as it must be."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if filled(text, language_of(page)) != text:
            yield page


def main() -> int:
    for page in list(stale()):
        text = page.read_text(encoding="utf-8")
        page.write_text(filled(text, language_of(page)), encoding="utf-8")
        print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
