# SPDX-License-Identifier: MIT
#
# The module's store of certificates, keys and PSKs, as the application sees it (manual 3.2 to
# 3.8). Content streams through the channel's buffer: nothing here holds more of a PEM than that.
#
# What a method needs is loaded for it and let go of at once: a CertStore holds it, and with the
# CertStore it goes. So `modem.certs.write(...)` leaves nothing behind, and who keeps `modem.certs`
# has all at hand for the next call.

from . import at_syntax
from ._port import IS_BOARD, const, load, unload
from .cert_store import CERT, KEY, check_unused

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import List  # `list` is a method here

_LOADED = const(
    "certs cert_store cert_list cert_psk cert_removal cert_upload cert_upload_inline "
    "cert_upload_counted cert_pem _pem_viper _pem_plain md5"
)


def store_of(modem):
    """A modem's CertStore. Unsupported for a model that has no TLS."""
    model = modem.capabilities
    if model and not model.tls:
        from .model_info import refuse_tls

        refuse_tls(model)
    return CertStore(modem)


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING or not IS_BOARD:

        @property
        def certs(self) -> "CertStore":
            """The module's store of certificates, keys and PSKs (manual 3.2 to 3.8). Unsupported
            for a model that has no TLS."""
            return store_of(self)

    else:
        certs = store_of  # which the modem's __getattr__ calls


def _let_go():
    unload(*_LOADED.split(" "))


class CertStore:
    """Certificates, private keys and PSKs in the module, by name. Got as `modem.certs`.

    A name is a str of 1..64 printable ASCII characters without quote, comma or backslash:
    ValueError before anything is sent. Every method raises CommandError if the module refuses,
    Timeout, ModemReset."""

    def __init__(self, modem) -> None:
        self._modem = modem
        self._uploader = None
        self._behind_prompt = None  # how that writes
        self._cert_list = None  # the module

    @property
    def encoding(self) -> int:
        """Of data inside commands: ESCAPED (2); MN316-S has HEX and ASCII, too. Can be set."""
        return self._modem.encoding

    @encoding.setter
    def encoding(self, encoding: int) -> None:
        self._modem.encoding = encoding

    @property
    def newline(self) -> "bytes | None":
        """What an inline model stored for a line's end when last verified: LF or CR LF."""
        return self._modem.newline

    @newline.setter
    def newline(self, newline: "bytes | None") -> None:
        self._modem.newline = newline

    @property
    def psk_verified(self) -> "str | None":
        """What confirmed the last write_psk: "MSSLCHECK" or "MSSLLIST"."""
        return self._modem.psk_verified

    def write(
        self,
        name: str,
        source,
        kind: int = CERT,
        *,
        size: "int | None" = None,
        force: bool = False,
        in_use_ok: bool = False,
        progress=None,
        inline: bool = False,
        check_length: "str | None" = None,
    ) -> bool:
        """Write a PEM certificate (CERT) or private key (KEY) into the module and check it there
        (manual 3.2, 3.3).

        `source`: a path, or a stream with readinto; `size` in bytes is needed for a stream that
        cannot be rewound. False: the same content is there already and nothing was written (not
        with `force`). True: the module's digest (manual 3.8) equals the one computed on the way
        out. progress(done, total) gets bytes.

        Only the PEM blocks are sent, with their line ends: text around them, spaces at line ends
        and EC PARAMETERS are passed over, and sizes, digest and the 8192-byte limit are of the
        blocks. A stream is read from where it stands; one that cannot be rewound must hold nothing
        but blocks.

        `inline`: put the data inside the commands, in `encoding`, as models without `>` need it;
        others take it as well. What they store for a line end is their affair, so `sync`, which
        writes behind `>`, may find the content different. `check_length`: have the module check
        the <length> of each such command, "typed" (the characters, as the manual says) or
        "decoded" (the bytes that they stand for, as modules were seen to count); the digest
        decides either way.

        ValueError, before a byte is sent, for content that is no such PEM or over 8192 bytes, with
        the cause and a remedy; also if other content would replace what an open connection uses,
        unless `in_use_ok`. VerifyError if the digests differ."""
        at_syntax.check_text(name, "name")
        if kind not in (CERT, KEY):
            raise ValueError(
                "kind is %r; it must be CERT (1) or KEY (2), PSKs go through write_psk" % (kind,)
            )
        uploader = self.uploader()
        if inline or check_length is not None:
            from .cert_upload_counted import other_uploader

            _let_go()
            uploader = other_uploader(self._modem, uploader, inline, check_length)
        return self._modem.run_operation(
            uploader.write_op(name, source, kind, size, force, progress, in_use_ok)
        )

    def uploader(self):
        """What writes PEM files into this model: behind `>` or inside the command. It lasts as
        long as this object. For the library's own parts."""
        model = self._modem.require_model()
        if self._uploader is None or self._behind_prompt != model.prompt:
            try:
                load("md5", "cert_pem")
                if model.prompt and model.known:
                    from .cert_upload import Uploader
                elif model.prompt:
                    from .cert_upload_inline import TryingUploader as Uploader
                else:
                    from .cert_upload_inline import InlineUploader as Uploader
            finally:  # also where there was no memory for one
                _let_go()
            self._uploader = Uploader(self._modem)
            self._behind_prompt = model.prompt
        return self._uploader

    def _listing(self):
        if self._cert_list is None:
            from . import cert_list

            _let_go()
            self._cert_list = cert_list
        return self._cert_list

    def read(self, name: str, sink) -> int:
        """Stream a certificate into sink.write as the module holds it; returns the number of bytes
        (manual 3.4). Private keys cannot be read. The buffer that sink.write gets is valid during
        the call only."""
        return self._modem.run_operation(self._listing().read_op(self._modem, name, sink))

    def list(self, kind: int = CERT) -> "List[tuple[str, int]]":
        """[(name, size in bytes), ...] of the CERTs, KEYs or PSKs in the module (manual 3.5)."""
        return self._modem.run_operation(self._listing().list_op(self._modem, kind))

    def remove(self, name: str, missing_ok: bool = False, *, in_use_ok: bool = False) -> bool:
        """Remove a certificate or key, and look whether it is gone (manual 3.6). Returns True if
        it was there: without `missing_ok` a missing one is CommandError, 762 on most modules, and
        nothing is sent that removes. VerifyError if it is still there.

        ValueError, before anything is sent, if an open connection uses it, for the manual warns of
        that; `in_use_ok` allows it."""
        at_syntax.check_text(name, "name")
        if not in_use_ok:
            check_unused(self._modem, name)
        from .cert_removal import remove_listed_op

        _let_go()
        return self._modem.run_operation(remove_listed_op(self._modem, name, missing_ok))

    def digest(self, name: str, algorithm: int = 0) -> str:
        """The module's check code of a certificate, key or PSK: lower-case hex (manual 3.8). All
        models have MD5 (0); SHA1, SHA256 and CRC are MN316-S's: Unsupported elsewhere, nothing is
        sent."""
        return self._modem.run_operation(self._listing().digest_op(self._modem, name, algorithm))

    def algorithms(self) -> "List[int]":
        """The algorithms that the module says MSSLCHECK has: its test form (manual 3.8). A list of
        MD5, SHA1, SHA256, CRC."""
        return self._modem.run_operation(self._listing().algorithms_op(self._modem))

    def write_psk(self, pskid: str, psk: "str | bytes") -> bool:
        """Add a pre-shared key (manual 3.7; no 4G model has it). `psk`: 1..8192 printable ASCII
        characters without quote or backslash, and the command must fit the module's line. It is
        checked by MSSLCHECK if the module answers that for a PSK, else by its length in MSSLLIST:
        `psk_verified` says which. A PSK that is there under this id is removed first.

        ValueError, TypeError or Unsupported before anything is sent; VerifyError."""
        from .cert_psk import write_psk_op

        _let_go()
        return self._modem.run_operation(write_psk_op(self._modem, pskid, psk))
