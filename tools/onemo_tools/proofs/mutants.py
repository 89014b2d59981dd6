# SPDX-License-Identifier: MIT
"""Mutation testing: `make mutants` breaks the driver's core in one small way at a time and sees
whether a test notices.

mutmut makes the mutants, in a copy under build/mutants; the working copy is read only.
mutants_plugin.py tries them. pyproject.toml says which modules and which tests are the core's;
`--module` tries one of the others, with its own tests (SLICES), or `all` of them, one slice after
the other; `--sample` takes a number of each slice's mutants, drawn by `--seed`. Printed are the
counts of each module and the difference that each surviving mutant makes; the exit status is 1
where fewer were killed in a module than `--floor` says. A mutant that makes a test compute for
ever counts as killed: the tests end it, as they would end in CI. One that no test of its slice
reaches has survived.

Four kinds are counted apart, as neither killed nor survived, and are not tried:

- what only rewords a sentence: the mutant differs in the letters of one literal of three words or
  more, which is neither compared with anything nor searched for. What a sentence has to name (the
  value, the way out) is for the tests of that sentence; its wording is free.
- what only changes which modules are let go of (`unload`): on a PC, where these tests run, that
  does nothing; on a board the heap's figures show it.
- what makes a name begin with another false value (None for False) where the library, or for a
  local name its function, never asks anything of that name but whether it is true.
- what changes nothing that anybody could see: mutants_equivalent.py has each, or the form of those
  that change nothing wherever they stand, with why. An entry that matches no mutant any more is
  printed.
"""

from __future__ import annotations

import fnmatch
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from .mutants_equivalent import ANYWHERE, EQUIVALENT
from .mutants_plugin import WORK

ROOT = Path(__file__).parents[3]
STAGE = ROOT / "build" / "mutants"
FLOOR = 95.0  # per cent

KILLED = ("killed", "timeout")
APART = ("reworded", "unloading", "falsy", "equivalent")
ALL = "all"  # slices

_IDENTITY = (
    "identity/test_talks.py",
    "identity/test_sync.py",
    "identity/test_rotate.py",
    "identity/test_proven.py",
    "identity/test_fronts.py",
)

# Modules beyond the core, each with the tests that are about it.
SLICES: dict[str, tuple[str, ...]] = {
    "at_resync": (
        "driver/test_resync.py",
        "driver/test_start.py",
        "driver/test_told.py",
        "sockets/test_confirmed.py",
        "sockets/test_wire.py",
    ),
    "at_retry": (
        "driver/test_transient.py",
        "driver/test_attach.py",
        "driver/test_commands.py",
        "driver/test_start.py",
    ),
    "at_confirm": (
        "driver/test_faults_of_answers.py",
        "driver/test_true_means_true.py",
        "driver/test_transient.py",
        "driver/test_start.py",
    ),
    "tls": (
        "driver/test_tls_wire.py",
        "driver/test_tls.py",
        "driver/test_tls_option.py",
        "driver/test_told.py",
        "driver/test_restore.py",
        "sockets/test_wire.py",
        "sockets/test_proof.py",
    ),
    "tls_option": (
        "driver/test_tls_wire.py",
        "driver/test_tls_option.py",
        "driver/test_told.py",
        "driver/test_tls.py",
        "sockets/test_wire.py",
    ),
    "tls_configure": (
        "driver/test_tls_wire.py",
        "driver/test_tls.py",
        "driver/test_told.py",
        "driver/test_tls_option.py",
    ),
    "net_tls": ("sockets/test_tls_stream.py",),
    "net_links": (
        "sockets/test_wire.py",
        "sockets/test_udp_wire.py",
        "driver/test_tls_wire.py",
        "sockets/test_connections.py",
        "sockets/test_failures.py",
        "sockets/test_proof.py",
        "sockets/test_streams.py",
        "sockets/test_connect_id.py",
    ),
    "net_flow": (
        "sockets/test_wire.py",
        "sockets/test_streams.py",
        "sockets/test_failures.py",
        "sockets/test_proof.py",
        "sockets/test_confirmed.py",
        "sockets/test_idle.py",
        "sockets/test_connections.py",
        "sockets/test_socket_module.py",
        "sockets/test_udp_wire.py",
        "driver/test_transient.py",
    ),
    "net_seldom": (
        "sockets/test_wire.py",
        "sockets/test_failures.py",
        "sockets/test_confirmed.py",
        "sockets/test_idle.py",
        "sockets/test_connections.py",
        "driver/test_transient.py",
    ),
    "net_stream": (
        "sockets/test_socket_module.py",
        "sockets/test_stand_in.py",
        "sockets/test_wire.py",
        "sockets/test_udp_wire.py",
        "sockets/test_connect_id.py",
        "sockets/test_streams.py",
        "sockets/test_failures.py",
    ),
    "net_socket": (
        "sockets/test_socket_module.py",
        "sockets/test_stand_in.py",
    ),
    "net_stand_in": ("sockets/test_stand_in.py",),
    "net_udp": ("sockets/test_udp_wire.py",),
    "net_udp_socket": ("sockets/test_udp.py",),
    "error_numbers": ("sockets/test_stand_in.py",),
    "provisioning": _IDENTITY,
    "provisioning_entry": (*_IDENTITY, "identity/test_entry.py"),
    "provisioning_identity": _IDENTITY,
    "provisioning_journal": (*_IDENTITY, "identity/test_journal.py"),
    "provisioning_objects": _IDENTITY,
    "provisioning_rotate": _IDENTITY,
    "schema": ("pure/test_schema.py",),
    "profile_check": (
        "pure/test_schema.py",
        "pure/test_profile.py",
        "identity/test_sync.py",
    ),
    "profile": (
        "pure/test_profile.py",
        "pure/test_schema.py",
        "identity/test_sync.py",
    ),
    "cert_upload_inline": (
        "driver/test_inline.py",
        "driver/test_unknown_uploads.py",
    ),
    "cert_upload_counted": ("driver/test_inline_anywhere.py",),
    "cert_psk": (
        "driver/test_psk.py",
        "driver/test_restore.py",
        "driver/test_true_means_true.py",
        "identity/test_sync.py",
    ),
    "cert_restore": ("driver/test_restore.py",),
    "cert_pem": (
        "pure/test_pem.py",
        "pure/test_pem_cases.py",
    ),
    "cert_pem_faults": (
        "pure/test_pem.py",
        "pure/test_pem_sentences.py",
        "pure/test_pem_cases.py",
    ),
    "cert_der": ("pure/test_der_files.py",),
    "cert_digest": (
        "pure/test_digest.py",
        "driver/test_certs.py",
        "driver/test_commands.py",
        "driver/test_store_words.py",
    ),
    "cert_validity": ("renew/test_validity.py",),
    "network": (
        "driver/test_attach_talks.py",
        "driver/test_attach.py",
    ),
    "aio": (
        "sockets/test_aio_naps.py",
        "sockets/test_aio.py",
    ),
    "supervisor": ("driver/test_supervisor.py",),
    "aio_stream": (
        "sockets/test_aio_naps.py",
        "sockets/test_aio.py",
    ),
}


def sliced(config: str, name: str) -> str:
    """pyproject.toml, with one module to mutate and its tests instead of the core's."""
    tests = [f"tests_host/{path}" for path in SLICES[name]]
    for key, values in (
        ("only_mutate", [f"src/onemo/{name}.py"]),
        ("pytest_add_cli_args_test_selection", tests),
    ):
        made = f"{key} = {json.dumps(values)}"
        config, count = re.subn(
            rf"^{key} = \[.*?^\]", made, config, flags=re.MULTILINE | re.DOTALL
        )
        if count != 1:
            raise ValueError(f"pyproject.toml has no {key}")
    return config


def stage(name: str = "") -> None:
    """A copy of all that the tests need; lib becomes src, as mutmut knows it. `name`: a slice."""
    shutil.rmtree(STAGE, ignore_errors=True)
    no_caches = shutil.ignore_patterns("__pycache__")
    for source, copy in (("lib", "src"), ("tests_host", "tests_host"), ("tools", "tools")):
        shutil.copytree(ROOT / source, STAGE / copy, ignore=no_caches)
    shutil.copy(ROOT / "config.json", STAGE)
    config = (ROOT / "pyproject.toml").read_text()
    (STAGE / "pyproject.toml").write_text(sliced(config, name) if name else config)


def environment(**more: str) -> dict[str, str]:
    """Ours, but with the copy's tools and library."""
    path = os.pathsep.join(str(STAGE / folder) for folder in ("src", "tools"))
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", **more}


def run(jobs: int, names: list[str]) -> dict[str, Any]:
    """Tries mutants: {"verdicts": {mutant: what became of it}}, or {"failed": [(test, why)]} if
    that is so without any."""
    config = tomllib.loads((STAGE / "pyproject.toml").read_text())["tool"]["mutmut"]
    work = STAGE / "work.json"
    work.write_text(json.dumps({"mutants": names, "jobs": jobs}))
    done = work.with_suffix(".verdicts")
    done.unlink(missing_ok=True)
    arguments = [*config["pytest_add_cli_args"], *config["pytest_add_cli_args_test_selection"]]
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir=.", "--tb=native", *arguments],
        cwd=STAGE,
        env=environment(**{WORK: str(work)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout
    if not done.exists():
        return {"failed": [("pytest", said)]}
    found: dict[str, Any] = json.loads(done.read_text())
    return found


class Mutant(NamedTuple):
    """What a mutant changes."""

    lines: list[str]  # - before, + after
    kind: str = ""  # of APART, if it is of one that shows in the lines

    @property
    def change(self) -> str:
        """In one line, as mutants_equivalent.py has it: before -> after."""
        sides = [" / ".join(line[2:] for line in self.lines if line[0] == sign) for sign in "-+"]
        return " -> ".join(sides)


def listed() -> dict[str, Mutant]:
    """Every mutant of the copy's modules, by name. The copy has them from now on."""
    done = subprocess.run(
        [sys.executable, "-m", "onemo_tools.proofs.mutants_listed"],
        cwd=STAGE,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name: Mutant(**parts) for name, parts in json.loads(done.stdout).items()}


def apart(every: dict[str, Mutant]) -> dict[str, str]:
    """Those that are not tried, and as what they are counted."""
    found = {}
    for name, mutant in every.items():
        if mutant.kind:
            found[name] = mutant.kind
        elif (function(name), mutant.change) in EQUIVALENT or same_anywhere(mutant.change):
            found[name] = "equivalent"
    return found


def same_anywhere(change: str) -> bool:
    """Whether a change is one of those that change nothing wherever they stand."""
    before, _, after = change.partition(" -> ")
    return any(
        after == before[: place.start()] + place.expand(put) + before[place.end() :]
        for taken, put in ANYWHERE
        for place in re.finditer(taken, before)
    )


def stale(every: dict[str, Mutant]) -> list[str]:
    """Of the modules at hand, what mutants_equivalent.py has and mutmut no longer makes."""
    made = {(function(name), mutant.change) for name, mutant in every.items()}
    modules = {module_of(name) for name in every}
    return [
        f"{where}: {change}"
        for where, change in EQUIVALENT
        if where.split(".")[0] in modules and (where, change) not in made
    ]


def drawn(names: Iterable[str], count: int, seed: int = 0) -> list[str]:
    """`count` of the mutants, the same ones each time for a seed."""
    names = sorted(names)
    return random.Random(seed).sample(names, min(count, len(names)))


def readable(name: str) -> str:
    """onemo.at_channel.xǁChannelǁpoll__mutmut_3 as channel.Channel.poll 3."""
    path, _, number = name.removeprefix("onemo.").partition("__mutmut_")
    group, _, function = path.partition(".x")
    return f"{group}.{function.removeprefix('_').strip('ǁ').replace('ǁ', '.')} {number}"


def function(name: str) -> str:
    """Module and function of a mutant: channel.Channel.poll."""
    return readable(name).rpartition(" ")[0]


def module_of(name: str) -> str:
    """Which module a mutant is of: onemo.at_channel.xǁChannelǁpoll__mutmut_3 is of channel."""
    return name.split(".")[-2]


def rate(counts: Counter[str]) -> float:
    """Killed, in per cent of those that were tried."""
    return 100 * sum(counts[verdict] for verdict in KILLED) / max(1, number_tried(counts))


def number_tried(counts: Counter[str]) -> int:
    """How many were not apart."""
    return counts.total() - sum(counts[verdict] for verdict in APART)


def by_module(found: dict[str, str]) -> dict[str, Counter[str]]:
    """Verdicts counted by module, in order."""
    counts: dict[str, Counter[str]] = {}
    for name, verdict in sorted(found.items()):
        counts.setdefault(module_of(name), Counter())[verdict] += 1
    return counts


def table(found: dict[str, str]) -> Table:
    """Counts by module."""
    drawn = Table(title="mutants")
    columns = ("killed", "timeout", "survived", "other", "tried", *APART, "per cent")
    drawn.add_column("module")
    for column in columns:
        drawn.add_column(column, justify="right")
    counts = by_module(found)
    for group, seen in {**counts, "all": sum(counts.values(), Counter[str]())}.items():
        told = [seen[verdict] for verdict in (*KILLED, "survived")]
        skipped = [seen[verdict] for verdict in APART]
        tried = number_tried(seen)
        cells = [*told, tried - sum(told), tried, *skipped]
        drawn.add_row(group, *map(str, cells), f"{rate(seen):.1f}")
    return drawn


def tried(slice_: str, jobs: int, only: str, sample: int, seed: int) -> dict[str, str]:
    """Tries the mutants of the core, or of a slice; prints who survived. What became of each."""
    console = Console()
    stage(slice_)
    every = listed()
    for entry in stale(every):
        console.print(f"mutants_equivalent.py: no such mutant: {entry}", markup=False)
    if only:
        every = {name: every[name] for name in every if fnmatch.fnmatch(name, only)}
    found = apart(every)
    names = [name for name in every if name not in found]
    if sample:
        names = drawn(names, sample, seed)
    if not names:
        return found
    results = run(jobs, names)
    for test, why in results.get("failed", ()):
        console.print(f"{test} fails without any mutant:\n{why}", markup=False, soft_wrap=True)
        raise typer.Exit(2)
    found.update({name: results["verdicts"][name] for name in names})
    for name in names:
        if found[name] not in KILLED:
            text = "\n".join([f"{readable(name)}, {found[name]}:", *every[name].lines])
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    return found


def main(
    floor: Annotated[float, typer.Option(help="per cent that have to be killed")] = FLOOR,
    jobs: Annotated[int, typer.Option(help="processes")] = os.cpu_count() or 1,
    only: Annotated[str, typer.Option(help="mutants to try, such as 'onemo.at_syntax.*'")] = "",
    module: Annotated[
        str, typer.Option(help=f"instead: of {', '.join(SLICES)}, some with commas, or {ALL}")
    ] = "",
    sample: Annotated[int, typer.Option(min=0, help="so many of each, drawn by seed")] = 0,
    seed: Annotated[int, typer.Option(help="of the sample")] = 0,
) -> None:
    """Tries every mutant and prints what the tests did not notice."""
    slices = list(SLICES) if module == ALL else module.split(",")
    for name in slices:
        if name and name not in SLICES:
            raise typer.BadParameter(f"there is no {name!r}; there are {', '.join(SLICES)}")
    began = time.monotonic()
    console = Console()
    found: dict[str, str] = {}
    for name in slices:
        found.update(tried(name, jobs, only, sample, seed))
    console.print(table(found))
    killed = rate(Counter(found.values()))
    minutes = (time.monotonic() - began) / 60
    console.print(f"{killed:.1f} % killed, {floor:g} % wanted; {minutes:.0f} minutes")
    poor = [
        name
        for name, counts in by_module(found).items()
        if number_tried(counts) and rate(counts) < floor
    ]
    if poor:
        console.print(f"too few in {', '.join(poor)}")
    raise typer.Exit(bool(poor) or not found)


if __name__ == "__main__":
    typer.run(main)
