# SPDX-License-Identifier: MIT
"""The loop over base64 in machine code and the one without: they agree about any bytes, and a
file has the same verdict on both, wherever buffers cut it."""

import json
import random

import on_micropython
import pytest
from onemo._pem_plain import run
from pure.test_pem_cases import CASES, DATA

LETTERS = b"ABXYZabxyz0189+/" * 3 + b"\n\n\n\r\r=-,:@[`{ \t\0\x80\xff"
SEED = 20

LOOPS = """
import json, random
from array import array
from onemo._pem_plain import run as plain
from onemo._pem_viper import run as viper
rng = random
rng.seed(SEED)
differ = []
stops = set()
for turn in range(3000):
    size = rng.getrandbits(6) + 1
    data = bytearray(rng.choice(LETTERS) for _ in range(size))
    if rng.getrandbits(1):
        data = bytearray(data.replace(b"\\n", b"\\r\\n")[:size])
    at = rng.randrange(len(data))
    stop = rng.randrange(at, len(data)) + 1
    seen = [array("i", (3, rng.getrandbits(1) * 5, 7)) for _ in range(1)]
    seen.append(array("i", list(seen[0])))
    ends = plain(data, at, stop, seen[0]), viper(data, at, stop, seen[1])
    stops.add(data[ends[0]] if ends[0] < stop else -1)
    if ends[0] != ends[1] or seen[0] != seen[1]:
        differ.append((data.hex(), at, stop, ends, list(seen[0]), list(seen[1])))
print(json.dumps([differ[:3], len(stops)]))
"""

FILES = """
import json
from onemo import _pem_plain, _pem_viper, cert_pem
found = []
for path, kind, cuts in CASES:
    with open(path, "rb") as file:
        data = file.read()
    told = set()
    for loop in (_pem_viper.run, _pem_plain.run):
        cert_pem.run = loop
        for cut in cuts:
            scanner = cert_pem.PemScanner(kind)
            kept = bytearray()
            for at in range(0, len(data), cut):
                buf = bytearray(data[at : at + cut])
                scanner.feed(buf)
                kept += buf
                if scanner.fault:
                    kept = b""  # how much passed before depends on the cuts
                    break
            try:
                scanner.finish("x")
                told.add(bytes(kept))
            except ValueError as error:
                told.add(str(error))
    found.append(len(told))
print(json.dumps(found))
"""


def test_both_loops_agree_about_any_bytes():
    head = f"SEED = {SEED}\nLETTERS = {LETTERS!r}\n"
    differ, stops = on_micropython.run(head + LOOPS, heap="1M")
    assert differ == []
    assert stops >= 10  # it stopped for many reasons


def test_a_file_has_one_verdict_on_both_paths_and_with_any_buffers():
    rng = random.Random(SEED)
    cases = []
    for case in CASES:
        cuts = [256, 1 << 20, *rng.sample(range(17, 300), 2)]
        cases.append((str(DATA / case["file"]), 2 if case["kind"] == "key" else 1, cuts))
    found = on_micropython.run(f"CASES = {json.dumps(cases)}\n" + FILES, heap="4M", seconds=120)
    names = [case["id"] for case in CASES]
    assert dict(zip(names, found, strict=True)) == dict.fromkeys(names, 1)


@pytest.mark.parametrize(
    ("data", "column", "end", "seen"),
    [
        (b"ABCD\nEF", 0, 7, [6, 2, 1]),
        (b"ABCD\r\nEF", 0, 8, [6, 2, 1]),
        (b"ABCD\r", 0, 4, [4, 4, 0]),  # what follows the CR is not known yet
        (b"AB\rCD", 0, 2, [2, 2, 0]),
        (b"\nAB", 0, 0, [0, 0, 0]),  # a blank line
        (b"\nAB", 9, 3, [2, 2, 1]),
        (b"AB\n\nCD", 0, 3, [2, 0, 1]),
        (b"AB=", 0, 2, [2, 2, 0]),
        (b"-", 0, 0, [0, 0, 0]),
    ],
)
def test_what_the_loop_takes(data, column, end, seen):
    found = [0, column, 0]
    assert run(data, 0, len(data), found) == end
    assert found == seen
    script = "import json\nfrom array import array\nfrom onemo._pem_viper import run\n"
    script += f"seen = array('i', (0, {column}, 0))\nend = run({data!r}, 0, {len(data)}, seen)\n"
    assert on_micropython.run(script + "print(json.dumps([end, list(seen)]))") == [end, seen]
