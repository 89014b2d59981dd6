# SPDX-License-Identifier: MIT
"""MicroPython older than 1.26 is refused in a sentence; newer ones and CPython are not."""

import on_micropython
import pytest

IMPORT = """
import json, sys

class Sys:  # what the library sees of an interpreter of another version
    modules, path = sys.modules, sys.path
    platform, byteorder = sys.platform, sys.byteorder
    class implementation:
        name = "micropython"
        version = {version!r}

real = sys
sys.modules["sys"] = Sys
try:
    import onemo
    said = "imported"
except Exception as error:
    said = "%s: %s" % (type(error).__name__, error)
print(json.dumps(said))
"""


@pytest.mark.parametrize("version", [(1, 25, 0, ""), (1, 24, 1, ""), (1, 9, 4), (1, 25, 0, "x")])
def test_an_older_one_is_refused_in_a_sentence(version):
    said = on_micropython.run(IMPORT.format(version=version))
    found = "{}.{}".format(*version)
    assert said == f"RuntimeError: onemo needs MicroPython 1.26 or newer; this is {found}"


@pytest.mark.parametrize("version", [(1, 26, 0, ""), (1, 26, 0, "preview"), (1, 30, 0), (2, 0, 0)])
def test_a_newer_one_is_taken(version):
    assert on_micropython.run(IMPORT.format(version=version)) == "imported"
