# SPDX-License-Identifier: MIT
"""Puts every mutant that mutmut makes into the modules that pyproject.toml in the working
directory names, side by side, and prints them as JSON with the lines that each changes. For
`make mutants`, which draws from these."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

# Where a sentence would be more than prose: it is looked for, or looked up.
COMPARED = (ast.Compare, ast.Dict, ast.Subscript)
SEARCHES = ("startswith", "endswith", "find", "index", "split", "replace", "get")
WORD = re.compile(r"(?<![\w+])[A-Za-z][a-z']*(?![\w+])")
FALSY = ("None", "False", '""')
BEGINS = re.compile(r"([\w.]+)(?:: [^=]+)? = (\S+)(?:  #.*)?$")
UNLOADS = re.compile(r"[-+] (_port\.)?unload\(")
ORIGINAL = "orig"


def functions(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Functions and methods of a module, by name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node


def literals(function: ast.AST) -> Iterator[tuple[str, bool]]:
    """The strings of a function in order, and whether each is only spoken: neither compared
    with anything nor searched for."""

    def walk(node: ast.AST, spoken: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield str(node.value), spoken and isinstance(node.value, str)
        searches = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in SEARCHES
        )
        inside = spoken and not searches and not isinstance(node, COMPARED)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    yield from walk(function, True)


def is_sentence(text: str) -> bool:
    """Three words or more, and nothing for the line."""
    return len(WORD.findall(text)) >= 3 and "\r" not in text and not text.startswith("AT")


def only_rewords(original: ast.AST, mutant: ast.AST) -> bool:
    """Whether a mutant differs in nothing but one sentence's letters."""
    before, after = list(literals(original)), list(literals(mutant))
    differing = [
        (text, spoken)
        for (text, spoken), (other, _) in zip(before, after, strict=False)
        if text != other
    ]
    if len(before) != len(after) or len(differing) != 1:
        return False
    text, spoken = differing[0]
    return spoken and is_sentence(text) and shape(original) == shape(mutant)


def shape(function: ast.AST) -> str:
    """The function without its name and without what its strings say."""
    text = ast.dump(function).split("args=", 1)[1]
    for value in sorted({value for value, _ in literals(function)}, key=len, reverse=True):
        text = text.replace(repr(value), "''")
    return text


def only_begins_otherwise(lines: list[str], function: ast.AST, library: str) -> bool:
    """Whether a name merely begins with another false value, and all that the library ever asks
    of it is whether it is true; of a local name, all that its function asks."""
    if [line[0] for line in lines] != ["-", "+"]:
        return False
    before, after = (BEGINS.match(line[2:]) for line in lines)
    if not (before and after and {before[2], after[2]} <= set(FALSY)):
        return False
    if "." not in before[1]:
        return only_tested(function, before[1])
    name = re.escape(before[1].rpartition(".")[2])
    asked = (
        rf"\b{name}\b (is|==|!=|in|<|>|%|\+)|(is|==|!=|in|<|>|%|\+|return|yield) (\w+\.)*{name}\b"
    )
    return not re.search(asked, library)


def only_tested(function: ast.AST, name: str) -> bool:
    """Whether a function asks nothing of a local name but whether it is true."""

    def passed_on(node: ast.AST, tested: bool) -> bool:
        if isinstance(node, ast.Global | ast.Nonlocal):
            return name in node.names
        if isinstance(node, ast.Name) and node.id == name:
            return isinstance(node.ctx, ast.Load) and not tested
        conditions = [getattr(node, "test", None)]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            conditions.append(node.operand)
        if isinstance(node, ast.BoolOp):
            # What is false before an `or` does not come out of it.
            conditions += node.values if tested else node.values[: -isinstance(node.op, ast.Or)]
        return any(passed_on(child, child in conditions) for child in ast.iter_child_nodes(node))

    return not passed_on(function, False)


def code(text: str) -> str:
    """A module without its comments and docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match getattr(node, "body", None):
            case [ast.Expr(value=ast.Constant()), *_] as body:
                body[0] = ast.Pass()
    return ast.unparse(tree)


def changed(original: str, mutant: str) -> list[str]:
    """The lines that differ, those that went with - and those that came with +: one change, so
    what is the same before and behind it is left out."""
    before, after = original.splitlines(), mutant.splitlines()
    for end in (0, -1):
        while before and after and before[end] == after[end]:
            del before[end], after[end]
    return [f"- {line.strip()}" for line in before] + [f"+ {line.strip()}" for line in after]


def listed(name: str, mutated: str, library: str = "") -> dict[str, dict[str, Any]]:
    """Of one module as mutmut writes it: each mutant, its lines, and of which kind it is.
    `library`: the text of all modules."""
    trees = dict(functions(ast.parse(mutated)))
    lines = mutated.splitlines()

    def source(node: Any) -> str:
        first, *rest = lines[node.lineno - 1 : node.end_lineno]
        return "\n".join([re.sub(r"\b\w+__mutmut_\w+", "function", first), *rest])

    found = {}
    for function, tree in trees.items():
        stem, _, number = function.partition("__mutmut_")
        if not number.isdigit():
            continue
        original = trees[f"{stem}__mutmut_{ORIGINAL}"]
        lines_of = changed(source(original), source(tree))
        kind = ""
        if all(UNLOADS.match(line) for line in lines_of):
            kind = "unloading"
        elif only_rewords(original, tree):
            kind = "reworded"
        elif only_begins_otherwise(lines_of, original, library):
            kind = "falsy"
        found[f"{name}.{function}"] = {"lines": lines_of, "kind": kind}
    return found


def main() -> None:
    """Prints the list."""
    # mutmut is there where `make mutants` has installed it, and on no Windows
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.file_utils import walk_mutatable_files, walk_source_files

    library = "\n".join(code(path.read_text()) for path in walk_source_files())
    found = {}
    for path in sorted(walk_mutatable_files()):
        name = ".".join(path.with_suffix("").parts[1:])
        mutated = mutate_file_contents(str(path), path.read_text()).code
        found.update(listed(name, mutated, library))
        path.write_text(mutated)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
