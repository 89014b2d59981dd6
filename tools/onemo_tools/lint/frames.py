# SPDX-License-Identifier: MIT
"""How large the frames of the library's functions are, read from the compiled .mpy.

python -m onemo_tools.lint.frames [MODULE...]     # those that the heap has to give room

MicroPython keeps a call's frame (locals, the depth of the stack, three words for each nested
`try`, `with` or loop that needs one) on the C stack only up to 11 words; a larger one is taken
from the heap at each call, which is some 6,000 cycles of an RP2040 and may start the collector.
A generator's frame is always on the heap, once for the generator.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onemo_tools.deploy.mpy import compile_mpy, is_source_only
from onemo_tools.deploy.packages import HOST

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "onemo"
ON_STACK = 11  # words, VM_MAX_STATE_ON_STACK of py/objfun.c
_EXCEPTION = 3  # words, mp_exc_stack_t of py/bc.h
_GENERATOR = 1  # of the flags
_BYTECODE = 0  # kind of code
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Frame:
    """What one call of a function needs."""

    name: str  # such as "at_channel.Channel.poll"
    words: int
    generator: bool


class FormatError(Exception):
    """The .mpy is not as this reader knows it."""


def frames(source: Path) -> list[Frame]:
    """The frames of a module's functions, methods, lambdas and comprehensions, in their order; of
    none if it goes to boards as source."""
    if is_source_only(source):
        return []
    whole = _Reader(compile_mpy(source)).module()
    found: list[Frame] = []
    _match(whole, ast.parse(source.read_text(encoding="utf-8")), source.stem, found)
    return found


def all_frames(root: Path = ROOT) -> list[Frame]:
    """Those of the whole library."""
    folder = root / "lib" / PACKAGE
    sources = [path for path in sorted(folder.glob("*.py")) if path.stem not in HOST]
    return [frame for path in sources for frame in frames(path)]


def large(found: list[Frame]) -> list[Frame]:
    """Those that the heap has to give room at each call."""
    return [frame for frame in found if frame.words > ON_STACK and not frame.generator]


@dataclass
class _Code:
    name: str | None  # None: one of those that every firmware knows, by their numbers
    words: int
    generator: bool
    children: list["_Code"]


class _Reader:
    """Reads .mpy version 6, as docs/reference/mpyfiles of MicroPython describes it."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._names: list[str | None] = []

    def module(self) -> _Code:
        header = self._bytes(4)
        if header[:2] != b"M\x06" or header[2] >> 2:
            raise FormatError(f"no bytecode of version 6: {header!r}")
        names, objects = self._number(), self._number()
        self._names = [self._name() for _ in range(names)]
        for _ in range(objects):
            self._object()
        code = self._code()
        if self._at != len(self._content):
            raise FormatError(f"{len(self._content) - self._at} bytes are left over")
        return code

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def _number(self) -> int:
        value = 0
        while True:
            byte = self._bytes(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    def _name(self) -> str | None:
        size = self._number()
        return None if size & 1 else self._bytes((size >> 1) + 1)[:-1].decode()

    def _object(self) -> None:
        kind = self._bytes(1)[0]
        if kind <= 4:  # a table of functions, None, False, True, Ellipsis
            return
        count = self._number()
        if kind == 10:
            for _ in range(count):
                self._object()
        else:
            self._bytes(count + (kind in (5, 6)))  # text and bytes end in a zero

    def _code(self) -> _Code:
        size = self._number()
        if size & 3 != _BYTECODE:
            raise FormatError("machine code")
        code = self._prelude(self._bytes(size >> 3))
        if size & 4:
            code.children = [self._code() for _ in range(self._number())]
        return code

    def _prelude(self, data: bytes) -> _Code:
        # py/bc.h: the bits of these numbers are spread over bytes.
        byte = data[0]
        at = 1
        state = byte >> 3 & 0xF
        exceptions = byte >> 2 & 1
        flags = 0
        turn = 0
        while byte & 0x80:
            byte = data[at]
            at += 1
            state |= (byte & 0x30) << (2 * turn)
            exceptions |= (byte & 2) << turn
            flags |= (byte & 0x40) >> 6 << turn
            turn += 1
        while data[at] & 0x80:  # sizes of what follows
            at += 1
        at += 1
        index = 0
        while True:
            index = index << 7 | data[at] & 0x7F
            at += 1
            if data[at - 1] < 0x80:
                break
        words = state + 1 + _EXCEPTION * exceptions
        return _Code(self._names[index], words, bool(flags & _GENERATOR), [])


def _match(code: _Code, tree: ast.AST, name: str, found: list[Frame]) -> None:
    # The compiler's order is that of the source; names are compared as far as they are told.
    scopes = list(_scopes(tree))
    if len(scopes) != len(code.children):
        raise FormatError(f"{name}: {len(code.children)} scopes are compiled, not {len(scopes)}")
    for scope, child in zip(scopes, code.children, strict=True):
        own = getattr(scope, "name", f"<{type(scope).__name__.lower()}>")
        if child.name not in (None, own) and not child.name.startswith("<"):
            raise FormatError(f"{name}: {child.name} is compiled where {own} stands")
        if not isinstance(scope, ast.ClassDef):
            found.append(Frame(f"{name}.{own}", child.words, child.generator))
        _match(child, scope, f"{name}.{own}", found)


def _scopes(tree: ast.AST) -> Iterator[ast.AST]:
    skipped: list[ast.stmt] = []  # what only type checkers read is not compiled
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        skipped = tree.body
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _SCOPES + _COMPREHENSIONS):
            if node not in skipped:
                yield node
        elif node not in skipped:
            yield from _scopes(node)


def main(names: list[str]) -> None:
    found = all_frames()
    wanted = [f for f in found if not names or f.name.partition(".")[0] in names]
    for frame in sorted(large(wanted), key=lambda frame: -frame.words):
        print(f"{frame.words:3} words  {frame.name}")
    print(f"{len(wanted)} functions, {len(large(wanted))} with a frame over {ON_STACK} words")


if __name__ == "__main__":
    main(sys.argv[1:])
