# SPDX-License-Identifier: MIT
"""`onemo deploy`."""

import dataclasses
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from onemo_board.errors import MpremoteError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from onemo_tools.certlint.checks import Config, File, lint
from onemo_tools.certlint.cli import stop_on_errors
from onemo_tools.certlint.findings import Finding
from onemo_tools.cli import exits
from onemo_tools.cli.parts import AS_JSON, BOARD, NO_LINT, fail, need_file, need_folder
from onemo_tools.deploy import deployment, folders, ports
from onemo_tools.deploy.deployment import Deployed, DeployError, Rules
from onemo_tools.deploy.folders import Folder
from onemo_tools.deploy.packages import ROOT
from onemo_tools.deploy.romfs import RomfsError, advice, build


def deploy(
    board: Annotated[str, BOARD],
    certs: Annotated[
        Path | None, typer.Option(help="A folder whose files go to /certs on the board.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="What goes as config.json; else the project's own.")
    ] = None,
    app: Annotated[
        Path | None,
        typer.Option(
            help="A folder with an application of your own, in place of the project's; in a "
            "folder that `onemo new` made, that one's."
        ),
    ] = None,
    source: Annotated[bool, typer.Option("--source", help=".py files, not compiled.")] = False,
    romfs: Annotated[
        bool, typer.Option("--romfs", help="The library into the board's ROMFS partition.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replaces files that deploy did not put there, too."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Removes what an earlier deploy put there and is no longer wanted."
        ),
    ] = False,
    no_lint: Annotated[bool, NO_LINT] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Says what would be done, changes nothing.")
    ] = False,
    root: Annotated[Path, typer.Option(help="The project's folder.")] = ROOT,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Puts library and application on a board: compiled, and only what changed.

    What deploy did not put there itself, or what was changed since, is kept and named; so is a
    config.json or an application of your own in a later deploy without --config or --app.
    /onemo.manifest on the board records what deploy put there.

    Certificates, keys and config.json are linted first, see `certs lint`: an error ends it before
    anything is copied.

    What runs on the board is interrupted; `mpremote connect PORT reset` starts it again.

    Exit status: 0 done; 3 done, but files that deploy did not put there were kept where others
    were to go; else nothing was done: `onemo --help` lists why."""
    if app is None and certs is None and config is None and root == ROOT:
        app = _product_here()
    if romfs and source:
        raise fail("deploy", "--romfs holds compiled modules: leave --source out", exits.USAGE)
    try:
        chosen = _choose(certs, config, app)
        ports.check(board)
        findings = [] if no_lint else _lint(chosen, certs, config, app)
        stop_on_errors("deploy", findings)
        options: dict[str, Any] = {
            "overwrite": overwrite,
            "prune": prune,
            "complete": bool(certs and not no_lint),
        }
        if romfs:
            alike = deployment.library(root, source=True)
            rules = replace(_rules(chosen, certs, config, app), alike=alike, **options)
            own = chosen.files if app else None
            more = None if app else chosen.files
            done = deployment.deploy_romfs(
                board, root, more, own=own, rules=rules, dry_run=dry_run
            )
        else:
            alike = deployment.library(root, not source)
            rules = replace(_rules(chosen, certs, config, app), alike=alike, **options)
            ours = deployment.library if app else deployment.application
            done = _with_bar(board, ours(root, source) | chosen.files, rules, dry_run, as_json)
    except (DeployError, RomfsError, MpremoteError, OSError) as error:
        raise fail("deploy", error) from None
    if as_json:
        said = dataclasses.asdict(done) | {"dry_run": dry_run, "skipped": chosen.skipped}
        said["lint"] = [dataclasses.asdict(finding) for finding in findings]
        typer.echo(json.dumps(said))
    else:
        _tell(done, chosen, dry_run)
        if done.rom and not romfs:
            image = len(build(deployment.library(root)))
            typer.echo(f"hint     {advice(done.rom, image)}")
    if done.incomplete:
        raise typer.Exit(exits.KEPT)


def _tell(done: Deployed, chosen: Folder, dry_run: bool) -> None:
    for path, why in chosen.skipped.items():
        typer.echo(f"skipped  {path}: {why}")
    for path in done.removed:
        typer.echo(f"removed  {path}")
    for path in done.copied:
        typer.echo(f"copied   {path}")
    for path in done.missing:
        typer.echo(f"missing  {path}: config.json names it, but it is not on the board")
    for path in done.leftover:
        typer.echo(
            f"leftover {path}: from an earlier deploy, no longer wanted; --prune removes it"
        )
    for path, why in done.kept.items():
        typer.echo(f"kept     {path}: {why}")
    would = "would be " if dry_run else ""
    also = ""
    if done.kept:
        also += f", {len(done.kept)} kept (--overwrite replaces them)"
    if done.leftover:
        also += f", {len(done.leftover)} left over"
    typer.echo(
        f"{len(done.copied)} files ({done.size} bytes) {would}copied, "
        f"{len(done.unchanged)} unchanged, {len(done.removed)} {would}removed{also}"
    )


def _product_here() -> Path | None:
    """The application of the current folder, if that is a product's: its pyproject.toml has
    `[tool.onemo]`, as `onemo new` writes it."""
    try:
        table = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
        app = table["tool"]["onemo"]["app"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(app, str):
        raise fail("deploy", "pyproject.toml: tool.onemo.app is the name of a folder", exits.USAGE)
    typer.echo(f"product  {Path(app).resolve()}, as pyproject.toml says", err=True)
    return Path(app)


def _choose(certs: Path | None, config: Path | None, app: Path | None) -> Folder:
    """The files that the user named, and what of his folders stays behind."""
    chosen = Folder()
    if app is not None:
        need_folder("deploy", app, "the folder of an application")
        chosen = folders.application(app)
        if not chosen.files:
            raise DeployError(f"there is no file in {app}")
        for path in chosen.files:
            if path.startswith("lib/onemo/"):
                raise DeployError(
                    f"{app / path}: lib/onemo is the library's own, which deploy puts there; "
                    "remove it from your folder, or use --root"
                )
    if certs is not None:
        need_folder("deploy", certs, "the folder that holds the PEM files")
        found = folders.certificates(certs)
        if not found.files:
            raise DeployError(f"there is no file in {certs}")
        chosen.files |= found.files
        chosen.skipped |= {f"{certs / path}": why for path, why in found.skipped.items()}
    if config is not None:
        need_file("deploy", config, "a config.json")
        chosen.files["config.json"] = config.read_bytes()
        try:
            json.loads(chosen.files["config.json"])
        except ValueError as error:
            raise DeployError(f"{config} is no JSON: {error}") from None
    return chosen


def _lint(
    chosen: Folder, certs: Path | None, config: Path | None, app: Path | None
) -> list[Finding]:
    """What is wrong with certificates, keys and config.json. Whether the board has all that
    config.json names is looked at there."""
    files = []
    for path, content in chosen.files.items():
        if path.startswith("certs/"):
            folder = certs if certs and (certs / path[6:]).exists() else (app or Path()) / "certs"
            files.append(File(str(folder / path[6:]), content))
    settings = None
    if "config.json" in chosen.files:
        where = config or (app or Path()) / "config.json"
        content = chosen.files["config.json"]
        settings = Config(str(where), content, complete=False, whole=app is None)
        if config is None and not _is_profile(settings.data):
            settings = None  # an application of one's own may keep anything there
    return lint(files, settings)


def _is_profile(config: bytes) -> bool:
    try:
        table = json.loads(config)
    except (ValueError, RecursionError):
        return True
    return isinstance(table, dict) and bool({"objects", "contexts"} & set(table))


def _rules(chosen: Folder, certs: Path | None, config: Path | None, app: Path | None) -> Rules:
    named = _sources(chosen.files.get("config.json"))

    def wanted(path: str) -> bool:
        """Of the files of an earlier deploy; what this one says nothing about stays wanted."""
        if path == "config.json" or path in named:
            return True
        if path.startswith("certs/"):
            return certs is None and config is None
        return app is None

    return Rules(given=frozenset(chosen.files), wanted=wanted, needed=frozenset(named))


def _sources(config: bytes | None) -> set[str]:
    """Paths on the board that a config.json names, without the leading slash."""
    try:
        objects = json.loads(config or b"{}")["objects"]
        paths = {str(item["source"]).removeprefix("/flash").lstrip("/") for item in objects}
        return {path for path in paths if path and not path.startswith("rom/")}
    except (ValueError, TypeError, KeyError, RecursionError):
        return set()


def _with_bar(
    port: str, files: dict[str, bytes], rules: Rules, dry_run: bool, quiet: bool
) -> Deployed:
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("looking at the board", total=None)
        under_way = 0

        def plan(what: Deployed) -> None:
            bar.update(task, total=what.size)

        def say(path: str, size: int) -> None:
            # the one before is complete when the next begins
            nonlocal under_way
            bar.update(task, description=path, advance=under_way)
            under_way = size

        done = deployment.deploy(port, files, rules=rules, dry_run=dry_run, plan=plan, say=say)
        bar.update(task, description="done", completed=0 if dry_run else done.size)
    return done
