# SPDX-License-Identifier: MIT
#
# Scans a PEM file as it streams by. What goes into the module are its blocks, BEGIN to END: text
# around them, of any bytes, and spaces at line ends are passed over, and so is a block of EC
# PARAMETERS. What is wrong is noticed before the module sees it.
#
# A base64 character costs one turn of a loop with a table look-up. All else (line ends, dashes,
# padding) costs a call. Nothing is allocated after construction: what is kept moves to the front
# of the caller's buffer, and does not move at all where nothing before it was passed over.

from ._port import const
from .at_syntax import PAYLOAD_MAX

CERT = 1  # MSSLLIST's types, manual 3.5
KEY = 2

# Classes of bytes. 0 means base64: the fast path.
_LF = const(1)
_CR = const(2)
_PAD = const(3)
_DASH = const(4)
_TEXT = const(5)  # other printable ASCII and the tab
_NUL = const(6)
_BAD = const(7)  # control characters, and what is not ASCII

_CLASSES = const(
    b"\6\7\7\7\7\7\7\7\7\5\1\7\7\2\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7"
    b"\5\5\5\5\5\5\5\5\5\5\5\0\5\4\5\0\0\0\0\0\0\0\0\0\0\0\5\5\5\3\5\5"
    b"\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\5\5\5\5"
    b"\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\5\5\5\7"
    b"\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7"
    b"\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7"
    b"\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7"
    b"\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7"
)

# What blocks may be, with what ends their BEGIN and END lines.
_LABELS = const(
    (
        b"CERTIFICATE-----\n",
        b"PRIVATE KEY-----\n",
        b"RSA PRIVATE KEY-----\n",
        b"EC PRIVATE KEY-----\n",
        b"EC PARAMETERS-----\n",
    )
)
_CERTIFICATE = const(0)
_EC_KEY = const(3)
_EC_PARAMETERS = const(4)
_BEGIN = const(11)  # where the label stands in a BEGIN line
_END = const(9)  # and in an END line
_LINE = const(48)  # bytes kept of a line that begins with a dash; the longest known one has 39
_HEAD = const(16)  # base64 characters of a block that tell what is inside
_TEXT_MAX = const(0x100000)  # bytes of a source that is read through for its blocks
_BOM = const(b"\xef\xbb\xbf")

# What a line is
_START = const(0)  # nothing of it has come yet, or only spaces
_BODY = const(1)  # base64, inside a block
_BOUNDARY = const(2)  # it began with a dash
_OUTSIDE = const(3)  # text that is passed over

# What is inside a block: the first four as _LABELS has them
CONTENT_REQUEST = const(4)
CONTENT_PUBLIC = const(5)
CONTENT_UNKNOWN = const(6)

# Verdicts. The words for them are in cert_pem_faults.py, which is loaded only when a file is
# refused, and looks closer at some of them.
_BIG = const(1)
_EMPTY = const(2)
_NOT_PEM = const(3)
_NO_END = const(4)
_NO_BEGIN = const(5)
_MISMATCH = const(6)
_BAD_CHARACTER = const(7)
_BAD_LENGTH = const(8)
_BAD_PADDING = const(9)
_BLANK = const(10)
_SECOND_KEY = const(11)
_LINE_END = const(12)
_LONE_PARAMETERS = const(13)
_INDENTED = const(14)
_NOT_BASE64 = const(15)
_OTHER_KIND = const(16)
_UNKNOWN = const(17)
_JOINED = const(18)
_NOT_DER = const(19)
_DER_LENGTH = const(20)
_CONTENT = const(21)


class PemScanner:
    """Looks at a PEM file of `kind` (CERT, KEY) as it passes: feed() each buffer, then finish().

    size: bytes of its blocks so far. blocks: certificates, or keys, seen whole. fault: not 0 as
    soon as the file is known to be bad, for those who want to stop early; finish() puts it into
    words.
    """

    def __init__(self, kind):
        self.line = bytearray(_LINE)
        self.head = bytearray(_HEAD)  # of the file, then of each block: base64 characters
        self.begin(kind)

    def begin(self, kind):
        """Forgets the file before, for one of `kind`."""
        if kind not in (1, 2):  # CERT, KEY: so it is a constant, which costs nothing
            raise ValueError("kind %r: CERT (1) or KEY (2) can be judged" % (kind,))
        self.kind = kind
        self.total = 0  # bytes fed before this feed
        self.size = 0
        self.blocks = 0
        self.fault = 0
        self.bad_byte = 0  # the byte at fault
        self.content = CONTENT_UNKNOWN  # what is inside the last block
        self.announced = self.decoded = 0  # bytes of DER that it announces, and has
        self.kept = self.carried = 0  # see feed()
        self.block = -1  # index into _LABELS while inside a block
        self._last = -1  # the block before
        self.count = 0  # base64 characters of this block, padding included
        self._pads = 0
        self.lines = 1  # the line now being read, for messages
        self.column = 0  # bytes of this line so far
        self._state = _START  # of the line
        self._begun_at = 0  # total when the line began
        self._spaces = False  # spaces came, which nothing but a line end may follow
        self._cr = False  # a CR was the last byte

    def feed(self, buf, n=None):
        """Looks at the first `n` bytes (all without n) of a bytearray, a memoryview or bytes.
        What belongs to blocks is then in buf[:kept], behind the first `carried` bytes of `line`,
        which came with an earlier feed. Returns `kept`. Allocates nothing, raises nothing."""
        if n is None:
            n = len(buf)
        if isinstance(buf, bytes):
            buf = bytearray(buf)  # only a verdict is wanted
        self.kept = self.carried = 0
        total = self.total
        if total < _HEAD and self.block < 0 and not self.blocks:
            for at in range(min(_HEAD - total, n)):
                self.head[total + at] = buf[at]
        at = 0
        while at < n and not self.fault:
            at = self._part(buf, at, n)
        self.total = total + n
        if total > _TEXT_MAX and not self.fault:
            self.fault = _NOT_PEM
        return self.kept

    def finish(self, name=None):
        """The file, which is to be `name`, is complete: ValueError says what is wrong with it, and
        what to do."""
        if not self.fault:
            if self._state == _BOUNDARY:
                self._end_of_line(None)
                if (
                    self.fault in (_MISMATCH, _BAD_CHARACTER, _UNKNOWN)
                    and self.column < _LINE
                    and self.line.find(b"-----", _END, self.column) < 0
                ):
                    self.fault = _NO_END  # cut off within the last line
            if self.fault:
                pass
            elif not self.total:
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

    def pending(self):
        """Bytes of a BEGIN line that is not whole yet."""
        pending = self.block < 0 and self._state == _BOUNDARY
        return self.column + self._cr if pending else 0

    def _part(self, buf, at, n):
        """Looks at buf[at:n] up to something that is no base64; returns where to go on."""
        if self._state == _OUTSIDE:
            for i in range(at, n):
                if buf[i] == 0x0A:
                    self._next_line()
                    return i + 1
            return n
        classes = _CLASSES
        end = n
        for i in range(at, n):
            if classes[buf[i]]:
                end = i
                break
        if end > at:
            self._base64_run(buf, at, end)
            if self.fault or self._state == _OUTSIDE:
                return end
        if end < n:
            self._other_byte(buf, end, classes[buf[end]])
            end += 1
        return end

    def _next_line(self):
        self.lines += 1
        self.column = 0
        self._state = _START
        self._spaces = self._cr = False

    def _keep(self, buf, start, end):
        """buf[start:end] belongs to a block."""
        if self.block == _EC_PARAMETERS:
            return
        kept = self.kept
        if kept == start:
            kept = end
        else:
            for at in range(start, end):
                buf[kept] = buf[at]
                kept += 1
        self.kept = kept
        self.size += end - start
        if self.size > PAYLOAD_MAX:
            self.fault = _BIG

    def _base64_run(self, buf, start, end):
        """A run of base64 characters, buf[start:end]."""
        if self._cr:
            self.fault = _LINE_END
        elif self._state == _BOUNDARY:
            for at in range(start, end):
                self._boundary_byte(buf, at)
        elif self.block < 0:
            self._state = _OUTSIDE
        elif self._spaces:
            self.fault = _BAD_CHARACTER if self.column else _INDENTED
        elif self._pads:
            self.fault = _BAD_PADDING
        else:
            self._state = _BODY
            self.column += end - start
            count = self.count
            self.count = count + end - start
            if count < _HEAD:
                for at in range(start, min(end, start + _HEAD - count)):
                    self.head[count] = buf[at]
                    count += 1
            self._keep(buf, start, end)

    def _other_byte(self, buf, at, kind):
        """One byte that is no base64 character."""
        byte = buf[at]
        if kind == _LF:
            if self._state == _BOUNDARY:
                self._end_of_line(buf)
            elif self.block >= 0:
                if self.column == 0:
                    self.fault = _BLANK
                self._keep(buf, at, at + 1)
            if not self.fault:
                self._next_line()
        elif self._cr:
            self.fault = _LINE_END if self.block >= 0 or self._is_begin() else 0
            self._state = _OUTSIDE
        elif kind == _CR and (self.block >= 0 or self._state == _BOUNDARY):
            self._cr = True
            if self.block >= 0 and self._state != _START:
                if self._state == _BOUNDARY:
                    self._boundary_end()
                self._keep(buf, at, at + 1)
        elif self._state == _BOUNDARY:
            self._boundary_byte(buf, at)
        elif byte in b" \t":
            self._spaces = True
        elif kind == _DASH and self.column == 0:
            self._state = _BOUNDARY
            self._begun_at = self.total
            self._boundary_byte(buf, at)
        elif self.block >= 0:
            self._body_byte(buf, at, byte, kind)
        elif not (self.total + at < 3 and byte == _BOM[self.total + at]):
            self._state = _OUTSIDE

    def _body_byte(self, buf, at, byte, kind):
        if kind != _PAD or self._spaces:
            self.fault = _NOT_BASE64
            self.bad_byte = byte
            return
        self.count += 1
        self._pads += 1
        self.column += 1
        self._state = _BODY
        if self._pads > 2:
            self.fault = _BAD_PADDING
        self._keep(buf, at, at + 1)

    def _boundary_byte(self, buf, at):
        """One more byte of a line that may be a BEGIN or an END."""
        column = self.column
        if column < _LINE - 1:
            self.line[column] = buf[at]
        self.column = column + 1
        if self.block >= 0:
            if column < _END + len(_LABELS[self.block]) - 1:
                self._keep(buf, at, at + 1)
            elif buf[at] not in b" \t":
                if column < _LINE:
                    self.line[column] = 10
                self.fault = _NO_END if self.line.startswith(b"-----BEGIN ") else _MISMATCH
                if buf[at] == 0x2D and self.line.startswith(_LABELS[self.block], _END):
                    self.fault = _JOINED

    def _is_begin(self):
        return self._state == _BOUNDARY and self.line.startswith(b"-----BEGIN ")

    def _boundary_end(self):
        """Ends a boundary line where its text ends; a line end for comparisons is put there."""
        line = self.line
        end = min(self.column, _LINE - 1)
        while end and line[end - 1] in b" \t":
            end -= 1
        line[end] = 10
        if self.block >= 0 and not self.fault:
            if not line.startswith(b"-----END "):
                self.fault = _NO_END if line.startswith(b"-----BEGIN ") else _BAD_CHARACTER
            elif self._spaces:
                self.fault = _INDENTED
            elif not line.startswith(_LABELS[self.block], _END):
                self.fault = _MISMATCH
        return end

    def _end_of_line(self, buf):
        # `buf`: where its line end goes; None at the end of the file.
        end = self._boundary_end()
        if self.fault:
            return
        line = self.line
        if self.block >= 0:
            self._end_block()
            if not self.fault:
                if buf is not None:
                    self._keep_line_end(buf)
                self._last = self.block
                self.block = -1
        elif line.startswith(b"-----BEGIN "):
            if self._spaces:
                self.fault = _INDENTED
            else:
                self._begin(line)
            if not self.fault:
                if self._cr:
                    line[end] = 13
                    end += 1
                    line[end] = 10
                self._keep_begin(buf, end + 1)
        elif line.startswith(b"-----END "):
            self.fault = _NO_BEGIN

    def _keep_line_end(self, buf):
        # The bytes that were passed over since are more than this one.
        if self.block != _EC_PARAMETERS:
            buf[self.kept] = 10
            self.kept += 1
            self.size += 1
            if self.size > PAYLOAD_MAX:
                self.fault = _BIG

    def _keep_begin(self, buf, size):
        """Keep a BEGIN line, which stands in `line`; some of it may have come with another
        buffer."""
        if self.block == _EC_PARAMETERS:
            return
        self.size += size
        if self._begun_at != self.total or buf is None:
            self.carried = size
            return
        kept = self.kept
        for at in range(size):
            buf[kept] = self.line[at]
            kept += 1
        self.kept = kept

    def _begin(self, line):
        block = 0
        while not line.startswith(_LABELS[block], _BEGIN):
            block += 1
            if block == len(_LABELS):
                self.fault = _UNKNOWN
                return
        if (block == _CERTIFICATE) != (self.kind == CERT):
            self.fault = _OTHER_KIND
        elif self.blocks and self.kind == KEY:
            self.fault = _SECOND_KEY
        elif self._last == _EC_PARAMETERS and block != _EC_KEY:
            self.fault = _LONE_PARAMETERS
        self.block = block
        self.count = 0
        self._pads = 0

    def _end_block(self):
        if not self.count or self.count % 4:
            self.fault = _BAD_LENGTH
        elif self.block != _EC_PARAMETERS:
            self.blocks += 1
            self._check_content()

    # What is inside: the first 12 bytes of DER tell its type and length

    def _der(self, index):
        """Byte `index` of the block, from its first base64 characters."""
        at = index // 3 * 4 + index % 3
        if at + 1 >= min(_HEAD, self.count):
            return -1
        bits = _sextet(self.head[at]) << 6 | _sextet(self.head[at + 1])
        return bits >> (4 - 2 * (index % 3)) & 255

    def _length(self, at):
        """Where what begins behind the tag at `at` - 1 starts; its length is `announced`."""
        size = self._der(at)
        at += 1
        if size & 0x80 and size >= 0:
            octets = size & 0x7F
            size = 0
            if octets > 2:
                return -1
            for _ in range(octets):
                size = size << 8 | self._der(at)
                at += 1
        self.announced = size
        return at

    def _check_content(self):
        self.content = CONTENT_UNKNOWN
        self.decoded = self.count // 4 * 3 - self._pads
        if self._der(0) != 0x30:
            self.fault = _NOT_DER
            return
        at = self._length(1)
        if at < 0:
            self.fault = _DER_LENGTH
            return
        self.announced = announced = self.announced + at
        tag = self._der(at)
        if tag == 0x02 and self._der(at + 1) == 1:
            tag = self._der(at + 3)  # what follows the version
            if tag == 0x30:
                self.content = 1
            elif tag == 0x02:
                self.content = 2
            elif tag == 0x04:
                self.content = 3
        elif tag == 0x30:
            at = self._length(at + 1)
            tag = self._der(at)
            if tag == 0x06:
                self.content = CONTENT_PUBLIC
            elif tag == 0x02 and self._der(at + 1) == 1 and self._der(at + 2) == 0:
                self.content = CONTENT_REQUEST
            elif tag in (0xA0, 0x02):
                self.content = 0
        self.announced = announced
        if announced != self.decoded:
            self.fault = _DER_LENGTH
        elif self.content != self.block:
            self.fault = _CONTENT if self.content != CONTENT_UNKNOWN else _NOT_DER


def _sextet(character):
    # The value of a base64 character.
    if character >= 0x61:
        return character - 71
    if character >= 0x41:
        return character - 65
    if character >= 0x30:
        return character + 4
    return 62 if character == 0x2B else 63
