# SPDX-License-Identifier: MIT
"""docs/probe.md says what the command does."""

from __future__ import annotations

import re
from dataclasses import replace

import typer
from onemo_simulator import Module, VirtualClock
from onemo_simulator.profiles import find
from onemo_tools.cli.main import app
from onemo_tools.deploy.packages import ROOT
from onemo_tools.probe.probe import GROUPS, PREFIX, Plan, profile_of
from onemo_tools.probe.report import text

from tests_host.probe.bench import network, probing, whole

PAGE = (ROOT / "docs" / "probe.md").read_text(encoding="utf-8")


def test_the_sample_is_what_comes_out():
    profile = replace(find("ML307C-DC-CN")[0], submodels=("ML307C-DC-CN",), tls_links=2)
    module = Module(
        profile=profile,
        clock=VirtualClock(),
        network=network(),
        revision="MBRH0S00",
        prompt=b"\r\n> ",
        certrd_blank=1,
        unknown_option="ok",
        ignored_options=frozenset({"version", "ciphersuite"}),
    )
    plan = whole(psk=False)
    data = profile_of(probing(module, plan).run())
    report = text(data, plan.groups())
    sample = PAGE.split("<!-- report:begin -->\n")[1].split("<!-- report:end -->")[0]
    lines = [line.removeprefix("    ") for line in sample.splitlines()]
    told = "\n".join(report.splitlines()[: len(lines)])
    known = re.compile(r"\d+ of \d+ fields known")
    assert known.sub("N of M", "\n".join(lines)) == known.sub("N of M", told)
    [sample_count], [count] = (re.findall(r"(\d+) of", one) for one in ("\n".join(lines), told))
    assert abs(int(sample_count) - int(count)) <= 5
    count = sum(len(GROUPS[group]) for group in plan.groups())
    assert f"[{count}/{count}] what a reboot leaves" in PAGE


def test_every_option_that_it_names_is_there_and_the_other_way_round():
    commands = typer.main.get_command(app).commands
    options = {
        option
        for name in ("probe", "probe-server")
        for parameter in commands[name].params
        for option in parameter.opts
        if option.startswith("--")
    }
    named = set(re.findall(r"(--[a-z][a-z-]+)", PAGE))
    assert named <= options | {"--profile"}
    assert options - named == {"--baud", "--bind"}


def test_what_it_says_of_names_and_times():
    assert f"`{PREFIX}XXXX-…`" in PAGE
    module = Module("ML307R", clock=VirtualClock(), network=network())
    probing(module, whole(psk=False)).run()
    line = (module.received + module.sent) * 10 / 115200
    assert 90 <= module.clock.now() + line <= 150  # "some two minutes"
    assert 12 <= module.store.writes <= 20  # "some twenty writes"
    assert len({n for c in module.commands for n in re.findall(rb"onemo-probe-test-\w", c)}) <= 12
    assert 10 <= len(module.network.connections) <= 16  # "some fifteen connections"
    assert Plan(write=False).groups() == ["read"]
