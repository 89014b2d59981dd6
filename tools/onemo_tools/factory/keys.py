# SPDX-License-Identifier: MIT
"""A device's key pair, in RAM only: made, handed over once, wiped.

Nothing here shows the private key: no repr, no exception, no file. What goes into the record is
the fingerprint of the public key and the digests that a module shows for the private one.
"""

import hashlib
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

RSA_2048, P_256 = "rsa-2048", "p-256"
ALGORITHMS = (RSA_2048, P_256)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class DeviceKey:
    """`with DeviceKey.make(RSA_2048) as key:` – `key.pem` is the private key, wiped at the end."""

    def __init__(self, public: PublicKey, pem: bytearray, algorithm: str) -> None:
        self.public = public
        self.algorithm = algorithm
        self.pem = pem
        self.fingerprint = fingerprint(public)
        self.digests = digests_of(pem)

    @classmethod
    def make(cls, algorithm: str) -> Self:
        """A new one. ValueError for another algorithm than ALGORITHMS has."""
        private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == RSA_2048:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        elif algorithm == P_256:
            private = ec.generate_private_key(ec.SECP256R1())
        else:
            raise ValueError(f"algorithm {algorithm!r}: {' or '.join(ALGORITHMS)}")
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            # RSA PRIVATE KEY, EC PRIVATE KEY: the form of the manual's example
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return cls(private.public_key(), bytearray(pem), algorithm)

    def __repr__(self) -> str:
        return f"<DeviceKey {self.algorithm} {self.fingerprint}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pem[:] = bytes(len(self.pem))


def fingerprint(public: PublicKey) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER) in hex."""
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def digests_of(pem: bytes | bytearray) -> tuple[str, ...]:
    """The MD5s that a module may show for a PEM object: with LF as it was sent, and with CR LF, as
    the models store it that take data inside commands."""
    plain = bytes(pem).replace(b"\r\n", b"\n")
    forms = (plain, plain.replace(b"\n", b"\r\n"))
    return tuple(hashlib.md5(form, usedforsecurity=False).hexdigest() for form in forms)
