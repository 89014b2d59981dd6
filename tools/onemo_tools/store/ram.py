# SPDX-License-Identifier: MIT
"""A source in RAM, for what is never to be in a file. Runs, as source, on a board."""


class Ram:
    def __init__(self, content):
        self.content = memoryview(content)
        self.at = 0

    def readinto(self, buf, n=None):
        n = min(len(buf) if n is None else n, len(self.content) - self.at)
        buf[:n] = self.content[self.at : self.at + n]
        self.at += n
        return n

    def seek(self, at, whence=0):
        self.at = at
        return at

    def tell(self):
        return self.at
