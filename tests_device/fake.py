# SPDX-License-Identifier: MIT
#
# A module in miniature, on the board itself: just what an upload needs. Tests of what the board
# adds (its flash, its heap, its MD5) want no wire. Reading from it allocates nothing.

import hashlib
from binascii import hexlify


class FakeModule:
    """any, readinto, write as a UART has them; `stored`: name -> content."""

    def __init__(self, slow=False):
        self.stored = {}
        self.commands = []
        self._slow = slow  # gives and takes little at a time, and now and then nothing
        self._turn = 0
        self._line = bytearray()
        self._out = bytearray()
        self._at = 0
        self._upload = None
        self._left = self._remain = 0

    def put(self, data):
        """What the host is to hear."""
        if self._at:
            self._out[: self._at] = b""
            self._at = 0
        self._out.extend(data)

    def any(self):
        return len(self._out) - self._at

    def readinto(self, buf, n):
        n = min(n, len(self._out) - self._at)
        if self._slow:
            self._turn = (self._turn + 1) & 3
            if not self._turn:
                return None
            n = min(n, self._turn)
        for i in range(n):
            buf[i] = self._out[self._at + i]
        self._at += n
        return n or None

    def write(self, buf, start=0, count=None):
        count = len(buf) - start if count is None else count
        if self._slow:
            self._turn = (self._turn + 1) & 7
            if not self._turn:
                return None
            count = min(count, self._turn * 3)
        for i in range(start, start + count):
            self._take(buf[i])
        return count

    def _take(self, byte):
        if self._left:
            self.stored[self._upload].append(byte)
            self._left -= 1
            if not self._left:
                self.put(b"\r\nOK\r\n")
        elif byte == 13:
            line = bytes(self._line).decode()
            self._line = bytearray()
            if line:
                self.commands.append(line)
                self._answer(line)
        else:
            self._line.append(byte)

    def _answer(self, line):
        name, _, rest = line.partition("=")
        words = [word.strip('"') for word in rest.split(",")]
        if name == "AT+CMEE?":
            self.put(b"\r\n+CMEE: 1\r\n")
        elif name == "AT+MSSLCERTWR":
            if words[0] != self._upload or not self._remain:
                self.stored[words[0]] = bytearray()
            self._upload, self._remain, self._left = words[0], int(words[1]), int(words[2])
            self.put(b"\r\n>")
            return
        elif name == "AT+MSSLLIST" and words[0] == "1":
            for key, data in self.stored.items():
                self.put(b'\r\n+MSSLLIST: "%s",%d\r\n' % (key.encode(), len(data)))
        elif name == "AT+MSSLCHECK":
            self.put(b"\r\n+MSSLCHECK: %s\r\n" % self.check_code(words[0]))
        elif name == "AT+MSSLRM":
            self.stored.pop(words[0], None)
        self.put(b"\r\nOK\r\n")

    def check_code(self, name):
        """The content's MD5 by the port, or by viper where the port has none."""
        try:
            hashed = hashlib.md5()
        except AttributeError:
            from onemo._md5_viper import MD5

            hashed = MD5()
        hashed.update(self.stored[name])
        return hexlify(hashed.digest())
