# SPDX-License-Identifier: MIT
#
# Needs no wire: what the driver keeps out of this board's RAM.

import gc
import sys
import unittest
from binascii import hexlify

import micropython
from fake import FakeModule
from onemo import Modem
from onemo.md5 import md5

URC = b'\r\n+CEREG: 1,"2f3a","0c0d1e2f",7\r\n'


class Imports(unittest.TestCase):
    def test_provisioning_loads_no_asyncio_no_sockets_no_suites(self):
        Modem(FakeModule(), model="ML307R").start()
        for name in (
            "asyncio",
            "onemo.aio",
            "onemo.net_links",
            "onemo.suites",
            "onemo.error_texts",
        ):
            self.assertNotIn(name, sys.modules)


class Heap(unittest.TestCase):
    def setUp(self):
        self.fake = FakeModule()
        self.modem = Modem(self.fake, model="ML307R")
        self.modem.start()
        self.channel = self.modem.channel

    def poll(self, times):
        for _ in range(times):
            self.channel.poll()

    def locked(self, times):
        micropython.heap_lock()
        try:
            self.poll(times)
        finally:
            micropython.heap_unlock()

    def test_waiting_allocates_nothing(self):
        self.poll(5)
        self.locked(50)

    def test_receiving_lines_allocates_nothing(self):
        for _ in range(3):  # until buffers have their room
            self.fake.put(URC * 8)
            self.poll(30)
        self.fake.put(URC * 8)
        self.locked(30)
        self.assertEqual(self.fake.any(), 0)

    def test_hashing_allocates_nothing(self):
        hashed = md5()
        data = bytearray(256)
        hashed.update(data)
        micropython.heap_lock()
        try:
            hashed.update(data)
        finally:
            micropython.heap_unlock()
        code = hexlify(hashed.digest()).decode()
        self.assertEqual(code, "bf619eac0cdf3f68d496ea9344137e8b")

    def test_commands_leave_nothing_behind(self):
        for _ in range(3):
            self.modem.command("+CSQ")
        self.fake.commands.clear()
        gc.collect()
        before = gc.mem_alloc()
        for _ in range(20):
            self.modem.command("+CSQ")
        self.fake.commands.clear()
        gc.collect()
        self.assertLess(gc.mem_alloc() - before, 512)
