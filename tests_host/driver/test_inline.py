# SPDX-License-Identifier: MIT
"""NB models: certificates and keys inside the command line (manual 3.2 and 3.3, notes)."""

import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onemo import ASCII, ESCAPED, HEX, KEY
from onemo.errors import CommandError, ModemReset, Timeout, Unsupported, VerifyError
from onemo_simulator import Fault
from onemo_tools.proofs.rig import Rig

from tests_host.pure.der import base64_of

from .conftest import Tape, md5, pem

NB = ("MN316", "MN316-S", "MN326")
WRITE = re.compile(rb'AT\+MSSL(?:CERT|KEY)WR="([^"]*)",(\d+),(\d+),"([^"]*)"', re.DOTALL)


class Hesitant(Tape):
    """One that has nothing yet every other time."""

    def __init__(self, data):
        super().__init__(data, 60)
        self._turn = False

    def readinto(self, buf):
        self._turn = not self._turn
        return super().readinto(buf) if self._turn else None


def wrapped(body, lengths, end=b"\n"):
    """A certificate whose lines have these lengths, and one more with the rest."""
    lines = [b"-----BEGIN CERTIFICATE-----"]
    for length in [*lengths, len(body)]:
        if body:
            lines.append(body[:length])
            body = body[length:]
    return end.join([*lines, b"-----END CERTIFICATE-----", b""])


def packets(rig):
    """(remain, length, data) of each write command."""
    found = [WRITE.fullmatch(command) for command in rig.module.commands if b"WR=" in command]
    assert all(found)
    return [(int(m.group(2)), int(m.group(3)), m.group(4)) for m in found]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("storage", ["lf", "crlf"])
@pytest.mark.parametrize("unit", ["typed", "decoded"])
@pytest.mark.parametrize("packet", [1, 2, 63, 64, 65, 66, 67, 255, 256, 257, 1000, 2048, 8192])
def test_escapes_are_whole_and_remain_falls_to_0(rigs, packet, unit, storage, end):
    rig = rigs("MN316", newline_storage=storage, inline_length=unit, driver={"packet": packet})
    content = pem(700, end=end)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
    seen = packets(rig)
    remains = [remain for remain, _, _ in seen]
    assert remains == sorted(remains, reverse=True) and remains[-1] == 0
    assert len(set(remains)) == len(remains)
    assert {length for _, length, _ in seen} == {0}
    for _, _, data in seen:
        assert data and b"\n" not in data and b"\r" not in data
        assert re.fullmatch(rb"(?:[^\\]|\\r\\n)+", data)
        assert len(data.replace(b"\\r\\n", b"\n")) <= packet
    typed = b"".join(data for _, _, data in seen)
    assert typed == content.replace(b"\r", b"").replace(b"\n", b"\\r\\n")
    sent = 700 - remains[0]
    for (_, _, data), remain, before in zip(seen, remains, [700, *remains], strict=False):
        if end == b"\n":  # remain counts the file's bytes
            assert before - remain == len(data.replace(b"\\r\\n", b"\n"))
    assert sent <= packet + 1


@pytest.mark.parametrize("line", [160, 200, 1024, 1500])
@pytest.mark.parametrize("name", ["n", "n" * 64])
@pytest.mark.parametrize("encoding", [ESCAPED, HEX, ASCII])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_no_line_is_longer_than_the_limit(rigs, line, name, encoding, end):
    rig = rigs("MN316-S", max_line=line - 1, driver={"packet": 8192, "line": line})
    rig.modem.certs.encoding = encoding
    content = pem(3000, end=end)
    assert rig.modem.certs.write(name, io.BytesIO(content)) is True
    longest = max(len(command) for command in rig.module.commands) + 1  # its CR
    assert line * 3 // 4 <= longest <= line  # and not much shorter either


def test_many_line_ends_stay_within_the_limit_too(rigs):
    # Lines of one character at the end: five characters of the command for two bytes.
    content = wrapped(base64_of(1600), [64] * 11 + [1] * 900)
    rig = rigs("MN316", max_line=1023)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
    assert max(map(len, rig.module.commands)) < 1024


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(1, 300), max_size=30),
    st.integers(1, 3000),
    st.sampled_from([32, 100, 256]),
    st.integers(160, 1500),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([0.0, 0.6]),
)
def test_any_line_lengths_any_limits(lengths, packet, buffer, line, end, short):
    content = wrapped(base64_of(max(12, sum(lengths) // 4 * 4)), lengths, end)
    if len(content) + content.count(b"\n") > 8192:
        return
    driver = {"packet": packet, "buffer": buffer, "line": line}
    uart = {"seed": 1, "short_reads": short, "short_writes": short}
    with Rig("MN326", max_line=line - 1, driver=driver, uart=uart) as rig:
        rig.modem.start()
        assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
        stored = rig.module.store.certs["ca.pem"]
        assert stored == content.replace(b"\r", b"").replace(b"\n", b"\r\n")
        assert rig.module.violations == []


def test_few_packets(rigs):
    rig = rigs("MN316", driver={"packet": 8192})
    rig.modem.certs.write("ca.pem", io.BytesIO(pem(8000)))
    assert len(packets(rig)) == 9  # 8000 bytes, 123 line ends: 8369 characters in lines of 1024


# What is stored for a line's end is not documented: either is ours


@pytest.mark.parametrize("series", NB)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(("storage", "newline"), [("lf", b"\n"), ("crlf", b"\r\n")])
def test_either_storage_verifies_and_is_told(rigs, series, end, storage, newline, manual_key):
    rig = rigs(series, newline_storage=storage)
    certs = rig.modem.certs
    assert certs.newline is None
    content = manual_key.replace(b"\n", end)
    stored = manual_key.replace(b"\n", newline)
    assert certs.write("test.key", io.BytesIO(content), KEY) is True
    assert rig.module.store.keys["test.key"] == stored
    assert certs.newline == newline
    certs.newline = None
    assert certs.write("test.key", io.BytesIO(content), KEY) is False
    assert certs.newline == newline
    assert certs.digest("test.key") == md5(stored)


@pytest.mark.parametrize("storage", ["lf", "crlf"])
@pytest.mark.parametrize("size", [8191, 8192])
def test_what_would_pass_8192_as_stored_is_refused(rigs, size, storage):
    rig = rigs("MN316", newline_storage=storage)
    sent = rig.uart.bytes_written
    with pytest.raises(
        ValueError, match=r"ca\.pem would be 8\d\d\d bytes .* CR LF; it takes 8192"
    ):
        rig.modem.certs.write("ca.pem", io.BytesIO(pem(size)))
    assert rig.uart.bytes_written == sent
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(size, end=b"\r\n"))) is True


def test_the_largest_with_lf_fills_the_module_exactly(rigs):
    content = pem(8192, end=b"\r\n").replace(b"\r", b"")
    rig = rigs("MN326")
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
    assert rig.modem.certs.list() == [("ca.pem", 8192)]
    longer = pem(8196, end=b"\r\n").replace(b"\r", b"")
    with pytest.raises(ValueError, match=str(len(longer) + longer.count(b"\n"))):
        rig.modem.certs.write("ca.pem", io.BytesIO(longer))


# Encodings: MN316-S has three


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("packet", [1, 64, 1000, 8192])
@pytest.mark.parametrize("size", [70, 1261, 8192])
def test_hex_is_stored_as_it_is(rigs, size, packet, end):
    if packet == 1 and size > 1261:
        packet = 3
    rig = rigs("MN316-S", driver={"packet": packet})
    rig.modem.certs.encoding = HEX
    content = pem(size, end=end)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
    assert rig.module.store.certs["ca.pem"] == content
    assert bytes.fromhex(b"".join(data for _, _, data in packets(rig)).decode()) == content
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is False
    assert rig.modem.certs.newline is None  # none was translated


def test_ascii_types_line_feeds(rigs, manual_ca):
    rig = rigs("MN316-S")
    rig.modem.certs.encoding = ASCII
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    assert rig.module.store.certs["ca.pem"] == manual_ca


def test_ascii_where_line_feeds_are_dropped_is_seen(rigs, manual_ca):
    rig = rigs("MN316-S", quoted_lf="drop")
    rig.modem.certs.encoding = ASCII
    with pytest.raises(VerifyError, match="digest"):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.modem.certs.list() == []


def test_the_module_is_told_the_encoding_once_for_every_ssl_id(rigs):
    rig = rigs("MN316-S")
    certs = rig.modem.certs

    def told():
        before = len(rig.module.commands)
        certs.write("ca.pem", io.BytesIO(pem(300)), force=True)
        new = rig.module.commands[before:]
        return [c.decode() for c in new if b"encoding" in c]

    def all_ids(encoding):
        return [f'AT+MSSLCFG="encoding",{ssl_id},{encoding}' for ssl_id in range(5)]

    assert told() == all_ids(2)  # others may have left another
    assert told() == []
    certs.encoding = HEX
    assert told() == all_ids(1)
    rig.modem.tls(3).configure(ca="ca.pem")
    assert rig.modem.tls(3).read()["encoding"] == HEX
    assert told() == []
    rig.modem.reboot()
    assert told() == all_ids(1)
    certs.encoding = ESCAPED
    assert told() == all_ids(2)


def test_a_context_sent_again_does_not_change_the_encoding(rigs):
    rig = rigs("MN316-S")
    certs = rig.modem.certs
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem")
    certs.encoding = HEX
    certs.write("ca.pem", io.BytesIO(pem(300)))
    rig.modem.restore()
    assert rig.module.contexts.value(0, "encoding") == HEX
    assert certs.write("other.pem", io.BytesIO(pem(500))) is True


@pytest.mark.parametrize("series", ["MN316", "MN326"])
@pytest.mark.parametrize("encoding", [ASCII, HEX, 7])
def test_encodings_that_a_model_lacks(rigs, series, encoding):
    rig = rigs(series)
    rig.modem.certs.encoding = encoding
    sent = rig.uart.bytes_written
    with pytest.raises(Unsupported, match=f"{series} .*encoding"):
        rig.modem.certs.write("ca.pem", io.BytesIO(pem(300)))
    with pytest.raises(Unsupported, match=f"{series} .*encoding"):
        rig.modem.tls(0).configure(ca="ca.pem")
    assert rig.uart.bytes_written == sent


def test_mn316_s_is_written_to_inline_with_or_without_its_prompt(rigs, manual_ca):
    for has_prompt in (True, False):
        rig = rigs("MN316-S", data_mode=has_prompt)
        assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
        assert all(data for _, _, data in packets(rig))


# The line


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("encoding", [ESCAPED, HEX])
def test_short_reads_and_writes_and_echo(rigs, seed, encoding, manual_ca):
    rig = rigs(
        "MN316-S",
        uart={"seed": seed, "short_reads": 0.7, "short_writes": 0.7, "nothing": 0.3},
    )
    rig.modem.certs.encoding = encoding
    rig.module.echo = True  # as after a reboot that nobody saw
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    sink = io.BytesIO()
    rig.modem.certs.read("ca.pem", sink)
    assert sink.getvalue().replace(b"\r", b"") == manual_ca


@pytest.mark.parametrize("source", [Tape, Hesitant])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("packet", [1, 64, 2048])
def test_a_source_that_cannot_be_rewound(rigs, source, end, packet):
    rig = rigs("MN326", driver={"packet": packet})
    content = pem(1261, end=end)
    assert rig.modem.certs.write("ca.pem", source(content), size=1261) is True
    assert rig.module.store.certs["ca.pem"].replace(b"\r", b"") == content.replace(b"\r", b"")
    assert all(data for _, _, data in packets(rig))


def test_reads_that_end_between_cr_and_lf(rigs):
    # Lines of 66 bytes: each read but the first begins with the LF, and ends with the next CR.
    rig = rigs("MN316", driver={"buffer": 132})
    content = b"x" * 37 + b"\n" + pem(1261, end=b"\r\n")
    assert content[131:133] == content[263:265] == b"\r\n"
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True


def test_a_source_that_never_goes_on_ends_in_a_timeout(rigs):
    class Stuck:
        def readinto(self, buf):
            return None

    rig = rigs("MN316")
    began = rig.clock.now()
    with pytest.raises(Timeout):
        rig.modem.certs.write("ca.pem", Stuck(), size=500)
    assert rig.clock.now() - began < 60
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(500))) is True


def test_a_bad_tape_is_removed_again(rigs, manual_ca):
    rig = rigs("MN316", strict=False)
    bad = manual_ca[:600] + b"\x00" + manual_ca[601:]
    with pytest.raises(ValueError, match="PEM refused"):
        rig.modem.certs.write("ca.pem", Tape(bad), size=len(bad))
    assert rig.modem.certs.list() == []
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_progress_counts_the_files_bytes(rigs):
    rig = rigs("MN316")
    seen = []
    rig.modem.certs.write(
        "ca.pem", io.BytesIO(pem(2500)), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == sorted(seen)
    assert seen[-1] == (2500, 2500)


@pytest.mark.parametrize("code", [50, 761, 763, 764, 765, 768])
def test_refusals(rigs, code, manual_ca):
    rig = rigs("MN316")
    rig.module.reply(
        b"AT+MSSLCERTWR", b"+CME ERROR: %d" % code, times=2 if code in (763, 765) else 1
    )
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert caught.value.code == code
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_a_bit_lost_on_the_line_is_seen(rigs, manual_ca):
    rig = rigs("MN316")
    rig.line.add(Fault("corrupt", ">", rig.line.counts[">"] + 300))
    with pytest.raises(VerifyError, match="digest"):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.modem.certs.list() == []
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


@pytest.mark.parametrize("at", [70, 400, 1000])
def test_a_byte_lost_on_the_line_ends_in_an_error_and_the_next_write_works(rigs, at, manual_ca):
    rig = rigs("MN316", strict=False)
    rig.line.add(Fault("drop", ">", rig.line.counts[">"] + at))
    with pytest.raises((VerifyError, CommandError, Timeout)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    assert list(rig.module.store.certs) == ["ca.pem"]


def test_a_reboot_in_mid_line(rigs, manual_ca):
    rig = rigs("MN316", strict=False)

    def cut(done, total):
        if done > 500 and rig.module.boots == 0:
            rig.module.reboot()

    with pytest.raises((ModemReset, Timeout)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca), progress=cut)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
