# SPDX-License-Identifier: MIT
"""Mutation testing: `make mutants` breaks the driver's core in one small way at a time and sees
whether a test notices.

mutmut works on a copy under build/mutants; the working copy is read only. pyproject.toml says
which modules and which tests are the core's; `--module` tries one of the others, with its own
tests (SLICES), and `--sample` a number of mutants that are drawn by seed. Printed are the counts
of each module and the difference that each surviving mutant makes; the exit status is 1 where
fewer were killed than `--floor` says. A mutant that makes a test run for ever counts as killed:
the tests end it, as they would end in CI.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[3]
STAGE = ROOT / "build" / "mutants"
FLOOR = 95.0  # per cent
MEMORY = 3 << 30  # bytes of address space a process may take: some mutants fill what there is

KILLED = ("killed", "timeout")

_IDENTITY = (
    "identity/test_sync.py",
    "identity/test_rotate.py",
    "identity/test_proven.py",
    "identity/test_fronts.py",
)

# Modules beyond the core, each with the tests that are about it.
SLICES: dict[str, tuple[str, ...]] = {
    "at_resync": ("driver/test_start.py", "driver/test_commands.py", "driver/test_phases.py"),
    "tls": ("driver/test_tls.py", "driver/test_true_means_true.py", "sockets/test_proof.py"),
    "net_links": (
        "sockets/test_connections.py",
        "sockets/test_failures.py",
        "sockets/test_proof.py",
        "sockets/test_streams.py",
    ),
    "net_flow": (
        "sockets/test_streams.py",
        "sockets/test_failures.py",
        "sockets/test_proof.py",
        "sockets/test_aio.py",
    ),
    "net_stream": ("sockets/test_streams.py", "sockets/test_failures.py"),
    "net_socket": ("sockets/test_socket_module.py", "sockets/test_stand_in.py"),
    "net_stand_in": ("sockets/test_stand_in.py",),
    "net_udp": ("sockets/test_udp.py",),
    "net_udp_socket": ("sockets/test_udp.py",),
    "error_numbers": ("sockets/test_stand_in.py",),
    "provisioning": _IDENTITY,
    "provisioning_entry": _IDENTITY,
    "provisioning_journal": _IDENTITY,
    "provisioning_objects": _IDENTITY,
    "provisioning_identity": ("identity/test_proven.py", "identity/test_fronts.py"),
    "provisioning_rotate": _IDENTITY,
    "schema": ("pure/test_schema.py",),
    "profile_check": ("pure/test_schema.py", "pure/test_profile.py", "identity/test_sync.py"),
    "profile": ("pure/test_profile.py", "identity/test_sync.py"),
    "cert_upload_inline": ("driver/test_inline.py",),
    "cert_psk": ("driver/test_psk.py", "driver/test_restore.py", "identity/test_sync.py"),
    "cert_restore": ("driver/test_restore.py",),
    "cert_pem": ("pure/test_pem.py", "driver/test_pem_properties.py"),
    "network": ("driver/test_start.py", "sockets/test_clock.py", "sockets/test_connections.py"),
    "aio": ("sockets/test_aio.py", "identity/test_fronts.py"),
    "aio_stream": ("sockets/test_aio.py",),
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
    config = (ROOT / "pyproject.toml").read_text()
    (STAGE / "pyproject.toml").write_text(sliced(config, name) if name else config)


def mutmut(*arguments: str) -> subprocess.CompletedProcess[str]:
    """mutmut on the copy; its output is kept."""
    return subprocess.run(
        [Path(sys.executable).with_name("mutmut"), *arguments],
        cwd=STAGE,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def environment() -> dict[str, str]:
    """Ours, but with the copy's tools: the driver itself is found by mutmut."""
    return {**os.environ, "PYTHONPATH": str(STAGE / "tools"), "PYTHONHASHSEED": "0"}


def run(jobs: int, names: list[str]) -> int:
    """Lets every mutant be tried; mutmut's exit status, which is 0 even if some survived."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(jobs)]
    return subprocess.run(
        [*command, *names],
        cwd=STAGE,
        env=environment(),
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    ).returncode


def verdicts(results: str) -> dict[str, str]:
    """Of what `mutmut results` prints: mutant, and what became of it."""
    found = {}
    for line in results.splitlines():
        name, colon, verdict = line.strip().rpartition(": ")
        if colon:
            found[name] = verdict
    return found


def drawn(names: list[str], count: int) -> list[str]:
    """`count` of the mutants, the same ones each time."""
    return random.Random(0).sample(sorted(names), min(count, len(names)))


def change(name: str) -> str:
    """A mutant's name and the lines that it changes."""
    shown = mutmut("show", name).stdout.splitlines()
    lines = [line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join([f"{readable(name)}, {shown[0].rpartition(': ')[2]}:", *lines])


def readable(name: str) -> str:
    """onemo.at_channel.xǁChannelǁpoll__mutmut_3 as channel.Channel.poll 3."""
    path, _, number = name.removeprefix("onemo.").partition("__mutmut_")
    group, _, function = path.partition(".x")
    return f"{group}.{function.removeprefix('_').strip('ǁ').replace('ǁ', '.')} {number}"


def module_of(name: str) -> str:
    """Which module a mutant is of: onemo.at_channel.xǁChannelǁpoll__mutmut_3 is of channel."""
    return name.split(".")[-2]


def rate(counts: Counter[str]) -> float:
    """Killed, in per cent."""
    return 100 * sum(counts[verdict] for verdict in KILLED) / max(1, counts.total())


def table(found: dict[str, str]) -> Table:
    """Counts by module."""
    drawn = Table(title="mutants")
    for column in ("module", "killed", "timeout", "survived", "other", "all", "per cent"):
        drawn.add_column(column, justify="left" if column == "module" else "right")
    by_module: dict[str, Counter[str]] = {}
    for name, verdict in found.items():
        for group in (module_of(name), "all"):
            by_module.setdefault(group, Counter())[verdict] += 1
    for group in sorted(by_module, key=lambda group: (group == "all", group)):
        counts = by_module[group]
        seen = [counts[verdict] for verdict in (*KILLED, "survived")]
        other = counts.total() - sum(seen)
        cells = [*seen, other, counts.total()]
        drawn.add_row(group, *map(str, cells), f"{rate(counts):.1f}")
    return drawn


def main(
    floor: Annotated[float, typer.Option(help="per cent that have to be killed")] = FLOOR,
    jobs: Annotated[int, typer.Option(help="processes")] = os.cpu_count() or 1,
    only: Annotated[str, typer.Option(help="mutants to try, such as 'onemo.at_syntax.*'")] = "",
    module: Annotated[str, typer.Option(help=f"instead: one of {', '.join(SLICES)}")] = "",
    sample: Annotated[int, typer.Option(min=0, help="so many of them, drawn by seed")] = 0,
) -> None:
    """Tries every mutant and prints what the tests did not notice."""
    if module and module not in SLICES:
        raise typer.BadParameter(f"there is no {module!r}; there are {', '.join(SLICES)}")
    began = time.monotonic()
    console = Console()
    stage(module)
    names = [only] if only else []
    first = 0
    if sample:  # the first of each function makes mutmut draw up the list
        first = run(jobs, ["*__mutmut_1"])
        names = drawn(list(verdicts(mutmut("results", "--all", "true").stdout)), sample)
    if first or run(jobs, names):
        console.print("mutmut could not do it: its reasons stand above")
        raise typer.Exit(2)
    found = verdicts(mutmut("results", "--all", "true").stdout)
    if names:
        found = {name: verdict for name, verdict in found.items() if verdict != "not checked"}
    alive = [name for name, verdict in found.items() if verdict not in KILLED]
    with ThreadPool(jobs) as pool:
        for text in pool.imap(change, alive):
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print(table(found))
    killed = rate(Counter(found.values()))
    minutes = (time.monotonic() - began) / 60
    console.print(f"{killed:.1f} % killed, {floor:g} % wanted; {minutes:.0f} minutes")
    raise typer.Exit(not found or killed < floor)


if __name__ == "__main__":
    typer.run(main)
