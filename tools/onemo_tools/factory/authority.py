# SPDX-License-Identifier: MIT
"""The CA that signs devices: its key in an encrypted file, or in a PKCS#11 token.

The passphrase, or the token's PIN, comes from the environment or from a person, never from a file
of the line.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from onemo_tools.factory.keys import PublicKey

_BACK = timedelta(minutes=5)  # a device's clock may be behind
_OTHER_CLOCKS = timedelta(hours=1)  # by which another station's may be, when a CA is made


class AuthorityError(OSError):
    """The CA cannot be used; the message says why and what to do. Nothing was signed."""

    kind = "authority"


@dataclass(frozen=True)
class Validity:
    """From when until when a certificate is good."""

    not_before: datetime
    not_after: datetime


class Authority:
    """A CA that can sign. `signer`: its private key, or what stands for it."""

    def __init__(self, certificates: list[x509.Certificate], signer: Any) -> None:
        self.certificate = certificates[0]
        self._signer = signer
        self.fingerprint = certificates[0].fingerprint(hashes.SHA256()).hex()
        self.pem = _pem(certificates[:1])
        # What a device sends beside its own certificate: all CAs but a root.
        self.chain = _pem([one for one in certificates if one.issuer != one.subject])
        _check_ca(self.certificate)
        self._check_pair()

    def validity(self, now: datetime, days: int) -> Validity:
        """The dates of a certificate that is signed now. AuthorityError if this clock is before
        the CA's start, or the certificate would outlive the CA."""
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if now < start:
            raise AuthorityError(
                f"the clock of this station says {now:%Y-%m-%d %H:%M} UTC, before the CA's start "
                f"({start:%Y-%m-%d %H:%M}): set the clock"
            )
        until = now + timedelta(days=days)
        if until > end:
            raise AuthorityError(
                f"a certificate of {days} days would outlive the CA, which ends on "
                f"{end:%Y-%m-%d}: lower certificate.days, or renew the CA"
            )
        whole = now.replace(microsecond=0)
        return Validity(max(start, whole - _BACK), until.replace(microsecond=0))

    def sign_device(
        self, name: str, public: PublicKey, serial: int, dates: Validity, organization: str = ""
    ) -> bytes:
        """A client's certificate in PEM. The serial number has to be in the record before."""
        builder = self._builder(name, organization, public, serial, dates)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return self._sign(builder.add_extension(purpose, False))

    def sign_server(
        self, names: list[x509.GeneralName], public: PublicKey, serial: int, dates: Validity
    ) -> bytes:
        """The certificate of the line's own server, in PEM."""
        builder = self._builder("line", "", public, serial, dates)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return self._sign(builder.add_extension(purpose, False))

    def _builder(
        self, name: str, organization: str, public: PublicKey, serial: int, dates: Validity
    ) -> x509.CertificateBuilder:
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            subject.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        try:
            own: Any = self.certificate.extensions.get_extension_for_class(
                x509.SubjectKeyIdentifier
            )
            issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
        except x509.ExtensionNotFound:
            key: Any = self.certificate.public_key()
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(serial)
            .not_valid_before(dates.not_before)
            .not_valid_after(dates.not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(_usage(isinstance(public, rsa.RSAPublicKey)), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(issuer, False)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> bytes:
        made = builder.sign(self._signer, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    def _check_pair(self) -> None:
        """AuthorityError unless the key is the certificate's: tried, as a token shows no key."""
        said = hashlib.sha256(b"onemo factory").digest()
        public = self.certificate.public_key()
        try:
            if isinstance(public, rsa.RSAPublicKey):
                signed = self._signer.sign(said, padding.PKCS1v15(), hashes.SHA256())
                public.verify(signed, said, padding.PKCS1v15(), hashes.SHA256())
            elif isinstance(public, ec.EllipticCurvePublicKey):
                signed = self._signer.sign(said, ec.ECDSA(hashes.SHA256()))
                public.verify(signed, said, ec.ECDSA(hashes.SHA256()))
            else:
                raise AuthorityError("the CA's key is neither RSA nor on an elliptic curve")
        except (InvalidSignature, TypeError, AttributeError):
            raise AuthorityError("the CA's key is not that of its certificate") from None


def load_certificates(file: Path) -> list[x509.Certificate]:
    """A CA's certificate and those above it, from a PEM file. AuthorityError."""
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise AuthorityError(f"the CA's certificate cannot be read: {error}") from None
    except ValueError:
        raise AuthorityError(f"{file} holds no certificate in PEM") from None
    return found


def from_file(certificates: list[x509.Certificate], file: Path, passphrase: bytes) -> Authority:
    """A CA whose key is in an encrypted PEM file. AuthorityError."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise AuthorityError(f"the CA's key cannot be read: {error}") from None
    if b"ENCRYPTED" not in content:
        raise AuthorityError(
            f"{file} is not encrypted: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {file}` encrypts "
            "a key with a passphrase"
        )
    try:
        signer = serialization.load_pem_private_key(content, passphrase)
    except (ValueError, TypeError):
        raise AuthorityError(
            f"{file} does not open with this passphrase (ONEMO_CA_PASSPHRASE, or as asked)"
        ) from None
    return Authority(certificates, signer)


def is_own_root(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def make_authority(name: str, now: datetime, years: int = 30) -> tuple[bytes, rsa.RSAPrivateKey]:
    """A new root CA: its certificate in PEM, and its key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = private.public_key()
    start = now.astimezone(UTC).replace(microsecond=0) - _OTHER_CLOCKS
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(_ca_usage(), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _check_ca(certificate: x509.Certificate) -> None:
    try:
        found: Any = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        if found.value.ca:
            return
    except x509.ExtensionNotFound:
        pass
    name = certificate.subject.rfc4514_string()
    raise AuthorityError(f"{name} is no CA's certificate (its basic constraints do not say so)")


def _usage(encipher: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
