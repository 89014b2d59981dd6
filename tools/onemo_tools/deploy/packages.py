# SPDX-License-Identifier: MIT
"""The packages that others install: for mip as .py and as .mpy, for freezing, in parts.

`make packages` writes package.json, lib/PART.json and manifest.py anew, and the .mpy variants
under build/mpy; a test compares the first three with the tree.
"""

import ast
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from onemo_tools.deploy.mpy import shipped
from onemo_tools.lint import awaited

_INSTALLED = Path(__file__).parents[1] / "project"  # where the wheel has what boards get
ROOT = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[3]
PACKAGE = "onemo"

# What a product that only provisions needs: certificates, keys and TLS contexts into the module.
_PROVISION = """
__init__ _md5_viper _pem_plain _pem_viper _port at_channel at_confirm at_masking at_resync at_retry
at_syntax baud blocking cert_digest cert_list cert_pem cert_pem_faults cert_psk cert_removal
cert_restore cert_store cert_upload cert_upload_counted cert_upload_faults cert_upload_inline
certs clock clock_known error_numbers error_texts errors errors_seldom md5 model model_find
model_info model_probe models modem network power_sleep reboot recovery refusals schema start tls
tls_configure tls_option tls_rows uart
"""
PROVISION = tuple(_PROVISION.split())
# What these need on top of that; sockets has all else.
_IDENTITY = """
cert_validity profile profile_check provisioning provisioning_entry provisioning_identity
provisioning_journal provisioning_objects provisioning_rotate renew
"""
IDENTITY = tuple(_IDENTITY.split())
AIO = ("aio", "aio_socket", "aio_stream", "aio_udp", "aio_udp_socket")

HOST = ("_host",)  # what only CPython needs

PARTS = {
    "provision": "certificates, keys and TLS contexts into the module; blocking",
    "sockets": "TCP and TLS streams, network, MQTT and HTTP; needs provision",
    "aio": "the same for asyncio; needs provision and, for streams, sockets",
    "identity": "what a device is to have: sync, rotate, renewal; needs provision",
}

_MANIFEST = """# SPDX-License-Identifier: MIT
#
# For freezing the library into a firmware. Made by `make packages`.
#
#     include("$(ONEMO_DIR)/manifest.py")                          everything
#     include("$(ONEMO_DIR)/manifest.py", parts="provision")       certificates and keys only

metadata(
    description="TLS with OneMO cellular modules: certificates in, verified connections out",
    version="{version}",
    license="MIT",
)
options.defaults(parts="{parts}")

{lists}
for part, files in (
{pairs}
):
    if part in options.parts.split():
        package("{package}", files, base_path="lib", opt=3)
"""


def modules(root: Path = ROOT) -> list[str]:
    """The library's modules in the tree that boards get."""
    found = (path.stem for path in (root / "lib" / PACKAGE).glob("*.py"))
    return sorted(name for name in found if name not in HOST)


def part_of(module: str) -> str:
    """The part that a module belongs to."""
    if module in PROVISION:
        return "provision"
    if module in IDENTITY:
        return "identity"
    return "aio" if module in AIO else "sockets"


def parts(root: Path = ROOT) -> dict[str, list[str]]:
    """Part -> its modules, as they are in the tree."""
    return {part: [m for m in modules(root) if part_of(m) == part] for part in PARTS}


def imports(source: Path) -> list[str]:
    """The package's modules that a module imports on a board as it is itself imported, not
    later."""
    found: list[str] = []
    known = modules(source.parents[2])
    for node in _at_import(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found += [name for name in names if name in known]
    return found


def late_imports(source: Path) -> list[str]:
    """The package's modules that a module imports inside its functions, when they are called."""
    known = modules(source.parents[2])
    at_once = imports(source)
    found = [
        node.module
        for node in _running(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
    ]
    return [name for name in found if name in known and name not in at_once]


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from _running(node)


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    tests = ("TYPE_CHECKING", "TYPE_CHECKING or not IS_BOARD")
    for node in ast.iter_child_nodes(tree):
        for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) in tests
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if not (for_checkers or later):
            yield node
            yield from _at_import(node)


def in_order(root: Path = ROOT) -> list[str]:
    """All modules, each behind those that it imports."""
    found: list[str] = []

    def visit(module: str, above: tuple[str, ...]) -> None:
        if module in above:
            raise ValueError(f"modules import one another in a ring: {' '.join((*above, module))}")
        for other in imports(root / "lib" / PACKAGE / f"{module}.py"):
            visit(other, (*above, module))
        if module not in found:
            found.append(module)

    for module in modules(root):
        visit(module, ())
    return found


def version(root: Path = ROOT) -> str:
    """The library's own version."""
    for node in ast.parse((root / "lib" / PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise ValueError("lib/onemo/__init__.py has no __version__")


def _package_json(files: list[str], folder: str, number: str) -> str:
    urls = [[f"{PACKAGE}/{name}", f"{folder}{PACKAGE}/{name}"] for name in files]
    lines = ",\n".join(f"    {json.dumps(url)}" for url in urls)
    return f'{{\n  "version": "{number}",\n  "urls": [\n{lines}\n  ]\n}}\n'


def _manifest(found: dict[str, list[str]], number: str) -> str:
    lists = ""
    for part, names in found.items():
        files = "".join(f'    "{name}.py",\n' for name in names)
        lists += f"{part.upper()} = (\n{files})\n" if files else f"{part.upper()} = ()\n"
    return _MANIFEST.format(
        version=number,
        parts=" ".join(found),
        lists=lists,
        pairs="\n".join(f'    ("{part}", {part.upper()}),' for part in found),
        package=PACKAGE,
    )


def listings(root: Path = ROOT) -> dict[str, str]:
    """The files that are made from the tree: path in the checkout -> text."""
    found = parts(root)
    number = version(root)
    everything = [f"{module}.py" for module in modules(root)]
    files = {
        "package.json": _package_json(everything, "lib/", number),
        "manifest.py": _manifest(found, number),
    }
    for part, names in found.items():
        files[f"lib/{part}.json"] = _package_json([f"{n}.py" for n in names], "", number)
    files["lib/onemo/_awaited.pyi"] = awaited.text(root / "lib" / PACKAGE)
    return files


def write_mpy(folder: Path, root: Path = ROOT) -> None:
    """The .mpy variants: package.json, PART.json and what they list, ready to be published."""
    _write(folder, root, shipped)


def write_py(folder: Path, root: Path = ROOT) -> None:
    """The same as sources."""
    _write(folder, root, lambda path: (path.name, path.read_bytes()))


def _write(folder: Path, root: Path, form: Callable[[Path], tuple[str, bytes]]) -> None:
    target = folder / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    names = {}
    for module in modules(root):
        name, content = form(root / "lib" / PACKAGE / f"{module}.py")
        (target / name).write_bytes(content)
        names[module] = name
    number = version(root)
    everything = {"package": list(names), **parts(root)}
    for part, found in everything.items():
        text = _package_json([names[module] for module in found], "", number)
        (folder / f"{part}.json").write_text(text)


def main() -> int:
    for path, text in listings().items():
        (ROOT / path).write_text(text)
        print(path)
    write_mpy(ROOT / "build" / "mpy")
    print("build/mpy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
