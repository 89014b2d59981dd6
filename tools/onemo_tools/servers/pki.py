# SPDX-License-Identifier: MIT
"""A small certificate authority for the demo and the tests: roots, intermediates, leaves, bundles.

Keys are made once per process and name, for RSA takes its time. Not fit for production.
"""

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_DAY = datetime.timedelta(days=1)
# Netscape's comment: an extension of any length that everybody ignores.
_COMMENT = x509.ObjectIdentifier("2.16.840.1.113730.1.13")
_BUNDLE_FILLER = "onemo bundle filler"
_serials = count(1)


@cache
def _key(algorithm: str, name: str, generation: int) -> PrivateKey:
    """The key that belongs to `name`; another generation is another key."""
    if algorithm == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    raise ValueError(f"algorithm {algorithm!r}: 'rsa' (RSA-2048) or 'ec' (P-256)")


@dataclass(frozen=True)
class Identity:
    """A leaf: its certificate, the chain that it is sent with, and its key, all of them PEM."""

    name: str
    certificate: bytes
    chain: bytes  # the certificate, then its intermediates; without the root
    key: bytes  # PKCS#8, "PRIVATE KEY"
    key_traditional: bytes  # "RSA PRIVATE KEY" or "EC PRIVATE KEY"

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Writes chain.pem and key.pem into `folder`; returns their paths."""
        chain, key = folder / "chain.pem", folder / "key.pem"
        chain.write_bytes(self.chain)
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        return chain, key


class Authority:
    """A CA. `pem` is its certificate; issue() makes leaves, subordinate() an intermediate CA."""

    def __init__(
        self,
        common_name: str,
        *,
        algorithm: str = "rsa",
        generation: int = 0,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        issuer: "Authority | None" = None,
    ):
        self.name = common_name
        self.algorithm = algorithm
        self._issuer = issuer
        self._private = _key(algorithm, common_name, generation)
        self._dates = _dates(not_before, not_after, days=3650)
        signer = issuer or self
        builder = _builder(common_name, self._private, self._dates, signer._subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        builder = builder.add_extension(_usage(ca=True), True)
        if issuer:
            builder = builder.add_extension(issuer._key_identifier, False)
        self._certificate = builder.sign(signer._private, hashes.SHA256())
        self.pem: bytes = self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def _subject(self) -> x509.Name:
        return _name(self.name)

    @property
    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._private.public_key())

    @property
    def chain(self) -> bytes:
        """This CA and those above it, without the root: what a leaf is sent with."""
        return self.pem + self._issuer.chain if self._issuer else b""

    def subordinate(self, common_name: str, **options) -> "Authority":
        """An intermediate CA under this one; options as for Authority."""
        return Authority(common_name, issuer=self, **{"algorithm": self.algorithm, **options})

    def issue(
        self,
        common_name: str,
        *,
        server: bool = False,
        sans: Iterable[str] = (),
        algorithm: str = "rsa",
        generation: int = 0,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        expired: bool = False,
        not_yet_valid: bool = False,
    ) -> Identity:
        """A leaf with an RSA-2048 key (algorithm="ec": P-256) for a TLS client, or for a server.

        sans: host names and IP addresses; a server's are its common name, "localhost" and
        127.0.0.1 where none are given. A year's validity, unless dates (UTC) are given, or
        `expired` or `not_yet_valid` asked for.
        """
        now = datetime.datetime.now(datetime.UTC)
        if expired:
            not_before, not_after = now - 60 * _DAY, now - 30 * _DAY
        if not_yet_valid:
            not_before, not_after = now + 30 * _DAY, now + 60 * _DAY
        private = _key(algorithm, common_name, generation)
        dates = _dates(not_before, not_after, days=365)
        builder = _builder(common_name, private, dates, self._subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage(ca=False), True)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        builder = builder.add_extension(self._key_identifier, False)
        names = list(sans) or ([common_name, "localhost", "127.0.0.1"] if server else [])
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(_san, names)), False)
        leaf = builder.sign(self._private, hashes.SHA256())
        pem = leaf.public_bytes(serialization.Encoding.PEM)
        return Identity(
            name=common_name,
            certificate=pem,
            chain=pem + self.chain,
            key=_key_pem(private, serialization.PrivateFormat.PKCS8),
            key_traditional=_key_pem(private, serialization.PrivateFormat.TraditionalOpenSSL),
        )

    def bundle(self, size: int = 8192) -> bytes:
        """A CA file of exactly `size` bytes: certificates of other CAs, this one's as the last.

        Nothing but PEM blocks. ValueError where no set of certificates has that size.
        """
        parts = _split(size - len(self.pem), len(_filler(0, 0)))
        if parts is None:
            raise ValueError(
                f"bundle of {size} bytes: certificates cannot be made to fit, the CA alone has "
                f"{len(self.pem)}; ask for 8192, or some other size from 5000 on"
            )
        fillers = [_filler_of_size(number, part) for number, part in enumerate(parts)]
        return b"".join(fillers) + self.pem


def _split(total: int, least: int) -> list[int] | None:
    """Sizes of certificates in PEM, each at least `least`, that make up `total` bytes."""
    if total == 0:
        return []
    for number in range(total // least, 0, -1):
        share = total // number
        for first in range(share, share - 130, -1):
            parts = [first] * (number - 1)
            parts.append(total - sum(parts))
            if min(parts) >= least and all(_is_pem_size(part) for part in parts):
                return parts
    return None


def _is_pem_size(size: int) -> bool:
    """Whether a certificate in PEM can have this size: lines of 64, the last of 4..64."""
    return (size - 55) % 65 != 0 and (size - 55) % 65 % 4 == 0 and size > 55


@cache
def _filler(number: int, comment: int) -> bytes:
    """A CA certificate that is there for its size: `comment` bytes are added to it."""
    private = _key("rsa", _BUNDLE_FILLER, 0)
    dates = _dates(None, None, days=3650)
    name = f"{_BUNDLE_FILLER} {number}"
    builder = _builder(name, private, dates, _name(name))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    text = b"\x16\x82" + comment.to_bytes(2, "big") + b"-" * comment  # an IA5String
    builder = builder.add_extension(x509.UnrecognizedExtension(_COMMENT, text), False)
    certificate = builder.sign(private, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def _filler_of_size(number: int, size: int) -> bytes:
    comment = 0
    while len(pem := _filler(number, comment)) < size:
        # Three bytes of comment are four of PEM; the last steps are single bytes.
        comment += max(1, (size - len(pem)) * 3 // 4 * 60 // 65 - 3)
    if len(pem) != size:
        raise ValueError(f"no certificate of {size} bytes, but of {len(pem)}")
    return pem


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "onemo demo"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _dates(
    not_before: datetime.datetime | None, not_after: datetime.datetime | None, days: int
) -> tuple[datetime.datetime, datetime.datetime]:
    start = not_before or datetime.datetime.now(datetime.UTC) - _DAY
    return start, not_after or start + days * _DAY


def _builder(
    common_name: str,
    private: PrivateKey,
    dates: tuple[datetime.datetime, datetime.datetime],
    issuer: x509.Name,
) -> x509.CertificateBuilder:
    public = private.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number((1 << 126) + next(_serials))  # of one length, so that sizes can be planned
        .not_valid_before(dates[0])
        .not_valid_after(dates[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(private: PrivateKey, form: serialization.PrivateFormat) -> bytes:
    return private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
