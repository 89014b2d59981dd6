# SPDX-License-Identifier: MIT
"""codes: on a board they say the same, and cost nothing until asked for."""

import json

import on_micropython
from onemo import error_texts

MICROPYTHON = """
import gc, json, sys
import onemo
from onemo import _port
gc.collect()
empty = gc.mem_alloc()
from onemo import error_texts
gc.collect()
loaded = gc.mem_alloc() - empty
texts = error_texts
known = [[code, list(texts.describe(code)), texts.explain(code)] for code in texts.every()]
said = json.dumps(known)
del error_texts, texts, known, sys.modules["onemo.error_texts"], onemo.error_texts
gc.collect()
left = gc.mem_alloc() - empty - len(said)
print(json.dumps([loaded, left, json.loads(said)]))
"""


def test_on_micropython_it_says_the_same_and_can_be_dropped(tmp_path):
    lib = on_micropython.compiled(tmp_path, "error_texts")
    flash = (tmp_path / "onemo" / "error_texts.mpy").stat().st_size
    loaded, left, known = on_micropython.run(MICROPYTHON, lib=lib)
    assert known == [
        [code, list(error_texts.describe(code)), error_texts.explain(code)]
        for code in error_texts.every()
    ]
    found = json.dumps([flash, loaded, left])
    # Measured on 64 bit: 3843, 7456, 968.
    assert flash < 5000, found
    assert loaded < 8500, found
    assert left < 1500, found
