# SPDX-License-Identifier: MIT
"""Real TLS for the module's sockets: Python's `ssl`, set up as the SSL context asks."""

from __future__ import annotations

import os
import ssl
import tempfile
import warnings
from functools import lru_cache

from cryptography import x509

from .network import TLS_FAILED, TLS_RESOURCE, TLS_UNTRUSTED, TlsInfo, TlsRequest
from .wire import Refusal

# OpenSSL's flag, which Python does not name: dates are judged by the module's clock instead.
_NO_CHECK_TIME = 0x200000
# A bound CA is trusted as it is, also an intermediate one: as in the modules' mbedTLS.
_PARTIAL_CHAIN = 0x80000
_ALL = "ALL:!ADH:!AECDH:!eNULL:@SECLEVEL=0"
_VERSIONS = {1: ssl.TLSVersion.TLSv1, 2: ssl.TLSVersion.TLSv1_1, 3: ssl.TLSVersion.TLSv1_2}


@lru_cache(maxsize=1)
def openssl_names() -> dict[int, str]:
    """OpenSSL's name of every suite of TLS 1.2 and older that it has, by the suite's id."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return {
        int(cipher["id"]) & 0xFFFF: str(cipher["name"])
        for cipher in context.get_ciphers()
        if cipher["protocol"] != "TLSv1.3"
    }


def _set_version(context: ssl.SSLContext, version: int, oldest: int) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the newest that these modules speak
    if version == 255:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = _VERSIONS.get(oldest, ssl.TLSVersion.MINIMUM_SUPPORTED)
        return
    if version not in _VERSIONS:
        raise Refusal(TLS_FAILED)  # OpenSSL has no SSL 3.0 any more
    wanted = _VERSIONS[version]
    if version == 3:
        context.minimum_version = wanted
        return
    with warnings.catch_warnings():  # old versions are asked for on purpose
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = wanted
        context.maximum_version = wanted


def _no_passphrase() -> bytes:
    """Modules take none, and OpenSSL must not ask for one at the terminal."""
    return b""


def _load_identity(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    # Python loads them from files only.
    with tempfile.TemporaryDirectory(prefix="onemo-") as folder:
        paths = []
        for name, data in (("cert", cert), ("key", key)):
            path = os.path.join(folder, name)
            with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
                file.write(data)
            paths.append(path)
        context.load_cert_chain(paths[0], paths[1], _no_passphrase)


def client_context(request: TlsRequest, check_hostname: bool) -> ssl.SSLContext:
    """The context of a handshake. Refusal with the module's code when it cannot be made."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    verifies = request.auth >= 1 and not request.ignoreverify
    context.check_hostname = check_hostname and verifies
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    context.verify_flags = ssl.VerifyFlags(
        int(context.verify_flags) | _NO_CHECK_TIME | _PARTIAL_CHAIN
    )
    names = _ALL
    if request.suite:
        name = openssl_names().get(request.suite)
        if name is None:
            raise Refusal(TLS_FAILED)
        names = f"{name}:@SECLEVEL=0"
    try:
        context.set_ciphers(names)
    except ssl.SSLError:
        raise Refusal(TLS_FAILED) from None
    _set_version(context, request.version, request.oldest)
    try:
        if request.ca is not None:
            context.load_verify_locations(cadata=request.ca.decode("ascii"))
        if request.cert is not None and request.key is not None:
            _load_identity(context, request.cert, request.key)
        elif request.cert is not None or request.key is not None:
            raise Refusal(762)  # half an identity
    except (ssl.SSLError, ValueError):
        raise Refusal(request.bad_pem_code) from None
    except OSError:
        raise Refusal(TLS_RESOURCE) from None
    return context


def _chain(sock: ssl.SSLSocket) -> list[x509.Certificate]:
    """The verified chain, leaf first; at least the leaf."""
    inner = getattr(sock, "_sslobj", None)  # public only since Python 3.13
    verified = getattr(inner, "get_verified_chain", None)
    chain = verified() if verified is not None else None
    if chain:
        encoded = [cert.public_bytes(2) for cert in chain]  # 2: DER
    else:
        leaf = sock.getpeercert(binary_form=True)
        encoded = [leaf] if leaf else []
    return [x509.load_der_x509_certificate(der) for der in encoded]


def judge(sock: ssl.SSLSocket, request: TlsRequest) -> int:
    """0, or 752 when dates are to be honoured and do not hold by the module's clock."""
    if request.auth == 0 or request.ignoreverify or request.ignorestamp:
        return 0
    for cert in _chain(sock):
        if not cert.not_valid_before_utc <= request.date <= cert.not_valid_after_utc:
            return TLS_UNTRUSTED
    return 0


def info(sock: ssl.SSLSocket) -> TlsInfo:
    """What was negotiated."""
    der = sock.getpeercert(binary_form=True)
    peer = x509.load_der_x509_certificate(der).subject.rfc4514_string() if der else ""
    cipher = sock.cipher()
    return TlsInfo(
        sock.version() or "", cipher[0] if cipher else "", peer, bool(sock.session_reused)
    )


def code_of(error: Exception) -> int:
    """The module's code for a handshake that failed."""
    return TLS_UNTRUSTED if isinstance(error, ssl.SSLCertVerificationError) else TLS_FAILED
