# SPDX-License-Identifier: MIT
"""The tables of models and of commands, made from what the driver itself reads, and of libraries,
made from what a test runs.

python -m onemo_tools.lint.tables README.md              # writes them between their markers
python -m onemo_tools.lint.tables docs/models.md         # has that of the models only
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from onemo import models

from .libraries import FRONTS, LIBRARIES, MODES

_ENCODINGS = ("ascii", "hex", "escaped")
_ALGORITHMS = ("MD5", "SHA", "SHA256", "CRC")
_VERSIONS = {0: "SSL 3.0", 1: "TLS 1.0", 2: "TLS 1.1", 3: "TLS 1.2"}
_SOURCES = (
    ("M", "SSL manual V5.3.0"),
    ("N", "later manuals"),
    ("F", "field"),
    ("Q", "one other source"),
)

# Command as typed, its section in the SSL manual, the method that sends it. A test runs each.
COMMANDS = (
    ("AT+MSSLCFG=?", "3.1", "tls.options()"),
    ('AT+MSSLCFG="<option>"', "3.1", "tls.read_all(option)"),
    ('AT+MSSLCFG="<option>",<ssl_id>', "3.1", "tls.get(option)"),
    ('AT+MSSLCFG="<option>",<ssl_id>', "3.1", "tls.read()"),
    ('AT+MSSLCFG="<option>",<ssl_id>,…', "3.1", "tls.set(option, value)"),
    ('AT+MSSLCFG="<option>",<ssl_id>,…', "3.1", "tls.configure(…)"),
    ("AT+MSSLCERTWR=?", "3.2", 'modem.command("+MSSLCERTWR=?")'),
    ('AT+MSSLCERTWR="<name>",…', "3.2", "certs.write(name, source)"),
    ("AT+MSSLKEYWR=?", "3.3", 'modem.command("+MSSLKEYWR=?")'),
    ('AT+MSSLKEYWR="<name>",…', "3.3", "certs.write(name, source, KEY)"),
    ('AT+MSSLCERTRD="<name>"', "3.4", "certs.read(name, sink)"),
    ("AT+MSSLLIST=<type>", "3.5", "certs.list(kind)"),
    ('AT+MSSLRM="<name>"', "3.6", "certs.remove(name)"),
    ('AT+MSSLPSK="<pskid>",…', "3.7", "certs.write_psk(pskid, psk)"),
    ("AT+MSSLCHECK=?", "3.8", "certs.algorithms()"),
    ('AT+MSSLCHECK="<name>"', "3.8", "certs.digest(name)"),
    ('AT+MSSLCHECK="<name>",<alg>', "3.8", "certs.digest(name, algorithm)"),
    ("AT+MSSLCIPHER=?", "3.9", "modem.ciphers()"),
    ('AT+MIPCFG="ssl",…', "4.1", "modem.connect(host, port, tls)"),
)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _of(names: tuple[str, ...], numbers: tuple[int, ...]) -> str:
    return "all" if len(numbers) == len(names) else ", ".join(names[n] for n in numbers)


def _tls(model: models.Model) -> str:
    if not model.tls:
        return "none"
    if not model.certain:
        return "the module is asked"
    links = "" if model.tls_links is None else f", {model.tls_links} at once"
    return ("yes" if model.mipcfg_ssl else "if the module takes it") + links


def _versions(model: models.Model) -> str:
    if not model.tls:
        return ""
    names = [_VERSIONS[n] for n in model.versions if n in _VERSIONS]
    text = "all" if len(names) == len(_VERSIONS) else ", ".join(names)
    return text + (", SNI" if model.sni else "")


def _store(model: models.Model) -> str:
    if model.ram_store:
        return "`restore()`, after each boot too"
    return "`restore()`" if model.volatile else "kept"


def _sources(model: models.Model) -> str:
    return ", ".join(text for letter, text in _SOURCES if letter in model.source)


def _as_delivered(model: models.Model) -> str:
    if model.sleep_permanent:
        return "not known"
    return "sleeps" if model.sleeps else "awake"


def _store_cells(model: models.Model) -> tuple[str, ...]:
    return (
        "behind `>`" if model.prompt else "in the command",
        _of(_ENCODINGS, model.encodings),
        _of(_ALGORITHMS, model.algorithms),
        "yes" if model.psk else "no",
        "yes" if model.ciphers else "no",
        _store(model),
    )


def model_table() -> str:
    """Model x capability."""
    head = (
        "series",
        "sub-models",
        "ssl_id",
        "connections",
        "certificates go in",
        "encodings",
        "MSSLCHECK",
        "PSK",
        "MSSLCIPHER",
        "after deep sleep",
        "TLS connections",
        "versions",
        "as delivered",
        "known from",
    )
    rows: list[tuple[str, ...]] = [
        (
            model.name,
            " ".join("-" + name[len(model.name) + 1 :] for name in submodels),
            f"0..{model.ssl_ids - 1}" if model.tls else "",
            str(model.connections),
            *(_store_cells(model) if model.tls else ("",) * 6),
            _tls(model),
            _versions(model),
            _as_delivered(model),
            _sources(model),
        )
        for model, submodels in models.every()
    ]
    return _table(head, rows)


def command_table() -> str:
    """Command x method."""
    head = ("command", "manual", "method")
    return _table(head, [(f"`{typed}`", section, f"`{do}`") for typed, section, do in COMMANDS])


def library_table() -> str:
    """Library x front x TLS."""
    words = {"plain": "no TLS", "module": "TLS in the module", "board": "TLS on the board"}
    head = ("library", "from", *(f"{front}: {words[mode]}" for front in FRONTS for mode in MODES))
    rows: list[tuple[str, ...]] = [
        (
            f"`{library.name}`",
            library.source,
            *(library.cells[front, mode] for front in FRONTS for mode in MODES),
        )
        for library in LIBRARIES
    ]
    return _table(head, rows)


TABLES = {"models": model_table, "commands": command_table, "libraries": library_table}


def filled(text: str, names: Iterable[str] = TABLES) -> str:
    """`text` with each table between its markers. ValueError: a marker is missing."""
    for name in names:
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        start = text.find(begin)
        stop = text.find(end, start)
        if start < 0 or stop < 0:
            raise ValueError(f"no lines {begin.strip()} and {end}, in this order")
        text = text[: start + len(begin)] + TABLES[name]() + "\n" + text[stop:]
    return text


def main(file: str) -> None:
    """Write the tables into `file`: all, but into docs/models.md that of the models alone."""
    path = Path(file)
    names = ("models",) if path.name == "models.md" else tuple(TABLES)
    path.write_text(filled(path.read_text(encoding="utf-8"), names), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m onemo_tools.lint.tables FILE")
    main(sys.argv[1])
