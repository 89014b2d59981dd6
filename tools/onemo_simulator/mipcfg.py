# SPDX-License-Identifier: MIT
"""AT+MIPCFG: options of each connection id, valid for this boot only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import Arg, Refusal, counted, integer

if TYPE_CHECKING:
    from .module import Handler, Module

_SIMPLE = {"autofree": (0, 1), "ackmode": (0, 1)}
_BUFFERS = {"sndbuf": (1, 8192), "rcvbuf": (1460, 65535)}


def options(module: Module) -> list[str]:
    """The options that this model has."""
    have = [o for o in module.profile.mipcfg_options if o not in module.quirks.absent_mipcfg]
    accepts = module.quirks.mipcfg_ssl
    if (module.profile.mipcfg_ssl if accepts is None else accepts) and module.profile.tls:
        have.append("ssl")
    return have


def _default(module: Module, option: str) -> tuple[int, ...]:
    if option == "rcvbuf":
        return (module.quirks.window or module.profile.window,)
    return {"encoding": (0, 0), "autofree": (0,), "sndbuf": (1460,), "cid": (1,)}.get(
        option, (10,) if option == "timeout" else (0,)
    )


class Config:
    """What MIPCFG has set."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._set: dict[tuple[int, str], tuple[int, ...]] = {}

    def get(self, conn: int, option: str) -> tuple[int, ...]:
        """The values of an option of connection `conn`."""
        return self._set.get((conn, option)) or _default(self._module, option)

    def set(self, conn: int, option: str, values: tuple[int, ...]) -> None:
        """Set an option."""
        self._set[conn, option] = values

    def clear(self) -> None:
        """As after boot."""
        self._set.clear()


def _parsed(module: Module, option: str, args: list[Arg]) -> tuple[int, ...]:
    if option == "encoding":
        counted(args, 2, 2)
        most = 2 if module.profile.escaped_send else 1
        return (integer(args[0], 0, most), integer(args[1], 0, 1))
    if option == "ssl":
        counted(args, 1, 2)
        on = integer(args[0], 0, 1)
        if len(args) == 2:
            return (on, integer(args[1], 0, module.profile.ssl_ids - 1))
        return (on, 0) if on else (0,)
    counted(args, 1, 1)
    if option == "timeout":
        return (integer(args[0], 1, module.profile.max_timeout),)
    if option == "cid":
        return (integer(args[0], 1, module.profile.cids),)
    if option in _SIMPLE:
        return (integer(args[0], *_SIMPLE[option]),)
    if option in module.profile.mipcfg_settable:
        return (integer(args[0], *_BUFFERS[option]),)
    raise Refusal(50)  # sndbuf and rcvbuf cannot be set on most models


def _ranges(module: Module, option: str) -> str:
    """An option's values as MIPCFG=? lists them."""
    profile = module.profile
    return {
        "encoding": f"(0-{2 if profile.escaped_send else 1}),(0-1)",
        "cid": f"(1-{profile.cids})",
        "timeout": f"(1-{profile.max_timeout})",
        "sndbuf": "(1-8192)",
        "rcvbuf": "(1460-65535)",
        "ssl": f"(0-1),(0-{profile.ssl_ids - 1})",
    }.get(option, "(0-1)")


def _mipcfg(module: Module, form: str, args: list[Arg]) -> object:
    have = options(module)
    last = module.profile.conn_ids - 1
    if form == "test":
        return [
            f'+MIPCFG: "{option}",(0-{last}),{_ranges(module, option)}'.encode() for option in have
        ]
    if form != "set":
        raise Refusal(None)
    module.string(args[0])
    option = args[0].value.decode("latin-1")
    if option not in have:
        raise module.unsupported()
    config = module.sockets.config
    if len(args) <= 2:
        ids = range(last + 1) if len(args) == 1 else [integer(args[1], 0, last)]
        return [
            b'+MIPCFG: "%s",%s'
            % (args[0].value, b",".join(b"%d" % v for v in (conn, *config.get(conn, option))))
            for conn in ids
        ]
    conn = integer(args[1], 0, last)
    values = _parsed(module, option, args[2:])
    if option not in module.quirks.ignored_mipcfg:
        config.set(conn, option, values)
    return ()


COMMANDS: dict[str, Handler] = {"MIPCFG": _mipcfg}
