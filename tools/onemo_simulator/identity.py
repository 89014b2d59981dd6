# SPDX-License-Identifier: MIT
"""What a module says it is: ATI, CGMI, CGMM, CGMR, CGSN, GSN, CLAC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

SERIAL = b"ML0123456789ABCD"
_BASIC = ("E", "I", "O", "Q", "V", "Z", "&F", "&W")  # listed as well (3GPP TS 27.007, 8.37)


def model(module: Module) -> bytes:
    """The model as AT+CGMM has it: real modules name the series, without the sub-model."""
    quirks = module.quirks
    short = (quirks.cgmm or module.profile.cgmm) == "series"
    name = module.profile.series if short else module.submodel
    return f"{quirks.model_prefix}{name}{quirks.model_suffix}".encode()


def revision(module: Module) -> bytes:
    """Sub-model and firmware as AT+CGMR has them."""
    quirks = module.quirks
    prefix = quirks.revision_prefix
    if prefix is None:
        prefix = module.profile.revision_prefix
    return f"{prefix}{module.submodel}-{quirks.revision}".encode()


def information(module: Module) -> list[bytes]:
    """The lines of ATI."""
    form = module.quirks.ati
    if form == "revision":
        return [revision(module)]
    if form == "labelled":
        return [f"Revision: {module.submodel}-{module.quirks.revision}".encode()]
    return [b"CMCC", model(module), revision(module)]


def only_test(form: str) -> object:
    """The answer to a test form without parameters; anything else is an error."""
    if form != "test":
        raise Refusal(None)
    return ()


def _cgmi(module: Module, form: str, args: list[Arg]) -> object:
    return [b"CMCC"] if form == "exec" else only_test(form)


def _cgmm(module: Module, form: str, args: list[Arg]) -> object:
    return [model(module)] if form == "exec" else only_test(form)


def _cgmr(module: Module, form: str, args: list[Arg]) -> object:
    return [revision(module)] if form == "exec" else only_test(form)


def _cgsn(module: Module, form: str, args: list[Arg]) -> object:
    if form == "exec":
        return [SERIAL]
    if form == "test":
        return [b"+CGSN: (0-3)"]
    if form != "set":
        raise Refusal(None)
    counted(args, 1, 1)
    imei = b"+CGSN: " + module.quirks.imei.encode()
    return [(SERIAL, imei)[integer(args[0], 0, 1)]]


def _gsn(module: Module, form: str, args: list[Arg]) -> object:
    return [module.quirks.imei.encode()] if form == "exec" else only_test(form)


def _clac(module: Module, form: str, args: list[Arg]) -> object:
    if form != "exec":
        return only_test(form)
    basic = [name for name in _BASIC if module.has_command(name)]
    return [f"AT{name}".encode() for name in basic] + [
        f"AT+{name}".encode() for name in module.command_names()
    ]


COMMANDS: dict[str, Handler] = {
    "CGMI": _cgmi,
    "CGMM": _cgmm,
    "CGMR": _cgmr,
    "CGSN": _cgsn,
    "GSN": _gsn,
    "CLAC": _clac,
}
