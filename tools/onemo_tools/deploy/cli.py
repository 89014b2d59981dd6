# SPDX-License-Identifier: MIT
"""`onemo deploy`."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from onemo_board.errors import MpremoteError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from onemo_tools.cli.parts import AS_JSON, BOARD, fail, need_file, need_folder
from onemo_tools.deploy import deployment, ports
from onemo_tools.deploy.deployment import Deployed, DeployError
from onemo_tools.deploy.packages import ROOT
from onemo_tools.deploy.romfs import RomfsError


def deploy(
    board: Annotated[str, BOARD],
    certs: Annotated[
        Path | None, typer.Option(help="A folder whose files go to /certs on the board.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="What goes as config.json; else the project's own.")
    ] = None,
    source: Annotated[bool, typer.Option("--source", help=".py files, not compiled.")] = False,
    romfs: Annotated[
        bool, typer.Option("--romfs", help="The library into the board's ROMFS partition.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Says what would be done, changes nothing.")
    ] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.")] = ROOT,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Puts library and application on a board: compiled, and only what changed.

    What runs on the board is interrupted; `mpremote connect PORT reset` starts it again."""
    if romfs and source:
        raise fail("deploy", "--romfs holds compiled modules: leave --source out", 2)
    try:
        more = _more(certs, config)
        ports.check(board)
        if romfs:
            done = deployment.deploy_romfs(board, root, more, dry_run=dry_run)
        else:
            files = deployment.application(root, source) | more
            done = _with_bar(board, files, dry_run, as_json)
    except (DeployError, RomfsError, MpremoteError, OSError) as error:
        raise fail("deploy", error) from None
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(done) | {"dry_run": dry_run}))
        return
    for path in done.removed:
        typer.echo(f"removed  {path}")
    for path in done.copied:
        typer.echo(f"copied   {path}")
    would = "would be " if dry_run else ""
    typer.echo(
        f"{len(done.copied)} files ({done.size} bytes) {would}copied, "
        f"{len(done.unchanged)} unchanged, {len(done.removed)} {would}removed"
    )


def _more(certs: Path | None, config: Path | None) -> dict[str, bytes]:
    files = {}
    if certs is not None:
        need_folder("deploy", certs, "the folder that holds the PEM files")
        for path in sorted(certs.iterdir()):
            if path.is_file():
                files[f"certs/{path.name}"] = path.read_bytes()
        if not files:
            raise DeployError(f"there is no file in {certs}")
    if config is not None:
        need_file("deploy", config, "a config.json")
        files["config.json"] = config.read_bytes()
        try:
            json.loads(files["config.json"])
        except ValueError as error:
            raise DeployError(f"{config} is no JSON: {error}") from None
    return files


def _with_bar(port: str, files: dict[str, bytes], dry_run: bool, quiet: bool) -> Deployed:
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("looking at the board", total=None)
        sizes = {path: len(content) for path, content in files.items()}
        under_way: list[str] = []

        def plan(what: Deployed) -> None:
            bar.update(task, total=what.size)

        def say(path: str) -> None:
            # the one before is complete when the next begins
            bar.update(task, description=path, advance=sum(sizes[p] for p in under_way))
            under_way[:] = [path]

        done = deployment.deploy(port, files, dry_run=dry_run, plan=plan, say=say)
        bar.update(task, description="done", completed=0 if dry_run else done.size)
    return done
