# Uploads to models that take data only inside the command (manual 3.2, note): the PEM's line ends
# are written `\r\n`, four characters. What the module stores for one of these is not documented,
# LF or CR LF: both digests are ours.

from binascii import hexlify

from ._port import const
from .certs import ASCII, ESCAPED, HEX, KEY, SIZE_MAX
from .channel import DONE, SENT
from .digest import md5
from .errors import Unsupported
from .upload import Upload

_FLASH_MS = const(30000)
_CR = const(0x0D)
_WIDEST = {ASCII: 1, HEX: 2, ESCAPED: 4}  # characters that a byte may become


class InlineUpload(Upload):
    def __init__(self, modem, name, stream, kind, size, progress):
        super().__init__(modem, name, stream, kind, size, progress)
        self._encoding = modem.certs.encoding
        if self._encoding not in modem.needed_model().encodings:
            raise Unsupported(
                "%s takes no encoding %d (manual 3.1, note 4)" % (modem.model, self._encoding)
            )
        self._crlf = md5() if self._encoding == ESCAPED else None
        self._line_end = b"\\r\\n" if self._encoding == ESCAPED else b"\n"
        self._text = 0  # bytes without CR
        self._lines = 0

    def check(self):
        if self._crlf and self.digests and self._text + self._lines > SIZE_MAX:
            raise ValueError(
                "%s would be %d bytes if the module stores its line ends as CR LF; it takes %d"
                % (self.name, self._text + self._lines, SIZE_MAX)
            )

    def sizes(self):
        if self._encoding == HEX:
            return (self.size,)
        return (self._text, self._text + self._lines) if self._crlf else (self._text,)

    def is_ours(self, digest):
        if digest not in self.digests:
            return False
        self.modem.certs.newline = b"\n" if digest == self.digests[0] else b"\r\n"
        return True

    def hash(self, data):
        if self._encoding == HEX:
            self._hash.update(data)
            return
        data = bytes(data).replace(b"\r", b"")
        self._text += len(data)
        self._lines += data.count(b"\n")
        self._hash.update(data)
        if self._crlf:
            self._crlf.update(data.replace(b"\n", b"\r\n"))

    def hashed(self):
        digests = super().hashed()
        if self._crlf:
            digests += (hexlify(self._crlf.digest()).decode(),)
        return digests

    def packet_max(self):
        # The fullest command line is known to fit, whatever the bytes become.
        head = len('AT+MSSLCERTWR="",8192,0,""') + len(self.name)
        room = (self.modem.line_max - head) // _WIDEST[self._encoding]
        return min(self.modem.packet, len(self.ch.buffer), room)

    def packet(self, remain, length):
        # `length` 0 leaves the judgement to the digest, for what the module counts is disputed.
        ch = self.ch
        self.command(remain).number(0).verbatim(b'"')
        if self.kind == KEY:
            ch.hide()
        ch.go(_FLASH_MS + length * 40000 // ch.baud, ended=False)
        while ch.poll() != SENT:
            yield
        while length:
            n = self.fill(length)
            if n:
                length -= n
                yield from self._typed(n)
                self.report(remain + length)
            else:
                ch.poll()
                yield
        ch.push(b'"\r', 0, 2)
        while ch.poll() != DONE:
            yield

    def _typed(self, n):
        # Pushes the first n bytes of the buffer as they stand in a command.
        ch = self.ch
        buffer = ch.buffer
        if self._encoding == HEX:
            digits = hexlify(memoryview(buffer)[:n])
            ch.push(digits, 0, len(digits))
            while ch.poll() != SENT:
                yield
            return
        at = 0
        while at < n:
            end = buffer.find(b"\n", at, n)
            stop = n if end < 0 else end
            text = stop - 1 if stop > at and buffer[stop - 1] == _CR else stop
            if text > at:
                ch.push(buffer, at, text)
                while ch.poll() != SENT:
                    yield
            if end >= 0:
                ch.push(self._line_end, 0, len(self._line_end))
                while ch.poll() != SENT:
                    yield
            at = stop + 1
