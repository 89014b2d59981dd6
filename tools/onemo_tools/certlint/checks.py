# SPDX-License-Identifier: MIT
"""Lint: files of one device, and its config.json, looked at together.

lint([File("certs/ca.pem", data), ...], Config("config.json", data)) -> findings
"""

import codecs
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from onemo import profile

from onemo_tools.certlint import loading, rules
from onemo_tools.certlint.findings import ERROR, WARNING, Finding

_ENDINGS = (".pem", ".crt", ".cer", ".cert", ".der", ".key")


@dataclass(frozen=True)
class File:
    """A file of the PC. `kind`: "cert" or "key", where it is known."""

    path: str
    data: bytes = field(repr=False)
    kind: str | None = None


@dataclass(frozen=True)
class Config:
    """A config.json. `complete`: all that it names has to be among the files."""

    path: str
    data: bytes
    complete: bool = True


def lint(
    files: Sequence[File],
    config: Config | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    now: datetime.datetime | None = None,
) -> list[Finding]:
    """All findings, in the order of the files. `pairs`: (certificate's path, key's path) that have
    to belong together."""
    now = now or datetime.datetime.now(datetime.UTC)
    found: list[Finding] = []
    table = _read_config(config, found) if config else None
    uses = _Uses(table, files, config, found) if table is not None and config else None
    loaded = []
    for file in files:
        wanted = uses.kinds.get(file.path) if uses else None
        if uses and wanted is None:
            found += _unwanted(file, "config.json names no such source: take it away, or add it")
        kind = file.kind or wanted
        if kind is None and not _looks_like_pem(file):
            if not uses:
                found += _unwanted(file, "it is no certificate and no key: take it away")
            continue
        if kind == "psk":
            continue
        one = loading.load(file.path, file.data, kind or loading.kind_of(file.path, file.data))
        if file.data.startswith(codecs.BOM_UTF8):
            text = "a byte order mark before the first line: save as UTF-8 without BOM"
            found.append(Finding(file.path, "bom", WARNING, text, 1, 1))
        found += one.findings
        found += rules.one_file(one, now, uses.dates if uses else True)
        loaded.append(one)
    if uses:
        pairs = [*(pairs or ()), *uses.pairs]
    found += rules.together(loaded, pairs, uses.roles if uses else ())
    if not uses:
        for folder in sorted({PurePosixPath(file.path).parent for file in files}):
            names = [
                PurePosixPath(f.path).name for f in files if PurePosixPath(f.path).parent == folder
            ]
            found += rules.look_alike(names, str(folder))
    place = {file.path: number for number, file in enumerate(files)}
    return sorted(dict.fromkeys(found), key=lambda finding: place.get(finding.file, -1))


def _unwanted(file: File, why: str) -> list[Finding]:
    return [Finding(file.path, "file-unwanted", WARNING, f"nothing wants this file: {why}")]


def _looks_like_pem(file: File) -> bool:
    """True if it is meant to be a certificate or a key, well-made or not."""
    return (
        b"-BEGIN " in file.data
        or file.path.lower().endswith(_ENDINGS)
        or file.data.replace(b"\0", b"").find(b"BEGIN CERTIFICATE") >= 0
    )


def _read_config(config: Config, found: list[Finding]) -> dict[str, Any] | None:
    """The table, checked as the device checks it; None where it cannot be read at all."""

    def say(code: str, text: str, line: int | None = None, column: int | None = None) -> None:
        found.append(Finding(config.path, code, ERROR, text, line, column))

    data = config.data
    if data.startswith(codecs.BOM_UTF8):
        say("bom", "a byte order mark, which the board's JSON refuses: save without BOM", 1, 1)
        data = data[len(codecs.BOM_UTF8) :]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        say("not-utf8", "not UTF-8 text: save the file as UTF-8 without BOM", line, column)
        return None
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        say("bad-config", f"no JSON: {error.msg}", error.lineno, error.colno)
        return None
    except RecursionError:
        say("bad-config", "no JSON that a board reads: it is nested too deep")
        return None
    if not isinstance(table, dict):
        say("bad-config", 'it must be an object: {"objects": [...], "contexts": [...]}')
        return None
    try:
        profile.checked(table)
    except (ValueError, TypeError) as error:
        said = str(error)
        say("bad-config", said, _line_of(text, table, said))
        return None
    return table


def _line_of(text: str, table: dict[str, Any], said: str) -> int | None:
    """The line of the entry that a sentence of the profile's is about, if it can be told."""
    where = said.split(" ", 1)[0]  # such as contexts[0].ca
    group, _, rest = where.partition("[")
    number, _, entry = rest.partition("].")
    if not (entry and number.isdigit() and f'"{group}"' in text):
        return None
    at = text.index(f'"{group}"')
    decoder = json.JSONDecoder()
    at = text.find("[", at) + 1
    for turn in range(int(number) + 1):
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        try:
            end = decoder.raw_decode(text, at)[1]
        except ValueError:
            return None
        if turn == int(number):
            inside = text.find(f'"{entry}"', at, end)
            return text.count("\n", 0, inside if inside >= 0 else at) + 1
        at = end
    return None


class _Uses:
    """Which file a config.json uses for what."""

    def __init__(
        self,
        table: dict[str, Any],
        files: Sequence[File],
        config: Config,
        found: list[Finding],
    ) -> None:
        self.kinds: dict[str, str] = {}
        paths: dict[str, str] = {}  # object's name -> path
        for item in table["objects"]:
            path = _file_of(item["source"], files)
            if path is None:
                if config.complete:
                    text = (
                        f"the source of {item['name']}, {item['source']}, is not among the files: "
                        "add it, or correct the name"
                    )
                    found.append(Finding(config.path, "file-missing", ERROR, text))
                continue
            self.kinds[path] = item["kind"]
            paths[item["name"]] = path
        self.pairs: list[tuple[str, str]] = []
        self.roles: list[tuple[str, str]] = []
        for context in table["contexts"]:
            for role in ("ca", "cert", "key"):
                if context.get(role) in paths:
                    self.roles.append((paths[context[role]], role))
            if context.get("cert") in paths and context.get("key") in paths:
                self.pairs.append((paths[context["cert"]], paths[context["key"]]))
        # A device that passes over dates takes what has expired.
        contexts = table["contexts"]
        self.dates = not contexts or not all(c.get("ignorestamp") for c in contexts)
        found += rules.look_alike([item["name"] for item in table["objects"]], config.path)


def _file_of(source: str, files: Sequence[File]) -> str | None:
    """The file that is a source's on the board: the longest agreement of folders decides."""
    parts = PurePosixPath(source).parts
    best, most = None, 0
    for file in files:
        common = 0
        for mine, its in zip(
            reversed(PurePosixPath(file.path).parts), reversed(parts), strict=False
        ):
            if mine != its:
                break
            common += 1
        if common > most:
            best, most = file.path, common
    return best
