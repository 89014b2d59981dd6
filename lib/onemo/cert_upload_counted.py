# SPDX-License-Identifier: MIT
#
# Uploads inside the command whose <length> the module checks (manual 3.2, 3.3). The length stands
# before the data, so a packet is what lies in the buffer. What it counts is disputed: the manual
# says the characters as typed, an example of the vendor's counts the bytes that they stand for.

from ._port import const
from .at_channel import DONE, FLASH_MS, LINE, SENT
from .at_syntax import PAYLOAD_MAX
from .cert_store import KEY
from .cert_upload_inline import ESCAPED, HEX, InlineUploader

_CR = const(0x0D)
_LF = const(0x0A)

LENGTHS = ("typed", "decoded")


def other_uploader(modem, usual, inline, check_length):
    """What writes as CertStore.write was asked to, in place of what usually does. ValueError."""
    prompt = modem.require_model().prompt
    if check_length is None:
        return InlineUploader(modem) if prompt else usual
    if prompt and not inline:
        raise ValueError("check_length is for data inside the command: pass inline=True as well")
    return CountedUploader(modem, check_length)


class CountedUploader(InlineUploader):
    def __init__(self, modem, counts):
        if counts not in LENGTHS:
            raise ValueError(
                "check_length is %r; it must be %r, %r or None" % (counts, LENGTHS[0], LENGTHS[1])
            )
        super().__init__(modem)
        self._counts = counts

    def _open(self, source, size):
        super()._open(source, size)
        if self._position is None:
            raise ValueError(
                "check_length needs a source that can be rewound, for %s is counted before it is "
                "sent" % self._name
            )

    def _end_hash(self):
        super()._end_hash()
        self._total = self._size
        if self._encoding != HEX:
            self._total = self._lf_size + self._lines * (self._newline_count() - 1)
        if self._total > PAYLOAD_MAX:
            raise ValueError(
                "%s counts %d bytes, %s; the module takes %d: leave check_length out"
                % (self._name, self._total, self._counts, PAYLOAD_MAX)
            )

    def _newline_count(self):
        # What a line end counts: `\r\n` has four characters and stands for two bytes.
        if self._encoding != ESCAPED:
            return 1
        return 4 if self._counts == "typed" else 2

    def _count(self):
        # What the module counts of buffer[_start:_stop]. By hand: a copy would leave a key in the
        # heap.
        if self._encoding == HEX:
            return self._stop - self._start
        newline = self._newline_count()
        count = 0
        for at in range(self._start, self._stop):
            byte = self._ch.buffer[at]
            if byte != _CR:
                count += newline if byte == _LF else 1
        return count

    def _send_op(self, progress):
        yield from self._set_encoding_op()
        ch = self._ch
        left = self._begin_packets()
        remain = self._total
        widest = 4 if self._encoding == ESCAPED else 2  # characters of a byte
        head = len('AT+MSSLCERTWR="",8192,8192,""\r') + len(self._name)
        room = min(self._modem.packet, (self._modem.line_max - head) // widest)
        ch.set_deadline(FLASH_MS)
        while left:
            n = self._fill(min(left, room))
            if not n:
                ch.poll()
                yield
                continue
            left -= n
            length = self._count()
            if not length:
                continue  # a CR alone: nothing is written for it
            remain -= length
            self._command(remain).number(length).verbatim(b'"')
            if self._kind == KEY:
                ch.begin_secret()
            ch.send(FLASH_MS + n * 40000 // ch.baud, line_open=True)
            while ch.poll() != SENT:
                yield
            yield from self._push_encoded_op(self._start, self._stop)
            if progress:
                progress(self._size - left, self._size)
            ch.end_line()
            while ch.poll() != DONE:
                yield
            ch.set_deadline(FLASH_MS)
        ch.cancel()
        self._end_packets()
        stored = None
        while (event := ch.poll()) != DONE:
            if event == LINE:
                stored = self._check_digest_line()
            else:
                yield
        return stored
