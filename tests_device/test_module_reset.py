# SPDX-License-Identifier: MIT
#
# Needs a module at the UART, which before_module_reset left waiting for data.

import io
import time
import unittest

from line import SETTINGS, open_line
from onemo import CERT, Modem
from test_module import NAME, pem


class AfterSoftReset(unittest.TestCase):
    def test_the_module_is_found_and_the_upload_done_anew(self):
        start = time.ticks_ms()
        modem = Modem(open_line(), baud=SETTINGS["baud"])
        modem.start()
        self.assertLess(time.ticks_diff(time.ticks_ms(), start), 30000)
        content = pem(80)
        try:
            modem.certs.write(NAME, io.BytesIO(content))
            self.assertIn((NAME, len(content)), modem.certs.list(CERT))
        finally:
            modem.certs.remove(NAME, missing_ok=True)
