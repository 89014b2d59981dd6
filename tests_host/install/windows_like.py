# SPDX-License-Identifier: MIT
"""`onemo` as on a system without POSIX: python windows_like.py WORDS...

What Windows lacks is hidden from our modules; what they build on has its own ways there.
"""

# What they build on is loaded before anything is hidden.
import asyncio  # noqa: F401
import builtins
import os
import select
import selectors
import signal
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401

import cryptography.x509  # noqa: F401
import mpremote.main  # type: ignore[import-untyped]  # noqa: F401
import rich.progress  # noqa: F401
import serial.tools.list_ports  # type: ignore[import-untyped]  # noqa: F401
import typer.testing  # noqa: F401

MODULES = ["termios", "fcntl", "pty", "tty", "pwd", "grp", "resource", "posix", "readline"]
ATTRIBUTES = {
    os: "openpty killpg getuid geteuid getgid memfd_create pidfd_open fork ttyname setsid",
    select: "poll epoll",
    signal: "SIGKILL SIGHUP SIGUSR1 SIGSTOP SIGCONT",
}

real_import = builtins.__import__


def hiding_import(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
    importer = (globals or {}).get("__name__", "")
    if level == 0 and name.split(".")[0] in MODULES and importer.split(".")[0].startswith("onemo"):
        raise ModuleNotFoundError(f"No module named {name!r} (hidden from {importer})", name=name)
    return real_import(name, globals, locals, fromlist, level)


def hide():
    """From now on, for the whole process."""
    builtins.__import__ = hiding_import
    for module, names in ATTRIBUTES.items():
        for name in names.split():
            delattr(module, name)
    selectors.DefaultSelector = selectors.SelectSelector


if __name__ == "__main__":
    hide()
    from onemo_tools.cli.main import app

    app(sys.argv[1:], prog_name="onemo")
