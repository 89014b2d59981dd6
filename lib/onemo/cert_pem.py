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
_HEAD = const(40)  # base64 characters that tell what is in a block: 30 bytes of DER
_HEAD_BYTES = const(30)
_MORE = const(44)  # with those that tell a list of revoked certificates from one of version 1
_TEXT_MAX = const(1 << 20)  # bytes outside blocks: so that an endless source ends

# What run() counts
_COUNT = const(0)  # base64 characters of this block, padding included
_COLUMN = const(1)  # bytes of this line so far
_LINE = const(2)  # the line now being read, for messages

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
        self.head = bytearray(_MORE)  # of the block; before the first one: of the file
        self.seen = array("i", (0, 0, 1))  # what run() counts, by these indexes
        self.begin(kind)

    def begin(self, kind):
        """Forget the file before, for one of `kind`."""
        if kind not in (1, 2):  # CERT, KEY: so it is a constant, which costs nothing
            raise ValueError("kind %r: CERT (1) or KEY (2) can be judged" % (kind,))
        self.kind = kind
        self.size = self.kept = self.blocks = self.fault = 0
        self.hint = 0  # line << 8 | byte: the first BEGIN that begins no line, what precedes it
        self.block = self.last = -1  # index into _LABELS while inside a block; the block before
        self.length = 0  # of this block, bytes, as its DER says; negative: a fault
        self.dates_at = 0  # of the byte of its DER that is to be kept behind the head; 0: none
        self.pads = 0
        seen = self.seen
        seen[_COUNT] = seen[_COLUMN] = 0
        seen[_LINE] = 1
        self.boundary = False  # this line began with a dash
        self.byte = 0  # the byte at fault; while it is 0: none
        self._cr = False  # a CR was the last byte
        self._tail = False  # spaces were: only the line's end may follow
        self._plain = False  # within base64, and nothing else is to be looked at
        self.line[:] = self.head[:] = b""  # which overwrites them, for they may be a key's

    def feed(self, buf, n=None):
        """Look at the first `n` bytes (all without n) of a bytearray, and cut it down to those
        that are to be sent. Allocates nothing once it has its room, raises nothing.

        A BEGIN line that was begun in the buffer before is put in front, so that `buf` may get
        longer than it was, by 33 bytes."""
        if n is not None and n < len(buf):
            buf[n:] = b""
        n = len(buf)
        self.size += n
        at = run(buf, 0, n, self.seen) if self._plain else 0
        if at < n:
            at = self._feed_special(buf, at)
        self.kept += at
        if self.kept > PAYLOAD_MAX:
            self.fault = _BIG
            self._plain = False

    def _feed_special(self, buf, at):
        # What is not just more base64. Returns how much is left of the buffer.
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
        buf[at:] = b""
        if self.size - self.kept - at > _TEXT_MAX and not self.fault:
            self.fault = _ENDLESS
        self._plain = 0 <= self.block < _EC_PARAMETERS and not (
            self.boundary or self._cr or self._tail or self.pads or self._missing() or self.fault
        )
        return at

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
        if self.seen[_COLUMN] == 0:
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
        if self.seen[_COLUMN] or not end:
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
            self.seen[_COLUMN] = 0
            end = buf.count(b"\n", at, end)  # apart, as above
            self.seen[_LINE] += end
        else:
            self.seen[_COLUMN] += stop - at
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
            self.hint = self.seen[_LINE] << 8 | (buf[where - 1] if where > at else _DASH)
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
            self.seen[_LINE] += 1
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
                while len(self.head) < _HEAD:
                    self._keep_head(b"A", 0, 1)
                if self.length < 0:
                    self.fault = -self.length
                elif (count := self.seen[_COUNT]) % 4 or self.length != count // 4 * 3 - self.pads:
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
        self.seen[_COUNT] = self.pads = self.dates_at = 0
        self.head[:] = b""

    def _missing(self):
        # Characters that the head still needs; below 0: those before them are passed over.
        size = len(self.head)
        if size < _HEAD:
            return _HEAD - size
        if not self.dates_at:
            return 0
        skip = self.seen[_COUNT] - self.dates_at // 3 * 4
        return skip if skip < 0 else _MORE - size

    def _keep_head(self, buf, at, stop):
        # What the head tells once it is there; it becomes DER then.
        head = self.head
        _keep(head, _MORE, buf, at, stop)
        at = 0
        if len(head) == _HEAD:
            _decode(head, 0)
            self.length = _check_head(head, self.block)
            if self.block == _CERTIFICATE:
                at = _behind_issuer(head)
                if at >= _HEAD_BYTES:
                    self.dates_at = at
                    return
        elif len(head) == _MORE:
            _decode(head, _HEAD)
            at = _HEAD + self.dates_at % 3
            self.dates_at = 0
        if at and head[at] in b"\x17\x18":  # one date
            self.length = -_OTHER_CONTENT

    def _lines(self, buf, at):
        # Base64 and line ends, as far as nothing is special about them; else one byte.
        if self._cr or self._tail or self.pads:
            return self._byte(buf, at)
        end = len(buf)
        missing = self._missing()
        if missing:
            end = min(end, at + abs(missing))
            if missing > 0 and buf.find(b"\n", at, end) >= 0:  # the head is kept without it
                end = buf.find(b"\n", at, end)
        end = run(buf, at, end, self.seen)
        if end == at:
            return self._byte(buf, at)
        if missing > 0:
            self._keep_head(buf, at, end)
        return end

    def _byte(self, buf, at):
        # One byte of a block, whatever it is.
        byte = self.byte = buf[at]
        if byte == _LF:
            if self.seen[_COLUMN] == 0:
                self.fault = _BLANK
                return at
            self._cr = self._tail = False
            self.seen[_LINE] += 1
            self.seen[_COLUMN] = 0
        elif self._cr:
            self.fault = _LINE_END
        elif byte == _DASH and self.seen[_COLUMN] == 0:
            self.boundary = True
            self.line[:] = b""
            return at
        elif byte == _CR:
            self._cr = True
        elif byte in b" \t":
            if self.seen[_COLUMN]:
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
            else:
                self.seen[_COUNT] += 1
                self.seen[_COLUMN] += 1
        else:
            missing = self._missing()
            if run(buf, at, at + 1, self.seen) == at:
                self.fault = _NOT_BASE64
            elif self.pads:
                self.fault = _BAD_PADDING
            elif missing > 0:
                self._keep_head(buf, at, at + 1)
        return at if self.fault else at + 1


def _keep(kept, size, buf, at, stop):
    # Adds to `kept`, up to `size` bytes in all.
    stop = min(stop, at + size - len(kept))
    while at < stop:
        kept.append(buf[at])
        at += 1


def _decode(head, at):
    # Base64 from `at` on becomes what it means.
    bits = 0
    for i in range(at, len(head)):
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


def _content(der, at):
    # Where the content of the element at `at` begins.
    return at + 2 + (der[at + 1] & 3 if der[at + 1] > 0x80 else 0)


def _end(der, at):
    # Where the element at `at` ends.
    start = _content(der, at)
    size = 0
    for i in range(at + 1 + (der[at + 1] > 0x7F), start):
        size = size << 8 | der[i]
    return start + size


def _behind_issuer(der):
    # A list of revoked certificates begins as a certificate of version 1 with the serial number 1
    # does; behind its issuer stands a date, not a SEQUENCE of two. Where that is; 0: no such list.
    at = _content(der, _content(der, 0))
    if not der.startswith(b"\2\1\1\x30", at):
        return 0
    at += 5 + der[at + 4]
    return _end(der, at) if at < _HEAD_BYTES - 3 and der[at] == 0x30 else 0


def _check_head(der, block):
    # The first bytes of a block's DER tell its length and what it is: the length, or a fault,
    # negative.
    if der[0] != 0x30 or der[1] > 0x82 or der[1] == 0x80:
        return -_NOT_DER
    at = _content(der, 0)
    if block != _CERTIFICATE:
        # The version, then what the label says: PKCS#8's algorithm, RSA's modulus, or the private
        # key of an elliptic curve.
        if (
            der[at] == 2
            and der[at + 1] == 1
            and der[at + 2] < 2
            and der[at + 3] == b"\x30\x02\x04"[block - 1]
        ):
            return _end(der, 0)
    elif der[at] == 0x30:
        # In a SEQUENCE the version [0] or, in version 1, the serial number and an algorithm, which
        # has an identifier. A request has a number there as well, and a name behind it.
        at = _content(der, at)
        block = at + 4 + der[at + 1]
        if der[at] == 0xA0 or (der[at] == 2 and (block >= _HEAD_BYTES or der[block] == 6)):
            return _end(der, 0)
    return -_OTHER_CONTENT
