# SPDX-License-Identifier: MIT
"""A user's project, with the wheel and a port's stubs: what type checkers say of it.

`# error` marks the lines that are wrong, `# type: T` those whose last expression has that type.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / "build" / "stubs" / "esp32"

PRODUCT = """\
import asyncio

from machine import UART
from onemo import AUTH_MUTUAL, KEY, Modem
from onemo.aio import Modem as AsyncModem
from onemo.errors import CommandError
from onemo.uart import open_uart

uart = UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0)
modem = Modem(uart, baud=115200)
reveal_type(modem.attach("cmnet"))  # type: list[str]
reveal_type(modem.certs.write("a", "/a", KEY, size=3))  # type: bool
reveal_type(modem.certs.list())  # type: list[tuple[str, int]]
reveal_type(modem.certs.digest("a"))  # type: str
reveal_type(modem.command("+CSQ"))  # type: list[bytes]
modem.tls(1).configure(AUTH_MUTUAL, ca="ca.pem", cert="c", key="k")
with modem.connect("broker.example", 8883, modem.tls(1)) as stream:
    reveal_type(stream.readline())  # type: bytes
    reveal_type(stream.write(b"hello"))  # type: int
try:
    modem.start()
except CommandError as error:
    print(error.code, error.command)

modem.connect("broker.example", "8883")  # error
modem.connect("broker.example", 8883, 1)  # error
modem.connect("broker.example", 8883, modem.tls)  # error
modem.certs.write("a")  # error
modem.certs.writes("a", "b")  # error
modem.tls(1).configure(AUTH_MUTUAL, cu="a")  # error
modem.attach().upper()  # error
modem.certs.digest("a") + 1  # error
Modem(uart, bauds=1)  # error


async def main() -> None:
    modem = AsyncModem(open_uart({"id": 1, "baud": 115200}))
    await modem.start(timeout_ms=1000)
    reveal_type(await modem.attach())  # type: list[str]
    reveal_type(await modem.certs.write("a", "/a"))  # type: bool
    reveal_type(await modem.certs.list())  # type: list[tuple[str, int]]
    reveal_type(await modem.command("+CSQ"))  # type: list[bytes]
    reveal_type(await modem.sync({}))  # type: list[tuple[str, Any]]
    await modem.tls(1).configure(AUTH_MUTUAL, ca="ca.pem", cert="c", key="k")
    modem.tls(1).configure(ca="ca.pem", send=False)
    stream = await modem.connect("broker.example", 8883, modem.tls(1))
    reveal_type(await stream.readline())  # type: bytes
    print(modem.model)
    (await modem.attach()).upper()  # error
    modem.attach().append("x")  # error
    await modem.certs.write("a", bytes=1)  # error
    await modem.connect("broker.example", "8883")  # error
    await modem.connect("broker.example", 8883, 1)  # error
    await modem.attach(apm="x")  # error


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    if not (STUBS / ".ready").exists():
        pytest.skip("`make types` puts the port's stubs there")
    folder = tmp_path_factory.mktemp("product")
    (folder / "product.py").write_text(PRODUCT)
    return folder


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "MYPYPATH": str(STUBS)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def plain(text):
    """A type without the names of its modules, which checkers write in different ways."""
    return re.sub(r"\b(?:builtins|typing)\.", "", text).replace("List[", "list[")


def by_mypy(folder, installed):
    """Line numbers of errors, and types by line."""
    words = ["--python-executable", installed.bin / "python", "--custom-typeshed-dir", STUBS]
    done = run(folder, "mypy", "--config-file=", "--cache-dir=cache", *words, "product.py")
    errors, types = set(), {}
    for line in done.stdout.splitlines():
        found = re.match(r"product\.py:(\d+): (error|note): (.*)", line)
        if found and found[2] == "error":
            errors.add(int(found[1]))
        elif found and (told := re.match(r'Revealed type is "(.*)"', found[3])):
            types[int(found[1])] = plain(told[1])
    assert types, done.stdout + done.stderr
    return errors, types


def by_pyright(folder, installed):
    config = {
        "include": ["product.py"],
        "typeshedPath": str(STUBS),
        "stubPath": str(STUBS),
        "typeCheckingMode": "standard",
        "reportUnusedCoroutine": "error",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    words = ["--outputjson", "--pythonpath", installed.bin / "python"]
    done = run(folder, "pyright", *words)
    errors, types = set(), {}
    for one in json.loads(done.stdout)["generalDiagnostics"]:
        line = one["range"]["start"]["line"] + 1
        if one["severity"] == "error":
            errors.add(line)
        elif told := re.match(r'Type of ".*" is "(.*)"', one["message"]):
            types[line] = plain(told[1])
    return errors, types


@pytest.mark.parametrize("checker", [by_mypy, by_pyright])
def test_parameters_and_results_are_seen_on_both_fronts(project, installed, checker):
    if checker is by_pyright:
        pytest.importorskip("pyright", reason="`make types` installs it")
    lines = list(enumerate(PRODUCT.splitlines(), 1))
    wanted = {n: line.split("# type: ")[1] for n, line in lines if "# type: " in line}
    errors, types = checker(project, installed)
    assert types == wanted
    assert errors == {n for n, line in lines if line.endswith("# error")}
