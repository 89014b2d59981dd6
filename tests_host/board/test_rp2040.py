# SPDX-License-Identifier: MIT
"""The emulated board's parts that need no emulator: firmware files, mirrors, what is missing."""

import json
import os
import struct
from pathlib import Path

import pytest
from onemo_board import BoardError
from onemo_board.rp2040 import firmware, prepare, storage, uf2


@pytest.mark.parametrize("size", [1, 255, 256, 257, 5000])
def test_a_uf2_comes_back_as_the_image_it_was(tmp_path, size):
    image = os.urandom(size)
    path = tmp_path / "firmware.uf2"
    path.write_bytes(uf2.write(image))
    assert path.stat().st_size == -(-size // 256) * 512
    found = uf2.read(path)
    assert list(found) == list(range(0, size, 256))
    assert b"".join(found.values())[:size] == image


def test_a_bin_is_one_part(tmp_path):
    path = tmp_path / "firmware.bin"
    path.write_bytes(b"\x00\xb5\x32")
    assert uf2.read(path) == {0: b"\x00\xb5\x32"}


def test_blocks_for_elsewhere_and_of_other_chips(tmp_path):
    path = tmp_path / "f.uf2"
    good = uf2.write(b"a" * 256)
    comment = bytearray(good)
    struct.pack_into("<I", comment, 8, 1)  # "not main flash"
    path.write_bytes(good + bytes(comment))
    assert uf2.read(path) == {0: b"a" * 256}
    for at, value, said in (
        (28, 0xE48BFF59, r"is for another chip \(family e48bff59\)"),
        (12, 0x20000000, "for 20000000, which is no flash"),
        (508, 0, "damaged in its block 1"),
        (16, 477, "damaged in its block 1"),
    ):
        wrong = bytearray(good)
        struct.pack_into("<I", wrong, at, value)
        path.write_bytes(good + bytes(wrong))
        with pytest.raises(BoardError, match=said):
            uf2.read(path)
    path.write_bytes(good[:300])
    with pytest.raises(BoardError, match="cut off: it has 300 bytes"):
        uf2.read(path)
    path.write_bytes(b"no UF2")
    with pytest.raises(BoardError, match="no UF2 file"):
        uf2.read(path)
    path.write_bytes(b"")
    with pytest.raises(BoardError, match="is empty"):
        uf2.read(path)


SOURCES = """Types: deb
URIs: http://one.example/debian
Suites: bookworm bookworm-updates
Components: main
# a comment
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main

Types: deb
URIs: http://two.example/debian-security
Suites: bookworm-security
Components: contrib
"""
LIST = """# deb http://no.example/debian sid main
deb [arch=amd64] http://three.example/debian bookworm contrib main
deb-src http://four.example/debian bookworm main
"""


def test_mirrors_are_those_of_the_machines_own_lists(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(SOURCES)
    (tmp_path / "sources.list").write_text(LIST)
    assert list(firmware.mirrors(tmp_path)) == [
        ("http://one.example/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"),
        ("http://three.example/debian", ""),
    ]
    assert list(firmware.mirrors(tmp_path / "nowhere")) == []


def test_without_root_a_sentence_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(firmware, "_there", lambda sign: sign != "arm-none-eabi-gcc")
    monkeypatch.setattr(firmware.os, "geteuid", lambda: 1000)
    with pytest.raises(prepare.Missing, match="only root can install them: `sudo apt-get install"):
        firmware.firmware()
    monkeypatch.setattr(firmware.shutil, "which", lambda name: None)
    with pytest.raises(prepare.Missing, match="and this is no Debian"):
        firmware.firmware()
    with pytest.raises(prepare.Missing, match="node is not installed"):
        prepare.emulator()
    assert list(tmp_path.rglob("*")) == []


def test_a_program_that_fails_is_told_in_a_line(tmp_path):
    script = "echo first; echo 'E: no such package' >&2; echo last; exit 3"
    with pytest.raises(prepare.Missing, match=r"^cannot: E: no such package$"):
        prepare.call(["sh", "-c", script], tmp_path, 10, "cannot")
    with pytest.raises(prepare.Missing, match="there is no onemo-nothing"):
        prepare.call(["onemo-nothing"], tmp_path, 10, "cannot")
    with pytest.raises(prepare.Missing, match="no end within 1 s"):
        prepare.call(["sleep", "9"], tmp_path, 1, "cannot")


def test_a_folder_of_the_cache_is_whole_or_not_there(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise prepare.Missing("no")

    with pytest.raises(prepare.Missing):
        prepare.made(tmp_path / "cache" / "thing", fail)
    assert list((tmp_path / "cache").iterdir()) == []
    prepare.made(tmp_path / "cache" / "thing", lambda folder: (folder / "a").touch())
    prepare.made(tmp_path / "cache" / "thing", lambda folder: (folder / "b").touch())
    assert [path.name for path in (tmp_path / "cache" / "thing").iterdir()] == ["a"]
    assert len(list((tmp_path / "cache").iterdir())) == 1


class FakeApt:
    """A mirror with these versions of MicroPython, of which only `builds` builds."""

    had: list[str] = []  # noqa: RUF012 (set by each test)

    def __init__(self, work):
        pass

    def update(self):
        pass

    def versions(self, name):
        return self.had if name == "micropython" else ["3.0-1"]

    def unpack(self, chosen):
        return chosen["micropython"]


@pytest.mark.parametrize(
    ("had", "builds", "built", "tried"),
    [
        (["1.28.0-1", "1.26.1+ds-1", "1.25.0+ds-1"], "1.26.1+ds-1", "1.26.1+ds-1", 1),
        (["1.28.0-1", "1.26.1+ds-1"], "1.28.0-1", "1.28.0-1", 2),
        (["1.28.0-1", "1.27.0-1"], "1.27.0-1", "1.27.0-1", 2),
        (["1.28.0-1", "1.27.0-1"], "none", None, 2),
        (["1.25.0+ds-1"], "1.25.0+ds-1", None, 0),
        ([], "none", None, 0),
    ],
)
def test_the_pinned_version_then_the_newest_that_builds(
    monkeypatch, tmp_path, had, builds, built, tried
):
    said, attempts = [], []

    def compile_(tree, folder, versions):
        attempts.append(tree)
        if tree != builds:
            raise prepare.Missing("the firmware does not build")
        (folder / "versions.json").write_text(json.dumps(versions))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(firmware, "_there", lambda sign: True)
    monkeypatch.setattr(firmware, "_gcc", lambda: "12.2.1")
    monkeypatch.setattr(firmware, "_Apt", FakeApt)
    monkeypatch.setattr(firmware, "_compile", compile_)
    monkeypatch.setattr(FakeApt, "had", had)
    if built is None:
        words = "does not build" if tried else r"1\.26 or newer \(the newest is"
        with pytest.raises(prepare.Missing, match=words):
            firmware.firmware(said.append)
    else:
        found = firmware.firmware(said.append)
        assert found.versions["micropython"] == built
        assert firmware.firmware(said.append) == found  # out of the cache
    assert len(attempts) == tried
    assert len([text for text in said if "with MicroPython" in text]) == max(0, tried - 1)


def test_what_is_frozen_is_built_once_and_anew_when_it_has_changed(monkeypatch, tmp_path):
    tree = tmp_path / "place" / "micropython"
    tree.mkdir(parents=True)
    manifest, module = tmp_path / "manifest.py", tmp_path / "a.py"
    manifest.touch()
    module.write_text("A = 1")
    versions = {"micropython": "1.26.1", "gcc-arm-none-eabi": "12.2.1"}
    plain = tmp_path / "firmware-2-1.26.1" / "firmware.uf2"
    built = firmware.Firmware(plain, plain, plain, versions)
    unpacked, images = [], []

    def image(tree, folder, name, **more):
        images.append(Path(more["MICROPY_FROZEN_MANIFEST"]).read_text())
        (folder / f"{name}.uf2").touch()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(firmware, "_there", lambda sign: True)
    monkeypatch.setattr(firmware, "_Apt", FakeApt)
    monkeypatch.setattr(FakeApt, "unpack", lambda self, chosen: unpacked.append(chosen) or tree)
    monkeypatch.setattr(firmware, "_compile_tool", lambda tree: None)
    monkeypatch.setattr(firmware, "_compile_image", image)
    first = firmware.frozen(built, manifest, [module])
    assert first.exists()
    assert firmware.frozen(built, manifest, [module]) == first
    assert images == [f'include("$(BOARD_DIR)/manifest.py")\ninclude("{manifest}")\n']
    module.write_text("A = 2")
    second = firmware.frozen(built, manifest, [module])
    assert (second != first, len(images)) == (True, 2)
    assert unpacked == [versions] * 2  # nothing newer than what it is to be compared with


def test_a_romfs_image_lies_before_the_file_system(tmp_path):
    storage.write(tmp_path / "plain.img", {"/a": b"1"})
    storage.write(tmp_path / "rom.img", {"/a": b"1"}, b"image")
    plain, rom = ((tmp_path / name).read_bytes() for name in ("plain.img", "rom.img"))
    at = (2048 - 1024 - 256) * 1024
    assert rom == plain[:at] + b"image" + plain[at + len(b"image") :]
    with pytest.raises(BoardError, match="has 262145 bytes, its partition 262144"):
        storage.write(tmp_path / "more.img", {}, bytes((256 << 10) + 1))


def test_the_emulated_board_is_small():
    """What rp2040js leaves to us: flash, USB's host, UART, resets, measuring."""
    lines = {path.name: path.read_text().splitlines() for path in prepare.HERE.glob("*.mjs")}
    assert set(lines) == set(prepare.SCRIPTS)
    assert sum(map(len, lines.values())) < 600
