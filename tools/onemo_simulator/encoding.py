# SPDX-License-Identifier: MIT
"""Data inside a command (manual 3.2, MSSLCFG "encoding"): decoding it and counting it."""

from __future__ import annotations

import re

from .wire import Refusal

ASCII, HEX, ESCAPED = 0, 1, 2
_ESCAPE = re.compile(rb"\\(r\\n|.)", re.DOTALL)


def _unescape(newline: bytes) -> object:
    simple = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"'}

    def replace(match: re.Match[bytes]) -> bytes:
        token = match.group(1)
        return newline if token == b"r\\n" else simple.get(token, match.group())

    return replace


def decode(text: bytes, encoding: int, newline: bytes = b"\r\n") -> bytes:
    """The bytes that `text` stands for. `newline`: what an escaped CR LF becomes in the store."""
    if encoding == HEX:
        try:
            return bytes.fromhex(text.decode("ascii"))
        except ValueError:
            raise Refusal(50) from None
    if encoding == ESCAPED:
        return _ESCAPE.sub(_unescape(newline), text)  # type: ignore[call-overload]
    return text


def length_matches(text: bytes, encoding: int, length: int, unit: str) -> bool:
    """Whether <length> is right. `unit`: "typed" as the manual says, "decoded" as seen (CR LF)."""
    if encoding == HEX:
        return len(text) == 2 * length
    if unit == "typed":
        return len(text) == length
    return len(decode(text, encoding)) == length
