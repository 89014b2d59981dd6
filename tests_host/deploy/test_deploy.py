# SPDX-License-Identifier: MIT
"""deploy.py at a virtual board: what is copied, what is left, what is refused."""

import re

import pytest
from onemo_board import VirtualBoard, images, mpremote
from onemo_tools.deploy import mpy
from onemo_tools.deploy.deployment import DeployError, deploy, library


@pytest.fixture
def board(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as started:
        yield started


def checkout(folder, **modules):
    """A checkout whose library has these modules: name=source."""
    package = folder / "lib" / "onemo"
    package.mkdir(parents=True, exist_ok=True)
    for name, source in modules.items():
        (package / f"{name}.py").write_text(source)
    return folder


def flash(board):
    """All files on the board but deploy's own records."""
    found = images.read_files(board.flash)
    found.pop("/onemo.manifest", None)
    return found


def test_only_what_changed_is_copied(board, tmp_path):
    files = library(checkout(tmp_path, __init__="", part="VALUE = 41\n")) | {
        "main.py": b"print('main runs')\n",
        "certs/deep/ca.pem": bytes(range(256)) * 20,
    }
    told = []
    first = deploy(board.port, files, say=lambda path, size: told.append(path))
    assert sorted(first.copied) == sorted(told) == sorted(files)
    assert first.size == sum(map(len, files.values()))
    assert flash(board) == {f"/{path}": content for path, content in files.items()}
    value = "from onemo import part; print(part.VALUE)"
    assert mpremote(board.port, "exec", value, timeout=60).stdout.strip() == "41"

    files |= library(checkout(tmp_path, part="VALUE = 42\n"))
    second = deploy(board.port, files)
    assert second.copied == ["lib/onemo/part.mpy"]
    assert len(second.unchanged) == 3
    assert mpremote(board.port, "exec", value, timeout=60).stdout.strip() == "42"
    assert deploy(board.port, files).copied == []


def test_a_port_that_mounts_its_flash_elsewhere(tmp_path):
    files = {"lib/onemo/__init__.py": b"HERE = __file__\n", "certs/ca.pem": b"x"}
    with VirtualBoard(tmp_path / "flash.img", port_like="stm32") as board:
        deploy(board.port, files)
        assert deploy(board.port, files).copied == []
        code = "import onemo, os; print(onemo.HERE, os.stat('/flash/certs/ca.pem')[6])"
        said = mpremote(board.port, "exec", code, timeout=60).stdout.split()
    assert said == ["/flash/lib/onemo/__init__.py", "1"]


def test_modules_that_are_no_longer_there_go_and_other_files_stay(board):
    others = {"lib/other.py": b"OTHER = 1\n", "notes.txt": b"mine\n"}
    old = {"lib/onemo/part.py": b"VALUE = 1\n", **others}
    deploy(board.port, old)
    new = {"lib/onemo/new.py": b"VALUE = 2\n"}
    done = deploy(board.port, new)
    assert done.removed == ["lib/onemo/part.py"]  # it would win over a part.mpy
    assert flash(board) == {f"/{path}": data for path, data in {**others, **new}.items()}
    # Without a library among the files nothing of it is touched.
    assert deploy(board.port, {"config.json": b"{}"}).removed == []
    assert "/lib/onemo/new.py" in flash(board)


def test_a_dry_run_changes_nothing(board):
    files = {"lib/onemo/part.py": b"VALUE = 1\n"}
    done = deploy(board.port, files, dry_run=True)
    assert done.copied == ["lib/onemo/part.py"]
    assert flash(board) == {}


def test_a_full_flash_is_told_before_anything_is_copied(tmp_path):
    with VirtualBoard(tmp_path / "small.img", size=8 * 4096) as board:
        files = {"a.bin": b"a" * 4096, "b.bin": b"b" * 40000}
        with pytest.raises(DeployError, match=r"has \d+ bytes free, but \d+ are needed"):
            deploy(board.port, files)
        assert flash(board) == {}


def test_an_mpy_that_the_board_cannot_read_is_told(board):
    newer = b"M\x07" + bytes(10)
    with pytest.raises(DeployError, match=r"takes \.mpy version 6, but mpy-cross makes .*7"):
        deploy(board.port, {"lib/onemo/part.mpy": newer})
    assert flash(board) == {}


def test_a_source_that_does_not_compile_is_named(tmp_path):
    with pytest.raises(DeployError, match=r"bad\.py does not compile: SyntaxError"):
        library(checkout(tmp_path, bad="def f(:\n"))


@pytest.mark.parametrize("architecture", ["armv6m", "armv7emsp", "xtensawin", "x64", "rv32imc"])
def test_viper_is_compiled_for_a_board_that_tells_its_architecture(tmp_path, architecture):
    viper = "import micropython\n@micropython.viper\ndef f(x: int) -> int:\n    return x\n"
    files = library(checkout(tmp_path, a="A = 1\n", b=viper)) | {"main.py": viper.encode()}
    told = mpy.tells(architecture)
    found = mpy.for_board(files, told)
    assert sorted(found) == ["lib/onemo/a.mpy", "lib/onemo/b.mpy", "main.py"]
    content = found["lib/onemo/b.mpy"]
    assert content[:2] == b"M\x06" and content[2] == told >> 8 & 0xFF
    assert found["main.py"] == files["main.py"]  # the application's own
    assert found["lib/onemo/a.mpy"] == files["lib/onemo/a.mpy"]
    sources = library(tmp_path, source=True)
    assert mpy.for_board(sources, told) == sources
    for other in (0, 6, told ^ 0x100, 6 | 3 << 8 | 15 << 10):
        assert mpy.for_board(files, other) == files


def test_viper_stays_source(tmp_path):
    viper = "@micropython.viper\ndef f(x: int) -> int:\n    return x\n"
    found = library(checkout(tmp_path, a="A = 1\n", b=viper))
    assert found["lib/onemo/b.py"] == viper.encode()
    assert found["lib/onemo/a.mpy"][:2] == b"M\x06"
    assert sorted(found) == ["lib/onemo/a.mpy", "lib/onemo/b.py"]


def test_no_library_is_told(tmp_path):
    with pytest.raises(DeployError, match=re.escape(str(tmp_path))):
        library(tmp_path)
