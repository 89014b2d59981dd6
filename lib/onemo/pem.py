# Judges PEM bytes as they stream by, so that a wrong file is refused before the module sees it.
#
# A base64 character costs one turn of a loop with a table look-up: 640 machine instructions on
# the unix port, so some 50 ms for 8 KB on a 168 MHz board. All else (line ends, dashes, padding)
# costs a call. Nothing is allocated after construction; none of MicroPython's C functions checks
# an alphabet without making a copy.

from ._port import const

CERT = 1  # MSSLLIST's types, manual 3.5
KEY = 2

_MAX = const(8192)  # bytes of one certificate or key file, manual 3.2 and 3.3

# Classes of bytes. What is 0 is base64 and needs no thought.
_LF = const(1)
_CR = const(2)
_PAD = const(3)
_DASH = const(4)
_TEXT = const(5)  # other printable ASCII and the tab: fine outside blocks only
_NUL = const(6)
_BAD = const(7)  # control characters, and what is not ASCII

_CLASSES = (
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
_LABELS = (
    b"CERTIFICATE-----\n",
    b"PRIVATE KEY-----\n",
    b"RSA PRIVATE KEY-----\n",
    b"EC PRIVATE KEY-----\n",
    b"EC PARAMETERS-----\n",
)
_CERTIFICATE = const(0)
_EC_KEY = const(3)
_EC_PARAMETERS = const(4)
_BEGIN = const(11)  # where the label stands in a BEGIN line
_END = const(9)  # and in an END line
_LINE = const(48)  # bytes kept of a line that begins with a dash; the longest known one has 39

# Verdicts; the words for them are in _pem_faults.py, which is loaded only when a file is refused.
_BIG = const(1)
_EMPTY = const(2)
_NOT_PEM = const(3)
_DER = const(4)
_UTF16 = const(5)
_NOT_ASCII = const(6)
_NO_END = const(7)
_NO_BEGIN = const(8)
_MISMATCH = const(9)
_BAD_CHARACTER = const(10)
_BAD_LENGTH = const(11)
_BAD_PADDING = const(12)
_HEADER = const(13)
_BLANK = const(14)
_BOUNDARY = const(15)
_ENCRYPTED = const(16)
_PUBLIC = const(17)
_REQUEST = const(18)
_UNKNOWN = const(19)
_KEY_FOR_CERT = const(20)
_KEY_AMONG_CERTS = const(21)
_CERT_FOR_KEY = const(22)
_CERT_AFTER_KEY = const(23)
_SECOND_KEY = const(24)
_LINE_END = const(25)
_LONE_PARAMETERS = const(26)


class Judge:
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
        self._block = -1  # index into _LABELS while inside a block
        self._last = -1  # the block before
        self._count = 0  # base64 characters of this block, padding included
        self._pads = 0
        self.lines = 1  # the line now being read, for messages
        self._column = 0  # bytes of this line so far
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
        over = size + n > _MAX
        if over:
            n = (
                _MAX - size
            )  # what is wrong before the limit is told first, however the bytes were cut
        classes = _CLASSES
        start = 0
        for i in range(n):
            if classes[buf[i]]:
                self._plain(buf, start, i)
                if not self.fault:
                    self._special(buf[i], classes[buf[i]])
                if self.fault:
                    return
                start = i + 1
        self._plain(buf, start, n)
        if over and not self.fault:
            self.fault = _BIG

    def finish(self):
        """The file is complete: ValueError says what is wrong with it, and what to do."""
        if not self.fault:
            if self._boundary:
                self._end_of_line()
                if self.fault and self.line.find(b"-----\n", _END, self._column + 1) < 0:
                    self.fault = _NO_END  # cut off within the last line
            if not self.fault:
                self._judge_end()
        if self.fault:
            from . import _pem_faults

            raise ValueError(_pem_faults.text(self.fault, self.lines))

    def _judge_end(self):
        if not self.size:
            self.fault = _EMPTY
        elif self._block >= 0:
            self.fault = _NO_END
        elif self._last == _EC_PARAMETERS:
            self.fault = _LONE_PARAMETERS
        elif not self.blocks:
            self.fault = _NOT_PEM

    def _plain(self, buf, start, end):
        """A run of base64 characters, buf[start:end]."""
        if start == end:
            return
        if self._cr:
            self.fault = _LINE_END
        elif self._boundary:
            for i in range(start, end):
                self._keep(buf[i])
        else:
            if self._column == 0:
                self.line[0] = buf[start]  # tells DER
            self._column += end - start
            if self._block >= 0:
                self._count += end - start
                if self._pads:
                    self.fault = _BAD_PADDING

    def _special(self, byte, kind):
        """One byte that is no base64 character."""
        if kind == _LF:
            self._cr = False
            self._end_of_line()
            self.lines += 1
            self._column = 0
        elif self._cr:
            self.fault = _LINE_END
        elif kind == _CR:
            self._cr = True
        elif kind >= _NUL:
            self._not_text(byte, kind)
        else:
            if self._column == 0:
                self._boundary = kind == _DASH
            if self._boundary:
                self._keep(byte)
                return
            if self._block >= 0:
                self._inside(byte, kind)
            elif self._column == 0:
                self.line[0] = byte
            self._column += 1

    def _keep(self, byte):
        """One more byte of a line that may be a BEGIN or an END."""
        if self._column < _LINE - 1:
            self.line[self._column] = byte
        self._column += 1

    def _not_text(self, byte, kind):
        begin = self.lines == 1 and self._column < 4
        if begin and self._column and self.line[0] == 0x30:
            self.fault = _DER
        elif kind == _NUL or (begin and self._column == 0 and byte in b"\xef\xfe\xff"):
            self.fault = _UTF16
        else:
            self.fault = _NOT_ASCII

    def _inside(self, byte, kind):
        """Padding, or what does not belong into a block."""
        if kind == _PAD:
            self._count += 1
            self._pads += 1
            if self._pads > 2:
                self.fault = _BAD_PADDING
        elif self._count == self._column and byte in b":-":
            self.fault = _HEADER  # first line of a block, such as "Proc-Type: 4,ENCRYPTED"
        else:
            self.fault = _BAD_CHARACTER

    def _end_of_line(self):
        if not self._boundary:
            if self._block >= 0 and self._column == 0:
                self.fault = _BLANK
            return
        self._boundary = False
        line = self.line
        line[min(self._column, _LINE - 1)] = 10
        if line.startswith(b"-----BEGIN "):
            self._begin(line)
        elif line.startswith(b"-----END "):
            self._end(line)
        elif self._block >= 0:
            self.fault = _BAD_CHARACTER

    def _begin(self, line):
        if self._block >= 0:
            self.fault = _NO_END
            return
        block = 0
        while not line.startswith(_LABELS[block], _BEGIN):
            block += 1
            if block == len(_LABELS):
                self.fault = self._refused(line)
                return
        if self.kind == CERT:
            if block != _CERTIFICATE:
                self.fault = _KEY_AMONG_CERTS if self.blocks else _KEY_FOR_CERT
        elif block == _CERTIFICATE:
            self.fault = _CERT_AFTER_KEY if self.blocks else _CERT_FOR_KEY
        elif self.blocks:
            self.fault = _SECOND_KEY
        elif self._last == _EC_PARAMETERS and block != _EC_KEY:
            self.fault = _LONE_PARAMETERS
        self._block = block
        self._count = 0
        self._pads = 0

    def _refused(self, line):
        """Why a BEGIN line that is none of _LABELS is refused."""
        end = line.find(b"\n")
        if line.find(b"-----\n", _BEGIN, end + 1) < 0:
            return _BOUNDARY
        if line.find(b"PRIVATE KEY", _BEGIN, end) > 0:
            if self.kind == CERT:
                return _KEY_AMONG_CERTS if self.blocks else _KEY_FOR_CERT
            return _ENCRYPTED if line.startswith(b"ENCRYPTED ", _BEGIN) else _UNKNOWN
        if line.find(b"PUBLIC KEY", _BEGIN, end) > 0:
            return _PUBLIC
        if line.find(b"REQUEST", _BEGIN, end) > 0:
            return _REQUEST
        return _UNKNOWN

    def _end(self, line):
        if self._block < 0:
            self.fault = _NO_BEGIN
        elif not line.startswith(_LABELS[self._block], _END):
            self.fault = _MISMATCH
        elif not self._count or self._count % 4:
            self.fault = _BAD_LENGTH
        else:
            if self._block != _EC_PARAMETERS:
                self.blocks += 1
            self._last = self._block
            self._block = -1
