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

from onemo import profile, profile_check, schema

from onemo_tools.certlint import loading, rules
from onemo_tools.certlint.findings import ERROR, WARNING, Finding
from onemo_tools.certlint.places import Places

PORTS = {"esp32": "esp32", "rp2": "rp2", "stm32": "pyboard"}  # name -> the board's sys.platform
_ENDINGS = (".pem", ".crt", ".cer", ".cert", ".der", ".key")


@dataclass(frozen=True)
class File:
    """A file of the PC. `kind`: "cert" or "key", where it is known."""

    path: str
    data: bytes = field(repr=False)
    kind: str | None = None


class NoServer(ValueError):
    """Nobody says what a server's certificate is to be compared with."""


@dataclass(frozen=True)
class Config:
    """A config.json. `complete`: all that it names has to be among the files. `whole`: it is for
    main.py, so that all must be there, and nothing else. `port`: sys.platform of the board."""

    path: str
    data: bytes
    complete: bool = True
    whole: bool = False
    port: str | None = None


def lint(
    files: Sequence[File],
    config: Config | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    now: datetime.datetime | None = None,
    server: File | None = None,
    host: str | None = None,
) -> list[Finding]:
    """All findings, in the order of the files. `pairs`: (certificate's path, key's path) that have
    to belong together. `server`: the certificate of the server that is connected to; `host`: the
    name that it is connected by, else the configuration's. Without `server` each of the files that
    can be one is taken for it, if there is a `host`; NoServer if there is none."""
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
    roles = uses.roles if uses else ()
    found += rules.together(loaded, pairs, roles)
    if server is not None:
        host = host or (uses.host if uses else None)
        one = loading.load(server.path, server.data, loading.CERT)
        found += [*one.findings, *rules.one_file(one, now, True)]
        if host is not None:
            found += rules.server(one, host)
        elif not _has_errors(found):
            raise NoServer("which host is the server's? Give --server-name, or --config")
    elif host is not None:
        servers = rules.servers(loaded, pairs, roles)
        if not servers and not _has_errors(found):
            raise NoServer("which file is the server's certificate? Give it as --server-cert")
        for one in servers:
            found += rules.server(one, host)
    if not uses:
        for folder in sorted({PurePosixPath(file.path).parent for file in files}):
            names = [
                PurePosixPath(f.path).name for f in files if PurePosixPath(f.path).parent == folder
            ]
            found += rules.look_alike(names, str(folder))
    place = {file.path: number for number, file in enumerate(files)}
    return sorted(dict.fromkeys(found), key=lambda finding: place.get(finding.file, -1))


def _has_errors(found: Sequence[Finding]) -> bool:
    return any(finding.severity == ERROR for finding in found)


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
    """The table, checked as the device checks it; None where it says nothing of the files."""

    def say(code: str, text: str, line: int | None = None, column: int | None = None) -> None:
        severity = WARNING if code == "unknown-entry" else ERROR
        found.append(Finding(config.path, code, severity, text, line, column))

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
        places = Places(text)
    except json.JSONDecodeError as error:
        say("bad-config", f"no JSON: {error.msg}", error.lineno, error.colno)
        return None
    except RecursionError:
        say("bad-config", "no JSON that a board reads: it is nested too deep")
        return None
    for path, line, column in places.twice:
        say("bad-config", f"{path} is there a second time: take one away", line, column)
    if not isinstance(table, dict):
        say("bad-config", 'it must be an object: {"objects": [...], "contexts": [...]}')
        return None
    usable = True
    for said in _faults(table, config):
        say("bad-config", said, places.line_of(said))
        usable = usable and not said.startswith(profile.PARTS)
    if not config.whole:
        known = [row[0] for row in schema.children("", "")]
        for name in table:
            if name not in known and not schema.nearest(name, known):
                text = f"{name} is not known to main.py: take it away, or read it yourself"
                say("unknown-entry", text, places.line_of(name))
    return table if usable else None


def _faults(table: dict[str, Any], config: Config) -> list[str]:
    """In the words of the device. Where nobody says which port the board is of, it is the one for
    which least is wrong."""
    known = [row[0] for row in schema.children("", "")]
    part = None if config.whole else [n for n in known if n in table or n in profile.PARTS]
    ports = [config.port] if config.port else PORTS.values()
    return min(
        (list(profile_check.faults(table, part, port=port)) for port in ports),
        key=len,
    )


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
            if not item.get("source"):
                continue  # it has an md5: the module has it already
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
        endpoint = table.get("endpoint")
        host = endpoint.get("host") if isinstance(endpoint, dict) else None
        self.host = host if isinstance(host, str) and host else None
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
