# SPDX-License-Identifier: MIT
"""How the commands end: one table of exit statuses, and which error is which."""

from dataclasses import dataclass

from onemo.errors import CommandError, Timeout, VerifyError
from onemo_board.errors import MpremoteTimeout, NoBoard

from onemo_tools.deploy.ports import PortError

DONE, FAILED, USAGE, KEPT, PORT, SILENT, REFUSED, DIFFERS, MODULE, MISSING = range(10)
INTERRUPTED = 130

MEANING = {
    DONE: "done",
    FAILED: "failed; the message says why",
    USAGE: "the command line makes no sense",
    KEPT: "deploy: done, but files that it did not put there were kept",
    PORT: "the port is missing, busy, forbidden, or was unplugged",
    SILENT: "nothing answers at the port, or something else does",
    REFUSED: "refused before anything was sent: a PEM file, a name, a value",
    DIFFERS: "what is there differs from what it was compared with",
    MODULE: "the module refused, or holds something else than what was sent",
    MISSING: "a part is not installed, or not available on this system",
    INTERRUPTED: "interrupted by Ctrl-C",
}

_KINDS = {
    FAILED: "failed",
    USAGE: "usage",
    PORT: "port",
    SILENT: "no-answer",
    REFUSED: "refused",
    DIFFERS: "differs",
    MODULE: "module",
    MISSING: "missing-part",
    INTERRUPTED: "interrupted",
}


class WrongEnd(OSError):
    """The port is open, but not to what was asked for. `kind`: what is there, in a word."""

    def __init__(self, text: str, kind: str = "no-answer") -> None:
        super().__init__(text)
        self.kind = kind


class RemoteError(ValueError):
    """An error of the driver's on a board: its class's name and its code, beside its text."""

    def __init__(self, text: str, name: str = "", code: int | None = None) -> None:
        super().__init__(text)
        self.name, self.code = name, code


@dataclass(frozen=True)
class Ending:
    """What a program is told: exit status, kind in a word, the module's code."""

    status: int
    kind: str
    code: int | None = None


def ending(error: Exception | str, status: int | None = None) -> Ending:
    """How a command ends that `error` ended."""
    code = getattr(error, "code", None)
    if status is None:
        status = _status(error)
    kind = getattr(error, "kind", None) or _KINDS.get(status, "failed")
    if isinstance(error, VerifyError) or getattr(error, "name", "") == "VerifyError":
        kind = "verify"
    return Ending(status, kind, code if isinstance(code, int) else None)


def _status(error: Exception | str) -> int:
    if isinstance(error, RemoteError):
        return {
            "CommandError": MODULE,
            "VerifyError": MODULE,
            "Timeout": SILENT,
            "WrongEnd": SILENT,
            "ValueError": REFUSED,
            "TypeError": REFUSED,
        }.get(error.name, FAILED)
    for kinds, status in (
        ((PortError,), PORT),
        ((WrongEnd, NoBoard, MpremoteTimeout, Timeout), SILENT),
        ((CommandError, VerifyError), MODULE),
        ((ValueError,), REFUSED),
    ):
        if isinstance(error, kinds):
            return status
    return FAILED
