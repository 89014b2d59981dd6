# SPDX-License-Identifier: MIT
"""The library's house rules, read from its source: which module imports which, and how operations
are driven.

python -m onemo_tools.lint.architecture      # prints the graph; exit status 1 if a rule is broken

The order of the modules is the list in the README's architecture section. The rules:

1. A module imports only from modules above it in that list, lazy imports included; but for its
   `__getattr__`, which only names what is elsewhere.
2. A module uses no name with an underscore of another module's objects.
3. A generator is an operation, a reader or an iterator, and its name or its first words say so:
   `..._op`, `..._steps`, "Iterate...".
4. An operation that is called is driven: behind `yield from`, in a front's `run_operation`, or
   handed on to whoever drives it.
5. What a class `Methods` calls of itself is in a table of what boards load, `" name=module "`:
   there it is not part of the object.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "onemo"
EXEMPT = ("__init__",)  # it names the public things

_BEGIN, _END = "<!-- modules:begin -->", "<!-- modules:end -->"
_DRIVERS = ("run_operation", "drive", "_recovered_op", "once_op")
_OPERATION = "_op"
_STEPS = "_steps"


@dataclass(frozen=True)
class Import:
    """One arrow of the graph."""

    module: str
    imported: str
    lazy: bool  # inside a function, so that it happens when that is called


@dataclass(frozen=True)
class Fault:
    """A rule that is broken, and where."""

    module: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"lib/{PACKAGE}/{self.module}.py:{self.line}: {self.text}"


def listed(readme: Path) -> list[str]:
    """The modules in the order of the README's list."""
    text = readme.read_text(encoding="utf-8")
    block = text[text.index(_BEGIN) : text.index(_END)]
    return [line.split()[0] for line in block.splitlines() if line.startswith("    ")]


def sources(root: Path) -> dict[str, ast.Module]:
    """Module -> its syntax tree."""
    folder = root / "lib" / PACKAGE
    return {path.stem: ast.parse(path.read_text("utf-8")) for path in sorted(folder.glob("*.py"))}


def imports(trees: dict[str, ast.Module]) -> list[Import]:
    """All arrows between the library's modules; what only type checkers read is none."""
    found: dict[Import, None] = {}
    for module, tree in trees.items():
        for node, lazy in _executed(tree, False):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                for name in names:
                    if name in trees:
                        found[Import(module, name, lazy)] = None
    return list(found)


def _executed(tree: ast.AST, lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    for node in ast.iter_child_nodes(tree):
        yield from _of(node, lazy)


def _of(node: ast.AST, lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for other in node.orelse:
            yield from _of(other, lazy)
    elif not (isinstance(node, ast.FunctionDef) and node.name == "__getattr__"):
        yield node, lazy
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _executed(node, lazy or inside)


def faults(root: Path = ROOT, readme: Path | None = None) -> list[Fault]:
    """Every rule that is broken."""
    trees = sources(root)
    order = listed(readme or root / "README.md")
    found = [Fault(name, 1, "is not in the README's list") for name in trees if name not in order]
    gone = [name for name in order if name not in trees]
    found += [Fault(name, 1, "is in the README's list only") for name in gone]
    found += _upward(trees, order)
    named = _named(trees)
    for module, tree in trees.items():
        found += _foreign_names(module, tree)
        text = (root / "lib" / PACKAGE / f"{module}.py").read_text("utf-8")
        found += _generators(module, tree, text.splitlines())
        found += _undriven(module, tree)
        found += _unreachable(module, tree, named)
    return found


def _named(trees: dict[str, ast.Module]) -> set[str]:
    # What the tables of methods that are loaded when called name.
    tables = [
        node.value
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(" ") and node.value.endswith(" ")
    ]
    return {word.partition("=")[0] for text in tables for word in text.split() if "=" in word}


def _unreachable(module: str, tree: ast.Module, named: set[str]) -> Iterator[Fault]:
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef) or owner.name != "Methods":
            continue
        own = {node.name for node in ast.walk(owner) if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(owner):
            if not isinstance(node, ast.Attribute) or not _is_self(node.value):
                continue
            if node.attr in own - named:
                yield Fault(module, node.lineno, f"boards do not find self.{node.attr}")


def _upward(trees: dict[str, ast.Module], order: list[str]) -> Iterator[Fault]:
    for arrow in imports(trees):
        if arrow.module in EXEMPT or not {arrow.module, arrow.imported} <= set(order):
            continue
        if order.index(arrow.imported) >= order.index(arrow.module):
            yield Fault(arrow.module, 1, f"imports {arrow.imported}, which stands below it")


def _foreign_names(module: str, tree: ast.Module) -> Iterator[Fault]:
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _is_self(node.value)
    } | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _private(node.attr) and not _is_self(node.value):
            if node.attr not in own:
                yield Fault(module, node.lineno, f"uses {ast.unparse(node)} of another module")
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            for alias in node.names:
                if _private(alias.name):
                    yield Fault(module, node.lineno, f"imports {alias.name} of {node.module}")


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _generators(module: str, tree: ast.Module, lines: list[str]) -> Iterator[Fault]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _yields(node):
            first = ast.get_docstring(node) or _first_comment(lines, node)
            iterates = first.startswith("Iterate")
            if not (node.name.endswith((_OPERATION, _STEPS)) or iterates):
                yield Fault(
                    module,
                    node.lineno,
                    f'{node.name} is a generator: name it ..._op, or begin with "Iterate"',
                )


def _first_comment(lines: list[str], node: ast.FunctionDef) -> str:
    for line in lines[node.lineno : node.body[0].lineno]:
        if line.strip().startswith("#"):
            return line.strip(" #")
    return ""


def _yields(function: ast.FunctionDef) -> bool:
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)
    return False


def _undriven(module: str, tree: ast.Module) -> Iterator[Fault]:
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and _name(node.func).endswith(_OPERATION)):
            continue
        if not _is_driven(node, parents):
            text = ast.unparse(node)
            yield Fault(module, node.lineno, f"{text} makes an operation that nobody drives")


def _is_driven(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> bool:
    parent = parents[call]
    if isinstance(parent, ast.YieldFrom | ast.Yield | ast.Return):
        return True  # run here, or handed on to whoever called
    if isinstance(parent, ast.Call) and call in parent.args:
        return _name(parent.func) in _DRIVERS
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        name = parent.targets[0].id  # run later, in the same function
        scope: ast.AST = parent
        while not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            scope = parents[scope]
        return any(
            isinstance(use, ast.Name) and use.id == name and isinstance(use.ctx, ast.Load)
            for use in ast.walk(scope)
        )
    return False


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def as_text(root: Path = ROOT) -> str:
    """The graph: a line a module, in the README's order, with what it imports; lazy imports in
    brackets."""
    arrows = imports(sources(root))
    lines = []
    for module in listed(root / "README.md"):
        at_once = [a.imported for a in arrows if a.module == module and not a.lazy]
        lazy = [
            f"[{a.imported}]"
            for a in arrows
            if a.module == module and a.lazy and a.imported not in at_once
        ]
        lines.append(f"{module:<20} {' '.join(at_once + lazy)}".rstrip())
    return "\n".join(lines)


def main() -> int:
    print(as_text())
    found = faults()
    arrows = imports(sources(ROOT))
    print(f"\n{len(arrows)} imports, {len(found)} faults")
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
