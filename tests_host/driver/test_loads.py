# SPDX-License-Identifier: MIT
"""A module that cannot be loaded, as where memory is short, leaves nothing behind in the heap."""

import shutil

import pytest
from on_micropython import ROOT, run

SCRIPTED = ROOT / "tools" / "onemo_tools" / "bench" / "device" / "scripted.py"
SCRIPT = """
import json
from onemo import Modem
from scripted import Uart

def loaded():
    return sorted(name for name in sys.modules if name.startswith("onemo."))

modem = Modem(Uart(256))
{before}
kept = loaded()
try:
    {act}
    failed = False
except ImportError:
    failed = True
print(json.dumps([failed, kept, loaded()]))
"""


@pytest.mark.parametrize(
    ("missing", "before", "act"),
    [
        ("model_find", "", "modem.start()"),
        ("cert_upload", "modem.start()", "modem.certs.write('ca.pem', 'ca.pem')"),
    ],
)
def test_a_module_that_cannot_be_loaded_leaves_none_that_was_loaded_for_it(
    tmp_path, missing, before, act
):
    lib = tmp_path / "lib"
    shutil.copytree(ROOT / "lib" / "onemo", lib / "onemo")
    shutil.copy(SCRIPTED, lib)
    (tmp_path / "lib" / "onemo" / f"{missing}.py").unlink()
    failed, kept, left = run(SCRIPT.format(before=before, act=act), lib=lib, heap="1M")
    assert failed
    assert set(left) - set(kept) <= {"onemo.model"}  # which start() needs again
