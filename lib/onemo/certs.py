# The module's store of certificates, keys and PSKs (manual 3.2 to 3.8). Content streams through
# the channel's buffer: nothing here holds more of a PEM than that. How it gets into the module is
# upload.py's.

from . import syntax
from ._port import const
from .channel import DATA, DONE, LINE
from .errors import CommandError, ProtocolError, Unsupported

CERT = const(1)  # MSSLLIST's types (manual 3.5)
KEY = const(2)
PSK = const(3)

MD5 = const(0)  # MSSLCHECK's algorithms (manual 3.8)
SHA1 = const(1)
SHA256 = const(2)
CRC = const(3)

ASCII = const(0)  # encodings of data inside a command (manual 3.1)
HEX = const(1)
ESCAPED = const(2)

SIZE_MAX = const(8192)  # of an object, bytes (manual 3.2)
MISSING = const(762)  # the code of an object that is not there

_TIMEOUT_MS = const(10000)
_FLASH_MS = const(30000)  # a write to the module's flash can take seconds


class CertStore:
    """Certificates, private keys and PSKs in the module, by name. Got as `modem.certs`.

    A name is a str of 1..64 printable ASCII characters without quote, comma or backslash:
    ValueError before anything is sent. Every method raises CommandError where the module refuses,
    Timeout, ModemReset."""

    def __init__(self, modem):
        self.modem = modem
        self.channel = modem.channel
        self._run = modem.run_operation
        self.encoding = ESCAPED  # of inline data; HEX and ASCII where the model has them (MN316-S)
        self.encoded = None  # (boot, encoding) that the module was told
        # what an inline model stored for a line's end when last verified: b"\n" or b"\r\n"
        self.newline = None
        self.psk_verified = None  # what confirmed the last write_psk: "MSSLCHECK" or "MSSLLIST"
        self.unfinished = None  # name whose upload broke off
        self.uploads = None  # upload.py's, once there was one

    def write(self, name, source, kind=CERT, *, size=None, force=False, progress=None):
        """Puts a PEM certificate (CERT) or private key (KEY) into the module and checks it there
        (manual 3.2, 3.3).

        `source`: a path, or a stream with readinto; `size` in bytes is needed for a stream that
        cannot be rewound. False: the same content is there already and nothing was written (not
        with `force`). True: the module's digest (manual 3.8) equals the one computed on the way
        out. progress(done, total) is told bytes.

        ValueError, before a byte is sent, for content that is no such PEM or over 8192 bytes;
        VerifyError where the digests differ."""
        syntax.check_text(name, "name")
        if kind not in (CERT, KEY):
            raise ValueError(
                "kind is %r; it must be CERT (1) or KEY (2), PSKs go through write_psk" % (kind,)
            )
        self.modem.needed_model()
        from .upload import upload

        return self._run(upload(self.modem, name, source, kind, size, force, progress))

    def read(self, name, sink):
        """Streams a certificate into sink.write as the module holds it; the number of bytes
        (manual 3.4). Private keys cannot be read. The buffer that sink.write is given is good
        during the call only."""
        syntax.check_text(name, "name")
        return self._run(self._read(name, sink))

    def _read(self, name, sink):
        ch = self.channel
        ch.begin(b"+MSSLCERTRD=").quote(name)
        ch.go(_TIMEOUT_MS + SIZE_MAX * 10000 // ch.baud, b"+MSSLCERTRD:", counted=1)
        size = None
        while (event := ch.poll()) != DONE:
            if event != DATA:
                yield
                continue
            size = ch.left
            while ch.left:
                piece = ch.data()
                if piece:
                    sink.write(piece)
                else:
                    yield
        if size is None:
            raise ProtocolError("%s: OK, but no data came" % ch.command())
        ch.result = size

    def list(self, kind=CERT):
        """[(name, size in bytes), ...] of the CERTs, KEYs or PSKs in the module (manual 3.5)."""
        syntax.check_range(kind, "kind", CERT, PSK)
        return self._run(self._list(kind))

    def _list(self, kind):
        ch = self.channel
        found = []
        ch.begin(b"+MSSLLIST=").number(kind).go(_TIMEOUT_MS, b"+MSSLLIST:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                found.append((ch.text(0), ch.value(1)))
            else:
                yield
        ch.result = found

    def find(self, name, kind):
        # Operation: the size of one object in result, None where it is not listed. Lines that are
        # not it cost nothing.
        ch = self.channel
        wanted = name.encode()
        size = None
        ch.begin(b"+MSSLLIST=").number(kind).go(_TIMEOUT_MS, b"+MSSLLIST:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                if ch.says(0, wanted):
                    size = ch.value(1)
            else:
                yield
        ch.result = size

    def remove(self, name, missing_ok=False):
        """Removes a certificate or key (manual 3.6); not while a connection uses it. Whether it
        was there: without `missing_ok` a missing one is CommandError 762."""
        syntax.check_text(name, "name")
        return self._run(self._remove(name, missing_ok))

    def _remove(self, name, missing_ok):
        yield from self.removal(name, missing_ok)
        self.modem.forget(name)

    def removal(self, name, missing_ok=True):
        ch = self.channel
        ch.begin(b"+MSSLRM=").quote(name).go(_FLASH_MS)
        try:
            while ch.poll() != DONE:
                yield
            ch.result = True
        except CommandError as error:
            if not missing_ok or error.code != MISSING:
                raise
            ch.result = False
        if self.unfinished == name:
            self.unfinished = None

    def digest(self, name, algorithm=MD5):
        """The module's check code of a certificate, key or PSK: lower-case hex (manual 3.8). All
        models have MD5; SHA1, SHA256 and CRC are MN316-S's: Unsupported elsewhere, nothing
        sent."""
        syntax.check_text(name, "name")
        syntax.check_range(algorithm, "algorithm", MD5, CRC)
        model = self.modem.needed_model()
        if algorithm not in model.algorithms:
            raise Unsupported("%s checks by MD5 only (manual 3.8, note 8)" % model)
        return self._run(self.check(name, algorithm))

    def check(self, name, algorithm=MD5):
        ch = self.channel
        ch.begin(b"+MSSLCHECK=").quote(name)
        if algorithm:
            ch.number(algorithm)
        ch.go(_TIMEOUT_MS, b"+MSSLCHECK:")
        code = None
        while (event := ch.poll()) != DONE:
            if event == LINE:
                code = ch.text(0).lower()
            else:
                yield
        ch.result = code

    def compare(self, name, digests):
        # Operation: in result True if the module's MD5 is one of these, else what it is.
        ch = self.channel
        self.ask(name)
        while (event := ch.poll()) != DONE:
            if event == LINE:
                self.hear(digests)
            else:
                yield

    def ask(self, name):
        ch = self.channel
        ch.result = None
        ch.begin(b"+MSSLCHECK=").quote(name).go(_TIMEOUT_MS, b"+MSSLCHECK:")

    def hear(self, digests):
        # Which one it is tells how an inline model stores line ends.
        ch = self.channel
        for i in range(len(digests)):
            if ch.spells(digests[i]):
                ch.result = True
                if len(digests) > 1:
                    self.newline = b"\r\n" if i else b"\n"
                return
        ch.result = ch.text(0)

    def algorithms(self):
        """The algorithms that the module says MSSLCHECK has: its test form (manual 3.8)."""
        from .psk import algorithms

        return self._run(algorithms(self.channel))

    def write_psk(self, pskid, psk):
        """Adds a pre-shared key (manual 3.7; no 4G model has it). `psk`: str or bytes, 1..8192,
        printable ASCII without quote or backslash, and the command has to fit the module's line.
        It is checked by MSSLCHECK where the module answers that for a PSK, else by its length in
        MSSLLIST: `psk_verified` says which. A PSK that is there under this id is removed first.
        ValueError or Unsupported before anything is sent."""
        from .psk import checked, writing

        return self._run(writing(self.modem, pskid, checked(self.modem, pskid, psk)))
