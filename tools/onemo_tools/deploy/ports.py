# SPDX-License-Identifier: MIT
"""Serial ports of this PC: what is wrong with one, in a sentence, before or after it is opened."""

import errno
import os
import re
import stat
from pathlib import Path

from serial.tools import list_ports  # type: ignore[import-untyped]

_BUSY = (errno.EAGAIN, errno.EBUSY)  # locked by another program; held by another


class PortError(OSError):
    """A port cannot be used; the message names it and says what to do. `kind`: why, in a word."""

    def __init__(self, text: str, kind: str = "port-missing") -> None:
        super().__init__(text)
        self.kind = kind


def check(port: str) -> None:
    """PortError unless `port` may be one. It is not opened: that would reset some boards. What is
    no path, such as socket://127.0.0.1:5000 or mpremote's id:SERIAL, passes."""
    if os.name == "nt" or "://" in port or port == "auto" or port.startswith(("id:", "port:")):
        return
    path = Path(port)
    if not port or not path.exists():
        here = ", ".join(sorted(found.device for found in list_ports.comports())) or "none"
        raise PortError(
            f"there is no port {port or repr(port)}: plug it in, or start its virtual board; "
            f"ports here: {here}"
        )
    if not stat.S_ISCHR(path.stat().st_mode):
        what = "a folder" if path.is_dir() else "a file"
        raise PortError(
            f"{port} is {what}, no serial port: give one such as /dev/ttyUSB0", "no-port"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise _forbidden(port)


def opening(port: str, error: Exception) -> PortError:
    """What to raise where pyserial could not open it."""
    number = getattr(error, "errno", None)
    if number in _BUSY:
        remedy = f"close the other program, `fuser {port}` tells which"
        return PortError(f"{port} is in use: {remedy}", "port-busy")
    if number in (errno.EACCES, errno.EPERM):
        return _forbidden(port)
    if "Could not configure port" in str(error):
        return PortError(f"{port} is no serial port: give one such as /dev/ttyUSB0", "no-port")
    why = re.sub(r"(?i)could not open port \S+: ", "", unnumbered(error))
    return PortError(f"{port} cannot be opened: {why}", "port-closed")


def unnumbered(error: Exception) -> str:
    """Its text, without the numbers of errno."""
    return re.sub(r"\[Errno -?\d+\] ", "", str(error))


def _forbidden(port: str) -> PortError:
    if os.name == "nt":  # as Windows says of a port that another program has
        return PortError(f"{port} is in use: close the other program", "port-busy")
    facts = Path(port).stat()
    remedy = "`sudo chmod a+rw` it"
    if facts.st_gid and facts.st_mode & stat.S_IWGRP:
        try:
            remedy = f"`sudo usermod -aG {Path(port).group()} $USER` and log in once more"
        except KeyError:
            pass  # a group without a name
    return PortError(f"you may not use {port}: {remedy}", "port-forbidden")
