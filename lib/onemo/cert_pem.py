# SPDX-License-Identifier: MIT
#
# Scans a PEM file as it streams by, so that a wrong one is refused before the module sees it.
#
# A base64 character costs one turn of a loop with a table look-up: 640 machine instructions on
# the unix port, so some 50 ms for 8 KB on a 168 MHz board. All else (line ends, dashes, padding)
# costs a call. Nothing is allocated after construction; none of MicroPython's C functions checks
# an alphabet without making a copy.

from ._port import const
from .at_syntax import PAYLOAD_MAX

CERT = 1  # MSSLLIST's types, manual 3.5
KEY = 2


# Classes of bytes. 0 means base64: the fast path.
_LF = const(1)
_CR = const(2)
_PAD = const(3)
_DASH = const(4)
_TEXT = const(5)  # other printable ASCII and the tab: fine outside blocks only
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

# Verdicts. The words for them are in cert_pem_faults.py, which is loaded only when a file is
# refused, and looks closer at the last four.
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
_NOT_TEXT = const(14)
_NOT_BASE64 = const(15)
_OTHER_KIND = const(16)
_UNKNOWN = const(17)


class PemScanner:
    """Looks at a PEM file of `kind` (CERT, KEY) as it passes: feed() each buffer, then finish().

    size: bytes fed. blocks: certificates, or keys, seen whole. fault: not 0 as soon as the file is
    known to be bad, for those who want to stop early; finish() puts it into words.
    """

    def __init__(self, kind):
        self.line = bytearray(_LINE)
        self.begin(kind)

    def begin(self, kind):
        """Forgets the file before, for one of `kind`."""
        if kind not in (1, 2):  # CERT, KEY: so it is a constant, which costs nothing
            raise ValueError("kind %r: CERT (1) or KEY (2) can be judged" % (kind,))
        self.kind = kind
        self.size = 0
        self.blocks = 0
        self.fault = 0
        self.bad_byte = 0  # the byte at fault
        self._block = -1  # index into _LABELS while inside a block
        self._last = -1  # the block before
        self.count = 0  # base64 characters of this block, padding included
        self._pads = 0
        self.lines = 1  # the line now being read, for messages
        self.column = 0  # bytes of this line so far
        self._cr = False  # a CR was the last byte
        self._boundary = False  # this line began with a dash

    def feed(self, buf, n=None):
        """Looks at the first `n` bytes (all without n) of a bytearray, memoryview or bytes.
        Allocates nothing, raises nothing."""
        if n is None:
            n = len(buf)
        size = self.size
        self.size = size + n
        if self.fault:
            return
        over = size + n > PAYLOAD_MAX
        if over:
            # What is wrong before the limit is told first, however the bytes were cut.
            n = PAYLOAD_MAX - size
        classes = _CLASSES
        start = 0
        for i in range(n):
            if classes[buf[i]]:
                self._base64_run(buf, start, i)
                if not self.fault:
                    self._other_byte(buf[i], classes[buf[i]])
                if self.fault:
                    return
                start = i + 1
        self._base64_run(buf, start, n)
        if over and not self.fault:
            self.fault = _BIG

    def finish(self, name=None):
        """The file, which is to be `name`, is complete: ValueError says what is wrong with it, and
        what to do."""
        if not self.fault:
            if self._boundary:
                self._end_of_line()
                if self.fault and self.line.find(b"-----\n", _END, self.column + 1) < 0:
                    self.fault = _NO_END  # cut off within the last line
            if self.fault:
                pass
            elif not self.size:
                self.fault = _EMPTY
            elif self._block >= 0:
                self.fault = _NO_END
            elif self._last == _EC_PARAMETERS:
                self.fault = _LONE_PARAMETERS
            elif not self.blocks:
                self.fault = _NOT_PEM
        if self.fault:
            from . import cert_pem_faults

            raise ValueError(cert_pem_faults.text(self, name))

    def _base64_run(self, buf, start, end):
        """A run of base64 characters, buf[start:end]."""
        if start == end:
            return
        if self._cr:
            self.fault = _LINE_END
        elif self._boundary:
            for i in range(start, end):
                self._keep_boundary_byte(buf[i])
        else:
            if self.column == 0:
                self.line[0] = buf[start]  # tells DER
            self.column += end - start
            if self._block >= 0:
                self.count += end - start
                if self._pads:
                    self.fault = _BAD_PADDING

    def _other_byte(self, byte, kind):
        """One byte that is no base64 character."""
        if kind == _LF:
            self._cr = False
            self._end_of_line()
            if not self.fault:
                self.lines += 1
                self.column = 0
        elif self._cr:
            self.fault = _LINE_END
        elif kind == _CR:
            self._cr = True
        elif kind >= _NUL:
            self.fault = _NOT_TEXT
            self.bad_byte = byte
        else:
            if self.column == 0:
                self._boundary = kind == _DASH
            if self._boundary:
                self._keep_boundary_byte(byte)
                return
            if self._block < 0:
                if self.column == 0:
                    self.line[0] = byte
            elif kind == _PAD:
                self.count += 1
                self._pads += 1
                if self._pads > 2:
                    self.fault = _BAD_PADDING
            else:
                self.fault = _NOT_BASE64
                self.bad_byte = byte
                return
            self.column += 1

    def _keep_boundary_byte(self, byte):
        """One more byte of a line that may be a BEGIN or an END."""
        if self.column < _LINE - 1:
            self.line[self.column] = byte
        self.column += 1

    def _end_of_line(self):
        if not self._boundary:
            if self._block >= 0 and self.column == 0:
                self.fault = _BLANK
            return
        self._boundary = False
        line = self.line
        line[min(self.column, _LINE - 1)] = 10
        if line.startswith(b"-----BEGIN "):
            self._begin(line)
        elif not line.startswith(b"-----END "):
            if self._block >= 0:
                self.fault = _BAD_CHARACTER
        elif self._block < 0:
            self.fault = _NO_BEGIN
        elif not line.startswith(_LABELS[self._block], _END):
            self.fault = _MISMATCH
        elif not self.count or self.count % 4:
            self.fault = _BAD_LENGTH
        else:
            if self._block != _EC_PARAMETERS:
                self.blocks += 1
            self._last = self._block
            self._block = -1

    def _begin(self, line):
        if self._block >= 0:
            self.fault = _NO_END
            return
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
        self._block = block
        self.count = 0
        self._pads = 0
