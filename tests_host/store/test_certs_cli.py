# SPDX-License-Identifier: MIT
"""`onemo certs` from the PC: straight through a serial port, and through a board."""

import hashlib
import json
import re
import time

import pytest
from onemo import error_texts
from onemo_board import VirtualBoard, images
from onemo_simulator import Line, Module
from onemo_tools.cli import exits
from onemo_tools.cli.main import app
from onemo_tools.deploy.deployment import deploy, library
from onemo_tools.deploy.packages import ROOT
from onemo_tools.store.cli import in_the_shell
from onemo_tools.store.serial import PcUart
from typer.testing import CliRunner

DATA = ROOT / "tests_host" / "data"
CA, KEY = DATA / "manual-ca.pem", DATA / "manual-key.pem"
KEY_MD5 = "9e5e120bc7827646a0c4b007ec3e1453"  # manual 3.8
CONFIG = {"uart": {"id": 1, "baud": 115200, "tx": 4, "rx": 5}}


class Desk:
    """A module, and how the command reaches it."""

    def __init__(self, module, line, where):
        self.module, self.line, self.where = module, line, where

    def __call__(self, *words, status=0):
        """`onemo certs WORDS`; what it printed."""
        done = CliRunner().invoke(app, ["certs", *map(str, words), *self.where])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == status, done.output
        self.stderr = done.stderr
        return done.stdout if status == 0 or done.stdout else done.stderr

    def stored(self):
        with self.line.locked():
            return dict(self.module.store.objects)


@pytest.fixture(params=["pty", "tcp", "board"])
def desk(request, tmp_path):
    """The module at a serial port of the PC, at a network port, and at a board's UART."""
    module = Module("ML307R")
    if request.param == "board":
        line = Line(module)
        with (
            line,
            VirtualBoard(
                tmp_path / "flash.img", uarts={1: line.board_fd}, overrun=False, line_time=False
            ) as board,
        ):
            deploy(board.port, library(ROOT) | {"config.json": json.dumps(CONFIG).encode()})
            yield Desk(module, line, ["--board", board.port])
        names = images.read_files(board.flash)
        assert not [name for name in names if "upload" in name and "/lib/" not in name]
    else:
        line = Line(module, request.param)
        with line:
            host, number = line.address
            port = line.path if request.param == "pty" else f"socket://{host}:{number}"
            yield Desk(module, line, ["--serial", port])
    assert module.violations == []


def test_there_and_back(desk, tmp_path):
    assert desk("ls") == ""
    assert desk.stderr == "no certificates or keys\n"
    assert desk("write", "ca.pem", CA) == "ca.pem written and confirmed by the module\n"
    assert desk("write", "ca.pem", CA) == "ca.pem unchanged\n"
    assert json.loads(desk("write", "dev.key", KEY, "--kind", "key", "--json")) == {
        "name": "dev.key",
        "written": True,
    }
    assert desk.stored() == {(1, "ca.pem"): CA.read_bytes(), (2, "dev.key"): KEY.read_bytes()}
    assert desk("ls").splitlines() == ["cert   1261 ca.pem", "key    1674 dev.key"]
    assert json.loads(desk("ls", "--kind", "key", "--json")) == [
        {"kind": "key", "size": 1674, "name": "dev.key"}
    ]
    desk("read", "ca.pem", "-o", tmp_path / "back.pem")
    assert (tmp_path / "back.pem").read_bytes() == CA.read_bytes()
    assert desk("check", "dev.key") == KEY_MD5 + "\n"
    assert desk("check", "dev.key", KEY) == f"dev.key is {KEY}\n"
    assert "is not" in desk("check", "dev.key", CA, status=exits.DIFFERS)
    assert json.loads(desk("check", "ca.pem", CA, "--json"))["same"] is True
    assert desk("rm", "ca.pem") == "ca.pem removed\n"
    assert desk("rm", "ca.pem", "--missing-ok") == "ca.pem was not there\n"
    assert list(desk.stored()) == [(2, "dev.key")]


def test_what_goes_wrong_is_told_in_a_sentence(desk, tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_bytes(b"\x30\x82\x01\x0a" * 30)
    none = tmp_path / "none"
    for status, words, expected in (
        (
            8,
            ("rm", "none.pem"),
            '"none.pem": 762, no such certificate or key: check the name',
        ),
        (8, ("read", "none.pem"), "with `onemo certs ls`, or write it first"),
        (8, ("check", "none.pem"), "with `onemo certs ls`, or write it first"),
        (6, ("write", "ca.pem", bad), f"{bad}, which is to be ca.pem: PEM refused at line 1: "),
        (6, ("write", "ca.pem", KEY), "give the certificate, or write it with --kind key"),
        (6, ("write", "k", CA, "--kind", "key"), "give the key, or write it with --kind cert"),
        (6, ("write", 'a"b', CA), "quote"),
        (6, ("write", "ca.pem", tmp_path), f"{tmp_path} is a folder: give a PEM file"),
        (6, ("write", "ca.pem", none), f"there is no {tmp_path}/none: give a PEM"),
        (6, ("check", "ca.pem", none), f"there is no {tmp_path}/none: give the file"),
    ):
        said = desk(*words, status=status)
        assert said.startswith("certs: ") and expected in said, said
        assert len(said.splitlines()) == 1 and "Errno" not in said, said
    assert desk.stored() == {}


def test_programs_get_errors_as_json(desk):
    told = json.loads(desk("rm", "none.pem", "--json", status=exits.MODULE))["error"]
    assert (told["kind"], told["status"], told["code"]) == ("module", 8, 762)
    assert told["message"].endswith("check the name with `onemo certs ls`, or write it first")
    told = json.loads(desk("write", "k", CA, "--kind", "key", "--json", status=6))["error"]
    assert (told["kind"], told["status"], told["code"]) == ("refused", 6, None)
    differs = json.loads(desk("write", "ca.pem", CA, "--json")) | {"written": True}
    assert differs == {"name": "ca.pem", "written": True}
    differs = json.loads(desk("check", "ca.pem", KEY, "--json", status=exits.DIFFERS))
    assert differs["same"] is False


@pytest.mark.parametrize("kinds", [[], ["--kind", "cert"], ["--kind", "key"], ["--kind", "psk"]])
def test_an_empty_store_is_told_but_not_to_programs(kinds):
    with Line(Module("MN316-S"), "pty") as line:
        desk = Desk(None, line, ["--serial", line.path])
        assert desk("ls", *kinds) == ""
        nothing = {"cert": "certificates", "key": "keys", "psk": "PSKs"}
        assert desk.stderr == f"no {nothing[kinds[1]] if kinds else 'certificates or keys'}\n"
        assert desk("ls", *kinds, "--json") == "[]\n"
        assert desk.stderr == ""


@pytest.mark.parametrize("code", range(760, 770))
def test_remedies_are_this_commands_not_the_librarys(code):
    assert not re.search(r"certs\.|\(\)|modem|kind [A-Z]", in_the_shell(error_texts.explain(code)))


def refused(*words):
    """What `onemo certs` said in one line, and its exit status."""
    done = CliRunner().invoke(app, ["certs", *map(str, words)])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.stdout == ""
    [said] = done.stderr.splitlines()
    return said, done.exit_code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ls"], "say where the module is: --serial PORT or --board PORT"),
        (["ls", "--serial", "x", "--board", "y"], "--serial PORT or --board PORT, not both"),
        (["ls", "--serial", "x", "--port", "y"], "--serial PORT or --board PORT, not both"),
        (["ls", "--serial", "x", "--kind", "cart"], "--kind is one of cert, key, psk, not 'cart'"),
        (["write", "p", CA, "--kind", "psk"], "--kind is one of cert, key, not 'psk'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words, said):
    told, status = refused(*words)
    assert told.startswith(f"certs: {said}")
    assert status == 2


@pytest.mark.parametrize("option", ["--serial", "--board", "--port"])
def test_a_wrong_port_is_named_once(option, tmp_path):
    for port, expected in (
        (tmp_path / "none", f"certs: there is no port {tmp_path}/none: plug it in"),
        (CA, f"certs: {CA} is a file, no serial port: give one such as /dev/ttyUSB0"),
    ):
        said, status = refused("ls", option, port)
        assert said.startswith(expected) and said.count(str(port)) == 1
        assert status == exits.PORT


def test_port_is_another_word_for_board_that_help_does_not_show():
    done = CliRunner().invoke(app, ["certs", "ls", "--help"])
    assert "--board" in done.stdout and "--port" not in done.stdout


def test_standard_output_takes_a_certificate_as_it_is(desk):
    desk("write", "ca.pem", CA)
    assert desk("read", "ca.pem").encode() == CA.read_bytes()


@pytest.mark.parametrize("model", ["MN316", "MN316-S"])
def test_a_model_that_stores_other_line_ends(model):
    """What it holds is the file all the same; PSKs are listed where the model has them."""
    module = Module(model)
    with Line(module, "pty") as line:
        desk = Desk(module, line, ["--serial", line.path])
        desk("write", "ca.pem", CA)
        assert desk("check", "ca.pem", CA) == f"ca.pem is {CA}\n"
        assert [item["kind"] for item in json.loads(desk("ls", "--json"))] == ["cert"]
    assert module.violations == []


def test_a_board_without_the_library_is_told(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        done = CliRunner().invoke(app, ["certs", "ls", "--board", board.port])
        assert done.exit_code == 1
        assert "onemo deploy puts it there" in done.stderr
        deploy(board.port, library(ROOT))
        said, _ = refused("ls", "--board", board.port)
        assert said == "certs: there is no config.json on the board: onemo deploy puts it there"
        deploy(board.port, {"config.json": b"{"})
        said, _ = refused("ls", "--board", board.port)
        assert said == "certs: config.json on the board is no JSON: onemo deploy replaces it"


def test_the_adapter_never_waits_and_takes_what_there_is():
    module = Module("ML307R", echo=False)
    with Line(module, "pty") as line:
        uart = PcUart(line.path, 115200)
        try:
            buffer = bytearray(16)
            assert uart.any() == 0
            assert uart.readinto(buffer) is None
            assert uart.write(memoryview(b"AT\r")) == 3
            got = b""
            for _ in range(1000):
                n = uart.readinto(buffer, 2)
                assert n is None or 1 <= n <= 2
                got += bytes(buffer[: n or 0])
                if got.endswith(b"OK\r\n"):
                    break
                time.sleep(0.005)
            assert got == b"\r\nOK\r\n"
        finally:
            uart.close()


def test_the_manuals_code_is_the_files_md5():
    assert hashlib.md5(KEY.read_bytes()).hexdigest() == KEY_MD5
