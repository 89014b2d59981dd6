# SPDX-License-Identifier: MIT
"""Data inside the command on models that have `>` as well, and a <length> that the module checks
(manual 3.2, 3.3)."""

import hashlib
import io
import re
from itertools import pairwise

import pytest
from onemo import ASCII, CERT, ESCAPED, HEX, KEY
from onemo.errors import CommandError, VerifyError

from .conftest import Tape, pem

COUNTS = ["typed", "decoded"]


def packets(rig, name="AT+MSSL"):
    """(remain, length, characters of the data) of each upload command with data in it."""
    found = []
    for command in rig.module.commands:
        match = re.fullmatch(
            rb'AT\+MSSL(?:CERT|KEY)WR="[^"]+",(\d+),(\d+),"(.*)"', command, re.DOTALL
        )
        if match:
            found.append((int(match[1]), int(match[2]), len(match[3])))
    return found


@pytest.mark.parametrize("series", ["ML307R", "ML305U", "ML302S"])
@pytest.mark.parametrize("stored", ["crlf", "lf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("kind", [CERT, KEY])
def test_inline_on_a_model_with_a_prompt(rigs, series, stored, end, kind):
    rig = rigs(series, newline_storage=stored)
    data = pem(3000, "CERTIFICATE" if kind == CERT else "PRIVATE KEY", end)
    certs = rig.modem.certs
    assert certs.write("a", io.BytesIO(data), kind, inline=True) is True
    held = rig.module.store.objects[kind, "a"]
    assert held.replace(b"\r", b"") == data.replace(b"\r", b"")
    assert certs.digest("a") == hashlib.md5(held).hexdigest()
    assert len(packets(rig)) > 2
    assert all(len(command) < 1024 for command in rig.module.commands)
    assert certs.write("a", io.BytesIO(data), kind, inline=True) is False
    # Behind `>` it goes in as it is: the same only if the module stored it so.
    written = certs.write("a", io.BytesIO(data), kind)
    assert written is (held != data)
    assert rig.module.store.objects[kind, "a"] == data


def test_inline_makes_no_difference_to_a_model_without_a_prompt(rigs, manual_ca):
    rig = rigs("MN316")
    assert rig.modem.certs.write("a", io.BytesIO(manual_ca), inline=True) is True
    assert rig.modem.certs.write("a", io.BytesIO(manual_ca)) is False


def test_inline_twice_and_behind_the_prompt_in_between(rig, manual_ca, manual_key):
    certs = rig.modem.certs
    for _ in range(3):
        assert certs.write("ca", io.BytesIO(manual_ca), inline=True, force=True) is True
        assert certs.write("key", io.BytesIO(manual_key), KEY, force=True) is True
        assert certs.write("k2", io.BytesIO(manual_key), KEY, inline=True, force=True) is True
        assert len(rig.modem.channel.buffer) == 256
    assert sorted(certs.list(KEY)) == [("k2", 1674 + 26), ("key", 1674)]


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [200, 854, 3000, 7000])
@pytest.mark.parametrize("kind", [CERT, KEY])
def test_a_length_that_the_module_checks(rigs, counts, end, size, kind):
    rig = rigs(inline_length=counts)
    data = pem(size, "CERTIFICATE" if kind == CERT else "PRIVATE KEY", end)
    told = []
    assert (
        rig.modem.certs.write(
            "a",
            io.BytesIO(data),
            kind,
            inline=True,
            check_length=counts,
            progress=lambda done, total: told.append((done, total)),
        )
        is True
    )
    sent = packets(rig)
    assert all(length > 0 for _, length, _ in sent)
    if counts == "typed":
        assert all(length == characters for _, length, characters in sent)
    for (before, _, _), (remain, length, _) in pairwise(sent):
        assert before == remain + length
    assert sent[-1][0] == 0
    assert told[-1] == (size, size)
    assert told == sorted(told)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("encoding", [ASCII, HEX, ESCAPED])
@pytest.mark.parametrize("buffer", [32, 100, 256, 1000])
def test_a_length_in_every_encoding(rigs, manual_ca, counts, encoding, buffer):
    rig = rigs("MN316-S", inline_length=counts, driver={"buffer": buffer})
    rig.modem.certs.encoding = encoding
    certs = rig.modem.certs
    assert certs.write("a", io.BytesIO(manual_ca), check_length=counts) is True
    assert rig.module.store.objects[1, "a"].replace(b"\r", b"") == manual_ca
    sent = packets(rig)
    if encoding == HEX:
        assert all(2 * length == characters for _, length, characters in sent)
        assert sum(length for _, length, _ in sent) == len(manual_ca)
        if buffer == 1000:
            assert max(len(command) for command in rig.module.commands) > 1000  # lines are full


@pytest.mark.parametrize("line", [160, 300, 1024])
def test_a_line_is_never_longer_than_the_module_takes(rigs, line):
    rig = rigs(max_line=line, inline_length="typed", driver={"line": line})
    data = pem(1000)
    name = "n" * 64
    assert rig.modem.certs.write(name, io.BytesIO(data), inline=True, check_length="typed")
    assert max(len(command) for command in rig.module.commands) < line


@pytest.mark.parametrize(("counts", "module"), [("typed", "decoded"), ("decoded", "typed")])
def test_a_module_that_counts_otherwise_says_so(rigs, manual_ca, counts, module):
    rig = rigs(inline_length=module)
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.write("a", io.BytesIO(manual_ca), inline=True, check_length=counts)
    assert caught.value.code == 50
    assert rig.module.store.objects == {}
    assert rig.modem.certs.write("a", io.BytesIO(manual_ca), inline=True) is True


@pytest.mark.parametrize(
    ("series", "how", "says"),
    [
        ("ML307R", {"check_length": "typed"}, "inline=True"),
        (
            "ML307R",
            {"check_length": "bytes", "inline": True},
            "check_length is 'bytes'; it must be 'typed', 'decoded' or None",
        ),
        ("ML307R", {"check_length": True, "inline": True}, "check_length is True"),
        ("MN316", {"check_length": ""}, "check_length is ''"),
    ],
)
def test_bad_input_is_refused_with_nothing_sent(rigs, manual_ca, series, how, says):
    rig = rigs(series)
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match=says):
        rig.modem.certs.write("a", io.BytesIO(manual_ca), **how)
    assert rig.uart.bytes_written == sent


def test_what_cannot_be_counted_before_is_refused(rig, manual_ca):
    how = {"inline": True, "check_length": "typed"}
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="rewound"):
        rig.modem.certs.write("a", Tape(manual_ca), size=len(manual_ca), **how)
    with pytest.raises(ValueError, match="leave check_length out"):
        rig.modem.certs.write("a", io.BytesIO(pem(8000)), **how)
    assert rig.uart.bytes_written == sent
    assert rig.modem.certs.write("a", io.BytesIO(pem(8000)), inline=True) is True


@pytest.mark.parametrize(("counts", "size"), [("typed", 7829), ("decoded", 8066)])
def test_as_much_as_the_module_takes_is_counted_and_goes(rigs, counts, size):
    rig = rigs("MN316-S", inline_length=counts)
    rig.modem.certs.encoding = ESCAPED
    data = pem(size)
    assert size + (3 if counts == "typed" else 1) * data.count(b"\n") == 8192
    assert rig.modem.certs.write("a", io.BytesIO(data), check_length=counts) is True
    words = "a counts 8196 bytes, typed; the module takes 8192: leave check_length out"
    with pytest.raises(ValueError, match=words):
        rig.modem.certs.write("a", io.BytesIO(pem(7830)), check_length="typed")


def test_what_the_module_gives_no_digest_of_is_removed(rig):
    rig.module.reply(b"AT+MSSLCHECK", b"OK")
    how = {"inline": True, "check_length": "typed"}
    with pytest.raises(VerifyError, match="the module's digest is None, not ours; the object was"):
        rig.modem.certs.write("a", io.BytesIO(pem(200)), **how)
    assert rig.modem.certs.list() == []


def test_reads_of_single_bytes_end_between_cr_and_lf(rigs):
    class Drops(io.BytesIO):
        def readinto(self, buf):
            return super().readinto(memoryview(buf)[:1])

    rig = rigs(inline_length="typed")
    data = pem(200, end=b"\r\n")
    how = {"inline": True, "check_length": "typed"}
    assert rig.modem.certs.write("a", Drops(data), **how) is True
    assert rig.module.store.objects[CERT, "a"].replace(b"\r", b"") == data.replace(b"\r", b"")


def test_a_counted_key_is_in_no_trace(rigs, manual_key):
    seen = []
    rig = rigs(inline_length="typed", driver={"trace": lambda way, data: seen.append(data)})
    how = {"inline": True, "check_length": "typed"}
    assert rig.modem.certs.write("k", io.BytesIO(manual_key), KEY, **how) is True
    lines = manual_key.split(b"\n")[1:-1]
    assert not any(line in data for data in seen for line in lines)
    assert any(b'AT+MSSLKEYWR="k"' in data for data in seen)
