# SPDX-License-Identifier: MIT
"""What people, editors and type checkers see of the library: every method, with its parameters."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from onemo import Modem, aio, blocking, certs, modem
from onemo.tls import TLSContext
from onemo_tools.deploy.mpy import compile_mpy

LIB = Path(__file__).resolve().parents[2] / "lib"
METHODS = [
    "start",
    "command",
    "reboot",
    "on_urc",
    "attach",
    "clock",
    "info",
    "set_baud",
    "restore",
]
METHODS += ["tls", "sync", "rotate", "connect", "socket_module", "ciphers", "certs"]
METHODS += ["use_as_socket", "udp"]
STORE = ["write", "read", "list", "remove", "digest", "algorithms", "write_psk"]
FACES: list[tuple[type, list[str]]] = [
    *((front, METHODS) for front in (Modem, aio.Modem)),
    (certs.CertStore, STORE),
]
FACES.append((TLSContext, ["configure", "read", "read_all", "set", "get", "options"]))


@pytest.mark.parametrize(("face", "names"), FACES)
def test_every_method_is_seen_and_explained(face, names):
    assert set(names) <= set(dir(face))
    for name in names:
        member = inspect.getattr_static(face, name)
        function = member.fget if isinstance(member, property) else member
        assert inspect.getdoc(function), name
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            free = ("uart", "reopen", "handler", "progress", "source", "sink", "trial", "value")
            assert parameter.annotation is not parameter.empty or parameter.name in free, name


def test_what_has_no_underscore_is_explained():
    for face in (modem.BaseModem, blocking.Modem, aio.AsyncModem, certs.CertStore, TLSContext):
        for name, member in vars(face).items():
            if not name.startswith("_") and callable(member):
                assert inspect.getdoc(member), f"{face.__name__}.{name}"


def test_base_and_fronts_have_three_names():
    assert {c.__name__ for c in (modem.BaseModem, blocking.Modem, aio.Modem)} == {
        "BaseModem",
        "Modem",
        "AsyncModem",
    }


GOOD = """
import machine
from onemo import AUTH_MUTUAL, KEY, Modem
from onemo.aio import Modem as AsyncModem

def blocking(uart: machine.UART) -> None:
    modem = Modem(uart, baud=115200, model="ML307R")
    modem.start(timeout_ms=1000)
    modem.certs.write("ca.pem", "/ca.pem", KEY, size=1, force=True)
    modem.tls(1).configure(AUTH_MUTUAL, ca="a", cert="b", key="c")
    modem.connect("host", 8883, modem.tls(1), timeout_ms=6000).settimeout(1)

async def waiting(uart: machine.UART) -> None:
    modem = AsyncModem(uart)
    await modem.start(timeout_ms=1000)
    await modem.certs.write("ca.pem", "/ca.pem")
    stream = await modem.connect("host", 8883)
    await stream.read(1)
"""
BAD = """
    modem.connects("host", 1)
    modem.connect("host")
    modem.connect("host", "8883")
    modem.connect("host", 1, timeout=5)
    modem.certs.writes("a", "b")
    modem.certs.write("a")
    modem.certs.write("a", "b", bytes=1)
    modem.attach(apm="x")
    modem.start("soon")
    modem.tls(1).configure(cu="a")
    modem.command()
"""


def checked(tmp_path, source):
    """Numbers of the lines to which mypy objects."""
    path = tmp_path / "product.py"
    path.write_text(source)
    (tmp_path / "machine.py").write_text("class UART: ...\n")
    command = [sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=silent"]
    command += ["--python-executable", sys.executable, "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, str(path)],
        env={"MYPYPATH": f"{LIB}:{tmp_path}", "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("product.py:")]
    assert lines or "Success" in done.stdout, done.stdout + done.stderr
    return {int(line.split(":")[1]) for line in lines if " error: " in line}


def test_mypy_sees_what_is_right_and_what_is_misspelt(tmp_path):
    assert checked(tmp_path, GOOD) == set()
    source = GOOD
    wrong = set()
    for front, wait in (("blocking", ""), ("waiting", "await ")):
        source += f"\n{'async ' if wait else ''}def bad_{front}(modem: "
        source += f"{'AsyncModem' if wait else 'Modem'}) -> None:\n"
        for line in BAD.strip().splitlines():
            source += f"    {wait}{line.strip()}\n" if "configure" not in line else f"{line}\n"
            wrong.add(len(source.splitlines()))
    assert checked(tmp_path, source) == wrong


@pytest.mark.parametrize("name", ["modem", "certs", "tls", "blocking", "aio"])
def test_annotations_and_docstrings_cost_nothing_on_a_board(tmp_path, name):
    source = LIB / "onemo" / f"{name}.py"
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
    bare = tmp_path / f"{name}.py"
    bare.write_text(ast.unparse(tree))
    assert len(compile_mpy(source)) <= len(compile_mpy(bare))
