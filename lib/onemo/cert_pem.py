# SPDX-License-Identifier: MIT
#
# Scans a PEM file as it streams by: a wrong one is refused before the module sees it, and only
# its blocks are left to be sent, BEGIN to END. Text around them and spaces at line ends are cut
# out of the buffer where it lies.
#
# A base64 character costs a quarter of a turn of a loop with table look-ups. Lines are found by
# MicroPython's C functions, and so is what stands outside blocks. Nothing is allocated after
# construction; none of those C functions checks an alphabet without making a copy.

from ._port import const
from .at_syntax import PAYLOAD_MAX

CERT = 1  # MSSLLIST's types, manual 3.5
KEY = 2

# What a block's lines are made of is 0: base64 and line ends.
_FOREIGN = const(
    b"\1\1\1\1\1\1\1\1\1\1\0\1\1\0\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\0\1\1\1\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1\1"
    b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1"
    b"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    b"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
)
_TAB = const(0x09)
_LF = const(0x0A)
_CR = const(0x0D)
_SPACE = const(0x20)
_DASH = const(0x2D)
_PAD = const(0x3D)
_BYTE_ORDER_MARK = const(b"\xef\xbb\xbf")

# What blocks may be, with what ends their BEGIN and END lines.
_LABELS = const(
    (
        b"CERTIFICATE-----",
        b"PRIVATE KEY-----",
        b"RSA PRIVATE KEY-----",
        b"EC PRIVATE KEY-----",
        b"EC PARAMETERS-----",
    )
)
_CERTIFICATE = const(0)
_EC_KEY = const(3)
_EC_PARAMETERS = const(4)
_BEGIN = const(11)  # where the label stands in a BEGIN line
_END = const(9)  # and in an END line
_LINE_MAX = const(64)  # bytes kept of a line that is not base64; the longest BEGIN line has 33
_HEAD = const(24)  # base64 characters that tell what is in a block: 18 bytes of DER
_TEXT_MAX = const(1 << 20)  # bytes outside blocks: so that an endless source ends

# Verdicts. The words for them are in cert_pem_faults.py, which is loaded only when a file is
# refused, and which looks closer at some of them.
_BIG = const(1)
_EMPTY = const(2)
_NOT_PEM = const(3)
_NO_END = const(4)
_NO_BEGIN = const(5)
_MISMATCH = const(6)
_NOT_BASE64 = const(7)
_BAD_LENGTH = const(8)
_BAD_PADDING = const(9)
_BLANK = const(10)
_SECOND_KEY = const(11)
_LINE_END = const(12)
_LONE_PARAMETERS = const(13)
_ENDLESS = const(14)
_INDENTED = const(15)
_OTHER_KIND = const(16)
_UNKNOWN = const(17)
_NOT_DER = const(18)
_DER_LENGTH = const(19)
_OTHER_CONTENT = const(20)


class PemScanner:
    """Looks at a PEM file of `kind` (CERT, KEY) as it passes: feed() each buffer, then finish().

    size: bytes fed. kept: bytes left to be sent. blocks: certificates, or keys, seen whole.
    fault: not 0 as soon as the file is known to be bad, for those who want to stop early; finish()
    puts it into words.
    """

    def __init__(self, kind):
        self.line = bytearray(_LINE_MAX + 1)  # a line that is cut or at fault, if no base64
        self.head = bytearray(_HEAD)  # of the block; before the first one: of the file
        self.begin(kind)

    def begin(self, kind):
        """Forget the file before, for one of `kind`."""
        if kind not in (1, 2):  # CERT, KEY: so it is a constant, which costs nothing
            raise ValueError("kind %r: CERT (1) or KEY (2) can be judged" % (kind,))
        self.kind = kind
        self.size = self.kept = self.blocks = self.fault = 0
        self.bad_byte = 0  # the byte at fault
        self.hint = 0  # line << 8 | byte: the first BEGIN that begins no line, and what precedes it
        self.block = -1  # index into _LABELS while inside a block
        self._last = -1  # the block before
        self.count = 0  # base64 characters of this block, padding included
        self.pads = 0
        self.length = 0  # bytes of this block as its DER says; 0: not known yet
        self.lines = 1  # the line now being read, for messages
        self.column = 0  # bytes of this line so far
        self._cr = False  # a CR was the last byte
        self._tail = False  # spaces were: only the line's end may follow
        self._boundary = False  # this line began with a dash
        self.head_size = 0  # bytes in `head`, or base64 characters
        self.line[:] = b""

    def wipe(self):
        """Overwrite what a key left here."""
        line = self.line
        for i in range(len(line)):
            line[i] = 0
        line = self.head
        for i in range(_HEAD):
            line[i] = 0

    def feed(self, buf, n=None):
        """Look at the first `n` bytes (all without n) of a bytearray, and cut it down to those
        that are to be sent. Allocates nothing once it has its room, raises nothing.

        A BEGIN line that was begun in the buffer before is put in front, so that `buf` may get
        longer than it was, by 33 bytes."""
        if n is not None:
            buf[n:] = b""
        self.size += len(buf)
        at = 0
        while at < len(buf) and not self.fault:
            if self._boundary:
                at = self._boundary_line(buf, at)
            elif self.block < 0:
                at = self._text(buf, at)
            else:
                at = self._body(buf, at)
        self.kept += at
        buf[at:] = b""
        if self.kept > PAYLOAD_MAX:
            self.fault = _BIG
        elif self.size - self.kept > _TEXT_MAX:
            self.fault = _ENDLESS

    def finish(self, name=None):
        """The file, which is to be `name`, is complete: ValueError says what is wrong with it, and
        what to do."""
        if not self.fault:
            if self._boundary:
                self._end_of_boundary(self.line, 0, len(self.line))
                if self.fault and self.line.find(b"-----", 6) < 0:
                    self.fault = _NO_END  # cut off within the last line
            elif self.column and self.block < 0:
                self._look(self.line, 0, len(self.line))
            if self.fault:
                pass
            elif not self.size:
                self.fault = _EMPTY
            elif self.block >= 0:
                self.fault = _NO_END
            elif self._last == _EC_PARAMETERS:
                self.fault = _LONE_PARAMETERS
            elif not self.blocks:
                self.fault = _NOT_PEM
        if self.fault:
            from . import cert_pem_faults

            raise ValueError(cert_pem_faults.text(self, name))

    # These take the buffer from `at` on, and return where to go on; at a fault, where it is.

    def _text(self, buf, at):
        # A line outside blocks, or the part of it that is there.
        line = self.line
        if self.column == 0:
            if buf[at] == _DASH:
                self._boundary = True
                line[:] = b""
                return at
            if buf[at] in _BYTE_ORDER_MARK:
                buf[at : at + 1] = b""
                return at
        end = buf.find(b"\n", at)
        stop = len(buf) if end < 0 else end
        if self.head_size < _HEAD and not self.blocks:
            self._keep_head(buf, at, stop)
        if self.column or end < 0:
            if self.column == 0:
                line[:] = b""
            self._keep_line(buf, at, stop)
            if end >= 0:
                self._look(line, 0, len(line))
        else:
            self._look(buf, at, min(stop, at + _LINE_MAX))
        if self.fault:
            return at
        self.column += stop - at
        if end >= 0:
            self.column = 0
            self.lines += 1
        buf[at : stop + 1] = b""
        return at

    def _keep_line(self, buf, at, stop):
        while at < stop and len(self.line) < _LINE_MAX:
            self.line.append(buf[at])
            at += 1

    def _keep_head(self, buf, at, stop):
        size = self.head_size
        while at < stop and size < _HEAD:
            self.head[size] = buf[at]
            size += 1
            at += 1
        self.head_size = size

    def _look(self, buf, at, end):
        # Notes a BEGIN that stands within a line of text, and PEM that is base64 once more. One
        # with nothing but spaces in front was meant.
        where = buf.find(b"BEGIN ", at, end)
        if where < 0:
            where = buf.find(b"LS0tLS1CRUdJ", at, end)
            if where < 0:
                return
            byte = buf[where]
        else:
            while where > at and buf[where - 1] == _DASH:
                where -= 1
            byte = buf[where - 1] if where > at else _DASH
            if byte in b" \t" and buf.startswith(b"-----BEGIN ", where):
                while buf[at] in b" \t":
                    at += 1
                if at == where:
                    self.fault = _INDENTED
                    return
        if not self.hint:
            self.hint = self.lines << 8 | byte

    def _boundary_line(self, buf, at):
        # A line that begins with a dash: a BEGIN or an END, or text.
        block = self.block
        end = buf.find(b"\n", at)
        if end < 0 or self.line or buf[end - 1 - (buf[end - 1] == _CR)] != _DASH:
            return self._cut_boundary(buf, at)
        self._end_of_boundary(buf, at, end)
        if self.fault:
            self._keep_line(buf, at, end)
            return at if block < 0 else end
        self.lines += 1
        if _EC_PARAMETERS in (block, self.block) or block == self.block:
            buf[at : end + 1] = b""
            return at
        return end + 1

    def _cut_boundary(self, buf, at):
        # The same for one that may not be whole yet, or has spaces at its end. Outside blocks it
        # is taken out of the buffer; a BEGIN is put back.
        start = at
        block = self.block
        line = self.line
        while at < len(buf) and buf[at] != _LF:
            if buf[at] in b" \t" and len(line) > _END and line.endswith(b"-----"):
                buf[at : at + 1] = b""
                continue
            if len(line) < _LINE_MAX:
                line.append(buf[at])
            at += 1
        if at < len(buf):
            self._end_of_boundary(line, 0, len(line))
            if self.fault:
                return start if block < 0 else at
            self.lines += 1
            at += 1
            if block < 0 <= self.block:
                line.append(_LF)
                buf[start:at] = line
                at = start + len(line)
                block = self.block
        if block < 0 or block == _EC_PARAMETERS:
            buf[start:at] = b""
            return start
        return at

    def _end_of_boundary(self, buf, at, end):
        self._boundary = False
        if buf.startswith(b"-----BEGIN ", at):
            if self.block >= 0:
                self.fault = _NO_END
            else:
                self._begin_block(buf, at + _BEGIN, end)
        elif self.block < 0:
            if buf.startswith(b"-----END ", at):
                self.fault = _NO_BEGIN
            else:
                if not self.blocks:
                    self._keep_head(buf, at, end)
                self._look(buf, at, min(end, at + _LINE_MAX))
        elif not (buf.startswith(b"-----END ", at) and self._fits(buf, at + _END, end)):
            self.fault = _MISMATCH
        elif not self.count or self.count % 4:
            self.fault = _BAD_LENGTH
        else:
            self._end_block()

    def _fits(self, buf, at, end):
        # True if buf[at:end] is the label of this block, with or without a CR.
        label = _LABELS[self.block]
        if not buf.startswith(label, at):
            return False
        at += len(label)
        return at == end or (at + 1 == end and buf[at] == _CR)

    def _begin_block(self, buf, at, end):
        self.block = 0
        while not self._fits(buf, at, end):
            self.block += 1
            if self.block > _EC_PARAMETERS:
                self.block = -1
                self.fault = _UNKNOWN
                return
        if (self.block == _CERTIFICATE) != (self.kind == CERT):
            self.fault = _OTHER_KIND
        elif self.blocks and self.kind == KEY:
            self.fault = _SECOND_KEY
        elif self._last == _EC_PARAMETERS and self.block != _EC_KEY:
            self.fault = _LONE_PARAMETERS
        self.count = self.pads = self.length = self.head_size = 0

    def _end_block(self):
        if self.block != _EC_PARAMETERS:
            if not self.length:
                while self.head_size < _HEAD:
                    self._keep_head(b"A", 0, 1)
                self._check_head(self.head, 0)
            if self.fault:
                return
            if self.length != self.count // 4 * 3 - self.pads:
                self.fault = _DER_LENGTH
                return
            self.blocks += 1
        self._last = self.block
        self.block = -1

    def _body(self, buf, at):
        # Lines of base64, up to a byte that is something else.
        end = _run(buf, at, len(buf))
        if at < end and not self._regular(buf, at, end):
            start = at
            while at < end:
                at = self._base64_line(buf, at, end)
                if self.fault:
                    return at
            if self.block == _EC_PARAMETERS:
                buf[start:end] = b""
                end = start
        return self._other_byte(buf, end) if end < len(buf) else end

    def _regular(self, buf, at, end):
        # Counts lines all at once, if there is nothing special about them; else False.
        if (
            not self.length
            or self._cr
            or self._tail
            or self.pads
            or (self.column == 0 and buf[at] < 0x20)
            or buf.find(b"\n\n", at, end) >= 0
        ):
            return False
        count = buf.count(b"\r", at, end)
        if count and (
            count != buf.count(b"\r\n", at, end) or buf.find(b"\n\r", at, end) >= 0
        ):
            return False
        self.count += end - at - count
        count = buf.count(b"\n", at, end)
        if count:
            self.count -= count
            self.lines += count
            self.column = 0
            at = buf.rfind(b"\n", at, end) + 1
        self.column += end - at
        return True

    def _base64_line(self, buf, at, end):
        # One line of it, or a part, with its line end.
        stop = buf.find(b"\n", at, end)
        text_end = buf.find(b"\r", at, end if stop < 0 else stop)
        if text_end < 0:
            text_end = end if stop < 0 else stop
        if text_end > at:
            if self._cr or self._tail or self.pads:
                self._misplaced()
                return at
            if self.head_size < _HEAD:
                if self.head_size or text_end - at < _HEAD:
                    self._keep_head(buf, at, text_end)
                    if self.head_size == _HEAD:
                        self._check_head(self.head, 0)
                else:
                    self.head_size = _HEAD
                    self._check_head(buf, at)
                if self.fault:
                    return at
            self.column += text_end - at
            self.count += text_end - at
        if stop == text_end or text_end + 1 == stop:
            if self.column == 0 or (self._cr and stop > at):
                self.fault = _LINE_END if self.column else _BLANK
                return text_end
            self._cr = self._tail = False
            self.lines += 1
            self.column = 0
            return stop + 1
        if text_end < end:  # a CR: the last byte, or the fault of the next one
            if self._cr:
                self.fault = _LINE_END
            self._cr = True
            return text_end + 1
        return end

    def _misplaced(self):
        # Base64 where only a line's end may be.
        self.fault = _LINE_END if self._cr else _NOT_BASE64 if self._tail else _BAD_PADDING
        self.bad_byte = _SPACE

    def _other_byte(self, buf, at):
        byte = buf[at]
        if self._cr:
            self.fault = _LINE_END
        elif byte == _DASH and self.column == 0:
            self._boundary = True
            self.line[:] = b""
        elif byte in b" \t":
            if self.column:
                self._tail = True
                buf[at : at + 1] = b""
            else:
                self.fault = _INDENTED
        elif byte == _PAD and not self._tail:
            self.column += 1
            self.count += 1
            self.pads += 1
            if self.pads > 2:
                self.fault = _BAD_PADDING
            elif self.block == _EC_PARAMETERS:
                buf[at : at + 1] = b""
            else:
                return at + 1
        else:
            self.fault = _NOT_BASE64
            self.bad_byte = _SPACE if self._tail else byte
        return at

    # What is inside

    def _check_head(self, buf, at):
        # The first bytes of the DER, buf[at:] as base64, tell its length and what it is.
        if self.block == _EC_PARAMETERS:
            return
        head = self.head
        _decode(head, buf, at)
        at = 2
        size = head[1]
        if size == 0x81:
            at = 3
            size = head[2]
        elif size == 0x82:
            at = 4
            size = head[2] << 8 | head[3]
        if head[0] != 0x30 or (at == 2 and size > 0x7F):
            self.fault = _NOT_DER
            return
        self.length = at + size
        if self.block == _CERTIFICATE:
            # SEQUENCE, SEQUENCE, then the version [0] or, in version 1, the serial number; a
            # request has 0 there and a name behind it, no algorithm.
            size = at + 2
            if head[at + 1] > 0x80:
                size += head[at + 1] & 3
            if head[at] == 0x30 and (
                (head[size] == 0xA0 and head[size + 1] == 3)
                or (
                    head[size] == 2
                    and not (
                        head[size + 1] == 1
                        and head[size + 2] == 0
                        and head[size + 3] == 0x30
                        and head[size + 5] != 6
                    )
                )
            ):
                return
        elif (
            # SEQUENCE, the version, then what the label says: PKCS#8's algorithm, RSA's modulus
            # or the private key of an elliptic curve.
            head[at] == 2
            and head[at + 1] == 1
            and head[at + 2] < 2
            and head[at + 3] == b"\x30\x02\x04"[self.block - 1]
        ):
            return
        self.fault = _OTHER_CONTENT


def _run(buf, at, stop):
    # Where base64 and line ends stop.
    foreign = _FOREIGN
    if at == 0:
        # The fastest loop knows no index: the foreign byte is the first of its kind.
        for byte in buf:
            if foreign[byte]:
                if byte == _DASH:
                    return buf.find(b"-")
                if byte == _PAD:
                    return buf.find(b"=")
                if byte == _SPACE:
                    return buf.find(b" ")
                break
        else:
            return stop
    stop -= 3
    while at < stop and not (
        foreign[buf[at]]
        or foreign[buf[at + 1]]
        or foreign[buf[at + 2]]
        or foreign[buf[at + 3]]
    ):
        at += 4
    stop += 3
    while at < stop and not foreign[buf[at]]:
        at += 1
    return at


def _decode(head, buf, start):
    # Base64 becomes bytes, in place or not.
    bits = at = 0
    for i in range(_HEAD):
        byte = buf[start + i]
        if byte > 0x60:
            byte -= 71
        elif byte > 0x40:
            byte -= 65
        elif byte > 0x2F:
            byte += 4
        else:
            byte = 63 if byte == 0x2F else 62
        bits = bits << 6 | byte
        if i & 3 == 3:
            head[at] = bits >> 16
            head[at + 1] = bits >> 8 & 0xFF
            head[at + 2] = bits & 0xFF
            bits = 0
            at += 3
