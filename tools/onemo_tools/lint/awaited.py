# SPDX-License-Identifier: MIT
"""lib/onemo/_awaited.pyi: what type checkers and editors see of the asyncio front.

Both fronts share one class, whose methods return what the front's `run_operation` returns: a
value, or, in the asyncio front, something to be awaited. No annotation says that, so that this
file has the methods once more, as they are called there. `make packages` writes it; a test
compares.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

_IMPORTS = "from .aio_stream import Stream\n"
_HEAD = """# SPDX-License-Identifier: MIT
#
# The asyncio front as type checkers see it. Made from modem.py, aio.py, certs.py, tls.py and the
# modules with a class Methods by `make packages`.

from collections.abc import AsyncIterator, Awaitable
from typing import Any, List

from .aio_stream import Stream
"""
# What the classes' objects have, and who set it is not told by an annotation.
_ATTRIBUTES = {
    "Modem": {
        "model": "str | None",
        "boot_count": "int",
        "packet": "int",
        "channel": "Any",
        "certs": "CertStore",
    },
    "CertStore": {"encoding": "int", "newline": "bytes | None", "psk_verified": "str | None"},
    "TLSContext": {"ssl_id": "int"},
}
# In the order of the file: class as it is seen, from which module and class.
_SELDOM = (
    *("start", "model_info", "reboot", "baud", "network", "power_sleep", "clock", "info"),
    *("net_stand_in", "cert_restore", "certs", "provisioning"),
    *("provisioning_identity", "provisioning_rotate"),
)
_CLASSES = (
    ("CertStore", (("certs.py", "CertStore"),)),
    (
        "TLSContext",
        (
            ("tls.py", "TLSContext"),
            ("tls_configure.py", "Methods"),
            ("tls_option.py", "Methods"),
        ),
    ),
    (
        "Modem",
        (
            ("modem.py", "BaseModem"),
            *((f"{module}.py", "Methods") for module in _SELDOM),
            ("aio_udp.py", "Methods"),
            ("aio_socket.py", "Methods"),
            ("aio.py", "AsyncModem"),
        ),
    ),
)
_AWAITED = ("rotate",)  # that run several operations
_MAY_NOT_RUN = ("configure",)  # with send=False there is nothing to be awaited
_OWN_PARTS = "For the library's own parts."


def text(library: Path) -> str:
    """The file, from the library's sources."""
    parts = [_HEAD]
    for seen, sources in _CLASSES:
        methods: dict[str, str] = {}
        documentation = ""
        attributes: dict[str, str] = {}
        for file, name in sources:
            found = _class(library / file, name)
            attributes |= dict.fromkeys(_attributes(found), "Any")
            documentation = ast.get_docstring(found, clean=False) or documentation
            for method in _methods(found):
                if method.name not in _ATTRIBUTES[seen]:
                    methods[method.name] = _seen(method)
        parts.append(f'class {seen}:\n    """{documentation}"""\n')
        attributes |= _ATTRIBUTES[seen]
        parts.append("".join(f"    {n}: {t}\n" for n, t in attributes.items()))
        parts += methods.values()
    made = "\n".join(parts)
    return made.replace(_IMPORTS, "".join(_imports(library, made)) + _IMPORTS, 1)


def _imports(library: Path, made: str) -> Iterator[str]:
    """Lines for what annotations name beside the classes that are here."""
    found: dict[str, str] = {}
    for file in ("modem", *_SELDOM, "aio_udp", "aio_socket", "aio"):
        for node in ast.parse((library / f"{file}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = file
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                for one in node.body:
                    if isinstance(one, ast.ImportFrom) and one.level == 1 and one.module:
                        found |= {alias.name: one.module for alias in one.names}
    for name, module in sorted(found.items()):
        if name not in dict(_CLASSES) and name != "Stream" and f" -> {name}:" in made:
            yield f"from .{module} import {name}\n"


def _attributes(found: ast.ClassDef) -> Iterator[str]:
    """Public names that __init__ gives an object."""
    for method in found.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            for node in ast.walk(method):
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.ctx, ast.Store)
                    and ast.unparse(node.value) == "self"
                    and not node.attr.startswith("_")
                ):
                    yield node.attr


def _class(path: Path, name: str) -> ast.ClassDef:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise ValueError(f"{path} has no class {name}")


def _methods(found: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in found.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        said = " ".join((ast.get_docstring(node) or "").split())
        is_public = not node.name.startswith("_") and not node.name.endswith("_op")
        if (is_public and said and _OWN_PARTS not in said) or node.name == "__init__":
            yield node


def _seen(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A method as it is called: its head and its documentation."""
    runs = "self.run_operation(" in (body := ast.unparse(method)) or (
        "self._modem.run_operation(" in body
    )
    is_async = isinstance(method, ast.AsyncFunctionDef) or runs or method.name in _AWAITED
    result = _annotation(method.returns) if method.returns else "Any"
    if runs and method.name in _MAY_NOT_RUN:
        is_async, result = False, f"Awaitable[{result}]"
    decorators = "".join(f"    @{ast.unparse(one)}\n" for one in method.decorator_list)
    for argument in (*method.args.args, *method.args.kwonlyargs):
        if argument.annotation:
            argument.annotation = ast.Name(_annotation(argument.annotation))
    for defaults in (method.args.defaults, method.args.kw_defaults):
        for at, default in enumerate(defaults):
            if default is not None and not isinstance(default, ast.Constant | ast.UnaryOp):
                defaults[at] = ast.Constant(...)  # a name that is not known in this file
    head = f"{'async ' if is_async else ''}def {method.name}({ast.unparse(method.args)})"
    said = ast.get_docstring(method, clean=False)
    documentation = f'        """{said}"""\n' if said else "        ...\n"
    return f"{decorators}    {head} -> {result}:\n{documentation}"


def _annotation(node: ast.expr) -> str:
    """As it is, without the quotes that boards need."""
    return (
        node.value
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        else (ast.unparse(node))
    )
