# SPDX-License-Identifier: MIT
"""What a probe finds is what is simulated, field by field, of every series and every quirk."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from onemo_simulator import PROFILES, Module, Quirks, VirtualClock
from onemo_simulator.profile import Profile
from onemo_simulator.profile_file import load_module
from onemo_tools.probe import findings
from onemo_tools.probe.cli import as_json
from onemo_tools.probe.probe import Plan, profile_of

from tests_host.probe.bench import found, make_module, network, probing, state, whole
from tests_host.probe.expected import differences, truth
from tests_host.probe.variants import HARDER, VARIANTS

MODELS = [name for profile in PROFILES for name in profile.submodels + profile.later_submodels]


def label(case):
    model, quirks = case
    # Sets have no order, and each worker must give a test the same name.
    said = {
        name: "+".join(sorted(value)) if isinstance(value, frozenset) else value
        for name, value in quirks.items()
    }
    return f"{model} {' '.join(f'{name}={value}' for name, value in said.items())}"


@pytest.mark.parametrize("model", MODELS)
def test_every_sub_model(model):
    module, result = found(model)
    assert differences(module, result) == []
    assert "not answered" not in result.observed


@pytest.mark.parametrize(("model", "quirks"), VARIANTS, ids=map(label, VARIANTS))
def test_every_quirk(model, quirks):
    module, result = found(model, **quirks)
    assert differences(module, result) == []


@pytest.mark.parametrize(("model", "quirks"), HARDER, ids=map(label, HARDER))
def test_what_makes_asking_harder(model, quirks):
    module, result = found(model, **quirks)
    assert differences(module, result) == []


def test_every_quirk_is_asked_or_has_a_reason():
    names = set(Quirks.names())
    asked = {name.removeprefix("quirks.") for name in findings.ASKED if "." in name}
    assert asked <= names and set(findings.FOLDED) <= names
    tried = {name for _, quirks in VARIANTS for name in quirks}
    untried = (asked | set(findings.FOLDED)) - tried
    # one is what a series has by itself, one needs a test of its own, two are states after a probe
    assert untried == {"close_drops_unsent", "rm_psk", "model_prefix"} - tried
    for name in names - asked - set(findings.FOLDED):
        assert findings.reason(f"quirks.{name}")
    in_never = [name for group in findings.NEVER_QUIRKS.values() for name in group]
    assert len(in_never) == len(set(in_never))
    assert set(in_never) <= names - asked - set(findings.FOLDED)


def test_every_quirk_is_tried_away_from_its_default():
    for model, quirks in VARIANTS:
        module = make_module(model)
        for name, value in quirks.items():
            assert value != getattr(module.quirks, name), (model, name)
            before = truth(module)
            assert name in findings.FOLDED or f"quirks.{name}" in before or name == "date"


@pytest.mark.parametrize("model", ["ML307R", "ML307H-GU", "MN316-S", "MR880A"])
def test_read_only_finds_less_and_nothing_wrong(model):
    module, result = found(model, Plan(write=False))
    data = result.as_dict()
    values = {name: data[name] for name in data if name in truth(module)}
    values |= {f"quirks.{name}": value for name, value in data["quirks"].items()}
    given = {name for name, value in values.items() if value is not None}
    wrong = {name for name, *_ in differences(module, result)} & given
    assert wrong == set()
    assert len(given) >= 35
    assert {"data_mode", "quirks.prompt", "store_memory"} & given == set()
    assert all(data["unknown"].get(name) for name in values if name not in given)


@pytest.mark.parametrize(
    ("model", "quirks"),
    [
        ("ML307R", {}),
        ("ML307X-DB", {"prompt": b"\r\n> ", "same_name": "763", "plain_suite_zero": True}),
        ("ML307C", {"unknown_option": "ok", "absent_options": frozenset({"version"})}),
        ("ML307C", {"ignored_options": frozenset({"ciphersuite"}), "certrd_blank": 2}),
        ("MN316-S-DLVS", {"newline_storage": "lf", "data_timeout_answer": 761}),
        ("MN318-LC", {"call_space": False}),
        ("ML307H-DU", {"data_timeout": 4.0, "open_urc": "before"}),
        ("MR880A", {"host_sent": "always", "session_resumes": True, "series_timeout": 12.0}),
    ],
)
def test_the_profile_makes_the_same_module_again(model, quirks, tmp_path):
    """From the file a module is made whose probing gives the same file."""
    _, first = found(model, **quirks)
    path = tmp_path / "found.json"
    path.write_text(as_json(profile_of(first)))
    again = Module(profile=path, clock=VirtualClock(), network=network())
    before = state(again)
    second = probing(again).run()
    assert state(again) == before
    one, two = profile_of(first), profile_of(second)
    for data in (one, two):
        data["observed"].pop("clock", None)
    assert one == two


@pytest.mark.parametrize("model", ["ML309Z", "ML307B", "MR990", "MN330"])
def test_a_series_that_nobody_knows(model):
    profile = Profile(model, (f"{model}-DX",), cgmm="series", tls_links=3, versions=(3, 255))
    module = Module(
        profile=profile, clock=VirtualClock(), network=make_module().network, revision="MBRH0S09"
    )
    result = probing(module, whole(psk=False)).run()
    assert differences(module, result) == []
    data = profile_of(result)
    assert "base" not in data and data["series"] == model


@pytest.mark.parametrize("answer", [b"ERROR", b"+CME ERROR: 4", b"+CME ERROR: 100"])
def test_cgmm_that_fails(answer):
    module = make_module("ML307R-DL")
    module.reply(b"AT+CGMM", answer, None)
    result = probing(module).run()
    data = result.as_dict()
    assert (data["series"], data["submodels"]) == ("ML307R", ["ML307R-DL"])
    assert data["cgmm"] is None and data["unknown"]["cgmm"]


def test_the_file_is_read_back_with_its_quirks(tmp_path):
    _, result = found("ML307R", prompt=b"\r\n> ", data_timeout_answer=None)
    path = tmp_path / "found.json"
    path.write_text(as_json(profile_of(result)))
    data = json.loads(path.read_text())
    assert data["quirks"]["data_timeout_answer"] == "error"
    profile, quirks = load_module(path)
    assert quirks["prompt"] == b"\r\n> "
    assert quirks["data_timeout_answer"] is None
    assert {field.name for field in fields(profile)} <= set(data)


def test_how_many_are_known():
    module, result = found("MN316-S", mipcfg_ssl=True, data_mode=True)
    data = result.as_dict()
    values = [data[field.name] for field in fields(Profile)] + list(data["quirks"].values())
    assert sum(value is not None for value in values) >= 90
    assert module.submodel == "MN316-S-DLVS"
