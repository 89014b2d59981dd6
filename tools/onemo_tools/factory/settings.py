# SPDX-License-Identifier: MIT
"""LINE.toml: one station of a line, every entry checked and named where it is wrong."""

import re
import string
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onemo_tools.factory.board import Names
from onemo_tools.factory.keys import ALGORITHMS, RSA_2048

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SettingsError(ValueError):
    """An entry of LINE.toml is missing, wrong or not known; the message names it."""


@dataclass(frozen=True)
class BatchSettings:
    name: str
    units: int
    device_name: str = "device-{number:06d}"
    label: str = "{number:06d}"


@dataclass(frozen=True)
class Pkcs11Settings:
    """A token that has the CA's key."""

    module: str  # the library of the token's maker
    token: str  # label
    key: str  # label


@dataclass(frozen=True)
class AuthoritySettings:
    certificate: Path
    key: Path | None = None
    pkcs11: Pkcs11Settings | None = None


@dataclass(frozen=True)
class CertificateSettings:
    algorithm: str = RSA_2048
    days: int = 3650
    organization: str = ""


@dataclass(frozen=True)
class ModuleSettings:
    ca_file: Path | None = None  # whom the modules trust; None: the CA of the line
    names: Names = field(default_factory=Names)
    ssl_id: int = 1
    apn: str | None = None


@dataclass(frozen=True)
class ProveSettings:
    host: str  # as the modules reach the line's own server
    port: int  # 0: the one that it listens at
    listen_host: str = "127.0.0.1"
    listen_port: int = 0
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Settings:
    """All of LINE.toml. Paths are absolute."""

    folder: Path
    station: str
    records: str
    batch: BatchSettings
    authority: AuthoritySettings
    certificate: CertificateSettings
    module: ModuleSettings
    prove: ProveSettings
    page: Path | None
    slots: dict[str, str]  # name -> port


def load(file: Path) -> Settings:
    """Reads LINE.toml. SettingsError, OSError."""
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    try:
        return _settings(_Table("", said), file.resolve().parent)
    except SettingsError as error:
        raise SettingsError(f"{file}: {error}") from None


class _Table:
    """A table of the file; what nobody asked for in the end is not known."""

    def __init__(self, name: str, said: dict[str, Any]) -> None:
        self._name, self._said, self._asked = name, said, set[str]()

    def text(self, key: str, default: str | None = None) -> str:
        return str(self._value(key, str, "a text", default))

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._value(key, int, f"a number from {low} to {high}", default)
        if not low <= int(value) <= high:
            raise SettingsError(f"{self._name}{key} is {value}: {low} to {high}")
        return int(value)

    def optional(self, key: str) -> str | None:
        return self.text(key) if key in self._said else None

    def table(self, key: str, default: dict[str, Any] | None = None) -> "_Table":
        value = self._value(key, dict, "a table", default)
        return _Table(f"{self._name}{key}.", value)

    def has(self, key: str) -> bool:
        return key in self._said

    def texts(self) -> dict[str, str]:
        return {key: self.text(key) for key in self._said}

    def finish(self) -> None:
        for key in self._said:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise SettingsError(f"{self._name}{key} is not known; there are {known}")

    def _value(self, key: str, kind: type, what: str, default: Any) -> Any:
        self._asked.add(key)
        value = self._said.get(key, default)
        if value is None:
            raise SettingsError(f"{self._name}{key} is missing: {what}")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SettingsError(f"{self._name}{key} is {value!r}: it must be {what}")
        return value


def _settings(top: _Table, folder: Path) -> Settings:
    station, records = top.text("station"), top.text("records", "records.db")
    if not _NAME.fullmatch(station):
        raise SettingsError(
            f"station is {station!r}: letters, digits, '.', '_' and '-', 64 at most"
        )
    page = top.optional("page")
    batch = _batch(top.table("batch"))
    authority = _authority(top.table("authority"), folder)
    certificate = _certificate(top.table("certificate", {}))
    module = _module(top.table("module", {}), folder)
    prove = _prove(top.table("prove"), folder)
    slots = top.table("slots", {}).texts()
    top.finish()
    for name in slots:
        check_slot(name)
    return Settings(
        folder=folder,
        station=station,
        records=records,
        batch=batch,
        authority=authority,
        certificate=certificate,
        module=module,
        prove=prove,
        page=None if page is None else folder / page,
        slots=slots,
    )


def check_slot(name: str) -> None:
    """SettingsError unless a slot may be called so."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}", name):
        raise SettingsError(f"slot {name!r}: letters, digits, '.', '_' and '-', 16 at most")


def _batch(table: _Table) -> BatchSettings:
    found = BatchSettings(
        name=table.text("name"),
        units=table.number("units", 1, 100_000_000),
        device_name=table.text("device_name", BatchSettings.device_name),
        label=table.text("label", BatchSettings.label),
    )
    table.finish()
    for key in ("device_name", "label"):
        _check_pattern(f"batch.{key}", getattr(found, key), found)
    return found


def _check_pattern(entry: str, pattern: str, batch: BatchSettings) -> None:
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]
        longest = pattern.format(number=batch.units, batch=batch.name)
    except (ValueError, KeyError, IndexError, AttributeError):
        raise SettingsError(
            f"{entry} is {pattern!r}: {{number}} and {{batch}} are known"
        ) from None
    if "number" not in fields:
        raise SettingsError(f"{entry} is {pattern!r}: without {{number}} all would be the same")
    if len(longest) > 64 or not longest.isprintable():
        raise SettingsError(f"{entry} gives {longest!r}: 64 printable characters at most")


def _authority(table: _Table, folder: Path) -> AuthoritySettings:
    certificate, key = folder / table.text("certificate"), table.optional("key")
    pkcs11 = None
    if table.has("pkcs11"):
        token = table.table("pkcs11")
        pkcs11 = Pkcs11Settings(token.text("module"), token.text("token"), token.text("key"))
        token.finish()
    table.finish()
    if (key is None) == (pkcs11 is None):
        raise SettingsError("authority: give either key, an encrypted file, or pkcs11, a token")
    return AuthoritySettings(certificate, None if key is None else folder / key, pkcs11)


def _certificate(table: _Table) -> CertificateSettings:
    found = CertificateSettings(
        algorithm=table.text("algorithm", RSA_2048),
        days=table.number("days", 1, 36500, CertificateSettings.days),
        organization=table.text("organization", ""),
    )
    table.finish()
    if found.algorithm not in ALGORITHMS:
        known = " or ".join(ALGORITHMS)
        raise SettingsError(f"certificate.algorithm is {found.algorithm!r}: {known}")
    return found


def _module(table: _Table, folder: Path) -> ModuleSettings:
    ca_file, own = table.optional("ca_file"), Names()
    found = ModuleSettings(
        ca_file=None if ca_file is None else folder / ca_file,
        names=Names(
            table.text("ca", own.ca), table.text("cert", own.cert), table.text("key", own.key)
        ),
        ssl_id=table.number("ssl_id", 0, 5, 1),
        apn=table.optional("apn"),
    )
    table.finish()
    names = [found.names.ca, found.names.cert, found.names.key]
    for name in names:
        if not 1 <= len(name) <= 64 or not re.fullmatch(r"[!#-+\--\[\]-~]+", name):
            raise SettingsError(f"module: {name!r} cannot be an object's name")
    if len(set(names)) < len(names):
        raise SettingsError("module: ca, cert and key need names of their own")
    return found


def _prove(table: _Table, folder: Path) -> ProveSettings:
    host, port = table.text("host"), table.number("port", 0, 65535)
    listen = table.text("listen", f"127.0.0.1:{port}")
    listen_host, colon, listen_port = listen.rpartition(":")
    if not colon or not listen_port.isdigit() or int(listen_port) > 65535:
        raise SettingsError(f"prove.listen is {listen!r}: ADDRESS:PORT")
    certificate, key = table.optional("certificate"), table.optional("key")
    table.finish()
    if (certificate is None) != (key is None):
        raise SettingsError("prove: certificate and key go together")
    return ProveSettings(
        host=host,
        port=port,
        listen_host=listen_host,
        listen_port=int(listen_port),
        certificate=None if certificate is None else folder / certificate,
        key=None if key is None else folder / key,
    )
