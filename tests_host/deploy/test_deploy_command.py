# SPDX-License-Identifier: MIT
"""`onemo deploy` at a virtual board, as a user types it."""

import json
import shutil

import pytest
from onemo_board import PORTS, VirtualBoard, images, mpremote
from onemo_tools.cli.main import app
from onemo_tools.deploy import deployment
from onemo_tools.deploy.deployment import DeployError
from onemo_tools.deploy.packages import ROOT, modules
from typer.testing import CliRunner

CERTS = ROOT / "tests_host" / "data"
APPLICATION = {"boot.py", "main.py", "mqtt.py", "config.json"}


def onemo(*words):
    """The command's exit status, standard output and standard error."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def deployed(board, *words):
    """What `onemo deploy --json` says it did."""
    status, out, err = onemo("deploy", "--board", board.port, "--json", *words)
    assert status == 0, out + err
    return json.loads(out)


@pytest.fixture
def checkout(tmp_path):
    """A checkout of one's own, to change files in."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "lib", folder / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in APPLICATION:
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize("port_like", PORTS)
def test_from_empty_then_one_file(tmp_path, checkout, port_like):
    # a main.py that ends, so that the board is at its prompt after a reset
    (checkout / "main.py").write_text("import onemo\nprint('main', onemo.__version__)\n")
    root = ("--root", checkout)
    with VirtualBoard(tmp_path / "flash.img", port_like=port_like) as board:
        first = deployed(board, *root, "--certs", CERTS)
        assert first["unchanged"] == first["removed"] == []
        library = {path for path in first["copied"] if path.startswith("lib/")}
        assert {path.rpartition("/")[2].partition(".")[0] for path in library} == set(modules())
        certs = {f"certs/{path.name}" for path in CERTS.iterdir()}
        assert set(first["copied"]) == library | certs | APPLICATION
        found = images.read_files(board.flash)
        del found["/onemo.manifest"]
        assert sum(map(len, found.values())) == first["size"]
        mark = board.output.mark()
        board.hard_reset()
        board.output.wait_for(r"main 0\.", since=mark)

        (checkout / "lib" / "onemo" / "codes.py").write_text("CODES = ()\n")
        second = deployed(board, *root, "--certs", CERTS)
        assert second["copied"] == ["lib/onemo/codes.mpy"]
        assert second["removed"] == []
        assert deployed(board, *root)["copied"] == []


def test_source_and_back(tmp_path, checkout):
    """An old .py would win over a new .mpy, and the other way round nothing would be won."""
    root = ("--root", checkout)
    with VirtualBoard(tmp_path / "flash.img") as board:
        deployed(board, *root, "--source")
        names = set(images.read_files(board.flash))
        assert {f"/lib/onemo/{name}.py" for name in modules()} <= names
        code = "import onemo.at_syntax; print(onemo.at_syntax.__file__)"
        assert mpremote(board.port, "exec", code).stdout.strip() == "/lib/onemo/at_syntax.py"
        back = deployed(board, *root)
        assert "lib/onemo/at_syntax.py" in back["removed"]
        assert mpremote(board.port, "exec", code).stdout.strip() == "/lib/onemo/at_syntax.mpy"


def test_a_dry_run_says_and_does_nothing(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        said = deployed(board, "--dry-run")
        assert said["dry_run"] is True
        assert len(said["copied"]) == len(modules()) + len(APPLICATION)
        assert images.read_files(board.flash) == {}
        status, out, _ = onemo("deploy", "--board", board.port, "--dry-run")
        assert status == 0
        assert "would be copied, 0 unchanged" in out


def test_a_flash_that_is_too_small_stays_as_it_was(tmp_path):
    """Library and application together need more than 64 KB: nothing at all is copied."""
    with VirtualBoard(tmp_path / "flash.img", size=16 * 4096) as board:
        status, out, err = onemo("deploy", "--board", board.port)
        assert status == 1
        assert out == ""
        assert "bytes free, but" in err and "nothing was changed" in err
        assert images.read_files(board.flash) == {}


def test_what_just_fits_is_not_refused(tmp_path):
    """The reckoning is in whole blocks; what it allows does fit."""
    files = {"a.bin": b"a" * 40000, "b.bin": b"b" * 100}
    with VirtualBoard(tmp_path / "flash.img", size=24 * 4096) as board:
        assert deployment.deploy(board.port, files).copied == ["a.bin", "b.bin"]
        # the same once more: old and new need not both fit as long as each file does in turn
        with pytest.raises(DeployError, match="bytes free"):
            deployment.deploy(board.port, {"a.bin": b"c" * 40000, "c.bin": b"c" * 40000})
        found = images.read_files(board.flash)
    del found["/onemo.manifest"]
    assert found == {f"/{name}": content for name, content in files.items()}


def survey(**changes):
    """What a board says of itself, with changes."""
    said = {"files": {}, "block": 4096, "free": 1 << 20, "mpy": 0x1F06, "viper": True, "md5": True}
    return said | changes


@pytest.mark.parametrize(
    "changes, content, expected",
    [
        (
            {"mpy": 0x1F05},
            b"M\x06\x00\x1f",
            r"takes \.mpy version 5, .* makes version 6:",
        ),
        ({"mpy": 0}, b"M\x06\x00\x1f", r"takes no \.mpy files.* deploy with --source"),
        ({}, b"M\x06\x2b\x1f", "native code"),
        ({"md5": False, "viper": False}, b"M\x06\x00\x1f", "no MD5 and cannot compile viper"),
        ({"free": 8192}, b"M\x06\x00\x1f", "has 8192 bytes free"),
    ],
)
def test_what_the_board_cannot_take(monkeypatch, changes, content, expected):
    files = {"lib/onemo/a.mpy": content, "lib/onemo/_md5_viper.py": b"x"}
    monkeypatch.setattr(deployment, "_survey", lambda *_: survey(**changes))
    monkeypatch.setattr(deployment, "_change", lambda *_: pytest.fail("it was changed"))
    with pytest.raises(DeployError, match=expected):
        deployment.deploy("nowhere", files)


def test_stm32_without_md5_gets_it_in_viper(tmp_path):
    with VirtualBoard(tmp_path / "flash.img", port_like="stm32") as board:
        deployed(board)
        code = (
            "from onemo.md5 import md5; import binascii, sys; h = md5(); h.update(b'abc')\n"
            "print(binascii.hexlify(h.digest()).decode(), 'onemo._md5_viper' in sys.modules)"
        )
        said = mpremote(board.port, "exec", code).stdout.split()
    assert said == ["900150983cd24fb0d6963f7d28e17f72", "True"]


def test_wrong_arguments_are_told_in_a_sentence(tmp_path, checkout):
    (checkout / "bad.json").write_text("{")
    (tmp_path / "empty").mkdir()
    nowhere = ("deploy", "--board", tmp_path / "none")
    for ends, words, expected in (
        (4, nowhere, f"there is no port {tmp_path}/none: plug it in"),
        (4, ("deploy", "--port", tmp_path / "none"), f"there is no port {tmp_path}/none: plug"),
        (4, ("deploy", "--board", checkout / "main.py"), "main.py is a file, no serial port"),
        (5, ("deploy", "--board", "/dev/null"), "no board answers"),
        (1, (*nowhere, "--config", checkout / "bad.json"), "bad.json is no JSON"),
        (1, (*nowhere, "--config", checkout / "none.json"), "none.json: give a config.json"),
        (1, (*nowhere, "--config", tmp_path), f"{tmp_path} is a folder: give a config.json"),
        (
            1,
            (*nowhere, "--certs", tmp_path / "no"),
            "no: give the folder that holds the PEM",
        ),
        (1, (*nowhere, "--certs", checkout / "main.py"), "main.py is a file: give the folder"),
        (1, (*nowhere, "--certs", tmp_path / "empty"), "there is no file in"),
    ):
        status, out, err = onemo(*words)
        assert (status, out) == (ends, ""), err
        assert err.startswith("deploy: ") and expected in err, err
        assert len(err.splitlines()) == 1 and "Errno" not in err, err
    status, _, err = onemo(*nowhere, "--romfs", "--source")
    assert status == 2
    assert err == "deploy: --romfs holds compiled modules: leave --source out\n"


def test_a_wrong_path_is_told_before_the_board_is_touched(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        for words in (("--certs", tmp_path / "no"), ("--config", tmp_path / "no.json")):
            status, _, err = onemo("deploy", "--port", board.port, *words)
            assert status == 1
            assert f"there is no {words[1]}: " in err
        assert images.read_files(board.flash) == {}
        status, _, err = onemo("deploy", "--port", board.port, "--root", tmp_path)
        assert status == 1
        assert "is this the project's folder?" in err


def test_port_is_another_word_for_board_that_help_does_not_show():
    _, out, _ = onemo("deploy", "--help")
    assert "--board" in out and "--port" not in out
