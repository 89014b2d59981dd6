# SPDX-License-Identifier: MIT
#
# Needs TX wired to RX: what a UART of this port does, and what the driver makes of it.

import unittest

from line import SETTINGS, drain, exchange, open_line, pause, wait_for
from onemo import Modem
from onemo.errors import Timeout
from onemo.uart import reopen

PATTERN = bytes(range(256)) * 8


class Wire(unittest.TestCase):
    def setUp(self):
        self.uart = open_line()

    def test_nothing_there_is_none_and_does_not_wait(self):
        self.assertEqual(self.uart.any(), 0)
        self.assertIsNone(self.uart.readinto(bytearray(16)))
        self.assertEqual(self.uart.any(), 0)

    def test_a_short_read_gives_what_is_there(self):
        self.assertEqual(self.uart.write(b"short"), 5)
        self.assertTrue(wait_for(lambda: self.uart.any() == 5))  # else: is TX wired to RX?
        buffer = bytearray(64)
        self.assertEqual(self.uart.readinto(buffer, 3), 3)
        self.assertEqual(self.uart.readinto(buffer, self.uart.any()), 2)
        self.assertEqual(bytes(buffer[:2]), b"rt")
        self.assertIsNone(self.uart.readinto(buffer))

    def test_every_byte_goes_round_however_little_is_taken(self):
        self.assertEqual(exchange(self.uart, PATTERN), PATTERN)

    def test_write_takes_an_offset_and_a_count(self):
        self.assertEqual(self.uart.write(b"0123456789", 3, 4), 4)
        self.assertTrue(wait_for(lambda: self.uart.any() == 4))
        buffer = bytearray(4)
        self.uart.readinto(buffer)
        self.assertEqual(bytes(buffer), b"3456")

    def test_write_says_how_much_it_took(self):
        taken = 0
        refused = False
        for _ in range(400):
            n = self.uart.write(PATTERN, 0, 256)
            refused = refused or n is None or n < 256
            taken += n or 0
            drain(self.uart)
            if taken >= 2048:
                break
        self.assertTrue(taken >= 2048)
        pause(300)
        drain(self.uart)

    def test_another_speed_and_back(self):
        at = reopen(SETTINGS)
        for baud in (9600, SETTINGS["baud"]):
            uart = at(baud)
            pause(20)
            drain(uart)
            self.assertEqual(exchange(uart, PATTERN[:200]), PATTERN[:200])

    def test_no_module_is_a_timeout(self):
        """The driver hears itself only, which is an echo and no answer."""
        with self.assertRaises(Timeout, "no answer within 1500 ms"):
            Modem(self.uart, baud=SETTINGS["baud"]).start(timeout_ms=1500)


class Overrun(unittest.TestCase):
    """A buffer too small for what comes while nobody reads."""

    def tearDown(self):
        drain(open_line())

    def test_a_small_buffer_loses_bytes_and_recovers(self):
        uart = open_line(rxbuf=160)
        sent = 0
        for _ in range(200):
            sent += uart.write(PATTERN, 0, 100) or 0
            pause(1)
            if sent >= 1500:
                break
        self.assertTrue(sent >= 1500)
        pause(300)
        got = drain(uart)
        self.assertLess(got, sent)
        self.assertLess(0, got)
        self.assertEqual(exchange(uart, PATTERN[:100]), PATTERN[:100])

    def test_the_usual_buffer_takes_a_line_of_the_manual_whole(self):
        """1.3 KB of MSSLCIPHER, read a little at a time."""
        uart = open_line()
        self.assertEqual(exchange(uart, PATTERN[:1300]), PATTERN[:1300])
