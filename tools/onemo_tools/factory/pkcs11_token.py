# SPDX-License-Identifier: MIT
"""The CA's key in a PKCS#11 token: it signs there, and never leaves it."""

import threading
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from onemo_tools.factory.authority import Authority, AuthorityError
from onemo_tools.factory.settings import Pkcs11Settings


def from_token(
    certificates: list[x509.Certificate], settings: Pkcs11Settings, pin: str
) -> Authority:
    """A CA whose key is in a token. AuthorityError."""
    try:
        import pkcs11
    except ModuleNotFoundError:
        raise AuthorityError(
            'a token needs an extra of this package: install "onemo-tools[pkcs11]"'
        ) from None
    try:
        token = pkcs11.lib(settings.module).get_token(token_label=settings.token)
        session = token.open(user_pin=pin)
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=settings.key)
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        said = str(error) or type(error).__name__
        raise AuthorityError(f"the token {settings.token}, key {settings.key}: {said}") from None
    public = certificates[0].public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return Authority(certificates, TokenRsaKey(key, public))
    if isinstance(public, ec.EllipticCurvePublicKey):
        return Authority(certificates, TokenEcKey(key, public))
    raise AuthorityError("the CA's key is neither RSA nor on an elliptic curve")


class _TokenKey:
    """What the two kinds have in common. A session of PKCS#11 does one thing at a time."""

    def __init__(self, key: Any, public: Any) -> None:
        self._key, self._public = key, public
        self._lock = threading.Lock()

    @property
    def key_size(self) -> int:
        return int(self._public.key_size)

    def public_key(self) -> Any:
        return self._public

    def _stays(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the key stays in its token")

    private_numbers = private_bytes = decrypt = exchange = __copy__ = __deepcopy__ = _stays


class TokenRsaKey(_TokenKey, rsa.RSAPrivateKey):
    """An RSA key in a token, as `cryptography` signs with one."""

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        import pkcs11

        _require_sha256(algorithm)
        if padding.name != "EMSA-PKCS1-v1_5":
            raise TypeError(f"padding {padding.name}: PKCS #1 v1.5 is what certificates get here")
        with self._lock:
            mechanism = pkcs11.Mechanism.SHA256_RSA_PKCS
            return bytes(self._key.sign(bytes(data), mechanism=mechanism))


class TokenEcKey(_TokenKey, ec.EllipticCurvePrivateKey):
    """A key on an elliptic curve in a token."""

    @property
    def curve(self) -> ec.EllipticCurve:
        curve: ec.EllipticCurve = self._public.curve
        return curve

    def sign(self, data: Any, signature_algorithm: Any) -> bytes:
        import pkcs11
        from pkcs11.util.ec import encode_ecdsa_signature

        _require_sha256(signature_algorithm.algorithm)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(bytes(data))
        with self._lock:
            raw = self._key.sign(digest.finalize(), mechanism=pkcs11.Mechanism.ECDSA)
        return bytes(encode_ecdsa_signature(raw))


def _require_sha256(algorithm: Any) -> None:
    if not isinstance(algorithm, hashes.SHA256):
        raise TypeError(f"{algorithm!r}: SHA-256 is what certificates get here")
