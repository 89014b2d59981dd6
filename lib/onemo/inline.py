# Uploads to models that take data only inside the command (manual 3.2, note): the PEM's line ends
# are written `\r\n`, four characters. What the module stores for one of these is not documented,
# LF or CR LF: both digests are ours.

from binascii import hexlify

from ._port import const
from .certs import KEY, SIZE_MAX
from .channel import DONE, LINE, SENT
from .digest import md5
from .errors import Unsupported
from .upload import Upload

ASCII = const(0)  # encodings of data inside a command (manual 3.1)
HEX = const(1)
ESCAPED = const(2)

_ANSWER_MS = const(5000)
_FLASH_MS = const(30000)
_CR = const(0x0D)
_WIDEST = {ASCII: 1, HEX: 2, ESCAPED: 4}  # characters that a byte may become


class InlineUpload(Upload):
    def begin_hash(self):
        encoding = self._encoding = self.modem.certs.encoding
        if encoding not in self.modem.needed_model().encodings:
            raise Unsupported(
                "%s takes no encoding %r (manual 3.1, note 4)"
                % (self.modem.needed_model(), encoding)
            )
        self._hash = md5()
        self._crlf = md5() if encoding == ESCAPED else None
        self._line_end = b"\\r\\n" if encoding == ESCAPED else b"\n"
        self._text = 0  # bytes without CR
        self._lines = 0
        # Most line ends in a stretch of a buffer's size or more, which tells how few packets do.
        self._dense = self._stretch = self._ends = 0

    def hash(self, data):
        if self._encoding == HEX:
            self._hash.update(data)
            return
        self._stretch += len(data)
        data = bytes(data).replace(b"\r", b"")
        ends = data.count(b"\n")
        self._text += len(data)
        self._lines += ends
        self._ends += ends
        self._dense = max(self._dense, self._ends)
        if self._stretch >= len(self.channel.buffer):
            self._stretch = self._ends = 0
        self._hash.update(data)
        if self._crlf:
            self._crlf.update(data.replace(b"\n", b"\r\n"))

    def hashed(self):
        super().hashed()
        if self._encoding == HEX:
            return
        self.least = self.most = self._text
        if self._crlf:
            self.most += self._lines
            if self.base is not None and self.most > SIZE_MAX:
                raise ValueError(
                    "%s would be %d bytes if the module stores its line ends as CR LF; it takes %d"
                    % (self.name, self.most, SIZE_MAX)
                )
            self.digests += (self._crlf.digest(),)

    def packets(self, progress):
        yield from self._encode()
        remain = self.begin_packets()
        most = self._packet_max()
        while remain:
            length = min(remain, most)
            remain -= length
            yield from self._packet(remain, length, progress)
        self.end_packets()
        while (event := self.channel.poll()) != DONE:
            if event == LINE:
                self.hear()
            else:
                yield

    def _encode(self):
        # The command has no ssl_id, and which one's encoding counts is not documented: all of
        # them get it, where the model has more than one.
        modem = self.modem
        certs = modem.certs
        if len(modem.needed_model().encodings) == 1:
            return
        wanted = (modem.boots, self._encoding)
        if certs.encoded == wanted:
            return
        ch = self.channel
        for ssl_id in range(modem.needed_model().ssl_ids):
            ch.begin(b"+MSSLCFG=").quote("encoding").number(ssl_id).number(self._encoding)
            ch.go(_ANSWER_MS)
            while ch.poll() != DONE:
                yield
        certs.encoded = wanted

    def _packet_max(self):
        # The fullest command line is known to fit. A source that has been read through tells how
        # many of its bytes are line ends at the most; a packet touches at most two stretches more
        # than it has bufferfuls.
        head = len('AT+MSSLCERTWR="",8192,0,""\r') + len(self.name)
        room = self.modem.line_max - head
        most = room // _WIDEST[self._encoding]
        if self._crlf and self.base is not None:
            size = len(self.channel.buffer)
            most = max(most, (room - 6 * self._dense) * size // (size + 3 * self._dense))
        return min(self.modem.packet, most)

    def _packet(self, remain, length, progress):
        # `length` 0 leaves the judgement to the digest, for what the module counts is disputed.
        ch = self.channel
        begun = False
        ch.wait(_FLASH_MS)
        while length:
            n = self.fill(length)
            if not n:
                ch.poll()
                yield
                continue
            length -= n
            if not begun:
                alone = remain and not length and n == 1 and self._encoding != HEX
                if alone and ch.buffer[0] == _CR:
                    return  # nothing is typed for it, and a command has to have data
                begun = True
                self.command(remain).number(0).verbatim(b'"')
                if self.kind == KEY:
                    ch.hide()
                ch.go(_FLASH_MS + (length + n) * 40000 // ch.baud, ended=False)
                while ch.poll() != SENT:
                    yield
            yield from self._typed(n)
            if progress:
                progress(self.size - remain - length, self.size)
        ch.push(b'"\r', 0, 2)
        while ch.poll() != DONE:
            yield

    def _typed(self, n):
        # Pushes the first n bytes of the buffer as they stand in a command.
        ch = self.channel
        buffer = ch.buffer
        if self._encoding == HEX:
            digits = hexlify(memoryview(buffer)[:n])  # type: ignore[arg-type]
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
