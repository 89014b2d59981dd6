# SPDX-License-Identifier: MIT
"""A small MQTT 3.1.1 client that uses its socket exactly as umqtt.simple 1.x does: the same calls
with the same arguments in the same order (write with a length, of str, of two bytes; reads of
exact lengths; settimeout, setblocking). For CPython and MicroPython. umqtt.robust's way of going
on, too: `publish_again` connects anew, without closing, and publishes once more.
"""

import struct


class SmallMqtt:
    def __init__(self, socket, name, host, port, keepalive=0):
        self.socket = socket
        self.name, self.host, self.port = name, host, port
        self.keepalive = keepalive
        self.sock = None
        self.number = 0
        self.on_message = None

    def _text(self, text):
        self.sock.write(struct.pack("!H", len(text)))
        self.sock.write(text)

    @staticmethod
    def _header(first, size):
        head = bytearray(b"\0\0\0\0\0\0")
        head[0] = first
        at = 1
        while size > 0x7F:
            head[at] = size & 0x7F | 0x80
            size >>= 7
            at += 1
        head[at] = size
        return head, at + 1

    def connect(self, clean=True, timeout=None):
        self.sock = self.socket.socket()
        self.sock.settimeout(timeout)
        self.sock.connect(self.socket.getaddrinfo(self.host, self.port)[0][-1])
        head, n = self._header(0x10, 12 + len(self.name))
        body = bytearray(b"\x04MQTT\x04\0\0\0")
        body[6] = 2 if clean else 0
        body[7:9] = struct.pack("!H", self.keepalive)
        self.sock.write(head, n + 1)  # and the first byte of the name's length
        self.sock.write(body)
        self._text(self.name)
        answer = self.sock.read(4)
        if answer[:2] != b"\x20\x02" or answer[3]:
            raise OSError("the broker said " + repr(answer))
        return answer[2] & 1

    def disconnect(self):
        self.sock.write(b"\xe0\0")
        self.sock.close()

    def ping(self):
        self.sock.write(b"\xc0\0")

    def publish(self, topic, message, qos=0):
        head, n = self._header(0x30 | qos << 1, 2 + len(topic) + len(message) + (2 if qos else 0))
        self.sock.write(head, n)
        self._text(topic)
        if qos:
            self.number = self.number % 65535 + 1
            number = struct.pack("!H", self.number)
            self.sock.write(bytearray(number), 2)
        self.sock.write(message)
        while qos:
            if self.wait() == 0x40:
                assert self.sock.read(1) == b"\x02"
                if self.sock.read(2) == number:
                    return

    def publish_again(self, topic, message, qos=1, tries=20):
        for _ in range(tries):
            try:
                if self.sock is None:
                    self.connect(False)
                return self.publish(topic, message, qos)
            except OSError as error:
                failed = error
                self.sock = None
        raise failed

    def subscribe(self, topic, qos=0):
        self.number = self.number % 65535 + 1
        packet = bytearray(b"\x82\0\0\0")
        struct.pack_into("!BH", packet, 1, 5 + len(topic), self.number)
        self.sock.write(packet)
        self._text(topic)
        self.sock.write(bytes([qos]))
        while self.wait() != 0x90:
            pass
        answer = self.sock.read(4)
        assert answer[1:3] == packet[2:4]
        if answer[3] == 0x80:
            raise OSError("not subscribed")

    def wait(self):
        """The next packet's type where it is for the caller; messages go to on_message."""
        first = self.sock.read(1)
        self.sock.setblocking(True)
        if first is None:
            return None
        if first == b"":
            raise OSError(-1)
        if first == b"\xd0":
            assert self.sock.read(1) == b"\0"
            return None
        kind = first[0]
        if kind & 0xF0 != 0x30:
            return kind
        size = shift = 0
        while True:
            byte = self.sock.read(1)[0]
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
        length = struct.unpack("!H", self.sock.read(2))[0]
        topic = self.sock.read(length)
        size -= length + 2
        if kind & 6:
            number = self.sock.read(2)
            size -= 2
        message = self.sock.read(size)
        self.on_message(topic, message)
        if kind & 6 == 2:
            packet = bytearray(b"\x40\x02\0\0")
            packet[2:4] = number
            self.sock.write(packet)
        return kind

    def check(self):
        """A message, if one has come."""
        self.sock.setblocking(False)
        return self.wait()
