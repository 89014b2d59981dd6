# SPDX-License-Identifier: MIT
#
# Scans a PEM file as it streams by: a wrong one is refused before the module sees it, and only
# its blocks are left to be sent, BEGIN to END. Text around them and spaces at line ends are cut
# out of the buffer where it lies.
#
# The loop over base64 is machine code where there can be any, see _pem_viper.py; all else is
# looked at here, byte by byte or line by line. Nothing is allocated after construction.

from array import array
from builtins import len  # noqa: A004 (as in at_channel)

from ._port import const
from .at_syntax import PAYLOAD_MAX

try:
    from ._pem_viper import run
except (ImportError, SyntaxError, ValueError):  # no emitter; left out; of another architecture
    from ._pem_plain import run

CERT = 1  # MSSLLIST's types, manual 3.5
KEY = 2

_LF = const(0x0A)
_CR = const(0x0D)
_SPACE = const(0x20)
_DASH = const(0x2D)
_PAD = const(0x3D)

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
        self._seen = array("i", (0, 0, 0))  # see _pem_plain.run()
        self.begin(kind)

    def begin(self, kind):
        """Forget the file before, for one of `kind`."""
        if kind not in (1, 2):  # CERT, KEY: so it is a constant, which costs nothing
            raise ValueError("kind %r: CERT (1) or KEY (2) can be judged" % (kind,))
        self.kind = kind
        self.size = self.kept = self.blocks = self.fault = 0
        self.hint = 0  # line << 8 | byte: the first BEGIN that begins no line, what precedes it
        self.block = self.last = -1  # index into _LABELS while inside a block; the block before
        self.count = 0  # base64 characters of this block, padding included
        self.pads = 0
        self.lines = 1  # the line now being read, for messages
        self.column = 0  # bytes of this line so far
        self.boundary = False  # this line began with a dash
        self.byte = 0  # the byte at fault; while it is 0: none
        self._cr = False  # a CR was the last byte
        self._tail = False  # spaces were: only the line's end may follow
        self.line[:] = self.head[:] = b""  # which overwrites them, for they may be a key's

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
            n = at
            if self.boundary:
                at = self._boundary_line(buf, at)
            elif self.block < 0:
                at = self._text(buf, at)
            else:
                at = self._lines(buf, at)
                if self.block == _EC_PARAMETERS:
                    buf[n:at] = b""
                    at = n
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
            if buf[at] in b"\xef\xbb\xbf":  # a byte order mark
                buf[at : at + 1] = b""
                return at
            # All lines at once, up to one that may be of interest.
            stop = buf.find(b"---", at) + 1 or len(buf)
            stop = buf.rfind(b"\n", at, stop) + 1
            end = max(end, stop)
        stop = end or len(buf)
        if not self.blocks:
            _keep(self.head, _HEAD, buf, at, stop)
        if self.column or not end:
            _keep(self.line, _LINE_MAX, buf, at, stop)
            if end:
                self.look(self.line, 0, _LINE_MAX)
        else:
            end = min(stop, at + _LINE_MAX)  # apart: so that the frame stays small
            self.look(buf, at, end)
            end = stop
        if self.fault:
            return at
        if end:
            self.column = 0
            end = buf.count(b"\n", at, end)
            self.lines += end
        else:
            self.column += stop - at
        buf[at:stop] = b""
        return at

    def look(self, buf, at, end):
        """Note a BEGIN within a line of text. With nothing but spaces in front it is a fault."""
        where = buf.find(b"----BEGIN ", at, end)
        if where < 0:
            return
        while where > at and buf[where - 1] == _DASH:
            where -= 1
        if not self.hint:
            self.hint = self.lines << 8 | (buf[where - 1] if where > at else _DASH)
        while buf[at] in b" \t":
            at += 1
            if at == where:
                self.fault = _INDENTED

    def _boundary_line(self, buf, at):
        # A line that begins with a dash: a BEGIN or an END, or text. Outside blocks it is taken
        # out of the buffer, for it may not be whole; a BEGIN is put back.
        start = at
        block = self.block
        at = buf.find(b"\n", at)
        if at < 0:
            at = len(buf)
        if self.line or buf[at - 1 - (buf[at - 1] == _CR)] <= _SPACE:
            at = start
        _keep(self.line, _LINE_MAX, buf, start, at)
        while at < len(buf) and buf[at] != _LF:
            if buf[at] in b" \t" and len(self.line) > _END and self.line.endswith(b"-----"):
                buf[at : at + 1] = b""
            else:
                if len(self.line) < _LINE_MAX:
                    self.line.append(buf[at])
                at += 1
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
        if self.block >= 0:
            if not (line.startswith(b"-----END ") and self._fits(_END)):
                self.fault = _BOUNDARY
                return
            if self.block != _EC_PARAMETERS:
                self.blocks += 1
                size = _check_head(self.head, self.block)
                if size < 0:
                    self.fault = -size
                elif self.count % 4 or size != self.count // 4 * 3 - self.pads:
                    self.fault = _LENGTH
            self.last = self.block
            self.block = -1
        elif line.startswith(b"-----BEGIN "):
            self._begin_block()
        elif line.startswith(b"-----END "):
            self.fault = _BOUNDARY
        else:
            if not self.blocks:
                _keep(self.head, _HEAD, line, 0, len(line))
            self.look(line, 0, _LINE_MAX)

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
        self.count = self.pads = 0
        self.head[:] = b""

    def _lines(self, buf, at):
        # Base64 and line ends, as far as nothing is special about them; else one byte.
        if self._cr or self._tail or self.pads:
            return self._byte(buf, at)
        seen = self._seen
        seen[0] = seen[2] = 0
        seen[1] = self.column
        end = len(buf)
        if len(self.head) < _HEAD:
            end = min(end, at + _HEAD - len(self.head))
        end = run(buf, at, end, seen)
        if len(self.head) < _HEAD:
            if seen[2]:
                return self._byte(buf, at)
            _keep(self.head, _HEAD, buf, at, end)
        if end == at:
            return self._byte(buf, at)
        self.count += seen[0]
        self.column = seen[1]
        self.lines += seen[2]
        return end

    def _byte(self, buf, at):
        # One byte of a block, whatever it is.
        byte = self.byte = buf[at]
        if byte == _LF:
            if self.column == 0:
                self.fault = _BLANK
                return at
            self._cr = self._tail = False
            self.lines += 1
            self.column = 0
        elif self._cr:
            self.fault = _LINE_END
        elif byte == _DASH and self.column == 0:
            self.boundary = True
            self.line[:] = b""
            return at
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
            self.byte = _SPACE
        elif byte == _PAD:
            self.pads += 1
            if self.pads > 2:
                self.fault = _BAD_PADDING
        elif run(buf, at, at + 1, self._seen) == at:
            self.fault = _NOT_BASE64
        elif self.pads:
            self.fault = _BAD_PADDING
        else:
            _keep(self.head, _HEAD, buf, at, at + 1)
        if self.fault:
            return at
        if byte > _SPACE:
            self.count += 1
            self.column += 1
        return at + 1


def _keep(kept, size, buf, at, stop):
    # Adds to `kept`, up to `size` bytes in all.
    stop = min(stop, at + size - len(kept))
    while at < stop:
        kept.append(buf[at])
        at += 1


def _check_head(head, block):
    # The first bytes of a block's DER, which `head` becomes, tell its length and what it is: the
    # length, or a fault, negative.
    while len(head) < _HEAD:
        head.append(0x41)
    bits = at = 0
    for i in range(_HEAD):
        size = head[i]
        if size > 0x60:
            size -= 71
        elif size > 0x40:
            size -= 65
        elif size > 0x2F:
            size += 4
        else:
            size = 63 if size == 0x2F else 62
        bits = bits << 6 | size
        if i & 3 == 3:
            head[at] = bits >> 16
            head[at + 1] = bits >> 8 & 0xFF
            head[at + 2] = bits & 0xFF
            bits = 0
            at += 3
    at = 2
    size = head[1]
    if size == 0x81:
        at = 3
        size = head[2]
    elif size == 0x82:
        at = 4
        size = head[2] << 8 | head[3]
    if head[0] != 0x30 or (at == 2 and size > 0x7F):
        return -_NOT_DER
    size += at
    if block != _CERTIFICATE:
        # The version, then what the label says: PKCS#8's algorithm, RSA's modulus, or the private
        # key of an elliptic curve.
        if (
            head[at] == 2
            and head[at + 1] == 1
            and head[at + 2] < 2
            and head[at + 3] == b"\x30\x02\x04"[block - 1]
        ):
            return size
    elif head[at] == 0x30:
        # In a SEQUENCE the version [0] or, in version 1, the serial number. A request has 0 there,
        # and a name behind it that is no algorithm.
        at += 2 + (head[at + 1] & 3 if head[at + 1] > 0x80 else 0)
        if head[at] == 0xA0:
            return size
        if head[at] == 2 and (head[at + 5] == 6 or not head.startswith(b"\2\1\0\x30", at)):
            return size
    return -_OTHER_CONTENT
