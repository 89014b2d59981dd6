# SPDX-License-Identifier: MIT
"""The rules of the house hold, and a rule that is broken is noticed."""

import shutil

import pytest
from onemo_tools.lint import architecture


def test_the_rules_hold():
    assert architecture.faults() == []


def test_the_graph_has_every_module_and_lazy_imports_too():
    modules = architecture.listed(architecture.ROOT / "README.md")
    lines = dict(line.partition(" ")[::2] for line in architecture.as_text().splitlines())
    assert list(lines) == modules
    assert "[error_texts]" in lines["errors"]
    assert "at_syntax" in lines["at_channel"].split()
    assert "tls" not in lines["modem"].split()  # what only type checkers read is no import


@pytest.fixture
def planted(tmp_path):
    """A copy of the library, with a line added to one module."""
    shutil.copytree(architecture.ROOT / "lib" / "onemo", tmp_path / "lib" / "onemo")
    shutil.copy(architecture.ROOT / "README.md", tmp_path)

    def plant(module, text):
        path = tmp_path / "lib" / "onemo" / f"{module}.py"
        old = path.read_text() if path.exists() else ""
        path.write_text(old + "\n\n" + text + "\n")
        return [str(fault).partition(": ")[2] for fault in architecture.faults(tmp_path)]

    return plant


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("at_channel", "from .certs import CertStore", "imports certs, which stands below it"),
        ("errors", "def f():\n    from . import tls", "imports tls, which stands below it"),
        ("errors", "from .errors import ModemError", "imports errors, which stands below it"),
        ("new", "X = 1", "is not in the README's list"),
        ("tls", "def f(ch):\n    return ch._rx", "uses ch._rx of another module"),
        ("tls", "from .suites import _find", "imports _find of suites"),
        ("tls", "def f():\n    yield", "f is a generator: name it"),
        ("tls", "def f(ch):\n    find_op(ch, 'x', 1)", "an operation that nobody drives"),
        ("tls", "def f(ch):\n    x = find_op(ch, 'x', 1)", "an operation that nobody drives"),
        ("tls", "def f(ch):\n    return [find_op(ch)]", "an operation that nobody drives"),
        (
            "tls",
            "class Methods:\n    def f(self):\n        self._g()\n    def _g(self):\n        pass",
            "boards do not find self._g",
        ),
    ],
)
def test_a_broken_rule_is_noticed(planted, module, text, fault):
    found = planted(module, text)
    assert len(found) == 1 and fault in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "def f_op(ch):\n    yield from find_op(ch, 'x', 1)",
        "def f(modem):\n    return modem.run_operation(find_op(modem.channel, 'x', 1))",
        "def f(modem):\n    x = find_op(modem.channel, 'x', 1)\n    modem.run_operation(x)",
        "def f():\n    # Iterates.\n    yield 1",
        'def f():\n    """Iterate numbers."""\n    yield 1',
        "def f(self):\n    self._x = 1",
    ],
)
def test_what_is_right_is_left_alone(planted, text):
    assert planted("tls", text) == []
