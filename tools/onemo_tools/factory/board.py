# SPDX-License-Identifier: MIT
"""One board at one port, from its opening to its closing: who it is, what its module holds, what
is written into it.

Nothing is written before the board id and the IMEI were read in this connection, and each piece
that is written names them: another board, or another module, that is there by then refuses it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from onemo_tools.cli.exits import RemoteError
from onemo_tools.factory.claims import ModuleIdentity
from onemo_tools.store import ram
from onemo_tools.store.repl import BoardFailed

CERT, KEY = 1, 2  # MSSLLIST's types

_SCRIPT = Path(__file__).parent / "device" / "station.py"
_ANSWER_S = 60.0  # of silence: a start takes 30 s at the most
_WRITE_S = 150.0
_PROVE_S = 240.0  # registration, PDP context, handshake
_PIECE = 512


class BoardSession(Protocol):
    """A board's raw REPL, as `onemo_tools.store.repl.Session` is one."""

    def run(self, code: str | bytes, timeout: float) -> str: ...


class NotRead(RuntimeError):
    """A mistake of this program's: a port was to be written to whose board was not read."""


class WrongUnit(OSError):
    """Another board, or another module, is there than the one that was read. Nothing was written
    to it."""

    kind = "wrong-unit"


class BoardError(RemoteError):
    """What went wrong on the board, in its words."""


@dataclass(frozen=True)
class Found:
    """What a board and its module say of themselves."""

    board_id: str
    module: ModuleIdentity


@dataclass(frozen=True)
class Names:
    """What the objects of an identity are called in the module."""

    ca: str = "ca.pem"
    cert: str = "client.pem"
    key: str = "client.key"


class Board:
    """The board of an open session. Closing the session is the caller's."""

    def __init__(self, session: BoardSession) -> None:
        self._session = session
        self._found: Found | None = None
        self.written = 0  # bytes that went into the module
        self._load()

    def _load(self) -> None:
        source = [Path(path).read_text(encoding="utf-8") for path in (ram.__file__, _SCRIPT)]
        self._answer_of("\n".join(source), _ANSWER_S)

    def identify(self) -> Found:
        """Reads board id, IMEI and ICCID; from now on this is the board that is written to."""
        said = self._call("identify()", _ANSWER_S)
        if not said["imei"]:
            raise BoardError("the module says no IMEI, or two different ones: look at its wiring")
        module = ModuleIdentity(said["imei"], said["iccid"], said["model"])
        self._found = Found(said["board"], module)
        return self._found

    def digests(self, names: Names) -> tuple[str | None, str | None, str | None]:
        """The module's digests of CA, certificate and key; None for what it does not hold."""
        ca, cert, key = self._call(f"digests({[names.ca, names.cert, names.key]!r})", _ANSWER_S)
        return ca, cert, key

    def write(
        self,
        name: str,
        content: bytes | bytearray,
        kind: int,
        progress: Callable[[float], None] = lambda part: None,
    ) -> bool:
        """Writes an object by way of the board's RAM, which is wiped then; True once the module
        has confirmed it, False if it had it. NotRead, WrongUnit."""
        found = self._required()
        board, imei = found.board_id, found.module.imei
        try:
            self._call(f"expect({board!r}, {len(content)})", _ANSWER_S)
            for at in range(0, len(content), _PIECE):
                piece = bytes(content[at : at + _PIECE])
                self._call(f"fill({board!r}, {at}, {piece!r})", _ANSWER_S)
                progress(0.5 * min(1.0, (at + _PIECE) / len(content)))
            new = self._call(f"write({name!r}, {kind}, {board!r}, {imei!r})", _WRITE_S)
            progress(1.0)
        finally:
            try:
                self._call("scrub()" if kind == KEY else "wipe()", _ANSWER_S)
            except (BoardFailed, RemoteError, OSError):
                pass  # that it does not answer is told already
        if new:
            self.written += len(content)
        return bool(new)

    def prove(
        self, host: str, port: int, ssl_id: int, names: Names, apn: str | None, nonce: str
    ) -> str:
        """What the server at host:port answers to `nonce` over a connection with the module's
        identity. BoardError."""
        objects = [names.ca, names.cert, names.key]
        call = f"prove({host!r}, {port}, {ssl_id}, {objects!r}, {apn!r}, {nonce!r})"
        return str(self._call(call, _PROVE_S))

    def _required(self) -> Found:
        if self._found is None:
            raise NotRead("the board id was not read since the port was opened")
        return self._found

    def _call(self, expression: str, timeout: float) -> Any:
        return self._answer_of(f"answer(lambda: {expression})", timeout)

    def _answer_of(self, code: str, timeout: float) -> Any:
        lines = self._session.run(code, timeout).splitlines()
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise BoardError("the board answers what makes no sense") from None
        if "error" not in answer:
            return answer["result"]
        if answer.get("type") == "Elsewhere":
            self._found = None
            raise WrongUnit(answer["error"])
        raise BoardError(answer["error"], answer.get("type", ""), answer.get("code"))
