# SPDX-License-Identifier: MIT
"""PEM files, loaded by `cryptography`; what it refuses is put into words."""

import base64
import binascii
import functools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from onemo import cert_pem

from onemo_tools.certlint.findings import ERROR, Finding

CERT, KEY = "cert", "key"
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n(.*?)-----END \1-----", re.DOTALL)
_LINE = re.compile(r"PEM refused at line (\d+): (.*)", re.DOTALL)
_KEY_TYPES: dict[str, type] = {
    "RSA PRIVATE KEY": rsa.RSAPrivateKey,
    "EC PRIVATE KEY": ec.EllipticCurvePrivateKey,
}

_EXPLICIT = (
    "an EC key with explicit curve parameters, which modules do not take: openssl ec -in KEY "
    "-param_enc named_curve -out NEW"
)
PRIME_FIELD = bytes.fromhex("06072a8648ce3d0101")  # only explicit parameters have it

_P = ParamSpec("_P")
_T = TypeVar("_T")


def quiet(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """cryptography warns of old things in certificates; what matters of that lint says itself."""

    @functools.wraps(function)
    def silently(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return silently


@dataclass
class Loaded:
    """A PEM file: its certificates, each with its line, or its key."""

    path: str
    kind: str
    data: bytes = field(repr=False)
    certs: list[tuple[x509.Certificate, int]] = field(default_factory=list)
    key: Any = field(default=None, repr=False)
    key_line: int = 1
    findings: list[Finding] = field(default_factory=list)


def kind_of(path: str, data: bytes) -> str:
    """What a file is meant to be, if nobody says so."""
    if b"PRIVATE KEY-" in data:
        return CERT if b"BEGIN CERTIFICATE-" in data and not path.endswith(".key") else KEY
    return KEY if path.endswith(".key") and b"BEGIN CERT" not in data else CERT


def scanner_says(data: bytes, kind: str) -> str:
    """Why the library refuses a file, in its words; empty if it takes it."""
    scanner = cert_pem.PemScanner(cert_pem.KEY if kind == KEY else cert_pem.CERT)
    scanner.feed(bytearray(data))
    try:
        scanner.finish()
    except ValueError as error:
        return str(error)
    return ""


@quiet
def load(path: str, data: bytes, kind: str) -> Loaded:
    """The file, and what keeps it from being one: first by the library's own scanner, as the
    device judges it, then by what is inside the blocks."""
    loaded = Loaded(path, kind, data)

    def refuse(code: str, text: str, line: int | None = None) -> None:
        loaded.findings.append(Finding(path, code, ERROR, text, line))

    said = scanner_says(data, kind)
    if said:
        found = _LINE.search(said)
        secret = b"ENCRYPTED" in data and kind == KEY
        refuse(
            "encrypted-key" if secret else "not-pem",
            found.group(2) if found else said,
            int(found.group(1)) if found else None,
        )
    for match in _BLOCK.finditer(data):
        label = match.group(1).decode()
        line = data.count(b"\n", 0, match.start()) + 1
        if label == "CERTIFICATE":
            _certificate(loaded, match, line, refuse)
        elif label.endswith("PRIVATE KEY") and kind == KEY and loaded.key is None:
            _private_key(loaded, label, match.group(0), line, refuse)
    return loaded


def _certificate(
    loaded: Loaded, match: re.Match[bytes], line: int, refuse: Callable[..., None]
) -> None:
    try:
        cert = x509.load_pem_x509_certificate(match.group(0))
    except ValueError:
        if not loaded.findings:
            what = _what_is_inside(match.group(2))
            refuse("not-pem", f"the block at line {line} is no certificate: {what}", line)
        return
    loaded.certs.append((cert, line))


def _private_key(
    loaded: Loaded, label: str, pem: bytes, line: int, refuse: Callable[..., None]
) -> None:
    loaded.key_line = line
    try:
        loaded.key = serialization.load_pem_private_key(pem, None)
    except TypeError:
        if not loaded.findings:
            refuse(
                "encrypted-key",
                "the key needs a passphrase, but modules take none: openssl pkey -in KEY -out "
                "PLAIN",
                line,
            )
        return
    except (ValueError, UnsupportedAlgorithm):
        if loaded.findings:
            return
        if _explicit(pem):
            refuse("explicit-curve", _EXPLICIT, line)
        else:
            refuse(
                "not-pem",
                f"inside the block at line {line} is no key as its label, {label}, says: it is "
                "damaged, or of another algorithm; copy the whole file again, or openssl pkey -in "
                "KEY -out NEW",
                line,
            )
        return
    if _explicit(pem):
        refuse("explicit-curve", _EXPLICIT, line)
    expected = _KEY_TYPES.get(label)
    if expected and not isinstance(loaded.key, expected) and not loaded.findings:
        inside = type(loaded.key).__name__.removesuffix("PrivateKey")
        refuse(
            "not-pem",
            f"the label says {label}, but inside is another key ({inside}): openssl pkey -in KEY "
            "-out NEW",
            line,
        )


def _explicit(pem: bytes) -> bool:
    """True if the object identifier of a prime field is in a key's PEM."""
    body = b"".join(
        part for part in pem.split(b"\n")[1:-1] if not part.startswith(b"-") and b":" not in part
    )
    try:
        return PRIME_FIELD in base64.b64decode(body)
    except binascii.Error:
        return False


def _what_is_inside(body: bytes) -> str:
    """What stands under a certificate's label instead of one."""
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return "its base64 text is damaged; copy the whole file again"
    for what, loader in (
        ("inside is a private key, which anybody could read back from the module", _der_key),
        ("inside is a certificate request; give what the authority made from it", _der_request),
        ("inside is a public key; give the certificate", serialization.load_der_public_key),
    ):
        try:
            loader(der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return what
    return (
        f"its DER content ({len(der)} bytes) is damaged or incomplete, perhaps a line was lost; "
        "copy the whole file again"
    )


def _der_key(der: bytes) -> object:
    return serialization.load_der_private_key(der, None)


def _der_request(der: bytes) -> object:
    return x509.load_der_x509_csr(der)
