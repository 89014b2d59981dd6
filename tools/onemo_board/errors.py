# SPDX-License-Identifier: MIT
"""What can go wrong with the virtual board and with mpremote."""


class BoardError(Exception):
    """The virtual board cannot do what was asked."""


class BootError(BoardError):
    """The board does not boot; the message has what it printed."""


class CrashLoop(BoardError):
    """The board's process crashed again and again right after booting."""


class BoardTimeout(BoardError, TimeoutError):
    """What was waited for did not happen in time; the message has the latest output."""


_SHOWN = 60  # characters of a command that a message shows


def _shown(arguments: tuple[str, ...]) -> str:
    """A command in one short line: what it executes can be a page."""
    text = " ".join(" ".join(arguments).split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


class MpremoteError(Exception):
    """mpremote failed: its exit status and output are attributes."""

    def __init__(self, arguments: tuple[str, ...], status: int, stdout: str, stderr: str) -> None:
        self.arguments, self.status = arguments, status
        self.stdout, self.stderr = stdout, stderr
        said = (stderr.strip() or stdout.strip() or "nothing").splitlines()
        super().__init__(f"mpremote {_shown(arguments)} ended with {status}: {said[-1]}")


class MpremoteTimeout(MpremoteError, TimeoutError):
    """mpremote did not finish in its time; it has been ended."""

    def __init__(
        self, arguments: tuple[str, ...], timeout: float, stdout: str, stderr: str
    ) -> None:
        super().__init__(arguments, -1, stdout, stderr)
        self.timeout = timeout
        self.args = (f"mpremote {_shown(arguments)} did not finish in {timeout:g} s",)


class NoBoard(MpremoteError):
    """There is no board at the port, or it does not answer."""

    def __init__(self, arguments: tuple[str, ...], status: int, stdout: str, stderr: str) -> None:
        super().__init__(arguments, status, stdout, stderr)
        said = (stderr.strip() or stdout.strip()).splitlines()
        self.args = (f"no board answers: {said[-1]}",)
