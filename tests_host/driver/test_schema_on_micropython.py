# SPDX-License-Identifier: MIT
"""config.json on MicroPython: the same verdicts in the same words as on CPython."""

import importlib.util
import json

import pytest
from on_micropython import ROOT, compiled, run
from onemo import profile, profile_check

MODULES = (
    *("at_syntax", "cert_store", "errors", "models", "model", "at_channel", "suites"),
    *("schema", "profile", "profile_check", "refusals"),
)


def cases():
    """tests_host/pure/config_cases.py, which is no part of a package."""
    path = ROOT / "tests_host" / "pure" / "config_cases.py"
    spec = importlib.util.spec_from_file_location("config_cases", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


CASES = cases()
# MicroPython's json writes some characters otherwise; of numbers it cannot have all.
VALUES = [
    value
    for value in CASES.VALUES
    if not (isinstance(value, str) and (not value.isascii() or "\0" in value))
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("library"), *MODULES)


def told(library, changes):
    """For each change of the configuration: what MicroPython says."""
    script = f"""
import json
from onemo import profile_check
config = json.loads({json.dumps(json.dumps(CASES.CONFIG))})
changes = json.loads({json.dumps(json.dumps(changes))})
found = []
for path, value in changes:
    changed = json.loads(json.dumps(config))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = changed
    for part in way:
        place = place[part]
    place[last] = value
    found.append(list(profile_check.faults(changed, None, False, "esp32")))
print(json.dumps(found))
"""
    return run(script, lib=library, heap="8M")


@pytest.mark.parametrize("path", CASES.ENTRIES)
def test_each_entry_as_on_cpython(library, path):
    found = told(library, [(path, value) for value in VALUES])
    for value, here in zip(VALUES, found, strict=True):
        there = list(profile_check.faults(CASES.changed(path, value), port="esp32"))
        # Which of two names is told first depends on the order that a dict has.
        assert sorted(here) == sorted(there), value


def test_what_entries_must_be_to_one_another(library):
    changes = [(change, said) for change, said in CASES.ACROSS if change[1] is not CASES.MISSING]
    for said, (_, expected) in zip(
        told(library, [change for change, _ in changes]), changes, strict=True
    ):
        assert said[0].startswith(expected)


GOOD = json.dumps(CASES.CONFIG, indent=1).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xef\xbb\xbf" + GOOD, "byte order mark: save it as UTF-8 without BOM"),
        (GOOD.decode().encode("utf-16"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        (GOOD.decode().encode("utf-16-be"), "UTF-16 or UTF-32 text"),
        (b"", "it is no JSON that can be read: look at line 1"),
        (b"\n\n{\n'a': 1}", "look at line 4"),
        (GOOD[:-1], f"look at line {GOOD.count(10) + 1}"),
        (GOOD + b"}", f"look at line {GOOD.count(10) + 1}"),
        (b'{"uart": trux}', "look at line 1"),
        (b"uart:\n  id: 1\n", "look at line 1"),
        (b'{"a": "\xe9"}', "it is no JSON that can be read"),
        (b"[]", "it is []; it must be an object with $schema, uart, module, objects"),
        (b"3", "it is 3; it must be an object"),
        (b"null", "it is null; it must be an object"),
        (b"{}", "uart is missing; it must be an object such as"),
    ],
)
def test_a_file_that_is_none(library, tmp_path, data, said):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    script = f"""
import json
from onemo import profile
try:
    print(json.dumps(profile.read({str(path)!r})))
except ValueError as error:
    print(json.dumps({{"said": str(error)}}))
"""
    assert said in run(script, lib=library)["said"]


def test_a_good_file(library, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(GOOD.replace(b"\n", b"\r\n"))
    script = (
        f"import json\nfrom onemo import profile\nprint(json.dumps(profile.read({str(path)!r})))"
    )
    assert run(script, lib=library) == CASES.CONFIG == profile.read(str(path))


def test_what_checks_does_not_stay(library):
    """Nor does what a check leaves grow."""
    script = f"""
import gc, json, sys
from onemo import profile
config = json.loads({json.dumps(json.dumps(CASES.CONFIG))})
def live():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()
def check():
    profile.checked(config)
    try:
        profile.checked(dict(config, objects=7))
    except ValueError:
        pass
before = live()
check()
first = live()
for _ in range(20):
    check()
last = live()
here = [name for name in ("schema", "profile_check") if "onemo." + name in sys.modules]
import onemo.profile_check
loaded = live() - last
print(json.dumps([first - before, last - first, loaded, here]))
"""
    names, growth, loaded, here = run(script, lib=library, heap="128K")
    assert here == []
    assert growth <= 64
    assert names <= 5120  # interned names, once; 64-bit
    assert loaded <= 16896  # of which the rows are a third
