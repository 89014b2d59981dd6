# SPDX-License-Identifier: MIT
"""Turns what people have instead of a PEM file into PEM files.

mend(data) -> [Mended(suffix, content, what was done)]; nothing where no PEM can be made of it.
"""

import base64
import binascii
import codecs
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from onemo_tools.certlint.loading import quiet

CERT, KEY = "cert", "key"
_COLUMNS = 64
_DASHES = r"[ \t]*-{3,7}"
_BLOCK = re.compile(
    rf"-{{3,7}}[ \t]*BEGIN +([A-Z0-9][A-Z0-9 ]*?){_DASHES}"
    rf"(.*?)-{{3,7}}[ \t]*END +([A-Z0-9 ]+?){_DASHES}",
    re.DOTALL,
)
_LEFT_OUT = re.compile(r"[\s\"'>,;\\]+")  # what quoting in programs and mails leaves
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS")
_NESTED = 4  # forms inside one another


@dataclass(frozen=True)
class Mended:
    """PEM blocks of one kind. `suffix` is to go between a file's stem and its ending, where one
    file becomes several."""

    suffix: str
    kind: str
    content: bytes
    done: tuple[str, ...]


def mend(data: bytes) -> list[Mended]:
    """All PEM blocks in `data`: of certificates and of a key apart from one another. Chains come
    in order."""
    found: list[Mended] = []
    for suffix, text, done in _texts(data, (), _NESTED):
        blocks = [_block(match) for match in _BLOCK.finditer(text)]
        pems = [block for block in blocks if block is not None]
        certs = [pem for label, pem in pems if label == "CERTIFICATE"]
        keys = [pem for label, pem in pems if label in _KEYS]
        both = bool(certs and keys)
        for kind, some in ((CERT, certs), (KEY, keys)):
            if some:
                ordered, how = _in_order(some) if kind == CERT else (some, ())
                content = "".join(ordered).encode()
                said = done + how
                if both:
                    said += ("certificate and key parted",)
                if not said and content != data:
                    said = ("only the blocks kept, lines of 64 characters, LF",)
                found.append(Mended(suffix, kind, content, said))
    return found


def _texts(
    data: bytes, done: tuple[str, ...], depth: int, suffix: str = ""
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Texts that contain PEM blocks: (suffix, text, what was done)."""
    if depth == 0:
        return
    if data.startswith(codecs.BOM_UTF8):
        data, done = data[3:], (*done, "byte order mark removed")
    if data.startswith(_UTF16):
        try:
            data, done = data.decode("utf-16").encode(), (*done, "UTF-16 made ASCII")
        except UnicodeDecodeError:
            return
    pem = _from_der(data)
    if pem is not None:
        yield suffix, pem, (*done, "DER made PEM")
        return
    text = data.decode("latin-1")  # what is not ASCII stands outside the blocks
    values = _json_strings(text)
    if values:
        for name, value in values:
            yield from _texts(
                value.encode(), (*done, "taken out of JSON"), depth - 1, name or suffix
            )
        return
    if "BEGIN" not in text:
        packed = "".join(text.split())
        if len(packed) > 40 and _BASE64.fullmatch(packed):
            try:
                inner = base64.b64decode(packed, validate=True)
            except binascii.Error:
                return
            yield from _texts(inner, (*done, "base64 decoded"), depth - 1, suffix)
        return
    for escape in ("\\r\\n", "\\n", "\\r"):
        if escape in text:
            text, done = text.replace(escape, "\n"), (*done, f"{escape} made a line end")
    yield suffix, text, done


def _block(match: re.Match[str]) -> tuple[str, str] | None:
    """Label and PEM of a block; None where its content cannot be base64."""
    label, body, end = match.groups()
    packed = _LEFT_OUT.sub("", body)
    if label != end or not _BASE64.fullmatch(packed) or len(packed) % 4:
        return None
    lines = "\n".join(textwrap.wrap(packed, _COLUMNS))
    return label, f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


@quiet
def _from_der(data: bytes) -> str | None:
    if data[:1] != b"\x30":
        return None
    try:
        made = x509.load_der_x509_certificate(data)
        return made.public_bytes(serialization.Encoding.PEM).decode()
    except ValueError:
        pass
    try:
        key: Any = serialization.load_der_private_key(data, None)
        return str(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode()
        )
    except (ValueError, TypeError):
        return None


def _json_strings(text: str) -> list[tuple[str, str]]:
    """(name, value) of the strings in a JSON text that contain PEM."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return []
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found: list[tuple[str, str]] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, str(key))
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif isinstance(value, str) and "-----BEGIN" in value:
            found.append((re.sub(r"[^A-Za-z0-9_-]", "", name), value))

    walk(whole, "")
    return found


@quiet
def _in_order(pems: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """A chain from its leaf upwards, each certificate once; as it is where it is no chain."""
    once = list(dict.fromkeys(pems))
    said = ("certificates that were there twice removed",) if len(once) < len(pems) else ()
    try:
        certs = [x509.load_pem_x509_certificate(pem.encode()) for pem in once]
    except ValueError:
        return once, said
    order = chain_order(certs)
    if order is None or order == list(range(len(certs))):
        return once, said
    return [once[i] for i in order], (*said, "chain put in order")


def chain_order(certs: list[x509.Certificate]) -> list[int] | None:
    """Indices from leaf to root, each issued by the next by name; None unless all of them make one
    chain."""
    count = len(certs)
    subjects = [cert.subject.public_bytes() for cert in certs]
    issuers = [cert.issuer.public_bytes() for cert in certs]
    leaves = [
        i
        for i in range(count)
        if not any(issuers[j] == subjects[i] for j in range(count) if j != i)
    ]
    if len(leaves) != 1:
        return None
    order = leaves
    while len(order) < count:
        following = [
            i for i in range(count) if i not in order and subjects[i] == issuers[order[-1]]
        ]
        if len(following) != 1:
            return None
        order = order + following
    return order
