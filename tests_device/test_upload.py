# SPDX-License-Identifier: MIT
#
# Needs no wire: PEM files on the board's flash go through the driver to a module in miniature.

import binascii
import os
import unittest

from fake import FakeModule
from onemo import CERT, Modem

PATH = "tests_device/source.pem"


def pem(size, end=b"\n"):
    """A PEM of about `size` bytes."""
    line = b"A" * 64 + end
    lines = (size - 60) // len(line)
    inside = 48 * lines - 4
    start = bytes((0x30, 0x82, inside >> 8, inside & 255, 0x30, 0x82, inside - 4 >> 8))
    start += bytes((inside - 4 & 255, 0xA0, 3, 2, 1))
    body = binascii.b2a_base64(start).strip() + b"A" * 48 + end + line * (lines - 1)
    return b"-----BEGIN CERTIFICATE-----" + end + body + b"-----END CERTIFICATE-----" + end


class Flash(unittest.TestCase):
    def tearDown(self):
        try:
            os.remove(PATH)
        except OSError:
            pass

    def upload(self, content, slow=False, **settings):
        with open(PATH, "wb") as file:
            file.write(content)
        fake = FakeModule(slow)
        modem = Modem(fake, model="ML307R", **settings)
        modem.start()
        self.assertIs(modem.certs.write("a.pem", PATH), True)
        self.assertTrue(fake.stored["a.pem"] == content)
        self.assertIs(modem.certs.write("a.pem", PATH), False)
        return fake

    def test_a_file_of_the_largest_size(self):
        self.upload(pem(8100))

    def test_a_file_with_the_other_line_ends(self):
        self.upload(pem(1000, b"\r\n"))

    def test_a_uart_that_gives_and_takes_little(self):
        self.upload(pem(700), slow=True)

    def test_packets_and_buffer_of_any_size(self):
        fake = self.upload(pem(900), packet=100, buffer=33)
        packets = [line for line in fake.commands if line.startswith("AT+MSSLCERTWR")]
        self.assertEqual(len(packets), -(-len(pem(900)) // 100))

    def test_a_file_that_is_not_there_is_named(self):
        modem = Modem(FakeModule(), model="ML307R")
        modem.start()
        with self.assertRaises(OSError, "tests_device/none.pem"):
            modem.certs.write("a.pem", "tests_device/none.pem")

    def test_a_file_that_is_no_pem_is_refused_with_nothing_sent(self):
        with open(PATH, "wb") as file:
            file.write(b"\x30\x82\x01\x0a" * 40)
        fake = FakeModule()
        modem = Modem(fake, model="ML307R")
        modem.start()
        before = len(fake.commands)
        with self.assertRaises(ValueError):
            modem.certs.write("a.pem", PATH, CERT)
        self.assertEqual(len(fake.commands), before)
