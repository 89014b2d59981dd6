# SPDX-License-Identifier: MIT
#
# Runs before test_module_reset: the board soft-resets itself in the middle of an upload, so that
# the module waits for data that never come.

import io

import machine
from line import SETTINGS, open_line
from onemo import Modem
from test_module import NAME, pem


def progress(done, total):
    if done > total // 2:
        machine.soft_reset()


modem = Modem(open_line(), baud=SETTINGS["baud"], packet=8192)
modem.start()
modem.certs.write(NAME, io.BytesIO(pem(80)), force=True, progress=progress)
