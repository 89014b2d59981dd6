# SPDX-License-Identifier: MIT
"""SSL contexts: AT+MSSLCFG (manual 3.1) and what it keeps for each ssl_id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .certs import name_arg
from .suites import SUITES
from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

# Numbers: option -> (lowest, highest) or the values there are. The manual's order and defaults.
DEFAULTS: dict[str, tuple[object, ...]] = {
    "auth": (0,),
    "cert": ("", "", ""),
    "psk": ("",),
    "encoding": (2,),
    "negotime": (300,),
    "version": (255,),
    "ciphersuite": (0,),
    "session": (1,),
    "ignorestamp": (1,),
    "ignoreverify": (0,),
    "sni": (0,),
}
_VALUES: dict[str, tuple[int, ...] | range] = {
    "auth": (0, 1, 2),
    "negotime": range(10, 301),
    "session": (0, 1),
    "ignorestamp": (0, 1),
    "ignoreverify": (0, 1),
    "sni": (0, 1),
}


class Contexts:
    """Every ssl_id's options; a fresh module neither authenticates nor looks at dates."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._set: dict[tuple[int, str], tuple[object, ...]] = {}

    def get(self, ssl_id: int, option: str) -> tuple[object, ...]:
        """An option's values."""
        return self._set.get((ssl_id, option), DEFAULTS[option])

    def value(self, ssl_id: int, option: str) -> int:
        """An option's only value, a number."""
        number = self.get(ssl_id, option)[0]
        assert isinstance(number, int)
        return number

    def names(self, ssl_id: int) -> tuple[str, str, str]:
        """The bound names: CA, client certificate, key; "" where none is."""
        ca, cert, key = (str(name) for name in self.get(ssl_id, "cert"))
        return ca, cert, key

    def set(self, ssl_id: int, option: str, values: tuple[object, ...]) -> None:
        """Set an option."""
        self._set[ssl_id, option] = values

    def clear(self) -> None:
        """Back to the defaults."""
        self._set.clear()


def _shown(module: Module, option: str, ssl_id: int) -> bytes:
    values = module.contexts.get(ssl_id, option)
    if option == "ciphersuite":
        text = b"0x%02X" % module.contexts.value(ssl_id, option)
    elif option in ("cert", "psk"):
        unset = "NULL" if module.quirks.unset_cert == "NULL" else ""
        text = ",".join(f'"{name or unset}"' for name in values).encode("latin-1")
    else:
        text = b"%d" % module.contexts.value(ssl_id, option)
    return b'+MSSLCFG: "%s",%d,%s' % (option.encode(), ssl_id, text)


def _parsed(module: Module, option: str, ssl_id: int, args: list[Arg]) -> tuple[object, ...]:
    if option == "cert":
        counted(args, 1, 3)
        names: list[object] = [name_arg(module, arg, empty=True) for arg in args]
        if module.quirks.cert_omitted == "keep":
            return (*names, *module.contexts.get(ssl_id, option)[len(names) :])
        return (*names, *[""] * (3 - len(names)))
    counted(args, 1, 1)
    if option == "psk":
        return (name_arg(module, args[0], empty=True),)
    if option == "ciphersuite":
        return (_suite(module, args[0].value),)
    number = integer(args[0], 0, 999)
    if number not in _allowed(module, option):
        raise Refusal(50)
    return (number,)


def _suite(module: Module, text: bytes) -> int:
    plain = text[:2].upper() != b"0X"
    try:
        suite = int(text, 16)
    except ValueError:
        raise Refusal(50) from None
    if module.profile.suite_prefix and plain and (suite or not module.quirks.plain_suite_zero):
        raise Refusal(50)
    if suite and suite not in SUITES:
        raise Refusal(50)
    return suite


def _allowed(module: Module, option: str) -> tuple[int, ...] | range:
    if option == "encoding":
        return module.profile.encodings
    return module.profile.versions if option == "version" else _VALUES[option]


def options(module: Module) -> list[str]:
    """The options that this model has."""
    profile = module.profile
    missing = set(module.quirks.absent_options)
    if not profile.psk:
        missing.add("psk")
    if not profile.sni:
        missing.add("sni")
    return [option for option in DEFAULTS if option not in missing]


def span(numbers: tuple[int, ...] | range) -> str:
    """Numbers as a test form lists them: (0-3,255)."""
    parts: list[str] = []
    for number in numbers:
        first, _, last = (parts[-1] if parts else "").partition("-")
        if parts and int(last or first) + 1 == number and (last or len(numbers) > 2):
            parts[-1] = f"{first}-{number}"
        else:
            parts.append(str(number))
    return f"({','.join(parts)})"


def _test(module: Module) -> list[bytes]:
    last = module.contexts.count - 1
    listed = [o for o in options(module) if o not in module.quirks.unlisted_options]
    if module.quirks.mssl_test == "list":
        return [b"+MSSLCFG: (%s)" % ",".join(f'"{option}"' for option in listed).encode()]
    lines = []
    for option in listed:
        tail = "" if option in ("cert", "psk", "ciphersuite") else span(_allowed(module, option))
        comma = "," if tail else ""
        lines.append(f'+MSSLCFG: "{option}",(0-{last}){comma}{tail}'.encode())
    return lines


def _config(module: Module, form: str, args: list[Arg]) -> object:
    if form == "test":
        return _test(module)
    if form != "set":
        raise Refusal(None)
    module.string(args[0])
    option = args[0].value.decode("latin-1")
    if option not in options(module):
        # PSKs are denied by the model (manual note 3), whatever the firmware does with the rest.
        denied = option == "psk" and option not in module.quirks.absent_options
        if module.quirks.unknown_option == "ok" and not denied:
            return ()
        raise module.unsupported()
    last = module.contexts.count - 1
    if len(args) == 1:
        return [_shown(module, option, ssl_id) for ssl_id in range(last + 1)]
    ssl_id = integer(args[1], 0, last)
    if len(args) == 2:
        return [_shown(module, option, ssl_id)]
    values = _parsed(module, option, ssl_id, args[2:])
    if option not in module.quirks.ignored_options:
        module.contexts.set(ssl_id, option, values)
    return ()


COMMANDS: dict[str, Handler] = {"MSSLCFG": _config}
