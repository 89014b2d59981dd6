# SPDX-License-Identifier: MIT
"""A series of one's own, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import typer
from onemo_simulator import PROFILES, Module, Quirks
from onemo_simulator.__main__ import main as simulate
from onemo_simulator.profile import Profile
from onemo_simulator.profile_file import (
    from_dict,
    load,
    quirks_from_dict,
    quirks_to_dict,
    to_dict,
)
from onemo_simulator.profiles import find
from typer.testing import CliRunner

OWN = {"series": "ML307B", "submodels": ["ML307B-DC-CN"]}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.submodels[0])
def test_every_profile_survives_json(profile):
    assert from_dict(json.loads(json.dumps(to_dict(profile)))) == profile


@pytest.mark.parametrize("base", ["ML307C", "ML307X-DC", "MN319", "MR880A"])
def test_a_base_and_what_differs(base):
    profile = from_dict({"base": base, **OWN, "tls_links": 3, "versions": [3, 255]})
    expected = replace(
        find(base)[0],
        series="ML307B",
        submodels=("ML307B-DC-CN",),
        tls_links=3,
        versions=(3, 255),
    )
    assert profile == expected


def test_without_a_base_it_is_a_plain_4g_module():
    assert from_dict(OWN) == Profile("ML307B", ("ML307B-DC-CN",))


def test_a_module_of_ones_own(make_host, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"base": "ML307X", **OWN, "cgmm": "submodel", "conn_ids": 3}))
    host = make_host(profile=str(path))
    assert host.lines("AT+CGMM")[0] == b"ML307B-DC-CN"
    assert host.code('AT+MIPCFG="autofree",3,1') == 50
    assert host.code('AT+MSSLCFG="ciphersuite",0,C02F') == 50
    assert Module(profile=path).profile == Module(profile=load(path)).profile


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "a profile is a JSON object, not list"),
        ("ML307R", "a profile is a JSON object, not str"),
        ({}, "series and submodels missing"),
        ({"series": "X"}, "submodels missing"),
        ({"base": "ML999"}, "no such model: 'ML999'"),
        ({"base": 7}, "base is the name of a series, not 7"),
        ({**OWN, "tlslinks": 2}, "no such field: tlslinks"),
        ({**OWN, "tls_links": "2"}, "tls_links is a whole number, not '2'"),
        ({**OWN, "tls_links": True}, "tls_links is a whole number, not True"),
        ({**OWN, "tls_links": -1}, "tls_links is 0 to 100, not -1"),
        ({**OWN, "conn_ids": 0}, "conn_ids is 1 to 100, not 0"),
        ({**OWN, "tls": "false"}, "tls is true or false, not 'false'"),
        ({**OWN, "tls": 0}, "tls is true or false, not 0"),
        ({**OWN, "escape_guard": "1"}, "escape_guard is a number, not '1'"),
        ({**OWN, "versions": 3}, "versions is a list of numbers, not 3"),
        ({**OWN, "versions": ["3"]}, "versions is a list of numbers"),
        ({**OWN, "versions": []}, "versions, encodings and digests must not be empty"),
        ({**OWN, "call_cids": [1]}, "call_cids has 2 numbers, not 1"),
        ({**OWN, "cgmm": "both"}, "cgmm is one of series, submodel, not 'both'"),
        ({**OWN, "store_memory": 1}, "store_memory is one of flash, ram, not 1"),
        ({**OWN, "submodels": "ML307B"}, "submodels is a list of strings"),
        ({**OWN, "submodels": []}, "series and submodels must not be empty"),
        ({**OWN, "series": ""}, "series and submodels must not be empty"),
    ],
)
def test_what_is_wrong_is_named(data, complaint, tmp_path):
    with pytest.raises(ValueError, match=complaint):
        from_dict(data)
    path = tmp_path / "own.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=complaint) as error:
        load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"{", "Expecting"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
        (b'{"series": "A", "series": "B", "submodels": ["A"]}', "series is there twice"),
    ],
)
def test_what_is_no_json(text, complaint, tmp_path):
    path = tmp_path / "own.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=complaint):
        load(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), ('{"series": 1}', "series is a string"), ("[]", "JSON object")],
)
def test_the_command_refuses_a_wrong_profile(tmp_path, content, complaint):
    path = tmp_path / "own.json"
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "onemo_simulator", "--profile", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "COLUMNS": "500", "NO_COLOR": "1"},
    )
    assert done.returncode in (1, 2)
    assert complaint in done.stderr


def test_the_command_serves_the_profile(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(OWN))
    process = subprocess.Popen(
        [sys.executable, "-m", "onemo_simulator", "--profile", str(path), "--port", "tcp:0"],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ML307B-DC-CN listens on tcp 127.0.0.1:")
    finally:
        process.terminate()
        process.communicate(timeout=30)


QUIRKS = {
    "prompt": "\r\n> ",
    "same_name": "763",
    "ignored_options": ["version", "session"],
    "data_timeout": 3,
    "data_timeout_answer": "error",
    "series_timeout": "never",
    "baud": "factory",
    "refuse_once": [["AT+CGMM", "ERROR"]],
    "boot_chatter": ["+CEREG: 1"],
    "date": "2026-01-02T03:04:05+00:00",
    "echo": None,
}


def test_quirks_in_the_file(make_host, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"base": "ML307R", "quirks": QUIRKS, "tls_links": None}))
    quirks = Module(profile=path).quirks
    assert quirks.prompt == b"\r\n> "
    assert quirks.same_name == "763"
    assert quirks.ignored_options == frozenset({"version", "session"})
    assert quirks.data_timeout == 3 and quirks.data_timeout_answer is None
    assert quirks.series_timeout is None and quirks.baud == "factory"
    assert quirks.refuse_once == ((b"AT+CGMM", b"ERROR"),)
    assert quirks.boot_chatter == (b"+CEREG: 1",)
    assert quirks.date is not None and quirks.date.year == 2026
    assert quirks.echo is True
    assert Module(profile=path, prompt=b"\r\n>", same_name="replace").quirks.prompt == b"\r\n>"
    host = make_host(profile=str(path))
    assert host.command('AT+MSSLCERTWR="a",0,3', 0.1).endswith(b"\r\n> ")


def test_quirks_survive_json():
    quirks = quirks_from_dict({"quirks": QUIRKS})
    again = json.loads(json.dumps(quirks_to_dict(quirks)))
    assert quirks_from_dict({"quirks": again}) == quirks
    everything = {name: getattr(Quirks(), name) for name in Quirks.names()}
    known = {name: value for name, value in everything.items() if value is not None}
    assert quirks_from_dict({"quirks": json.loads(json.dumps(quirks_to_dict(known)))}) == known


def test_null_is_what_the_base_has():
    names = dict.fromkeys(to_dict(find("ML307X")[0]))
    assert from_dict({"base": "ML307X", **names}) == find("ML307X")[0]
    with pytest.raises(ValueError, match="series and submodels missing"):
        from_dict({"series": None, "submodels": None})


def test_what_the_probe_says_besides_is_passed_over():
    data = {**OWN, "unknown": {"volatile": "not tried"}, "observed": {"names": []}}
    assert from_dict(data) == from_dict(OWN)


@pytest.mark.parametrize(
    ("quirks", "complaint"),
    [
        ([], "quirks is a JSON object, not"),
        ({"prompts": ">"}, "no such quirk: prompts; Quirks has echo, "),
        ({"prompt": 7}, "quirks.prompt cannot be 7"),
        ({"prompt": "\u2192"}, "quirks.prompt cannot be"),
        ({"echo": "yes"}, "quirks.echo cannot be 'yes'"),
        ({"echo": 1}, "quirks.echo cannot be 1"),
        ({"same_name": "append"}, "quirks.same_name cannot be 'append'"),
        ({"ignored_options": "version"}, "quirks.ignored_options cannot be 'version'"),
        ({"ignored_options": [1]}, "quirks.ignored_options cannot be"),
        ({"data_timeout": True}, "quirks.data_timeout cannot be True"),
        ({"refuse_once": [["AT"]]}, "quirks.refuse_once cannot be"),
        ({"date": "yesterday"}, "quirks.date cannot be 'yesterday'"),
        ({"baud": "quick"}, "quirks.baud cannot be 'quick'"),
    ],
)
def test_a_wrong_quirk_is_named(quirks, complaint, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**OWN, "quirks": quirks}))
    with pytest.raises(ValueError, match=complaint):
        Module(profile=path)


@pytest.mark.parametrize("words", [[], ["--echo"], ["--no-echo"], ["--clock-unset"]])
def test_the_commands_options_come_after_the_profiles(words, tmp_path, monkeypatch):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**OWN, "quirks": {"echo": False, "date": "2026-01-01"}}))
    given = {}
    monkeypatch.setattr(
        "onemo_simulator.__main__.serve_until_signalled", lambda *args, **kw: given.update(kw)
    )
    app = typer.Typer()
    app.command()(simulate)
    assert CliRunner().invoke(app, ["--profile", str(path), *words]).exit_code == 0
    named = {name: value for name, value in given.items() if name in Quirks.names()}
    assert named == {
        "--echo": {"echo": True},
        "--no-echo": {"echo": False},
        "--clock-unset": {"date": "unset"},
    }.get("".join(words), {})
