# SPDX-License-Identifier: MIT
"""Certificates and keys into the module and back."""

import io
import itertools

import pytest
from onemo import CERT, KEY
from onemo.cert_store import remove_op
from onemo.errors import CommandError, ModemReset, ProtocolError, Timeout, VerifyError
from onemo_simulator import Fault, damage_store

from .conftest import Tape, md5, pem

GOLDEN = "9e5e120bc7827646a0c4b007ec3e1453"  # manual 3.8


def test_the_manuals_key_has_the_manuals_digest(rig, manual_key):
    assert rig.modem.certs.write("test.key", io.BytesIO(manual_key), KEY) is True
    assert rig.modem.certs.digest("test.key") == GOLDEN
    assert rig.modem.certs.list(KEY) == [("test.key", 1674)]
    assert rig.module.store.objects[2, "test.key"] == manual_key


def test_the_manuals_certificate_survives_byte_for_byte(rig, manual_ca):
    rig.modem.certs.write("baidu.cer", io.BytesIO(manual_ca))
    sink = io.BytesIO()
    assert rig.modem.certs.read("baidu.cer", sink) == 1261
    assert sink.getvalue() == manual_ca


@pytest.mark.parametrize(
    ("size", "packet"),
    [
        (size, packet)
        for size in (70, 71, 72, 73, 255, 256, 257, 1261, 8191, 8192)
        for packet in (1, 63, 64, 65, 255, 256, 257, 1000, 2048, 8192)
        if packet > 1 or size <= 1261
    ],
)
def test_every_size_and_packet_arrives(rigs, size, packet):
    rig = rigs(driver={"packet": packet})
    content = pem(size)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
    assert rig.module.store.objects[CERT, "ca.pem"] == content


def test_what_is_there_already_is_not_written_again(rig, manual_ca):
    certs = rig.modem.certs
    assert certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    before = len(writes(rig))
    assert certs.write("ca.pem", io.BytesIO(manual_ca)) is False
    assert len(writes(rig)) == before
    assert certs.write("ca.pem", io.BytesIO(manual_ca), force=True) is True
    assert len(writes(rig)) == before + 1


def test_other_content_of_the_same_size_is_written(rig):
    certs = rig.modem.certs
    certs.write("ca.pem", io.BytesIO(pem(1261)))
    other = pem(1261).replace(b"AAAA", b"BBBB", 1)
    assert certs.write("ca.pem", io.BytesIO(other)) is True
    assert rig.module.store.objects[CERT, "ca.pem"] == other


def test_a_path_is_a_source(rig, tmp_path, manual_ca):
    path = tmp_path / "ca.pem"
    path.write_bytes(manual_ca)
    assert rig.modem.certs.write("ca.pem", str(path)) is True
    assert rig.modem.certs.write("ca.pem", str(path)) is False


def test_a_stream_is_read_from_where_it_stands(rig, manual_ca):
    stream = io.BytesIO(b"header" + manual_ca)
    stream.seek(6)
    rig.modem.certs.write("ca.pem", stream)
    assert rig.module.store.objects[CERT, "ca.pem"] == manual_ca


@pytest.mark.parametrize("most", [1, 100, 1000])
def test_a_source_that_cannot_be_rewound(rig, manual_ca, most):
    source = Tape(manual_ca, most)
    assert rig.modem.certs.write("ca.pem", source, size=len(manual_ca)) is True
    assert rig.module.store.objects[CERT, "ca.pem"] == manual_ca
    assert rig.modem.certs.write("ca.pem", Tape(manual_ca), size=len(manual_ca)) is True


@pytest.mark.parametrize("cut", [b"", b"-----END CERTIFICATE-----"])
def test_bad_pem_from_a_tape_is_broken_off_and_removed(rig, manual_ca, cut):
    bad = manual_ca.replace(b"-----END CERTIFICATE-----", b"-----END CERTIFICATE?----")
    if not cut:
        bad = manual_ca[:600] + b"\x00" + manual_ca[601:]
    with pytest.raises(ValueError, match=r"^ca\.pem: PEM refused"):
        rig.modem.certs.write("ca.pem", Tape(bad), size=len(bad))
    assert rig.modem.certs.list() == []
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_a_tape_that_ends_early_is_broken_off_and_removed(rig, manual_ca):
    with pytest.raises(ValueError, match="ended before"):
        rig.modem.certs.write("ca.pem", Tape(manual_ca[:500]), size=len(manual_ca))
    assert rig.modem.certs.list() == []
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_progress_counts_bytes_up_to_the_end(rigs):
    rig = rigs(driver={"packet": 1000})
    seen = []
    rig.modem.certs.write(
        "ca.pem", io.BytesIO(pem(2500)), progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (2500, 2500)
    assert {total for _, total in seen} == {2500}
    assert seen == sorted(seen)
    assert all(b - a <= 256 for (a, _), (b, _) in itertools.pairwise(seen))


def test_nothing_holds_more_than_the_buffer(rigs):
    sizes = []

    class Source(io.BytesIO):
        def readinto(self, buf):
            sizes.append(len(buf))
            return super().readinto(buf)

    class Sink:
        def write(self, data):
            sizes.append(len(data))

    rig = rigs(driver={"buffer": 128, "packet": 8192})
    rig.modem.certs.write("ca.pem", Source(pem(8192)))
    rig.modem.certs.read("ca.pem", Sink())
    assert max(sizes) <= 128


def writes(rig):
    return [c for c in rig.module.commands if "MSSLCERTWR" in str(c) or "MSSLKEYWR" in str(c)]


# Bad input, before a byte is sent


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "0 characters"),
        ("n" * 65, "65 characters"),
        ('a"b', "contains"),
        ("a\rb", "contains"),
        ("a\nb", "contains"),
        ("a,b", "contains"),
        ("a\\b", "contains"),
        ("ä", "contains"),
        (b"bytes", "must be a str"),
        (7, "must be a str"),
    ],
)
@pytest.mark.parametrize("method", ["write", "read", "remove", "digest", "write_psk"])
def test_bad_names_are_refused(rig, method, name, says):
    sent = rig.uart.bytes_written
    arguments = {"write": (io.BytesIO(),), "read": (io.BytesIO(),), "write_psk": ("x",)}
    with pytest.raises((ValueError, TypeError), match=says):
        getattr(rig.modem.certs, method)(name, *arguments.get(method, ()))
    assert rig.uart.bytes_written == sent


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"", CERT, "empty"),
        (b"A" * 9000, CERT, "8192|PEM"),
        (pem(8192) + b"\n", CERT, "8192"),
        (b"\x30\x82\x01\x02" * 30, CERT, "DER"),
        (b"hello world\n", CERT, "PEM"),
        (pem(200, "RSA PRIVATE KEY"), CERT, "key"),
        (pem(200), KEY, "certificate"),
    ],
)
def test_bad_content_is_refused(rig, content, kind, says):
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match=f"(?i){says}"):
        rig.modem.certs.write("x", io.BytesIO(content), kind)
    assert rig.uart.bytes_written == sent


def test_a_missing_file_is_named(rig):
    sent = rig.uart.bytes_written
    with pytest.raises(OSError, match=r"/nowhere/ca.pem.*cannot be opened") as caught:
        rig.modem.certs.write("ca.pem", "/nowhere/ca.pem")
    assert caught.value.errno == 2
    assert rig.uart.bytes_written == sent


def test_size_is_needed_and_checked(rig, manual_ca):
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="size="):
        rig.modem.certs.write("ca.pem", Tape(manual_ca))
    with pytest.raises(ValueError, match="8193"):
        rig.modem.certs.write("ca.pem", Tape(manual_ca), size=8193)
    with pytest.raises(ValueError, match="1261 bytes"):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca), size=1260)
    with pytest.raises(ValueError, match="kind"):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca), 3)
    assert rig.uart.bytes_written == sent


# What the module refuses or gets wrong


@pytest.mark.parametrize("code", [50, 750, 760, 761, 763, 764, 765, 768])
def test_errors_instead_of_the_prompt(rig, manual_ca, code):
    rig.module.reply(
        b"AT+MSSLCERTWR", b"+CME ERROR: %d" % code, times=2 if code in (763, 765) else 1
    )
    with pytest.raises(CommandError, match=str(code)) as caught:
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert caught.value.code == code
    assert "MSSLCERTWR" in caught.value.command
    assert len(str(caught.value)) > len(caught.value.args[1]) + 20  # with what to do
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


@pytest.mark.parametrize("code", [763, 765])
def test_left_overs_are_cleared_out_of_the_way(rig, manual_ca, code):
    rig.module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: %d" % code)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_clearing_up_hides_no_error(rig, manual_ca):
    rig.module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: 764")
    rig.module.reply(b"AT+MSSLRM", b"+CME ERROR: 767")
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert caught.value.code == 764


class Hesitant(Tape):
    """A source that has nothing yet each second time it is asked."""

    ready = False

    def readinto(self, buf):
        self.ready = not self.ready
        return super().readinto(buf) if self.ready else None


def test_a_source_that_hesitates_is_asked_again_soon(rig, manual_ca):
    began = rig.clock.now()
    source = Hesitant(manual_ca)
    assert rig.modem.certs.write("ca.pem", source, size=len(manual_ca)) is True
    assert rig.module.store.objects[CERT, "ca.pem"] == manual_ca
    assert rig.clock.now() - began < 2


def test_a_plain_error_has_no_code(rig, manual_ca):
    rig.module.reply(b"AT+MSSLCERTWR", b"ERROR")
    with pytest.raises(CommandError) as caught:
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert caught.value.code is None
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_a_module_that_refuses_to_replace(rigs, manual_ca):
    rig = rigs(same_name="763")
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(500))) is True


def test_no_prompt_times_out_and_the_same_driver_goes_on(rigs, manual_ca):
    rig = rigs(strict=False)
    rig.module.reply(b"AT+MSSLCERTWR", None)
    began = rig.clock.now()
    with pytest.raises(Timeout, match="prompt"):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.clock.now() - began < 20
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_missing_objects(rig):
    for method, arguments in (("remove", ()), ("digest", ()), ("read", (io.BytesIO(),))):
        with pytest.raises(CommandError, match="762") as caught:
            getattr(rig.modem.certs, method)("none.pem", *arguments)
        assert caught.value.code == 762
    assert rig.modem.certs.remove("none.pem", missing_ok=True) is False


def test_a_key_cannot_be_read(rig, manual_key):
    rig.modem.certs.write("a.key", io.BytesIO(manual_key), KEY)
    with pytest.raises(CommandError):
        rig.modem.certs.read("a.key", io.BytesIO())


def test_remove_removes(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.modem.certs.remove("ca.pem") is True
    assert rig.modem.certs.list() == []


def removals(rig):
    return [c for c in rig.module.commands if c.startswith(b"AT+MSSLRM")]


@pytest.mark.parametrize("refusal", [b"+CME ERROR: 762", b"+CME ERROR: 50", b"ERROR"])
def test_what_is_missing_is_not_asked_to_go(rig, manual_ca, refusal):
    # A damaged name would be another object's.
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(b'AT+MSSLCHECK="cb', refusal, None)
    assert rig.modem.certs.remove("cb.pem", missing_ok=True) is False
    with pytest.raises(CommandError, match=r"cb\.pem"):
        rig.modem.certs.remove("cb.pem")
    assert removals(rig) == []


@pytest.mark.parametrize("damaged", [1, 2])
def test_lists_that_do_not_name_it_do_not_make_it_missing(rig, manual_ca, damaged):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    line = b'+MSSLLIST: "ce.pem",%d' % len(manual_ca)
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", damaged, lines=[line])
    assert rig.modem.certs.remove("ca.pem", missing_ok=True) is True
    assert rig.modem.certs.list() == []


def test_a_removal_that_contradicts_the_list_is_an_error(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(b"AT+MSSLRM", b"+CME ERROR: 762")
    rig.modem.certs.list()
    with pytest.raises(VerifyError, match="still in the module"):
        rig.modem.certs.remove("ca.pem", missing_ok=True)
    line = b'+MSSLLIST: "cb.pem",%d' % len(manual_ca)
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", lines=[line])
    with pytest.raises(ProtocolError, match="never was"):
        rig.modem.certs.remove("cb.pem", missing_ok=True)


@pytest.mark.parametrize("quotes", [True, False])
def test_a_long_list_passes_with_the_default_buffer(rigs, quotes):
    rig = rigs(list_quotes=quotes)
    for i in range(100):
        rig.module.store.objects[CERT, f"certificate-number-{i:03}.pem"] = pem(100 + 4 * (i % 3))
    found = rig.modem.certs.list()
    assert len(found) == 100
    assert found[7] == ("certificate-number-007.pem", 104)


@pytest.mark.parametrize("prompt", [b"\r\n>", b"\r\n> ", b"\r\n>\r\n"])
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_any_prompt_any_fragments(rigs, manual_ca, prompt, echo, seed):
    rig = rigs(
        prompt=prompt,
        echo=echo,
        uart={"seed": seed, "short_reads": 0.7, "short_writes": 0.7, "nothing": 0.3},
    )
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    sink = io.BytesIO()
    rig.modem.certs.read("ca.pem", sink)
    assert sink.getvalue() == manual_ca


def test_a_reboot_in_mid_upload(rigs, manual_ca):
    rig = rigs(strict=False)

    def cut(done, total):
        if done > 500 and not cut.done:
            cut.done = True
            rig.module.reboot()

    cut.done = False
    with pytest.raises((ModemReset, Timeout)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca), progress=cut)
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    assert rig.modem.certs.digest("ca.pem") == md5(manual_ca)


def test_a_bit_lost_on_the_line_is_seen(rig, manual_ca):
    # Behind LIST, and CERTWR with its name and numbers, some 50 bytes, the content begins.
    rig.line.add(Fault("corrupt", ">", rig.line.counts[">"] + 300))
    with pytest.raises(VerifyError, match="digest"):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.modem.certs.list() == []
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is True


def test_a_bit_lost_in_the_store_is_mended(rig, manual_ca):
    certs = rig.modem.certs
    certs.write("ca.pem", io.BytesIO(manual_ca))
    damage_store(rig.module, "ca.pem")
    assert certs.write("ca.pem", io.BytesIO(manual_ca)) is True
    assert certs.digest("ca.pem") == md5(manual_ca)


@pytest.mark.parametrize("first", [CERT, KEY])
def test_a_namesake_of_the_other_kind_is_refused(rig, manual_ca, manual_key, first):
    content = {CERT: manual_ca, KEY: manual_key}
    second = CERT if first == KEY else KEY
    rig.modem.certs.write("same", io.BytesIO(content[first]), first)
    with pytest.raises(ValueError, match="its own name"):
        rig.modem.certs.write("same", io.BytesIO(content[second]), second)
    assert rig.module.store.objects == {(first, "same"): content[first]}


@pytest.mark.parametrize(
    "line",
    [
        b'+MSSLLIST: "ca.pel",%d',
        b'+MSSLLIST: "ca.pem"-%d',
        b'+MSSLLIST: "other.pem",500\r+MSSLLIST: "ca.pem",%d',
    ],
)
def test_a_damaged_line_does_not_make_it_missing_for_a_write(rig, manual_ca, line):
    # Else it would be written beside itself, if its name was damaged then: nobody would see it.
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", lines=[line % len(manual_ca)])
    assert rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca)) is False


def test_a_copy_whose_name_was_damaged_in_the_list_as_well_is_removed(rigs, manual_ca):
    rig = rigs(strict=False)
    told = []
    rig.modem.on_event(lambda kind, text: told.append(kind))
    feed = rig.module.feed
    rig.module.feed = lambda data: feed(bytes(data).replace(b'WR="ca.', b'WR="caa.'))
    listed = [b'+MSSLLIST: "cab.pem",%d' % len(manual_ca)]
    # Nothing before the write, then the look for what it left
    rig.module.reply(b"AT+MSSLLIST=1", b"OK")
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", lines=listed)
    with pytest.raises((CommandError, VerifyError)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert rig.module.store.certs == {}
    assert told == ["stray"]


def test_a_namesake_is_told_once_where_the_list_was_damaged(rigs, manual_ca):
    rig = rigs(strict=False)
    rig.modem.certs.write("cb.pem", io.BytesIO(pem(500)))
    told = []
    rig.modem.on_event(lambda kind, text: told.append(text[:6]))
    rig.module.reply(b"AT+MSSLCHECK", b"+CME ERROR: 762")
    listed = [b'+MSSLLIST: "cb.pem",500', b'+MSSLLIST: "cx.pem",500']
    rig.module.reply(b"AT+MSSLLIST=1", b"OK")  # before the write
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", lines=listed)
    with pytest.raises((CommandError, VerifyError)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert told == ["cb.pem"]


def test_namesakes_are_those_of_which_a_character_or_two_differ(rigs, manual_ca):
    rig = rigs(strict=False)
    near = ["cb.pem", "capem", "caa.pem", "c.pem", "ca.pe", "a.pem", "xca.pemx", "ac.pem"]
    far = ["caxxx.pem", "ca.pemxyz", "xyzca.pem", "pem", "ca.", "CA.PEM", "other", "xa.qen", "abc"]
    for name in near + far:
        rig.module.store.objects[CERT, name] = pem(500)
    told = []
    rig.modem.on_event(lambda kind, text: told.append((kind, text)))
    rig.module.reply(b"AT+MSSLCHECK", b"+CME ERROR: 762")
    with pytest.raises((CommandError, VerifyError)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    words = (
        "%s, which is almost ca.pem, is in the module as well: if nobody wrote it, it is what the "
        "line made of that name; certs.remove() removes it"
    )
    assert sorted(told) == sorted(("stray", words % name) for name in near)
    assert b"AT+MSSLLIST=3" not in rig.module.commands  # this one has no PSKs
    assert set(rig.module.store.certs) >= {*near, *far}


def test_a_copy_that_no_list_showed_is_looked_for_behind_the_next_write(rigs, manual_ca):
    rig = rigs(strict=False)
    feed = rig.module.feed
    rig.module.feed = lambda data: feed(bytes(data).replace(b'WR="ca.', b'WR="caa.'))
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", times=2)
    with pytest.raises((CommandError, VerifyError)):
        rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.feed = feed
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    assert list(rig.module.store.certs) == ["ca.pem"]


def test_a_removal_that_was_damaged_and_a_list_as_well_removed_nothing(rig, manual_ca):
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.module.reply(b"AT+MSSLRM", b"+CME ERROR: 762")
    rig.module.reply(b"AT+MSSLLIST=1", b"OK")
    with pytest.raises(VerifyError, match="still in the module"):
        rig.modem.run_operation(remove_op(rig.modem, "ca.pem"))


class Interrupted(Exception):
    """As a KeyboardInterrupt, while the driver waits."""


def test_an_interrupted_write_leaves_the_next_ones_stream_alone(rigs, tmp_path, manual_ca):
    rig = rigs(strict=False)
    path = tmp_path / "ca.pem"
    path.write_bytes(manual_ca)
    wait = rig.modem.wait

    def interrupt():
        raise Interrupted

    rig.modem.wait = interrupt
    with pytest.raises(Interrupted):
        rig.modem.certs.write("ca.pem", str(path))
    rig.modem.wait = wait
    mine = io.BytesIO(manual_ca)
    assert rig.modem.certs.write("ca.pem", mine) is True
    assert not mine.closed


def test_an_endless_source_is_refused(rig):
    class Zeros(io.RawIOBase):
        def readinto(self, buf):
            buf[:] = bytes(len(buf))
            return len(buf)

        def tell(self):
            return 0

        def seek(self, *_):
            return 0

    with pytest.raises(ValueError, match="PEM refused"):
        rig.modem.certs.write("ca.pem", Zeros())
