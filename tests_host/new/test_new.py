# SPDX-License-Identifier: MIT
"""`onemo new` and `onemo pki`: what they make works as it is."""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from onemo import profile
from onemo_board import VirtualBoard, images
from onemo_tools.cli.main import app
from onemo_tools.deploy.packages import ROOT
from onemo_tools.new.cli import UARTS
from onemo_tools.servers.endpoint import Endpoint, echo_lines
from onemo_tools.servers.pki import Identity
from typer.testing import CliRunner


def onemo(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    folder = tmp_path_factory.mktemp("products") / "thermometer"
    done = onemo("new", folder, "--host", "mqtt.test", "--port", 8884, "--device", "d-7")
    assert done.exit_code == 0, done.output
    return folder


def everything(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_what_is_there(product):
    found = everything(product)
    assert {
        ".gitignore",
        "README.md",
        "board/certs/client.key",
        "board/config.json",
        "board/main.py",
        "config.schema.json",
        "pki/server.key",
        "pyproject.toml",
        "tests/test_product.py",
        "typings/onemo/_awaited.pyi",
        "typings/onemo/py.typed",
    } <= set(found)
    assert not [name for name in found if name.endswith((".in", ".pyc"))]
    assert len((product / "README.md").read_text().splitlines()) == 2 + 5  # its name, five lines
    assert "{{" not in (product / "tests" / "test_product.py").read_text()
    for name in found:
        mode = (product / name).stat().st_mode & 0o777
        assert mode == (0o600 if name.endswith(".key") else mode & 0o755), name


def test_its_settings_and_certificates_are_sound(product):
    config = profile.read(str(product / "board" / "config.json"))
    assert (config["endpoint"]["host"], config["endpoint"]["port"]) == ("mqtt.test", 8884)
    assert (product / "board" / config["$schema"]).resolve() == product / "config.schema.json"
    json.loads((product / "config.schema.json").read_text())
    words = ["certs", "lint", product / "board" / "certs", "--config"]
    done = onemo(*words, product / "board" / "config.json")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("port_like", UARTS)
def test_for_every_port(tmp_path, port_like):
    assert onemo("new", tmp_path / "p", "--port-like", port_like).exit_code == 0
    config = json.loads((tmp_path / "p" / "board" / "config.json").read_text())
    assert config["uart"] == UARTS[port_like]
    assert f"micropython-{port_like}-stubs" in (tmp_path / "p/requirements-dev.txt").read_text()


def test_its_own_tests_pass(product):
    """As a user runs them: on a virtual board, over mutual TLS."""
    path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=product,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_deploy_works_from_it(product, tmp_path, monkeypatch):
    monkeypatch.chdir(product)
    with VirtualBoard(tmp_path / "flash.img") as board:
        done = onemo("deploy", "--board", board.port)
        assert done.exit_code == 0, done.output
        assert f"product  {product / 'board'}, as pyproject.toml says" in done.stderr
        there = images.read_files(board.flash)
        again = json.loads(onemo("deploy", "--board", board.port, "--json").stdout)
        assert again["copied"] == []
    for name in ("main.py", "mqtt.py", "config.json", "certs/ca.pem", "certs/client.key"):
        assert there[f"/{name}"] == (product / "board" / name).read_bytes()
    assert "/lib/onemo/modem.mpy" in there
    assert not [name for name in there if "server" in name or "typings" in name]


def test_other_folders_are_no_products(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    with VirtualBoard(tmp_path / "flash.img") as board:
        done = onemo("deploy", "--board", board.port, "--dry-run")
        assert done.exit_code == 0 and "product" not in done.stderr
        (tmp_path / "pyproject.toml").write_text("[tool.onemo]\napp = 3\n")
        done = onemo("deploy", "--board", board.port, "--dry-run")
        assert done.exit_code == 2 and "is the name of a folder" in done.stderr


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine").write_text("mine")
    done = onemo("new", tmp_path / "p")
    assert done.exit_code == 1 and "is there already: give an empty folder" in done.stderr
    assert everything(tmp_path) == ["p/mine"]
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.pem").write_text("mine")
    done = onemo("pki", tmp_path / "pki")
    assert done.exit_code == 1 and "ca.pem is there already" in done.stderr
    assert everything(tmp_path) == ["p/mine", "pki/ca.pem"]


# onemo pki


@pytest.mark.parametrize("ec", [False, True], ids=["rsa", "ec"])
def test_a_pki_serves_both_ways(tmp_path, ec):
    words = ["pki", tmp_path, "--host", "mqtt.test", "--host", "10.0.0.9", "--device", "d-9"]
    done = onemo(*words, *(["--ec"] if ec else []))
    assert done.exit_code == 0 and "for development and tests only" in done.stderr
    assert done.stdout.split() == [
        str(tmp_path / name)
        for name in (
            "ca.pem",
            "server.pem",
            "server.key",
            "client.pem",
            "client.key",
            "README.txt",
        )
    ]
    chain, key = (tmp_path / "server.pem").read_bytes(), (tmp_path / "server.key").read_bytes()
    identity = Identity("mqtt.test", chain, chain, key, key)
    client_ca = (tmp_path / "ca.pem").read_bytes()
    for name in ("mqtt.test", "10.0.0.9", "localhost", "127.0.0.1"):
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        with Endpoint(echo_lines, identity=identity, client_ca=client_ca) as server:
            import socket

            raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            with context.wrap_socket(raw, server_hostname=name) as link:
                link.sendall(b"hello\n")
                assert link.recv(10) == b"hello\n"
            server.wait(1, timeout=10)
            assert server.connections[0].peer == "d-9"
    assert not (tmp_path / "ca.key").exists()
    assert "CA" in (tmp_path / "README.txt").read_text()


def test_two_pkis_do_not_know_one_another(tmp_path):
    """Their keys are new each time, in processes of their own."""
    path = os.pathsep.join(str(ROOT / name) for name in ("tools", "lib"))
    for name in ("one", "two"):
        subprocess.run(
            [sys.executable, "-m", "onemo_tools", "pki", str(tmp_path / name), "--ec"],
            env={**os.environ, "PYTHONPATH": path},
            check=True,
            timeout=60,
            capture_output=True,
        )
    keys = {(tmp_path / name / "client.key").read_bytes() for name in ("one", "two")}
    assert len(keys) == 2
    assert Path(tmp_path / "one" / "ca.pem").read_bytes() != (tmp_path / "two/ca.pem").read_bytes()
