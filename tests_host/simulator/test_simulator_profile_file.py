# SPDX-License-Identifier: MIT
"""A series of one's own, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from onemo_simulator import PROFILES, Module
from onemo_simulator.profile import Profile
from onemo_simulator.profile_file import from_dict, load, to_dict
from onemo_simulator.profiles import find

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
