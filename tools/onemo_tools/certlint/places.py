# SPDX-License-Identifier: MIT
"""Where the entries of a JSON text stand."""

import json

_SPACE = " \t\r\n"


class Places:
    """Of a text that is JSON: the offset of each entry's name, or of an element of a list, by its
    path, such as contexts[0].ca. `twice`: (path, line, column) of names that an object has once
    more; readers take the last and say nothing."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._at: dict[str, int] = {}
        self.twice: list[tuple[str, int, int]] = []
        self._value(self._skip(0), "")

    def line_of(self, said: str) -> int | None:
        """The line of the entry that a sentence begins with, or of what it has to be in."""
        path = said.split(" ", 1)[0]
        while path:
            if path in self._at:
                return self._text.count("\n", 0, self._at[path]) + 1
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None

    def _skip(self, at: int, also: str = "") -> int:
        while at < len(self._text) and self._text[at] in _SPACE + also:
            at += 1
        return at

    def _value(self, at: int, path: str) -> int:
        """Notes what is in the value that begins at `at`; where it ends."""
        opening = self._text[at : at + 1]
        if opening not in ("{", "["):
            return self._decoder.raw_decode(self._text, at)[1]
        at = self._skip(at + 1)
        number = 0
        while self._text[at] not in "}]":
            begin = at
            if opening == "{":
                name, at = self._decoder.raw_decode(self._text, at)
                inner = f"{path}.{name}" if path else name
                if inner in self._at:
                    line = self._text.count("\n", 0, begin) + 1
                    self.twice.append((inner, line, begin - self._text.rfind("\n", 0, begin)))
                at = self._skip(at, ":")
            else:
                inner = f"{path}[{number}]"
                number += 1
            self._at[inner] = begin
            at = self._skip(self._value(at, inner), ",")
        return at + 1
