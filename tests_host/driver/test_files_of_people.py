# SPDX-License-Identifier: MIT
"""The files of pem_cases through the driver: what is taken is stored as its blocks, and what is
refused leaves the store as it was, on models of both kinds."""

import io
import json
import re
from pathlib import Path

import pytest
from onemo import CERT, KEY

from .conftest import Tape, pem

DATA = Path(__file__).parents[1] / "pem_cases"
CASES = json.loads((DATA / "index.json").read_text())


def blocks_of(data):
    found = re.findall(
        rb"(?s)-----BEGIN (?!EC PAR)[^\n]+\n.*?-----END [A-Z ]+-----(?:[ \t]*\r?\n)?", data
    )
    return re.sub(rb"[ \t]+(?=\r?(\n|\Z))", b"", b"".join(found))


@pytest.mark.parametrize("series", ["ML307R", "MN316", "MN316-S", "MN326"])
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_each_file(rigs, series, case):
    rig = rigs(series, newline_storage="lf")
    data = (DATA / case["file"]).read_bytes()
    kind = KEY if case["kind"] == "key" else CERT
    name = "x.key" if kind == KEY else "x.pem"
    before = pem(400, "PRIVATE KEY" if kind == KEY else "CERTIFICATE")
    rig.modem.certs.write(name, io.BytesIO(before), kind)
    sent = len(rig.module.commands)
    try:
        assert rig.modem.certs.write(name, io.BytesIO(data), kind) is True
    except ValueError:
        assert case["want"] in ("refuse", "either")
        assert rig.module.store.objects[kind, name] == before
        assert not [c for c in rig.module.commands[sent:] if b"WR=" in c or b"RM=" in c]
    else:
        assert case["want"] != "refuse"
        stored = rig.module.store.objects[kind, name]
        blocks = blocks_of(data)
        assert stored == (blocks if series == "ML307R" else blocks.replace(b"\r", b""))
        assert rig.modem.certs.write(name, io.BytesIO(data), kind) is False


@pytest.mark.parametrize("series", ["ML307R", "MN316"])
@pytest.mark.parametrize(
    "text",
    [
        b'subject=O = "A, B"\n',
        "# 中文\r\n".encode("gbk"),
        b"\r\n" * 50,
        b"\x1a\x1b\x00\n",
        b"> \n",
    ],
)
@pytest.mark.parametrize("buffer", [32, 100, 256])
def test_text_around_is_never_sent(rigs, series, text, buffer):
    rig = rigs(series, newline_storage="lf", driver={"buffer": buffer})
    content = pem(900) + b"\n"
    told = []
    source = io.BytesIO(text + content + text + content + text)
    done = lambda now, total: told.append((now, total))  # noqa: E731
    assert rig.modem.certs.write("x.pem", source, progress=done) is True
    assert rig.module.store.certs["x.pem"] == content * 2
    assert told[-1] == (len(content) * 2,) * 2


def test_a_tape_must_consist_of_blocks(rigs):
    rig = rigs()
    content = pem(900)
    assert rig.modem.certs.write("x.pem", Tape(content), size=900) is True
    with pytest.raises(ValueError, match="can be rewound"):
        rig.modem.certs.write("x.pem", Tape(b"# x\n" + content), size=904)
    assert "x.pem" not in rig.module.store.certs
    with pytest.raises(ValueError, match="PEM refused"):
        rig.modem.certs.write("x.pem", Tape(content[:-1] + b"!"), size=900)
    assert "x.pem" not in rig.module.store.certs


def test_a_mounted_file_has_seek_and_no_tell(rigs):
    class Mounted:
        def __init__(self, data):
            self._file = io.BytesIO(data)

        def readinto(self, buf):
            return self._file.readinto(buf)

        def seek(self, offset, whence=0):
            return self._file.seek(offset, whence)

    rig = rigs()
    assert rig.modem.certs.write("x.pem", Mounted(pem(900))) is True
    assert rig.module.store.certs["x.pem"] == pem(900)
