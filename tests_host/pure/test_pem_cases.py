# SPDX-License-Identifier: MIT
"""PEM files as people have them, each of a kind: pem_cases/index.json has the right verdict."""

import json
from pathlib import Path

import pytest
from onemo.cert_pem import CERT, KEY, PemScanner

DATA = Path(__file__).parents[1] / "pem_cases"
CASES = json.loads((DATA / "index.json").read_text())
CUTS = {"whole": None, "bytes": 1, "77": 77}


def canonical(data, kind, cut=None):
    """What the scanner keeps; ValueError."""
    scanner = PemScanner(kind)
    kept = bytearray()
    cut = cut or max(1, len(data))
    for at in range(0, len(data), cut):
        buffer = bytearray(data[at : at + cut])
        scanner.feed(buffer)
        kept += buffer
        if scanner.fault:
            break
    scanner.finish()
    assert scanner.kept == len(kept)
    return bytes(kept)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_each_gets_its_verdict(case, cut):
    data = (DATA / case["file"]).read_bytes()
    kind = KEY if case["kind"] == "key" else CERT
    try:
        kept = canonical(data, kind, CUTS[cut])
    except ValueError as error:
        assert case["want"] in ("refuse", "either"), str(error)
        text = str(error).lower()
        assert any(word.lower() in text for word in case["message"]), text
    else:
        assert case["want"] != "refuse"
        assert kept.startswith(b"-----BEGIN ")
        assert set(kept) <= set(range(0x20, 0x7F)) | {10, 13}
        assert canonical(kept, kind) == kept
        lines = [line.rstrip(b" \t\r") for line in kept.split(b"\n")]
        assert b"" not in lines[:-1]
