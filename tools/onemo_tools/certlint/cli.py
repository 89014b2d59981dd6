# SPDX-License-Identifier: MIT
"""`onemo certs lint`."""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from onemo_tools.certlint.checks import PORTS, Config, File, NoServer, lint
from onemo_tools.certlint.findings import ERROR, WARNING, Finding, status
from onemo_tools.certlint.loading import load
from onemo_tools.certlint.mend import KEY, Mended, mend
from onemo_tools.cli import exits
from onemo_tools.cli.parts import fail, need_file, note_json
from onemo_tools.deploy import folders

_OWN_ENDINGS = (".pem", ".crt", ".cer", ".cert", ".key")


def lint_command(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE|DIR]...", help="Certificates and keys.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The config.json that names the files.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="A private key, to belong to --cert.")] = None,
    cert: Annotated[Path | None, typer.Option(help="A certificate, to belong to --key.")] = None,
    server_cert: Annotated[
        Path | None,
        typer.Option(help="The server's certificate: is it for the host that is connected to?"),
    ] = None,
    server_name: Annotated[
        str | None,
        typer.Option(
            metavar="HOST", help="The host that is connected to; else endpoint.host of --config."
        ),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(PORTS), help="The board's port, whose limits --config has to keep."
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Writes mended copies into DIR, and looks at these."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="A list of JSON objects, for a machine.", callback=note_json),
    ] = False,
) -> None:
    """Looks at certificates, keys and config.json before they go to a device.

    Says what is wrong, where, and what to do. Errors are what makes a device surely fail.
    `--fix` takes PEM blocks out of text, JSON, base64 and DER, wraps their lines, and puts chains
    in order; keys are written for their owner only, and no file is ever overwritten.

    `--server-cert` and `--server-name` look whether the server's certificate is for its host,
    which modules do not. Without `--server-cert` that is each certificate that is neither a CA's
    nor the device's own.

    Exit status: 0 clean, 1 warnings only, 2 errors (and wrong usage)."""
    given = [*(paths or ()), *(path for path in (cert, key) if path is not None)]
    if not given and config is None and server_cert is None:
        raise fail("certs", "say what to look at: files, a folder, or --config", 2)
    if platform is not None and platform not in PORTS:
        raise fail("certs", f"--platform {platform} is none of {', '.join(PORTS)}", 2)
    found: list[Finding] = []
    files = list({file.path: file for file in gather(given, cert, key, found)}.values())
    settings = None
    if config is not None:
        need_file("certs", config, "a config.json", 2)
        port = PORTS[platform] if platform else None
        settings = Config(str(config), _read(config), complete=bool(given), port=port)
    server = None
    if server_cert is not None:
        need_file("certs", server_cert, "the server's certificate", 2)
        server = File(str(server_cert), _read(server_cert))
    pairs = [(str(cert), str(key))] if cert and key else None
    if fix is not None:
        try:
            files, unmended = write_mended(files, fix)
        except OSError as error:
            raise fail("certs", error, 2) from None
        for file in unmended:
            found += [finding for finding in lint([file]) if finding.severity == ERROR]
        pairs = _pairs_after(pairs, files)
    try:
        found += lint(files, settings, pairs, server=server, host=server_name)
    except NoServer as error:
        raise fail("certs", error, 2) from None
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in found]))
    else:
        tell(found, Console())
        if not found:
            typer.echo(f"clean: {len(files)} files")
    raise typer.Exit(status(found))


def stop_on_errors(command: str, findings: Sequence[Finding]) -> None:
    """For commands that look before they send: tells what was found, on standard error, and ends
    the command if there are errors."""
    tell(findings, Console(stderr=True))
    if any(finding.severity == ERROR for finding in findings):
        said = "nothing was sent: correct the errors above, or add --no-lint"
        raise fail(command, said, exits.REFUSED)


def gather(
    paths: Sequence[Path], cert: Path | None, key: Path | None, found: list[Finding]
) -> list[File]:
    """The files that are named, and those of the folders that are. What cannot be looked at is a
    finding."""
    files = []
    for path in paths:
        if path.is_dir():
            inside = folders.certificates(path)
            for name, why in inside.skipped.items():
                text = f"deploy does not take it along, {why}"
                found.append(Finding(str(path / name), "file-unwanted", WARNING, text))
            for name, data in inside.files.items():
                files.append(File(str(path / name.removeprefix("certs/")), data))
        elif why := folders.unreadable(path):
            found.append(Finding(str(path), "unreadable", ERROR, f"{why}: give a PEM file"))
        else:
            kind = "cert" if path == cert else "key" if path == key else None
            files.append(File(str(path), path.read_bytes(), kind))
    return files


def tell(findings: Sequence[Finding], console: Console) -> None:
    """Findings for people: one a line, and their number."""
    for finding in findings:
        line = Text()
        where = [finding.file, *(str(n) for n in (finding.line, finding.column) if n is not None)]
        line.append(":".join(where) + ": ", "bold")
        line.append(finding.severity, "red" if finding.severity == ERROR else "yellow")
        line.append(f" [{finding.code}] ", "dim")
        line.append(finding.text)
        console.print(line, soft_wrap=True)
    if findings:
        errors = sum(finding.severity == ERROR for finding in findings)
        console.print(f"{errors} errors, {len(findings) - errors} warnings", highlight=False)


def write_mended(files: Sequence[File], folder: Path) -> tuple[list[File], list[File]]:
    """Writes what can be made of `files` into `folder`: the copies, and the files of which none
    could be made. FileExistsError, with nothing written, where one is there already."""
    plans: dict[Path, tuple[File, Mended]] = {}
    unmended = []
    for file in files:
        # What is still none is not written: it may be a key under a certificate's label.
        made = [
            one for one in mend(file.data) if not load(file.path, one.content, one.kind).findings
        ]
        if not made:
            unmended.append(file)
        for one in made:
            target = folder / _target(file, one, len(made) > 1)
            number = 2
            while target in plans:
                target = target.with_stem(f"{target.stem}-{number}")
                number += 1
            plans[target] = (file, one)
    for target in plans:
        if target.exists() or target.is_symlink():
            raise FileExistsError(f"{target} is there already: give --fix an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for target, (file, one) in plans.items():
        mode = 0o600 if one.kind == KEY else 0o644
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as out:
            out.write(one.content)
        typer.echo(f"{target}: {'; '.join(one.done) or 'as it was'} ({file.path})", err=True)
        copies.append(File(str(target), one.content, one.kind))
    return copies, unmended


def _target(file: File, one: Mended, several: bool) -> str:
    path = Path(file.path)
    if path.suffix.lower() in _OWN_ENDINGS and not several:
        return path.name
    ending = ".key" if one.kind == KEY else ".pem"
    return path.stem + (f"-{one.suffix}" if one.suffix else "") + ending


def _pairs_after(
    pairs: list[tuple[str, str]] | None, copies: Sequence[File]
) -> list[tuple[str, str]] | None:
    """The pair once more, of the copies."""
    if pairs is None:
        return None
    certs = [file.path for file in copies if file.kind != KEY]
    keys = [file.path for file in copies if file.kind == KEY]
    return [(certs[-1], keys[-1])] if certs and keys else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise fail("certs", error, 2) from None
