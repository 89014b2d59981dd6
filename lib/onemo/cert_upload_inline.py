# SPDX-License-Identifier: MIT
#
# Uploads to models that take data only inside the command (manual 3.2, note): the PEM's line ends
# are written `\\r\\n`, four characters. What the module stores for one of these is not documented,
# LF or CR LF: both digests are ours.

from ._port import const
from .at_channel import DONE, FLASH_MS, HEX_DIGITS, LINE, REPLY_MS, SENT
from .at_syntax import PAYLOAD_MAX
from .cert_store import KEY
from .cert_upload import Uploader
from .errors import CommandError, Unsupported
from .md5 import md5

ASCII = const(0)  # encodings of data inside a command (manual 3.1)
HEX = const(1)
ESCAPED = const(2)

_NO_PROMPT = const((50, 4, None))  # refusals of a command without its data
_CR = const(0x0D)
_DIGITS = const(128)
_MAX_WIDTH = {ASCII: 1, HEX: 2, ESCAPED: 4}  # characters that a byte may become


class InlineUploader(Uploader):
    def __init__(self, modem):
        super().__init__(modem)
        self._encoding_sent = None  # (boot, encoding) that the module was told
        self._digits = None  # of what goes out in hexadecimal

    def close(self):
        """Close the source if it was opened here."""
        super().close()
        digits = self._digits
        if digits:
            for i in range(_DIGITS):
                digits[i] = 0

    def _begin_hash(self):
        encoding = self._encoding = self._modem.encoding
        if encoding not in self._modem.require_model().encodings:
            raise Unsupported(
                "%s takes no encoding %r (manual 3.1, note 4)"
                % (self._modem.require_model(), encoding)
            )
        self._hash = md5()
        self._hasher = self
        self._crlf_hash = md5() if encoding == ESCAPED else None
        self._line_end = b"\\r\\n" if encoding == ESCAPED else b"\n"
        self._lf_size = 0  # bytes without CR
        self._lines = 0
        # Most line ends in a window of a buffer's size or more: tells how few packets are enough.
        self._max_newlines = self._window = self._newlines = 0

    def update(self, data):
        """Hash what is to be sent: as it may be stored, and so line by line."""
        if self._encoding == HEX:
            self._hash.update(data)
            return
        # By slices of a view: a copy would leave a key in the heap.
        view = memoryview(data)
        at = 0
        while at < len(data):
            newline = data.find(b"\n", at)
            end = newline if newline >= 0 else len(data)
            while end > at and data[end - 1] == _CR:
                end -= 1
            self._lf_size += end - at
            self._hash_line(view[at:end], newline >= 0)
            if newline < 0:
                break
            at = newline + 1
        self._max_newlines = max(self._max_newlines, self._newlines)
        self._window += len(data)
        if self._window >= self._room:
            self._window = self._newlines = 0

    def _hash_line(self, text, ended):
        # A line or a part of one, and its end if that is there.
        self._hash.update(text)
        if self._crlf_hash:
            self._crlf_hash.update(text)
        if ended:
            self._lf_size += 1
            self._lines += 1
            self._newlines += 1
            self._hash.update(b"\n")
            if self._crlf_hash:
                self._crlf_hash.update(b"\r\n")

    def _end_hash(self):
        super()._end_hash()
        if self._encoding == HEX:
            return
        self._min_size = self._max_size = self._lf_size
        if self._crlf_hash:
            self._max_size += self._lines
            if self._position is not None and self._max_size > PAYLOAD_MAX:
                raise ValueError(
                    "%s would be %d bytes if the module stores its line ends as CR LF; it takes %d"
                    % (self._name, self._max_size, PAYLOAD_MAX)
                )
            self._digests += (self._crlf_hash.digest(),)

    def _send_op(self, progress):
        yield from self._set_encoding_op()
        remain = self._begin_packets()
        packet_max = self._packet_max()
        while remain:
            if self._starved():
                yield self._stream
            length = self._packet_length(remain, packet_max)
            remain -= length
            yield from self._send_packet_op(remain, length, progress)
        self._end_packets()
        stored = None
        while (event := self._ch.poll()) != DONE:
            if event == LINE:
                stored = self._check_digest_line()
            else:
                yield
        return stored

    def _set_encoding_op(self):
        # The command has no ssl_id, and which one's encoding counts is not documented: all of
        # them get it, if the model has more than one.
        modem = self._modem
        model = modem.require_model()
        if len(model.encodings) == 1:
            return
        wanted = (modem.epoch, self._encoding)
        if self._encoding_sent == wanted:
            return
        ch = self._ch
        for ssl_id in range(model.ssl_ids):
            ch.command(b"+MSSLCFG=").quote("encoding").number(ssl_id).number(self._encoding)
            ch.send(REPLY_MS)
            while ch.poll() != DONE:
                yield
        self._encoding_sent = wanted

    def _packet_max(self):
        # The fullest command line must fit. A source that has been read through tells how many of
        # its bytes are line ends at the most; a packet touches at most two windows more than it
        # has bufferfuls.
        head = len('AT+MSSLCERTWR="",8192,0,""\r') + len(self._name)
        room = self._modem.line_max - head
        size_max = room // _MAX_WIDTH[self._encoding]
        if self._crlf_hash and self._position is not None:
            size = self._room
            dense = self._max_newlines
            size_max = max(size_max, (room - 6 * dense) * size // (size + 3 * dense))
        return min(self._modem.packet, size_max)

    def _send_packet_op(self, remain, length, progress):
        # Its length is given as 0, which leaves the judgement to the digest, for what the module
        # counts is disputed.
        ch = self._ch
        begun = False
        ch.set_deadline(FLASH_MS)
        while length:
            n = self._fill(length)
            if not n:
                ch.poll()
                yield
                continue
            length -= n
            if not begun:
                alone = remain and not length and n == 1 and self._encoding != HEX
                if alone and ch.buffer[self._start] == _CR:
                    return  # nothing is written for it, and a command must have data
                begun = True
                self._command(remain).number(0).verbatim(b'"')
                if self._kind == KEY:
                    ch.begin_secret()
                ch.send(FLASH_MS + (length + n) * 40000 // ch.baud, line_open=True)
                while ch.poll() != SENT:
                    yield
            yield from self._push_encoded_op(self._start, self._stop)
            if progress:
                progress(self._size - remain - length, self._size)
        ch.end_line()
        while ch.poll() != DONE:
            yield

    def _push_encoded_op(self, at, end):
        # Pushes buffer[at:end] as it stands in a command.
        ch = self._ch
        buffer = ch.buffer
        if self._encoding == HEX:
            # By hand: what hexlify returns would leave a key in the heap.
            digits = self._digits = self._digits or bytearray(_DIGITS)
            while at < end:
                n = min(end - at, _DIGITS // 2)
                for i in range(n):
                    byte = buffer[at + i]
                    digits[2 * i] = HEX_DIGITS[byte >> 4]
                    digits[2 * i + 1] = HEX_DIGITS[byte & 15]
                ch.push(digits, 0, 2 * n)
                while ch.poll() != SENT:
                    yield
                at += n
            return
        while at < end:
            newline = buffer.find(b"\n", at, end)
            stop = end if newline < 0 else newline
            text_end = stop - 1 if stop > at and buffer[stop - 1] == _CR else stop
            if text_end > at:
                ch.push(buffer, at, text_end)
                while ch.poll() != SENT:
                    yield
            if newline >= 0:
                ch.push(self._line_end, 0, len(self._line_end))
                while ch.poll() != SENT:
                    yield
            at = stop + 1


class TryingUploader(Uploader):
    # For a model that nobody knows, and whose name is like those that have ">": it writes behind
    # that, and inside commands from the first refusal on.

    def write_op(self, name, source, kind, size, force, progress, in_use_ok=False):
        modem = self._modem
        try:
            return (
                yield from Uploader.write_op(
                    self, name, source, kind, size, force, progress, in_use_ok
                )
            )
        except CommandError as error:
            if error.code not in _NO_PROMPT or "WR=" not in error.command:
                raise
            modem.require_model().prompt = False
            modem.tell(
                "model",
                "%s refuses data behind > (%s): it goes inside commands from now on"
                % (modem.require_model(), error),
            )
        uploader = InlineUploader(modem)
        return (yield from uploader.write_op(name, source, kind, size, force, progress, in_use_ok))
