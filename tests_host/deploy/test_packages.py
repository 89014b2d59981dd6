# SPDX-License-Identifier: MIT
"""What others install: the lists agree with the tree, and each way of installing works."""

import ast
import json
from pathlib import Path

import pytest
from onemo_board import VirtualBoard, mpremote
from onemo_simulator import Line, Module
from onemo_tools.deploy import packages
from onemo_tools.deploy.mpy import VERSION
from onemo_tools.deploy.packages import ROOT, listings, modules, parts

from tests_host.on_micropython import run

FRESH = "run `make packages` and commit what it writes"


class Options:
    """As the freezer's: defaults, unless the including manifest says otherwise."""

    def __init__(self, said):
        self._said = said

    def defaults(self, **values):
        self.__dict__.update({**values, **self._said})


def frozen(**said):
    """The modules that manifest.py freezes, and its metadata."""
    found, about = [], {}

    def package(name, files, base_path, opt):
        for file in files:
            assert (ROOT / base_path / name / file).is_file(), file
        assert (name, opt) == ("onemo", 3)
        found.extend(Path(file).stem for file in files)

    names = {"options": Options(said), "package": package, "metadata": about.update}
    exec((ROOT / "manifest.py").read_text(), names)
    return found, about


def listed(path):
    """The modules that a package.json lists; each of its files is there."""
    content = json.loads(path.read_text())
    for target, source in content["urls"]:
        assert (path.parent / source).is_file(), source
        assert target == f"onemo/{Path(source).name}"
    assert content["version"] == packages.version()
    return [Path(target).stem for target, _ in content["urls"]]


def test_tree_package_and_manifest_agree():
    tree = modules()
    assert listed(ROOT / "package.json") == tree, FRESH
    assert sorted(frozen()[0]) == tree, FRESH
    assert sorted(m for part in parts() for m in listed(ROOT / "lib" / f"{part}.json")) == tree
    assert frozen()[1]["version"] == packages.version()


def test_the_lists_are_as_written_by_their_program():
    for path, text in listings().items():
        assert (ROOT / path).read_text() == text, f"{path}: {FRESH}"


def test_parts_can_be_frozen_alone():
    assert frozen(parts="provision")[0] == parts()["provision"]
    assert frozen(parts="provision sockets")[0] == [*parts()["provision"], *parts()["sockets"]]


# Their methods load what they need, which a part may not have: ImportError names it then.
FACE = ("modem", "recovery", "blocking", "aio")


def test_a_part_needs_only_what_it_says():
    """Whatever is imported with a module, or later, lies in its part or in one below; but for
    what only a method loads whose part this is: FACE."""
    below = {
        "provision": {"provision"},
        "sockets": {"provision", "sockets"},
        "identity": {"provision", "identity"},
        "aio": {"provision", "sockets", "aio"},
    }
    for module in modules():
        source = ROOT / "lib" / "onemo" / f"{module}.py"
        late = [] if module in FACE else packages.late_imports(source)
        for other in packages.imports(source) + late:
            assert packages.part_of(other) in below[packages.part_of(module)], (module, other)
    assert set(packages.PROVISION) <= set(modules())
    assert "at_resync" in packages.late_imports(ROOT / "lib" / "onemo" / "recovery.py")


def test_only_provisioning_imports_no_asyncio_anywhere():
    for module in parts()["provision"]:
        tree = ast.parse((ROOT / "lib" / "onemo" / f"{module}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not {"asyncio", "socket"} & {alias.name for alias in node.names}, module


def test_modules_do_not_import_one_another_in_a_ring(tmp_path):
    order = packages.in_order()
    assert sorted(order) == modules()
    for module in order:
        for other in packages.imports(ROOT / "lib" / "onemo" / f"{module}.py"):
            assert order.index(other) < order.index(module)
    folder = tmp_path / "lib" / "onemo"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("from . import b\n")
    (folder / "b.py").write_text("try:\n    from .a import x\nexcept ImportError:\n    pass\n")
    with pytest.raises(ValueError, match="ring: a b a"):
        packages.in_order(tmp_path)


@pytest.fixture(scope="session")
def mpy(tmp_path_factory):
    """The .mpy variants, built."""
    folder = tmp_path_factory.mktemp("mpy")
    packages.write_mpy(folder)
    return folder


def test_the_mpy_variants_list_the_same(mpy):
    assert listed(mpy / "package.json") == modules()
    for part, names in parts().items():
        assert listed(mpy / f"{part}.json") == names
    sources = [path.name for path in (mpy / "onemo").glob("*.py")]
    assert sorted(sources) == ["_md5_viper.py", "_pem_viper.py"]
    assert {path.read_bytes()[1] for path in (mpy / "onemo").glob("*.mpy")} == {VERSION}


def test_every_module_is_importable_on_micropython(mpy):
    script = f"""
import json
for name in {modules()!r}:
    __import__("onemo" if name == "__init__" else "onemo." + name)
print(json.dumps("onemo.modem" in sys.modules))
"""
    assert run(script, lib=mpy, heap="512K") is True  # all at once, as no program has them


UART = """
class UART:
    def __init__(self, *pins):
        pass

    def any(self):
        return 0

    def write(self, buf, at=0, n=0):
        return n
"""
LOOKED_AT = """
import json
from onemo import Modem
from machine import UART
modem = Modem(UART(1, 115200), model="ML307R")
modem.certs
loaded = set(sys.modules)
seen = [set(dir(modem)), set(dir(modem.certs))]
seen = [{"start", "connect", "tls"} <= seen[0], {"write", "list"} <= seen[1]]
seen += [hasattr(modem, "sync"), hasattr(modem.certs, "read"), hasattr(modem, "nothing")]
print(json.dumps([seen, sorted(set(sys.modules) - loaded)]))
"""


@pytest.mark.parametrize("part", ["whole", "provision"])
def test_looking_at_what_there_is_loads_nothing(tmp_path, part):
    names = parts()["provision"] if part == "provision" else modules()
    package = tmp_path / "onemo"
    package.mkdir()
    for name in names:
        source = ROOT / "lib" / "onemo" / f"{name}.py"
        (package / source.name).write_bytes(source.read_bytes())
    (tmp_path / "machine.py").write_text(UART)
    seen, loaded = run(LOOKED_AT, lib=tmp_path)
    assert seen == [True, True, True, True, False]
    assert loaded == []


PROVISIONING = """
import sys
from onemo import AUTH_SERVER, CERT, Modem
from onemo.errors import CommandError
from machine import UART
modem = Modem(UART(1, 115200, rxbuf=2048))
modem.start()
print(modem.certs.write("ca.pem", "ca.pem"), modem.certs.write("ca.pem", "ca.pem"))
modem.tls(1).configure(AUTH_SERVER, ca="ca.pem")
try:
    modem.certs.read("none.pem", sys.stdout)
except CommandError as error:
    print(error)
print([name for name in sys.modules if name in ("asyncio", "onemo.net_links", "onemo.suites")])
"""


def provisions(board, module, script_folder):
    """A board with the library installed writes a certificate and configures a context."""
    pem = Path(__file__).parents[1] / "data" / "manual-ca.pem"
    script = script_folder / "provision.py"
    script.write_text(PROVISIONING)
    done = mpremote(board.port, "fs", "cp", pem, ":ca.pem", "+", "run", script)
    # mpremote's own lines come behind the board's, unless Python writes at once
    lines = [line for line in done.stdout.splitlines() if not line.startswith("cp ")]
    assert "True False" in lines
    assert any(": 762, " in line for line in lines), lines
    assert lines[-1] == "[]"
    assert module.store.objects[1, "ca.pem"] == pem.read_bytes()
    assert module.contexts.names(1)[0] == "ca.pem"
    assert module.violations == []


@pytest.mark.parametrize(
    "package, port_like",
    [
        ("package.json", "esp32"),
        ("lib/provision.json", "rp2"),
        ("mpy/package.json", "stm32"),
        ("mpy/provision.json", "esp32"),
    ],
)
def test_mip_installs_and_the_board_provisions(mpy, tmp_path, package, port_like):
    """The real mpremote, as a user calls it; stm32 has no MD5 of its own."""
    path = mpy / package[4:] if package.startswith("mpy/") else ROOT / package
    module = Module("ML307R")
    with (
        Line(module) as line,
        VirtualBoard(
            tmp_path / "flash.img",
            port_like=port_like,
            heap="128K" if package.startswith("mpy/") else "288K",
            uarts={1: line.board_fd},
            overrun=False,
            line_time=False,
        ) as board,
    ):
        target = ["--target", "/flash/lib"] if port_like == "stm32" else []
        mpremote(board.port, "mip", "install", *target, path)
        found = mpremote(board.port, "fs", "ls", "lib/onemo").stdout
        assert sorted(Path(line.split()[1]).stem for line in found.splitlines()[1:]) == (
            listed(path)
        )
        provisions(board, module, tmp_path)
