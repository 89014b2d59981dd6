# SPDX-License-Identifier: MIT
"""PEM files that people have, on their way into the module: only their blocks are sent, and what
is refused leaves the module as it was."""

import io
import re
import shutil
import subprocess

import pytest
from onemo import CERT, ESCAPED, HEX, KEY
from onemo.error_texts import explain
from onemo.errors import Timeout
from onemo_tools.servers import pki

from tests_host.pure import pem_files
from tests_host.pure.pem_files import CERTIFICATE, EC, PARAMETERS, PKCS8, RSA, judge

from .conftest import Tape, md5, pem


class Piecewise(io.BytesIO):
    """A source that can be rewound and gives few bytes at a time, and none every `idle` times."""

    def __init__(self, data, size, idle=0):
        super().__init__(data)
        self._size = size
        self._idle = idle
        self._turn = 0

    def readinto(self, buf):
        self._turn += 1
        if self._idle and self._turn % self._idle == 0:
            return None
        return super().readinto(memoryview(buf)[: self._size])


class Mounted:
    """A file of a folder that mpremote mounts: it has seek, but no tell."""

    def __init__(self, data):
        self._file = io.BytesIO(data)
        self.readinto = self._file.readinto
        self.seek = self._file.seek
        self._file.seek(5)  # wherever it stands, it is read from its beginning


SOURCES = {
    "whole": io.BytesIO,
    "bytes": lambda data: Piecewise(data, 1),
    "77s": lambda data: Piecewise(data, 77),
    "hesitant": lambda data: Piecewise(data, 100, idle=3),
    "mounted": Mounted,
}
OLD = pem(900)
MODELS = [("ML307R", None), ("MN316", None), ("MN316-S", ESCAPED), ("MN316-S", HEX)]


def as_stored(rig, blocks):
    """What the module has of them: an inline model stores CR LF for an escaped line end."""
    inline = rig.module.profile.series.startswith("MN")
    if inline and rig.modem.certs.encoding != HEX:
        return blocks.replace(b"\r", b"").replace(b"\n", b"\r\n")
    return blocks


def check(rig, name, source, data, kind):
    """Writes `data` over an older object, twice; or sees it refused, with nothing sent."""
    certs, objects = rig.modem.certs, rig.module.store.objects
    old = pem(900, "CERTIFICATE" if kind == CERT else "PRIVATE KEY")
    certs.write(name, io.BytesIO(old), kind)
    stored = dict(objects)
    sent = rig.uart.bytes_written
    expected = judge(data, kind)
    if isinstance(expected, str):
        with pytest.raises(ValueError) as caught:
            certs.write(name, source(data), kind)
        assert str(caught.value) == f"{name}: {expected}"
        assert rig.uart.bytes_written == sent
        assert objects == stored
        return
    blocks = as_stored(rig, pem_files.kept(data, kind))
    seen = []
    assert certs.write(name, source(data), kind, progress=lambda *now: seen.append(now)) is True
    assert objects == {(kind, name): blocks}
    total = len(pem_files.kept(data, kind))
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)
    assert certs.digest(name) == md5(blocks)
    written = rig.module.store.writes
    assert certs.write(name, source(data), kind) is False
    assert rig.module.store.writes == written


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("model", "encoding"), MODELS)
@pytest.mark.parametrize("row", pem_files.cases(), ids=lambda row: row["id"])
def test_files_that_people_have(rigs, row, model, encoding, source):
    rig = rigs(model)
    if encoding is not None:
        rig.modem.certs.encoding = encoding
    data, kind = pem_files.case(row)
    check(rig, "x", SOURCES[source], data, kind)


@pytest.mark.parametrize("buffer", [32, 33, 64, 100, 256, 4096])
@pytest.mark.parametrize("packet", [1, 50, 2048, 8192])
@pytest.mark.parametrize("model", ["ML307R", "MN326"])
def test_any_buffer_any_packet(rigs, model, packet, buffer):
    rig = rigs(model, driver={"buffer": buffer, "packet": packet})
    text = '# "quoted", 证书\r\n'.encode() * 3
    for number, data in enumerate((text + CERTIFICATE + text + CERTIFICATE, CERTIFICATE * 4)):
        spaced = data.replace(b"\n", b" \t\n")
        for form in (data, spaced, b"\xef\xbb\xbf" + spaced + b"\0" * 700):
            name = f"{number}.pem"
            rig.modem.certs.write(name, io.BytesIO(form), force=True)
            stored = rig.module.store.certs[name]
            assert stored == as_stored(rig, CERTIFICATE * (2 if number == 0 else 4))


# Text on models that take data inside the command


TEXTS = [
    b'subject=O = "A, B"\n',
    b"a\rb\r\n",
    b"\x1a\x1b\x00\n",
    "# \u8bc1\u4e66\n".encode("gbk"),
    b'"\r\nAT+MSSLRM="old.pem"\r\n',
    b'",0,0\r\n\\r\\n\n',
]


@pytest.mark.parametrize("model", ["MN316", "MN316-S", "MN326"])
@pytest.mark.parametrize("text", TEXTS)
def test_text_breaks_no_command(rigs, model, text):
    rig = rigs(model)
    certs, store = rig.modem.certs, rig.module.store
    certs.write("old.pem", io.BytesIO(OLD))
    certs.write("ca.pem", io.BytesIO(OLD))
    assert (
        certs.write("ca.pem", io.BytesIO(text + CERTIFICATE + text + CERTIFICATE + text)) is True
    )
    assert store.certs["ca.pem"] == as_stored(rig, CERTIFICATE * 2)
    assert store.certs["old.pem"] == as_stored(rig, OLD)
    assert certs.write("ca.pem", io.BytesIO(CERTIFICATE * 2)) is False
    for bad in (CERTIFICATE.replace(b"AgEC", b'A"EC'), CERTIFICATE.replace(b"AgEC", b"A\rEC")):
        with pytest.raises(ValueError, match="PEM refused"):
            certs.write("ca.pem", io.BytesIO(text + bad))
    assert store.certs["ca.pem"] == as_stored(rig, CERTIFICATE * 2)


def chain(size, end=b"\n"):
    """Two certificates, of exactly `size` bytes."""
    first = pem(4000, end=end).rstrip() + end
    return first + pem(size - len(first), end=end)


@pytest.mark.parametrize("text", [b"", b"# a comment\n", b"\n" * 1669, b"x" * 9000 + b"\n"])
@pytest.mark.parametrize("model", ["ML307R", "MN316", "MN326"])
def test_blocks_of_8192_bytes_go_in_whatever_is_around_them(rigs, model, text):
    rig = rigs(model)
    end = b"\n" if model == "ML307R" else b"\r\n"
    blocks = chain(8192, end)
    assert len(blocks) == 8192
    between = blocks.index(b"-----BEGIN", 100)
    source = text + blocks[:between] + text + blocks[between:]
    if blocks.endswith(end):
        source += text
    assert rig.modem.certs.write("ca.pem", io.BytesIO(source)) is True
    assert rig.module.store.certs["ca.pem"] == blocks
    assert rig.modem.certs.write("ca.pem", io.BytesIO(blocks)) is False
    sent = rig.uart.bytes_written
    for size in (8193, 8194, 9000):
        over = text + chain(size) + text
        with pytest.raises(ValueError, match="8192"):
            rig.modem.certs.write("ca.pem", io.BytesIO(over))
    assert rig.uart.bytes_written == sent
    assert rig.module.store.certs["ca.pem"] == blocks


# Keys


@pytest.mark.parametrize("algorithm", ["rsa", "ec"])
def test_keys_of_each_form_and_their_dumps(rig, algorithm):
    leaf = pki.Authority("CA").issue("device", algorithm=algorithm)
    attributes = b"Bag Attributes\n    localKeyID: 63 F4\nKey Attributes: <No Attributes>\n"
    for number, key in enumerate((leaf.key, leaf.key_traditional)):
        name = f"{number}.key"
        assert rig.modem.certs.write(name, io.BytesIO(attributes + key + b"\n"), KEY) is True
        assert rig.module.store.keys[name] == key
        with pytest.raises(ValueError, match="a private key where a certificate belongs"):
            rig.modem.certs.write(name, io.BytesIO(key))
    assert len(rig.module.store.keys) == 2


def test_a_short_key_wherever_it_begins_in_the_buffer(rigs):
    # Its BEGIN line is cut, and its END is in the same buffer as the rest of that line.
    key = pki.Authority("CA").issue("device", algorithm="ec").key
    assert len(key) < 256
    rig = rigs()
    for size in range(1, 300):
        rig.modem.certs.write("k", io.BytesIO(b"#" * (size - 1) + b"\n" + key), KEY)
        assert rig.module.store.keys["k"] == key


def test_parameters_are_not_sent(rig):
    assert rig.modem.certs.write("k", io.BytesIO(PARAMETERS + EC), KEY) is True
    assert rig.module.store.keys["k"] == EC


# A source that cannot be rewound


@pytest.mark.parametrize("model", ["ML307R", "MN316"])
@pytest.mark.parametrize(
    "data",
    [
        b"# text\n" + CERTIFICATE * 8,
        CERTIFICATE * 8 + b"\n",
        CERTIFICATE * 4 + b"\n" + CERTIFICATE * 4,
        (CERTIFICATE * 8).replace(b"\n", b" \n", 2),
        CERTIFICATE * 7 + CERTIFICATE.rstrip()[:-1],
        CERTIFICATE * 7 + CERTIFICATE.rstrip()[:-1] + b"=",
        CERTIFICATE * 7 + CERTIFICATE.replace(b"\nJ", b"\nJJJJ"),
        CERTIFICATE * 7 + CERTIFICATE.replace(b"\nM", b"\nN"),
        CERTIFICATE * 7 + PKCS8,
        CERTIFICATE * 4 + b"\0" + CERTIFICATE * 4,
        RSA * 9,
    ],
)
@pytest.mark.parametrize("packet", [100, 8192])
def test_it_is_never_completed_if_anything_is_wrong(rigs, model, data, packet):
    rig = rigs(model, strict=False, driver={"packet": packet})
    rig.modem.certs.write("other.pem", io.BytesIO(OLD))
    completed = rig.module.store.writes
    with pytest.raises(ValueError, match=r"PEM refused|needs a source that can be rewound"):
        rig.modem.certs.write("ca.pem", Tape(data), size=len(data))
    # What gets the module out of data mode may complete an object; it is not there afterwards.
    assert list(rig.module.store.certs) == ["other.pem"]
    assert rig.module.store.writes <= completed + 1
    assert rig.modem.certs.write("ca.pem", Tape(CERTIFICATE), size=len(CERTIFICATE)) is True


def test_no_more_than_its_size_is_read(rig):
    data = CERTIFICATE * 3
    tape = Tape(data + b"what follows")
    assert rig.modem.certs.write("ca.pem", tape, size=len(data)) is True
    assert rig.module.store.certs["ca.pem"] == data
    rest = bytearray(100)
    assert bytes(rest[: tape.readinto(rest)]) == b"what follows"


def test_a_source_that_gives_nothing_for_ever_ends_in_a_timeout(rig):
    class Stuck(io.BytesIO):
        def readinto(self, buf):
            return None

    began, sent = rig.clock.now(), rig.uart.bytes_written
    with pytest.raises(Timeout, match=r"ca\.pem gives nothing"):
        rig.modem.certs.write("ca.pem", Stuck(CERTIFICATE))
    assert rig.clock.now() - began < 30
    assert rig.uart.bytes_written == sent


def test_a_source_that_changes_between_its_two_readings_is_refused(rigs):
    class Changing(io.BytesIO):
        reads = 0

        def seek(self, *where):
            self.reads += 1
            if self.reads == 2:
                self.getbuffer()[-60:-50] = b'"\r\n"""""""'
            return super().seek(*where)

    for model in ("ML307R", "MN316"):
        rig = rigs(model, strict=False)
        with pytest.raises(ValueError, match="PEM refused"):
            rig.modem.certs.write("ca.pem", Changing(b"# text\n" + CERTIFICATE * 9))
        assert rig.modem.certs.list() == []


def test_the_buffer_has_its_size_again(rigs):
    rig = rigs(driver={"buffer": 100})
    for data in (CERTIFICATE, b"x\n" + CERTIFICATE * 3 + b"y\n" * 60):
        rig.modem.certs.write("ca.pem", io.BytesIO(data))
        assert len(rig.modem.channel.buffer) == 100
    with pytest.raises(ValueError, match="PEM refused"):
        rig.modem.certs.write("ca.pem", io.BytesIO(CERTIFICATE[:70]))
    assert len(rig.modem.channel.buffer) == 100


# Words


def test_what_a_refused_load_may_be():
    words = explain(769)
    assert "write it again" not in words
    for hint in ("Ed25519", "explicit EC parameters", "openssl x509", "does not belong"):
        assert hint in words


MENDED = {
    "escaped": CERTIFICATE.replace(b"\n", b"\\n"),
    "one line": CERTIFICATE.replace(b"\n", b""),
    "joined": CERTIFICATE.rstrip() + CERTIFICATE + b"\n",
    "indented": CERTIFICATE.replace(b"\n", b"\n    ").join((b"    ", b"\n")),
    "blank lines": CERTIFICATE.replace(b"\nJ", b"\n\n \nJ").replace(b" \n", b"\n"),
    "CR": CERTIFICATE.replace(b"\n", b"\r"),
    "CR CR LF": CERTIFICATE.replace(b"\n", b"\r\r\n"),
    "quoted": b"".join(b'"%s\\n"\n' % line for line in CERTIFICATE.splitlines()),
    "UTF-16": CERTIFICATE.decode().encode("utf-16"),
    "twice": pem_files.b64encode(CERTIFICATE),
    "END behind": CERTIFICATE.replace(b"\n-----END", b"-----END"),
}
# Base64 in one line is as good.
ONE_LINE = CERTIFICATE.replace(b"\n", b"").replace(b"-----M", b"-----\nM").replace(b"=-", b"=\n-")
REAL = pki.Authority("mended CA").pem


def command(words):
    """The command that a refusal names, to be run in a shell."""
    tools = "sed|tr|printf|iconv|base64 -|grep|openssl|jq"
    found = re.search(rf"(?:: |, |^)((?:{tools}).*? (?:> |-out )PEM)(?:$|[ ,;])", words)
    assert found, words
    return found.group(1)


@pytest.mark.parametrize("kind", MENDED)
def test_the_command_that_is_named_mends_the_file(tmp_path, kind):
    data = MENDED[kind]
    said = judge(data, CERT)
    assert isinstance(said, str)
    (tmp_path / "FILE").write_bytes(data)
    subprocess.run(["bash", "-c", command(said)], cwd=tmp_path, check=True, timeout=20)
    mended = (tmp_path / "PEM").read_bytes()
    blocks = 2 if kind == "joined" else 1
    assert pem_files.kept(mended, CERT).split() in (
        (CERTIFICATE * blocks).split(),
        ONE_LINE.split(),
    )


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
@pytest.mark.parametrize("form", ["DER", "trusted", "bare"])
def test_openssl_mends_what_is_said_to_be_for_it(tmp_path, form):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, timeout=20)

    (tmp_path / "plain").write_bytes(REAL)
    if form == "DER":
        openssl("x509", "-in", "plain", "-outform", "DER", "-out", "FILE")
    elif form == "trusted":
        openssl("x509", "-in", "plain", "-trustout", "-addtrust", "serverAuth", "-out", "FILE")
    else:
        (tmp_path / "FILE").write_bytes(b"\n".join(REAL.splitlines()[1:-1]) + b"\n")
    said = judge((tmp_path / "FILE").read_bytes(), CERT)
    assert isinstance(said, str)
    subprocess.run(["bash", "-c", command(said)], cwd=tmp_path, check=True, timeout=20)
    assert pem_files.kept((tmp_path / "PEM").read_bytes(), CERT) == REAL


@pytest.mark.parametrize("source", [io.StringIO("text"), b"bytes", bytearray(9), None, 5])
@pytest.mark.parametrize("size", [None, 9])
@pytest.mark.parametrize("model", ["ML307R", "MN316"])
def test_what_is_no_source_is_refused_before_anything_is_sent(rigs, model, source, size):
    rig = rigs(model)
    before = len(rig.module.commands)
    with pytest.raises(TypeError, match=r"ca\.pem is of type .*: give a path, or a stream"):
        rig.modem.certs.write("ca.pem", source, size=size)
    assert len(rig.module.commands) == before
