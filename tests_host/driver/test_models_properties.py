# SPDX-License-Identifier: MIT
"""models: any answer of a module, and what the table costs on a board."""

import json

import on_micropython
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo import models

from tests_host.pure.manual import SUBMODELS


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_answer_of_a_module_upsets_it(said):
    series, it = models.identify(said)
    assert (series is None) == (not it.known)
    assert it.name and it.name.isprintable()


@settings(deadline=None)
@given(
    st.sampled_from([name for names in SUBMODELS.values() for name in names]),
    st.sampled_from(["", "-MBRH0S01", "\r\n", " V1.0"]),
    st.sampled_from(["", "Revision: ", "\r\n", "+CGMM: "]),
    st.booleans(),
)
def test_every_submodel_is_its_series(name, suffix, prefix, lower):
    said = prefix + name + suffix
    series, _ = models.identify(said.lower() if lower else said)
    assert name in SUBMODELS[series]


MICROPYTHON = """
import gc, json
from onemo import _port, model
gc.collect()
before = gc.mem_alloc()
from onemo import models
gc.collect()
imported = gc.mem_alloc() - before
names = [each.name for each, names in models.every()]
gc.collect()
before = gc.mem_alloc()
it = models.identify(b"Revision: ml307r-dl-mbrh0s01")[1]
gc.collect()
common = gc.mem_alloc() - before
other = models.identify(b"MN316-DLVS")[1]
gc.collect()
print(json.dumps([imported, common, gc.mem_alloc() - before - common, names, it.name,
    it.prompt, it.known, other.name, other.prompt, other.ssl_ids]))
"""


def test_on_micropython_the_table_is_small(tmp_path):
    lib = on_micropython.compiled(tmp_path, "models", "model")
    imported, common, other, names, *facts = on_micropython.run(MICROPYTHON, lib=lib)
    assert names == list({each.name: 0 for each, _ in models.every()})
    assert facts == ["ML307R", True, True, "MN316", False, 5]
    # Measured on 64 bit: 5024, 224, 448; a 32-bit board has half of that, and frozen a fraction.
    # (3328, 160, 480 with the twelve series of the first manual alone.)
    assert imported < 5600, json.dumps([imported, common, other])
    assert common <= 256
    assert other <= 640
