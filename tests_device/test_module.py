# SPDX-License-Identifier: MIT
#
# Needs a module at the UART: the whole way there and back, with objects of these tests' own name.

import binascii
import io
import unittest

from line import SETTINGS, open_line
from onemo import CERT, Modem
from onemo.errors import CommandError
from onemo.uart import reopen

NAME = "onemo-test.pem"
FAST = 230400


def pem(lines):
    # Type and length of a certificate, and filler.
    inside = 48 * lines - 4
    start = bytes((0x30, 0x82, inside >> 8, inside & 255, 0x30, 0x82, inside - 4 >> 8))
    start += bytes((inside - 4 & 255, 0xA0, 3, 2, 1))
    return (
        b"-----BEGIN CERTIFICATE-----\n"
        + binascii.b2a_base64(start).strip()
        + b"A" * 48
        + b"\n"
        + b"AwIBAgIUQ0FGRUJBQkVDQUZFQkFCRUNBRkVCQUIwCgYIKoZIzj0EQkFCRUNBRkVC\n" * (lines - 1)
        + b"-----END CERTIFICATE-----\n"
    )


class Store(unittest.TestCase):
    def setUp(self):
        self.modem = Modem(open_line(), baud=SETTINGS["baud"])
        self.modem.start()
        self.certs = self.modem.certs

    def tearDown(self):
        self.certs.remove(NAME, missing_ok=True)

    def test_the_module_says_what_it_is(self):
        self.assertTrue(self.modem.is_known_model)

    def test_write_read_list_check_remove(self):
        content = pem(40)
        told = []

        def progress(done, total):
            told.append((done, total))

        written = self.certs.write(NAME, io.BytesIO(content), force=True, progress=progress)
        self.assertIs(written, True)
        self.assertEqual(told[-1], (len(content), len(content)))
        self.assertIs(self.certs.write(NAME, io.BytesIO(content)), False)
        self.assertIn((NAME, len(content)), self.certs.list(CERT))
        back = io.BytesIO()
        self.assertEqual(self.certs.read(NAME, back), len(content))
        self.assertTrue(back.getvalue() == content)
        self.assertEqual(len(self.certs.digest(NAME)), 32)
        self.assertIs(self.certs.remove(NAME), True)
        with self.assertRaises(CommandError) as caught:
            self.certs.digest(NAME)
        self.assertTrue(caught.exception.code is None or caught.exception.code >= 50)

    def test_a_large_object_in_one_packet_and_in_many(self):
        for packet in (8192, 512):
            modem = Modem(open_line(), baud=SETTINGS["baud"], packet=packet)
            modem.start()
            self.assertIs(modem.certs.write(NAME, io.BytesIO(pem(115)), force=True), True)


class Speed(unittest.TestCase):
    def test_another_speed_and_back(self):
        at = reopen(SETTINGS)
        modem = Modem(open_line(), baud=SETTINGS["baud"])
        for baud in (FAST, SETTINGS["baud"]):
            modem.set_baud(baud, at)
            self.assertEqual(modem.command("+CMEE?"), [b"+CMEE: 1"])
