# The module's store of certificates, keys and PSKs (manual 3.2 to 3.8). Content streams through
# the channel's buffer: nothing here holds more of a PEM than that. How it gets into the module is
# upload.py's.

from . import method, syntax
from ._port import const
from .channel import DONE
from .errors import CommandError

CERT = const(1)  # MSSLLIST's types (manual 3.5)
KEY = const(2)
PSK = const(3)

SIZE_MAX = const(8192)  # of an object, bytes (manual 3.2)
MISSING = const(762)  # the code of an object that is not there

_ESCAPED = const(2)  # inline.py's
_FLASH_MS = const(30000)  # a write to the module's flash can take seconds

# Methods that a product may do without, and the module of each.
_ELSEWHERE = const("list inventory read inventory digest inventory algorithms psk write_psk psk")


class CertStore:
    """Certificates, private keys and PSKs in the module, by name. Got as `modem.certs`.

    A name is a str of 1..64 printable ASCII characters without quote, comma or backslash:
    ValueError before anything is sent. Every method raises CommandError where the module refuses,
    Timeout, ModemReset."""

    def __init__(self, modem):
        self.modem = modem
        self.channel = modem.channel
        self.encoding = _ESCAPED  # of inline data; MN316-S has HEX and ASCII, too
        self.encoded = None  # (boot, encoding) that the module was told
        # what an inline model stored for a line's end when last verified: b"\n" or b"\r\n"
        self.newline = None
        self.psk_verified = None  # what confirmed the last write_psk: "MSSLCHECK" or "MSSLLIST"
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
        from .upload import form

        return self.modem.run_operation(
            form(self.modem).write(name, source, kind, size, force, progress)
        )

    def remove(self, name, missing_ok=False):
        """Removes a certificate or key (manual 3.6); not while a connection uses it. Whether it
        was there: without `missing_ok` a missing one is CommandError 762."""
        syntax.check_text(name, "name")
        return self.modem.run_operation(self._remove(name, missing_ok))

    def _remove(self, name, missing_ok):
        yield from self.removal(name, missing_ok)
        if self.modem.sources:
            from .restore import forget

            forget(self.modem, name)

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
        if self.modem.unfinished == name:
            self.modem.unfinished = None

    def discard(self, name):
        # Operation: what an upload left goes, if it can: an error of this would hide another.
        try:
            yield from self.removal(name)
        except CommandError:
            pass  # it was never begun, or the next write says what is wrong

    def __getattr__(self, name):
        return method(self, _ELSEWHERE, name)
