# SPDX-License-Identifier: MIT
"""docs/config.md and docs/config.schema.json: as the schema says, and of the same verdict."""

import importlib.util
import inspect
import json
import re

import pytest
from onemo import profile_check, schema, tls
from onemo_tools.lint import config_docs
from onemo_tools.lint.config_docs import ROOT

JSON_SCHEMA = json.loads((ROOT / config_docs.SCHEMA).read_text(encoding="utf-8"))
PAGE = (ROOT / config_docs.PAGE).read_text(encoding="utf-8")


def cases():
    """tests_host/pure/config_cases.py, which is no part of a package."""
    path = ROOT / "tests_host" / "pure" / "config_cases.py"
    spec = importlib.util.spec_from_file_location("config_cases", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


CASES = cases()


def test_both_files_are_up_to_date():
    for path, text in config_docs.files().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, "run: make schema"


def test_the_page_has_every_entry_once():
    lines = PAGE.splitlines()
    for above in schema.ROWS:
        for name, _, _ in schema.children(above, ""):
            path = f"{above}.{name}" if above else name
            assert len([line for line in lines if line.startswith(f"| `{path}` |")]) == 1
    table = [line for line in lines if line.startswith("| `")]
    assert len(table) == sum(len(schema.children(above, "")) for above in schema.ROWS)
    assert all(line.count(" | ") == 3 for line in table)


def test_defaults_are_those_of_configure():
    parameters = inspect.signature(tls.TLSContext.configure).parameters
    told = {entry.path: entry.default for entry in config_docs.entries()}
    compared = 0
    for name, parameter in parameters.items():
        if isinstance(parameter.default, int) and name not in ("auth", "send"):
            assert json.loads(told[f"contexts[].{name}"]) == parameter.default, name
            compared += 1
    assert compared >= 7


def test_the_generator_writes_between_the_markers_only():
    page = f"before\n{config_docs.BEGIN}old\n{config_docs.END}after\n"
    once = config_docs.filled(page)
    assert once == f"before\n{config_docs.BEGIN}{config_docs.table()}\n{config_docs.END}after\n"
    assert config_docs.filled(once) == once
    for broken in ("", config_docs.BEGIN, config_docs.END):
        with pytest.raises(ValueError, match="entries:begin"):
            config_docs.filled(broken)


SOURCE = """
ROWS = {
    "": (
        # What is one.
        # Default: 3.
        "one int? 1 5\\n"
        "one@rp2 int? 1 4\\n"
        # What is two.
        "two list of them\\n"
    ),
    "two[]": (
        # What is three.
        "three bool what\\n"
        # What is four.
        "four object? such as {}\\n"
    ),
    "two[].four": (
        # What is five.
        "five text 1 4\\n"
    ),
}
"""


def test_a_row_is_documented_by_the_comment_above_it(tmp_path):
    source = tmp_path / "schema.py"
    source.write_text(SOURCE)
    one, two, three, four, five = config_docs.entries(source)
    assert (one.path, one.meaning, one.default) == ("one", "What is one.", "3")
    assert one.rows == {"": "int? 1 5", "rp2": "int? 1 4"} and one.optional
    assert (two.path, two.default, two.optional) == ("two", "", False)
    assert (three.path, three.rows) == ("two[].three", {"": "bool what"})
    assert (four.path, four.optional) == ("two[].four", True)
    assert (five.path, five.meaning) == ("two[].four.five", "What is five.")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("        # What is two.\n", "", "two has no comment"),
        ("one@rp2", "eno@rp2", "eno@rp2 has to follow"),
        ("one@rp2", "one@avr", "a port that is known"),
        ('"two[]"', '"too[]"', "too"),
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_named(tmp_path, old, new, said):
    source = tmp_path / "schema.py"
    source.write_text(SOURCE.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(said)):
        config_docs.entries(source)


# The JSON Schema, by as much of a validator as it needs


def valid(value, rule):
    """Whether a JSON Schema takes a value."""
    known = {"$schema", "title", "description", "type", "enum", "anyOf", "minimum", "maximum"}
    known |= {"minLength", "maxLength", "pattern", "items", "properties", "required"}
    assert set(rule) <= known | {"additionalProperties"}
    if "anyOf" in rule:
        return any(valid(value, one) for one in rule["anyOf"])
    if "enum" in rule:
        return any(type(value) is type(one) and value == one for one in rule["enum"])
    kind = rule["type"]
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        whole = type(value) is int or (isinstance(value, float) and value.is_integer())
        return whole and rule["minimum"] <= value <= rule["maximum"]
    if kind == "string":
        return (
            isinstance(value, str)
            and rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", 1 << 30)
            and re.search(rule.get("pattern", ""), value) is not None
        )
    if kind == "array":
        return isinstance(value, list) and all(valid(one, rule["items"]) for one in value)
    assert kind == "object" and rule["additionalProperties"] is False
    return (
        isinstance(value, dict)
        and set(rule["required"]) <= set(value) <= set(rule["properties"])
        and all(valid(one, rule["properties"][name]) for name, one in value.items())
    )


def test_the_projects_own_config_is_valid():
    config = json.loads((ROOT / "config.json").read_bytes())
    assert valid(config, JSON_SCHEMA)
    assert valid({"$schema": "docs/config.schema.json", **config}, JSON_SCHEMA)
    assert valid(CASES.CONFIG, JSON_SCHEMA)


def some_port_takes(config, path):
    """Whether on some port nothing is wrong with the entry by itself, as an editor can tell."""
    pins = [pin for pin in ("uart.tx ", "uart.rx ") if not pin.startswith(path)]
    return any(
        not [said for said in schema.faults(config, port=port) if not said.startswith(tuple(pins))]
        for port in config_docs.PORTS
    )


@pytest.mark.parametrize("path", CASES.ENTRIES)
def test_an_editor_and_a_board_are_of_one_mind(path):
    for value in CASES.VALUES:
        config = CASES.changed(path, value)
        board, editor = some_port_takes(config, path), valid(config, JSON_SCHEMA)
        if isinstance(value, float) and value.is_integer() and editor:
            continue  # JSON Schema knows no difference between 45 and 45.0
        if path.endswith("ciphersuite") and isinstance(value, str):
            board = not list(profile_check.faults(config, port="esp32"))
            assert editor or not board, value  # and what is broken the editor cannot tell
        else:
            assert board == editor, value


def test_misspelt_and_missing_entries_are_seen_by_an_editor():
    for path in ("anp", "uart.bauds", "module.anp", "objects.0.sourcce", "contexts.1.sni"):
        assert not valid(CASES.changed(path, "x"), JSON_SCHEMA)
    for path, (_, optional) in CASES.ENTRIES.items():
        if path.rpartition(".")[2].isdigit() or path in ("uart.tx", "uart.rx"):
            continue
        try:
            config = CASES.changed(path, CASES.MISSING)
        except KeyError:
            continue
        needs_more = path.split(".")[-1] in ("source", "ca", "cert", "key")
        assert valid(config, JSON_SCHEMA) is (optional or needs_more), path
