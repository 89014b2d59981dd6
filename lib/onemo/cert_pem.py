# SPDX-License-Identifier: MIT
#
# Scans a PEM file as it streams by: a wrong one is refused before the module sees it, and only
# its blocks are left to be sent, BEGIN to END. Text around them and spaces at line ends are cut
# out of the buffer where it lies.
#
# A base64 character costs a quarter of a turn of a loop with table look-ups; MicroPython's C
# functions count lines and find text, and none of them checks an alphabet without making a copy.
# Nothing is allocated after construction.

from ._port import const
from .at_syntax import PAYLOAD_MAX

CERT = 1  # MSSLLIST's types, manual 3.5
KEY = 2

# What a block's lines are made of is 0: base64, CR and LF.
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

# Verdicts, as coarse as they can be told here. cert_pem_faults.py, which is loaded only when a
# file is refused, looks closer and has the words.
_BIG = const(1)
_NOT_BASE64 = const(2)
_BAD_PADDING = const(3)
_BLANK = const(4)
_LINE_END = const(5)
_ENDLESS = const(6)
_INDENTED = const(7)
_BOUNDARY = const(8)
_LABEL = const(9)
_KIND = const(10)
_LENGTH = const(11)
_NOT_DER = const(12)
_OTHER_CONTENT = const(13)


class PemScanner:
    """Looks at a PEM file of `kind` (CERT, KEY) as it passes: feed() each buffer, then finish().

    size: bytes fed. kept: bytes left to be sent. blocks: certificates, or keys, seen whole.
    fault: not 0 as soon as the file is known to be bad, for those who want to stop early; finish()
    puts it into words.
    """

    def __init__(self, kind):
        self.line = bytearray(_LINE_MAX + 1)  # of a line that is not base64: what is there so far
        self.head = bytearray(_HEAD)  # of the block; before the first one: of the file
        self.begin(kind)

    def begin(self, kind):
        """Forget the file before, for one of `kind`."""
        if kind not in (1, 2):  # CERT, KEY: so it is a constant, which costs nothing
            raise ValueError("kind %r: CERT (1) or KEY (2) can be judged" % (kind,))
        self.kind = kind
        self.size = self.kept = self.blocks = self.fault = 0
        self.bad_byte = 0  # the byte at fault
        self.hint = 0  # line << 8 | byte: the first BEGIN that begins no line, what precedes it
        self.block = self.last = -1  # index into _LABELS while inside a block; the block before
        self.count = 0  # base64 characters of this block, padding included
        self.pads = 0
        self.length = 0  # bytes of this block as its DER says; 0: not known yet
        self.lines = 1  # the line now being read, for messages
        self.column = 0  # bytes of this line so far
        self.boundary = False  # this line began with a dash
        self._cr = False  # a CR was the last byte
        self._tail = False  # spaces were: only the line's end may follow
        self.line[:] = b""
        self.head_size = _HEAD
        while self.head_size:  # it may be a key's
            self.head_size -= 1
            self.head[self.head_size] = 0

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
            if self.boundary:
                at = self._boundary_line(buf, at)
            elif self.block < 0:
                at = self._text(buf, at)
            else:
                at = self._body(buf, at)
        self.kept += at
        buf[at:] = b""
        if self.kept > PAYLOAD_MAX:
            self.fault = _BIG
        elif self.size - self.kept > _TEXT_MAX and not self.fault:
            self.fault = _ENDLESS

    def finish(self, name=None):
        """The file, which is to be `name`, is complete: ValueError says what is wrong with it, and
        what to do."""
        if self.boundary and not self.fault:
            self._end_of_boundary()
            self.boundary = self.fault != 0  # the line may be cut short
        if self.fault or self.block >= 0 or not self.blocks:
            from . import cert_pem_faults

            raise ValueError(cert_pem_faults.text(self, name))

    # These take the buffer from `at` on, and return where to go on; at a fault, where it is.

    def _text(self, buf, at):
        # Lines outside blocks, or the part of one that is there.
        end = buf.find(b"\n", at) + 1
        if self.column == 0:
            self.line[:] = b""
            if buf[at] == _DASH:
                self.boundary = True
                return at
            if buf[at] in _BYTE_ORDER_MARK:
                buf[at : at + 1] = b""
                return at
            # All lines at once, up to one that may be looked at above.
            stop = buf.find(b"\n-", at) + 1 or len(buf)
            stop = buf.rfind(b"\n", at, stop) + 1
            if stop > end and buf.find(b"\n\xef", at, stop) < 0 and not _looks(buf, at, stop):
                end = stop
        stop = end or len(buf)
        if self.head_size < _HEAD and not self.blocks:
            self._keep_head(buf, at, stop)
        if self.column or not end:
            self._keep_line(buf, at, stop)
            if end:
                self.look(self.line, 0, _LINE_MAX)
        else:
            end = min(stop, at + _LINE_MAX)
            self.look(buf, at, end)
            end = stop
        if self.fault:
            return at
        if end:
            self.column = 0
            end = buf.count(b"\n", at, end)  # apart: so the frame stays small
            self.lines += end
        else:
            self.column += stop - at
        buf[at:stop] = b""
        return at

    def _keep_line(self, buf, at, stop):
        line = self.line
        stop = min(stop, at + _LINE_MAX - len(line))
        while at < stop:
            line.append(buf[at])
            at += 1

    def _keep_head(self, buf, at, stop):
        size = self.head_size
        for i in range(at, min(stop, at + _HEAD - size)):
            self.head[size] = buf[i]
            size += 1
        self.head_size = size

    def look(self, buf, at, end):
        """Note what is no PEM, but was meant to be, in a line of text: a BEGIN within it, or PEM
        that is base64 once more. With nothing but spaces in front it is a fault."""
        if not _looks(buf, at, end):
            return
        where = buf.find(b"BEGIN ", at, end)
        byte = 0x4C
        if where >= 0:
            while where > at and buf[where - 1] == _DASH:
                where -= 1
            byte = buf[where - 1] if where > at else _DASH
            while buf[at] in b" \t":
                at += 1
            if at == where and byte != _DASH and buf.startswith(b"-----BEGIN ", at):
                self.fault = _INDENTED
        if not self.hint:
            self.hint = self.lines << 8 | byte

    def _boundary_line(self, buf, at):
        # A line that begins with a dash: a BEGIN or an END, or text. Outside blocks it is taken
        # out of the buffer, for it may not be whole; a BEGIN is put back.
        start = at
        block = self.block
        stop = buf.find(b"\n", at)
        if stop < 0:
            stop = len(buf)
        if not self.line and buf[stop - 1 - (buf[stop - 1] == _CR)] > _SPACE:
            self._keep_line(buf, at, stop)
            at = stop
        while at < len(buf) and buf[at] != _LF:
            if buf[at] in b" \t" and len(self.line) > _END and self.line.endswith(b"-----"):
                buf[at : at + 1] = b""
            else:
                at += 1
                self._keep_line(buf, at - 1, at)
        if at < len(buf):
            self._end_of_boundary()
            if self.fault:
                return start if block < 0 else at
            self.lines += 1
            at += 1
            if block < self.block:
                self.line.append(_LF)
                buf[start:at] = self.line
                at = start + len(self.line)
                block = self.block
        if block < 0 or block == _EC_PARAMETERS:
            buf[start:at] = b""
            return start
        return at

    def _end_of_boundary(self):
        self.boundary = False
        line = self.line
        if self.block < 0:
            if line.startswith(b"-----BEGIN "):
                self._begin_block()
            elif line.startswith(b"-----END "):
                self.fault = _BOUNDARY
            else:
                if not self.blocks:
                    self._keep_head(line, 0, len(line))
                self.look(line, 0, _LINE_MAX)
        elif not (line.startswith(b"-----END ") and self._fits(_END)):
            self.fault = _BOUNDARY
        else:
            self._end_block()

    def _fits(self, at):
        # True if the label of this block ends the line, with or without a CR.
        line = self.line
        label = _LABELS[self.block]
        size = len(line) - at - len(label)
        return line.startswith(label, at) and (size == 0 or (size == 1 and line[-1] == _CR))

    def _begin_block(self):
        self.block = _EC_PARAMETERS
        while not self._fits(_BEGIN):
            self.block -= 1
            if self.block < 0:
                self.fault = _LABEL
                return
        if (
            (self.block == _CERTIFICATE) != (self.kind == CERT)
            or (self.blocks and self.kind == KEY)
            or (self.last == _EC_PARAMETERS and self.block != _EC_KEY)
        ):
            self.fault = _KIND
        self.count = self.pads = self.length = self.head_size = 0

    def _end_block(self):
        if self.block != _EC_PARAMETERS:
            while self.head_size < _HEAD:
                self._keep_head(b"A", 0, 1)
            self._check_head()
            if self.fault:
                return
            if self.count % 4 or self.length != self.count // 4 * 3 - self.pads:
                self.fault = _LENGTH
                return
            self.blocks += 1
        self.last = self.block
        self.block = -1

    def _body(self, buf, at):
        # Lines of base64, up to a byte that is something else.
        start = at
        end = _run(buf, at, len(buf))
        if at == end:
            at = self._byte(buf, at)
        while at < end and not self.fault:
            at = self._lines(buf, at, end)
        if self.block == _EC_PARAMETERS:
            buf[start:at] = b""
            return start
        return at

    def _lines(self, buf, at, end):
        # All that is there at once if nothing is special about it, else one byte.
        if buf[end - 1] == _CR:
            end -= 1
        if self.head_size < _HEAD:
            end = min(end, at + _HEAD - self.head_size)
        crs = buf.count(b"\r", at, end)
        lfs = buf.count(b"\n", at, end)
        if (
            at == end
            or self._cr
            or self._tail
            or self.pads
            or (self.column == 0 and buf[at] < _SPACE)
            or (lfs and (self.head_size < _HEAD or buf.find(b"\n\n", at, end) >= 0))
            or (crs and (buf.count(b"\r\n", at, end) != crs or buf.find(b"\n\r", at, end) >= 0))
        ):
            return self._byte(buf, at)
        if self.head_size < _HEAD:
            self._keep_head(buf, at, end)
        self.count += end - at - crs - lfs
        if lfs:
            self.lines += lfs
            self.column = 0
            at = buf.rfind(b"\n", at, end) + 1
        self.column += end - at
        return end

    def _byte(self, buf, at):
        # One byte, whatever it is.
        byte = buf[at]
        if byte == _LF:
            if self.column == 0:
                self.fault = _BLANK
                return at
            self._cr = self._tail = False
            self.lines += 1
            self.column = 0
            return at + 1
        if byte == _DASH and self.column == 0 and not self._cr:
            self.boundary = True
            self.line[:] = b""
            return at
        self.bad_byte = byte
        if self._cr:
            self.fault = _LINE_END
        elif byte == _CR:
            self._cr = True
        elif byte in b" \t":
            if self.column:
                self._tail = True
                buf[at : at + 1] = b""
            else:
                self.fault = _INDENTED
            return at
        elif self._tail:
            self.fault = _NOT_BASE64
            self.bad_byte = _SPACE
        else:
            if byte == _PAD:
                self.pads += 1
                if self.pads > 2:
                    self.fault = _BAD_PADDING
            elif _FOREIGN[byte]:
                self.fault = _NOT_BASE64
            elif self.pads:
                self.fault = _BAD_PADDING
            else:
                self._keep_head(buf, at, at + 1)
            if not self.fault:
                self.count += 1
                self.column += 1
        return at if self.fault else at + 1

    def _check_head(self):
        # The first bytes of a block's DER tell its length and what it is.
        head = self.head
        _decode(head)
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
        if self.block != _CERTIFICATE:
            # The version, then what the label says: PKCS#8's algorithm, RSA's modulus, or the
            # private key of an elliptic curve.
            if (
                not head.startswith(b"\2\1", at)
                or head[at + 2] > 1
                or head[at + 3] != b"\x30\x02\x04"[self.block - 1]
            ):
                self.fault = _OTHER_CONTENT
            return
        # A SEQUENCE, in it the version [0] or, in version 1, the serial number. A request has 0
        # there, and a name behind it that is no algorithm.
        if head[at] == 0x30:
            at += 2 if head[at + 1] < 0x80 else 2 + (head[at + 1] & 3)
            if head.startswith(b"\xa0\3", at):
                return
            if head[at] == 2 and (head[at + 5] == 6 or not head.startswith(b"\2\1\0\x30", at)):
                return
        self.fault = _OTHER_CONTENT


def _looks(buf, at, end):
    # Like PEM, or PEM that is base64 once more.
    return buf.find(b"BEGIN ", at, end) >= 0 or buf.find(b"LS0tLS1CRUdJ", at, end) >= 0


def _run(buf, at, stop):
    # Where base64 and line ends stop.
    foreign = _FOREIGN
    if at == 0:
        # The fastest loop knows no index, but its byte can be found as the first of its kind.
        byte = 0
        for byte in buf:
            if foreign[byte]:
                break
        else:
            return stop
        if byte in b"-=":
            return buf.find(b"-" if byte == _DASH else b"=")
    stop -= 3
    while at < stop and not (
        foreign[buf[at]] or foreign[buf[at + 1]] or foreign[buf[at + 2]] or foreign[buf[at + 3]]
    ):
        at += 4
    stop += 3
    while at < stop and not foreign[buf[at]]:
        at += 1
    return at


def _decode(head):
    # Base64 becomes bytes, in place.
    bits = at = 0
    for i in range(_HEAD):
        byte = head[i]
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
