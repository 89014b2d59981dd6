# SPDX-License-Identifier: MIT
"""`onemo deploy` and `onemo certs write` look at certificates and config.json before they send."""

import json
import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from onemo_board import VirtualBoard, images
from onemo_simulator import Line, Module
from onemo_tools.cli import exits
from onemo_tools.cli.main import app
from onemo_tools.deploy.packages import ROOT
from onemo_tools.servers.pki import Authority
from typer.testing import CliRunner


def onemo(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def desk(tmp_path):
    """A folder with a device's certificates and its config.json."""
    authority = Authority("root")
    device = authority.issue("device-0001")
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "client.pem").write_bytes(device.chain)
    (folder / "client.key").write_bytes(device.key)
    shutil.copy(ROOT / "config.json", tmp_path / "config.json")
    return tmp_path


@pytest.fixture
def deploy(desk):
    with VirtualBoard(desk / "flash.img") as board:

        def run(*words):
            where = ("--board", board.port, "--json")
            status, out, err = onemo("deploy", *where, *words)
            told = json.loads(out)
            return status, images.read_files(board.flash) if "error" in told else told, err

        yield run


def test_good_files_go_without_a_word(desk, deploy):
    status, done, err = deploy("--certs", desk / "certs", "--config", desk / "config.json")
    assert (status, err, done["lint"], done["missing"]) == (0, "", [], [])


@pytest.mark.parametrize("name", ["expired", "other key", "ca key", "bad config", "not pem"])
def test_an_error_stops_it_before_anything_is_copied(desk, deploy, name):
    certs, config = desk / "certs", desk / "config.json"
    code = {
        "expired": "expired",
        "other key": "key-mismatch",
        "ca key": "ca-key-present",
        "bad config": "bad-config",
        "not pem": "not-pem",
    }[name]
    other = Authority("other")
    if name == "expired":
        (certs / "client.pem").write_bytes(other.issue("old", expired=True).chain)
    elif name == "other key":
        (certs / "client.key").write_bytes(other.issue("another").key)
    elif name == "ca key":
        (certs / "ca.pem").write_bytes(other.pem)
        (certs / "ca.key").write_bytes(
            other._private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    elif name == "bad config":
        config.write_text(config.read_text().replace('"mutual"', '"maybe"'))
    else:
        (certs / "ca.pem").write_bytes(b"no PEM")
    status, flash, err = deploy("--certs", certs, "--config", config)
    assert status == exits.REFUSED and flash == {}
    assert f"[{code}]" in err and "nothing was sent" in err
    status, done, _ = deploy("--certs", certs, "--config", config, "--no-lint", "--dry-run")
    assert status == 0 and len(done["copied"]) > 40


def test_no_config_goes_that_main_py_would_refuse(desk, deploy):
    good = (desk / "config.json").read_bytes()

    def line_of(text):
        return good[: good.index(text)].count(b"\n") + 1

    for data, code, line in (
        (good.replace(b'"every_s": 60', b'"every_s": "60"'), "bad-config", line_of(b'"every_s"')),
        (good.replace(b'"apn"', b'"anp"'), "bad-config", line_of(b'"apn"')),
        (good.replace(b'"watchdog_s"', b'"wachdog_s"'), "bad-config", line_of(b'"watchdog_s"')),
        (good.replace(b'"retry": {"first_s": 1, "most_s": 300},', b""), "bad-config", None),
        (good.replace(b'"tx": 17', b'"tx": 17, "tx": 18'), "bad-config", 2),
        (b"[]", "bad-config", None),
        (b"\xef\xbb\xbf" + good, "bom", 1),
        (good.decode().encode("utf-16"), "not-utf8", 1),
    ):
        config = desk / "mine.json"
        config.write_bytes(data)
        status, flash, err = deploy("--config", config)
        assert (status, flash) == (exits.REFUSED, {}), err
        place = f"{config}:{line}:" if line else f"{config}:"
        assert err.startswith(place) and f"[{code}]" in err, err
    # An application of one's own needs no more than it asks for.
    app = desk / "app"
    app.mkdir()
    (app / "main.py").write_text("print('mine')")
    config.write_bytes(b'{"objects": [], "contexts": []}')
    assert deploy("--config", config)[0] == exits.REFUSED
    assert deploy("--config", config, "--app", app)[0] == 0


def test_warnings_are_told_and_it_goes_on(desk, deploy):
    (desk / "certs" / "README").write_text("read me")
    status, done, err = deploy("--certs", desk / "certs", "--config", desk / "config.json")
    assert status == 0
    assert [one["code"] for one in done["lint"]] == ["file-unwanted"]
    assert "README: warning [file-unwanted]" in err


def test_a_file_that_config_json_names_may_be_on_the_board_already(desk, deploy):
    certs, config = desk / "certs", desk / "config.json"
    (certs / "client.key").rename(desk / "client.key")
    status, flash, err = deploy("--certs", certs, "--config", config)
    assert status == 1 and flash == {}
    assert "config.json names certs/client.key, neither among the files nor on the board" in err
    status, done, _ = deploy("--config", config)
    assert status == 0
    assert done["missing"] == ["certs/ca.pem", "certs/client.key", "certs/client.pem"]
    (desk / "keys").mkdir()
    (desk / "client.key").rename(desk / "keys" / "client.key")
    assert deploy("--certs", desk / "keys")[0] == 0
    status, done, _ = deploy("--certs", certs, "--config", config)
    assert (status, done["missing"], done["leftover"]) == (0, [], [])


def test_write_looks_first(desk):
    old = desk / "old.pem"
    old.write_bytes(Authority("other").issue("old", expired=True).chain)
    module = Module("ML307R")
    with Line(module, "pty") as line:
        words = ("certs", "write", "old.pem", old, "--serial", line.path)
        status, out, err = onemo(*words)
        assert (status, out) == (exits.REFUSED, "") and "[expired]" in err
        with line.locked():
            assert module.store.objects == {}
        assert onemo(*words, "--no-lint")[0] == 0
        with line.locked():
            assert list(module.store.objects) == [(1, "old.pem")]
