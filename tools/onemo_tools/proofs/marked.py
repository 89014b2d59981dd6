# SPDX-License-Identifier: MIT
"""What a proof writes into a document, between the marks of its name."""

import re
from pathlib import Path

import typer


def write_part(path: Path, name: str, made: str) -> None:
    """Puts `made` between the marks `name`. BadParameter: the document has none."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    part = f"{begin}\n{made}\n{end}"
    changed, count = re.subn(f"{begin}.*?{end}", lambda _: part, path.read_text(), flags=re.DOTALL)
    if count != 1:
        raise typer.BadParameter(f"{path} has no {begin} and {end}")
    path.write_text(changed)
