# SPDX-License-Identifier: MIT
"""The rules: what is wrong with certificates and keys, alone and with one another."""

import datetime
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import PurePosixPath
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from onemo_tools.certlint.findings import ERROR, WARNING, Finding
from onemo_tools.certlint.loading import PRIME_FIELD, Loaded, quiet
from onemo_tools.certlint.mend import chain_order

SOON = datetime.timedelta(days=30)
_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_EDWARDS = (
    ed25519.Ed25519PublicKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PublicKey,
    ed448.Ed448PrivateKey,
)
_WEAK_HASHES = ("md5", "sha1")
_SHA1_ENDED = 2017  # since then no public CA may sign with it

_ANY = x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_SERVER = {x509.ExtendedKeyUsageOID.SERVER_AUTH, _ANY}
_CLIENT = {x509.ExtendedKeyUsageOID.CLIENT_AUTH, _ANY}

Say = Callable[..., None]


@quiet
def one_file(file: Loaded, now: datetime.datetime, dates: bool) -> Iterator[Finding]:
    """What can be said of a file by itself. `dates`: a device looks at them."""
    found: list[Finding] = []

    def say(code: str, severity: str, text: str, line: int | None = None) -> None:
        found.append(Finding(file.path, code, severity, text, line))

    bundle = len(file.certs) > 1 and all(_is_self_issued(cert) for cert, _ in file.certs)
    for cert, line in file.certs:
        _dates(cert, line, now, say, surely=dates and not bundle)
        _algorithms(cert, line, say)
        if _is_self_issued(cert) and (why := _not_a_ca(cert)):
            say(
                "not-a-ca",
                WARNING,
                f"{name(cert)} signed itself, but {why}: if it is a CA, make it anew with "
                "basicConstraints=critical,CA:TRUE and keyUsage=keyCertSign",
                line,
            )
    if file.key is not None:
        _key(file.key, file.key_line, say)
    if len(file.certs) > 1 and not bundle:
        _chain(file.certs, say)
    return iter(found)


def _dates(
    cert: x509.Certificate, line: int, now: datetime.datetime, say: Say, *, surely: bool
) -> None:
    begins, ends = cert.not_valid_before_utc, cert.not_valid_after_utc
    who = name(cert)
    if ends < now:
        text = f"{who} expired on {ends:%Y-%m-%d}: have it renewed"
        say("expired", ERROR if surely else WARNING, text, line)
    elif begins > now:
        text = (
            f"{who} is valid from {begins:%Y-%m-%d %H:%M} UTC only: wait until then, or check the "
            "clock of the PC that made it"
        )
        say("not-yet-valid", WARNING, text, line)
    elif ends - now <= SOON:
        text = f"{who} expires on {ends:%Y-%m-%d}, in {(ends - now).days} days: have it renewed"
        say("expires-soon", WARNING, text, line)


def _algorithms(cert: x509.Certificate, line: int, say: Say) -> None:
    who = name(cert)
    try:
        _strength(cert.public_key(), who, line, say)
    except (ValueError, UnsupportedAlgorithm):
        if PRIME_FIELD in cert.public_bytes(serialization.Encoding.DER):
            text = (
                f"{who} has explicit curve parameters, which modules do not take: name the curve"
            )
            say("explicit-curve", WARNING, text, line)
        else:
            text = f"{who} has a key of an unknown algorithm: use RSA-2048 or P-256"
            say("unsupported-key", WARNING, text, line)
    try:
        algorithm = cert.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    # A root is trusted for what it is, nobody checks its own signature, and old ones are all so.
    old_root = _is_self_issued(cert) and cert.not_valid_before_utc.year < _SHA1_ENDED
    if algorithm is not None and algorithm.name in _WEAK_HASHES and not old_root:
        text = (
            f"{who} is signed with {algorithm.name.upper()}, which TLS stacks refuse: have it "
            "signed with SHA-256"
        )
        say("weak-signature", WARNING, text, line)


def _key(key: Any, line: int, say: Say) -> None:
    _strength(key, "the key", line, say)


def _strength(key: Any, who: str, line: int, say: Say) -> None:
    if isinstance(key, _EDWARDS):
        text = (
            f"{who} is Ed25519 or Ed448, which modules' TLS does not have: use P-256 or RSA-2048"
        )
        say("ed25519", WARNING, text, line)
    elif isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        if key.key_size < _RSA_BITS:
            text = f"{who} is RSA-{key.key_size}, too short to be safe: use {_RSA_BITS} bits"
            say("weak-key", WARNING, text, line)
    elif isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        if key.curve.name not in _CURVES:
            text = f"{who} is on {key.curve.name}, which not every module has: use secp256r1"
            say("unsupported-key", WARNING, text, line)
    else:
        kind = type(key).__name__.replace("PublicKey", "").replace("PrivateKey", "").strip("_")
        text = f"{who} is {kind}, which modules' TLS does not have: use P-256 or RSA-2048"
        say("unsupported-key", WARNING, text, line)


def _chain(certs: Sequence[tuple[x509.Certificate, int]], say: Say) -> None:
    """Several certificates that are no bundle of roots: leaf first, each issued by the next."""
    plain = [cert for cert, _ in certs]
    if all(_is_ca(cert) for cert in plain):
        return  # roots and intermediates to trust: any order will do
    order = chain_order(plain)
    if order is not None and order != list(range(len(plain))):
        text = (
            f"the chain begins with {name(plain[0])}, which would be sent as the device's own "
            f"certificate: put {name(plain[order[0]])} first, each followed by its issuer "
            "(certs lint --fix does)"
        )
        say("chain-order", WARNING, text, certs[0][1])
        return
    for (cert, line), (issuer, _) in pairwise(certs):
        if cert.issuer != issuer.subject:
            text = (
                f"{name(cert)} was issued by {name(cert, True)}, but {name(issuer)} follows: put "
                "the issuer's certificate there"
            )
            say("chain-incomplete", WARNING, text, line)
            return
        if not _signed(cert, issuer):
            say("ca-does-not-sign", ERROR, _unsigned(cert, issuer), line)
            return


@quiet
def together(
    files: Sequence[Loaded],
    pairs: Iterable[tuple[str, str]] | None = None,
    roles: Iterable[tuple[str, str]] = (),
) -> Iterator[Finding]:
    """What can be said of files beside one another. `pairs`: (certificate's path, key's path)
    that belong together, None where nobody says so; `roles`: (path, "ca", "cert" or "key")."""
    found: list[Finding] = []
    by_path = {file.path: file for file in files}
    every = [(file, cert, line) for file in files for cert, line in file.certs]
    named_ca = {path for path, role in roles if role == "ca"}
    told = [(by_path[c], by_path[k]) for c, k in pairs or () if c in by_path and k in by_path]

    def say(file: Loaded, code: str, severity: str, text: str, line: int | None) -> None:
        finding = Finding(file.path, code, severity, text, line)
        if finding not in found:
            found.append(finding)

    for cert_file, key_file in told:
        _pair(cert_file, key_file, say)
    paired = {id(key_file) for _, key_file in told}
    as_own = {id(cert_file) for cert_file, _ in told if cert_file.path not in named_ca}
    for file in files:
        if file.key is None:
            continue
        owners = [(o, c) for o, c, _ in every if _same_key(file.key, c)]
        cas = [
            cert
            for owner, cert in owners
            if owner.path in named_ca or (_acts_as_ca(cert, every) and id(owner) not in as_own)
        ]
        if cas:
            say(
                file,
                "ca-key-present",
                ERROR,
                f"this is the private key of the CA {name(cas[0])}: who has it can make any "
                "certificate; keep it off devices, offline",
                file.key_line,
            )
        elif pairs is None and id(file) not in paired and not owners:
            leaves = [(o, c) for o, c, _ in every if not _acts_as_ca(c, every)]
            if leaves:
                text = (
                    "this key belongs to none of the certificates here (the nearest is "
                    f"{_nearest(file.path, leaves)}): give the key that they were made for"
                )
                say(file, "key-mismatch", ERROR, text, file.key_line)
        elif pairs is None and owners:
            for owner in {id(o): o for o, _ in owners}.values():
                _pair(owner, file, say)
    for file, cert, line in every:
        if file.path in named_ca and not _is_self_issued(cert):
            if why := _not_a_ca(cert):
                text = f"{name(cert)} is used as a CA, but {why}: give the CA that issued it"
                say(file, "not-a-ca", WARNING, text, line)
            elif not any(c.subject == cert.issuer for f, c, _ in every if f is file):
                text = (
                    f"{name(cert)} is an intermediate CA, and its root {name(cert, True)} is not "
                    "in the file: some TLS stacks trust roots only; give the root"
                )
                say(file, "chain-incomplete", WARNING, text, line)
    _issuers(every, say)
    return iter(found)


def _pair(cert_file: Loaded, key_file: Loaded, say: Say) -> None:
    """A certificate file and the key that is to belong to its first certificate."""
    if key_file.key is None or not cert_file.certs:
        return
    first, line = cert_file.certs[0]
    if _same_key(key_file.key, first):
        return
    for cert, _ in cert_file.certs[1:]:
        if _same_key(key_file.key, cert):
            text = (
                f"the key {key_file.path} belongs to {name(cert)}, which has to be first in the "
                f"file, before {name(first)} (certs lint --fix does that)"
            )
            say(cert_file, "chain-order", ERROR, text, line)
            return
    text = (
        f"this key does not belong to {name(first)} in {cert_file.path}: give the key that the "
        "certificate was made for"
    )
    say(key_file, "key-mismatch", ERROR, text, key_file.key_line)


def _issuers(every: list[tuple[Loaded, x509.Certificate, int]], say: Say) -> None:
    """Certificates whose issuer is in another file."""
    for file, cert, line in every:
        if _is_self_issued(cert):
            continue
        if any(c.subject == cert.issuer for f, c, _ in every if f is file):
            continue
        issuers = [(f, c) for f, c, _ in every if f is not file and c.subject == cert.issuer]
        if not issuers:
            continue
        if not any(_signed(cert, issuer) for _, issuer in issuers):
            where, issuer = issuers[0]
            text = f"{_unsigned(cert, issuer)} (in {where.path})"
            say(file, "ca-does-not-sign", WARNING, text, line)
        elif not any(_is_self_issued(issuer) for _, issuer in issuers) and not _is_ca(cert):
            text = (
                f"{name(cert)} was issued by the intermediate CA {name(cert, True)}, which is in "
                f"{issuers[0][0].path} only: append it, for the peer may know the root only"
            )
            say(file, "chain-incomplete", WARNING, text, line)
        for where, issuer in issuers:
            if not _is_self_issued(issuer) and (why := _not_a_ca(issuer)):
                text = f"{name(issuer)} issued {name(cert)}, but {why}: peers will refuse that"
                say(where, "not-a-ca", WARNING, text, None)


def servers(
    files: Sequence[Loaded],
    pairs: Iterable[tuple[str, str]] | None = None,
    roles: Iterable[tuple[str, str]] = (),
) -> list[Loaded]:
    """The files whose first certificate may be a server's: no CA, no device's own."""
    every = [(file, cert, line) for file in files for cert, line in file.certs]
    own = {path for path, role in roles if role == "cert"} | {path for path, _ in pairs or ()}
    found = []
    for file in files:
        if not file.certs or file.path in own or _acts_as_ca(file.certs[0][0], every):
            continue
        cert = file.certs[0][0]
        usages = _extended_usages(cert)
        has_key = any(one.key is not None and _same_key(one.key, cert) for one in files)
        if usages is None:
            if not has_key:
                found.append(file)
        elif usages & _SERVER and not (has_key and usages & _CLIENT):
            found.append(file)
    return found


@quiet
def server(file: Loaded, host: str) -> Iterator[Finding]:
    """Whether a server's certificate is for `host`, which no module is documented to compare."""
    for cert, line in file.certs[:1]:
        names, addresses = _hosts(cert)
        common = cert.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        try:
            good = ipaddress.ip_address(host) in addresses
        except ValueError:
            good = any(_matches(host, pattern) for pattern in names)
        if good:
            continue
        listed = [*names, *map(str, addresses)]
        if not listed and common and _matches(host, str(common[0].value)):
            text = (
                f"{name(cert)} names its host in the subject only, where TLS stacks do not look: "
                f"have it issued with subjectAltName=DNS:{host}"
            )
            yield Finding(file.path, "wrong-host", WARNING, text, line)
            continue
        is_for = ", ".join(listed[:5]) or f"{name(cert)}, without a subjectAltName"
        text = (
            f"the server's certificate is for {is_for}, not for {host}: correct endpoint.host, or "
            "give the certificate of that host"
        )
        yield Finding(file.path, "wrong-host", ERROR, text, line)


def _hosts(cert: x509.Certificate) -> tuple[list[str], list[Any]]:
    """Names and addresses in a certificate's subjectAltName."""
    try:
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [], []
    names = found.get_values_for_type(x509.DNSName)
    return names, found.get_values_for_type(x509.IPAddress)


def _matches(host: str, pattern: str) -> bool:
    """RFC 9525: the whole name, or `*` for all of its first label."""
    host, pattern = host.lower().rstrip("."), pattern.lower().rstrip(".")
    if not pattern.startswith("*."):
        return host == pattern
    label, _, rest = host.partition(".")
    return bool(label) and rest == pattern[2:] and "." in rest


def _extended_usages(cert: x509.Certificate) -> set[x509.ObjectIdentifier] | None:
    """What a certificate is for; None where it does not say."""
    try:
        return set(cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (x509.ExtensionNotFound, ValueError):
        return None


def look_alike(names: Iterable[str], file: str) -> Iterator[Finding]:
    """Names of which one may be a slip of the other."""
    for one, other in combinations(sorted(set(names)), 2):
        if one.lower() == other.lower():
            how = "case"
        elif _one_apart(one, other):
            how = "one character"
        else:
            continue
        text = f"{one} and {other} differ by {how} only: give them names that cannot be confused"
        yield Finding(file, "names-look-alike", WARNING, text)


def _one_apart(one: str, other: str) -> bool:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    if abs(len(one) - len(other)) != 1:
        return False
    short, long = sorted((one, other), key=len)
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def name(cert: x509.Certificate, issuer: bool = False) -> str:
    """How a certificate is called in a sentence."""
    subject = cert.issuer if issuer else cert.subject
    common = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    text = str(common[0].value) if common else subject.rfc4514_string() or "a CA without a name"
    return text if text.isprintable() else ascii(text)


def _nearest(path: str, owners: list[tuple[Loaded, x509.Certificate]]) -> str:
    stem = PurePosixPath(path).stem
    same = [owner.path for owner, _ in owners if PurePosixPath(owner.path).stem == stem]
    return (same or [owners[0][0].path])[0]


def _unsigned(cert: x509.Certificate, issuer: x509.Certificate) -> str:
    return (
        f"{name(cert)} names {name(issuer)} as its issuer, but this one's key did not sign it: "
        "give the CA certificate that belongs to it (was the CA made anew?)"
    )


def _is_self_issued(cert: x509.Certificate) -> bool:
    return cert.issuer == cert.subject


def _is_ca(cert: x509.Certificate) -> bool:
    return not _not_a_ca(cert)


def _not_a_ca(cert: x509.Certificate) -> str:
    """Why a certificate may not sign others; empty if it may."""
    try:
        if not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return "its basicConstraints say that it is no CA"
    except x509.ExtensionNotFound:
        return "it has no basicConstraints"
    except ValueError:
        return "its extensions cannot be read"
    try:
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    return "" if usage.key_cert_sign else "its keyUsage does not include keyCertSign"


def _acts_as_ca(cert: x509.Certificate, every: list[tuple[Loaded, x509.Certificate, int]]) -> bool:
    if _is_ca(cert):
        return True
    return any(c.issuer == cert.subject and c != cert for _, c, _ in every)


def _signed(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _same_key(key: Any, cert: x509.Certificate) -> bool:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        return bool(key.public_key().public_bytes(*form) == cert.public_key().public_bytes(*form))
    except (ValueError, UnsupportedAlgorithm):
        return False
