# SPDX-License-Identifier: MIT
"""Deploy onto real firmware: into its flash, and into its ROMFS partition."""

from onemo_tools.deploy import deployment

from .conftest import MOST_S, ROOT

LOOK = """
import gc, sys
import onemo.at_syntax
from onemo import Modem
gc.collect()
print(onemo.at_syntax.__file__, Modem.__name__)
"""


def test_files(start, at):
    board, files = start(), deployment.library(ROOT)
    done = deployment.deploy(board.port, files, timeout=MOST_S)
    # What is viper is machine code of the board's own architecture by now.
    there = sorted(path.replace("_viper.py", "_viper.mpy") for path in files)
    assert sorted(done.copied) == there
    again = deployment.deploy(board.port, files, timeout=MOST_S)
    assert (again.copied, again.removed) == ([], [])
    assert sorted(again.unchanged) == there
    assert at(board).exec("from onemo.cert_pem import run\nprint(run)") == "<function>\n"
    assert at(board).exec(LOOK) == "/lib/onemo/at_syntax.mpy Modem\n"


def test_romfs(start, at):
    board = start()
    own = {"boot.py": b"print('booted')\n"}
    done = deployment.deploy_romfs(board.port, ROOT, own=own)
    assert {path for path in done.copied if not path.startswith("rom/")} == set(own)
    board.hard_reset()
    assert at(board).exec(LOOK) == "/rom/lib/onemo/at_syntax.mpy Modem\n"
    assert at(board).exec("import os\nprint(os.listdir('/lib'))") == "['onemo']\n"
    assert at(board).exec("import os\nprint(os.listdir('/lib/onemo'))") == "[]\n"
