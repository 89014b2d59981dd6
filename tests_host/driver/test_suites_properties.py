# SPDX-License-Identifier: MIT
"""suites: any number at all, and what the table costs on a board."""

import json

import on_micropython
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo import suites

from tests_host.pure.manual import SUITES as TABLE


@settings(deadline=None)
@given(st.integers(-70000, 70000))
def test_any_number_is_a_suite_of_the_table_or_refused(number):
    if number in TABLE:
        assert suites.name(number) == TABLE[number]
    else:
        with pytest.raises(ValueError, match="cipher suite"):
            suites.name(number)


MICROPYTHON = """
import gc, json, sys
import onemo
from onemo import at_channel
gc.collect()
empty = gc.mem_alloc()
from onemo import suites
gc.collect()
imported = gc.mem_alloc() - empty
before = gc.mem_alloc()
name = suites.name(0xC08A)
gc.collect()
kept = gc.mem_alloc() - before
gc.collect()
before = gc.mem_alloc()
gc.disable()
strength = suites.strength(0xC08A), suites.forward_secret(0xC08A)
churned = gc.mem_alloc() - before
gc.enable()
number = suites.id(name)
count = 0
for i in suites.ids():
    assert suites.id(suites.name(i)) == i
    count += 1
del suites, sys.modules["onemo.suites"], onemo.suites
gc.collect()
left = gc.mem_alloc() - empty
print(json.dumps([imported, kept, churned, left, name, number, count, list(strength)]))
"""


def test_on_micropython_it_is_small_and_can_be_dropped(tmp_path):
    lib = on_micropython.compiled(tmp_path, "suites", "at_channel", "at_syntax", "errors")
    flash = (tmp_path / "onemo" / "suites.mpy").stat().st_size
    imported, kept, churned, left, *facts = on_micropython.run(MICROPYTHON, lib=lib)
    assert facts == [TABLE[0xC08A], 0xC08A, 207, ["sound", True]]
    # Measured on 64 bit: 3185 bytes of flash; 4832 of heap while loaded, of which 864 (interned
    # names, which MicroPython never forgets) stay when it is dropped; a name 128, a strength none.
    found = json.dumps([flash, imported, kept, churned, left])
    assert flash < 3400, found
    assert kept <= 200, found
    assert churned <= 32, found
    assert imported < 5200, found
    assert left < 1200, found
