# SPDX-License-Identifier: MIT
"""`onemo size`: figures that can be checked against the files."""

import json
import shutil

import pytest
from onemo_tools.bench import size
from onemo_tools.deploy import packages
from onemo_tools.deploy.mpy import CompileError, compile_mpy

FLASH_MOST = 32 * 1024  # bytes of .mpy that writing certificates loads; the aim is size.AIM
HEAP_MOST = 63 * 1024  # bytes of the 64-bit heap that they then take


@pytest.fixture(scope="module")
def report():
    return size.measure()


def test_every_module_is_measured_and_the_sums_are_right(report):
    assert sorted(module.name for module in report.modules) == packages.modules()
    for module in report.modules:
        source = packages.ROOT / "lib" / "onemo" / f"{module.name}.py"
        if module.name in ("_md5_viper", "_pem_viper"):
            assert 300 < module.flash == len(compile_mpy(source, "armv6m"))
        else:
            assert module.flash == len(compile_mpy(source)) < source.stat().st_size
        assert module.heap > 0 or module.name == "__init__"  # which _port is counted before
    assert report.everything.flash == sum(module.flash for module in report.modules)
    assert report.everything.heap == sum(module.heap for module in report.modules)
    only = [m.flash for m in report.modules if m.name in packages.PROVISION]
    assert report.provision.flash == sum(only)
    assert report.loaded.flash < report.provision.flash < report.everything.flash


def test_writing_certificates_stays_small(report):
    """A limit that a careless change would break; what is imported late is not counted."""
    assert report.loaded.flash <= FLASH_MOST
    assert report.loaded.heap <= HEAP_MOST


def test_what_is_counted_as_loaded_is_what_an_upload_imports():
    """Every import of the modules in the list, and none besides but the late ones."""
    needed = set()
    for name in ("blocking", "at_resync", "models", "certs", "cert_upload", "md5"):
        todo = [name]
        while todo:
            module = todo.pop()
            if module not in needed:
                needed.add(module)
                todo += packages.imports(packages.ROOT / "lib" / "onemo" / f"{module}.py")
    needed.remove("_pem_plain")  # only where _pem_viper cannot be had
    needed.remove("_md5_viper")  # only where hashlib has no MD5
    assert needed | {"__init__"} == set(size.PROVISIONING)


def test_the_meter_sees_what_a_module_keeps(tmp_path):
    """A module with 10,000 bytes more takes 10,000 bytes more."""
    shutil.copytree(packages.ROOT / "lib", tmp_path / "lib")
    before = size.measure(tmp_path)
    with open(tmp_path / "lib" / "onemo" / "error_texts.py", "a") as file:
        file.write("\nBALLAST = bytearray(10000)\n")
    after = size.measure(tmp_path)
    grown = {m.name: m.heap for m in after.modules}["error_texts"]
    grown -= {m.name: m.heap for m in before.modules}["error_texts"]
    assert 10000 <= grown <= 10500
    assert abs(after.everything.heap - before.everything.heap - grown) <= 500


def test_for_a_machine_and_for_a_reader(report):
    found = json.loads(size.as_json(report))
    assert found["provision"]["flash"] == report.provision.flash
    text = size.as_text(report)
    for module in report.modules:
        assert f"{module.name} " in text
    assert str(report.everything.heap) in text


def test_a_module_that_does_not_compile_or_import_is_named(tmp_path):
    folder = tmp_path / "lib" / "onemo"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('__version__ = "0"\n')
    (folder / "broken.py").write_text("import nothing_of_the_kind\n")
    with pytest.raises(size.SizeError, match="nothing_of_the_kind"):
        size.measure(tmp_path)
    (folder / "broken.py").write_text("match 1:\n    case _:\n        pass\n")
    with pytest.raises(CompileError, match=r"broken\.py does not compile: SyntaxError"):
        size.measure(tmp_path)
