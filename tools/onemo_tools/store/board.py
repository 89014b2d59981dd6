# SPDX-License-Identifier: MIT
"""The module at a board's UART, through the library that is on the board."""

import json
from binascii import unhexlify
from pathlib import Path
from textwrap import indent
from typing import Any, BinaryIO, Self

from onemo_tools.cli.exits import RemoteError
from onemo_tools.store import line_check, ram
from onemo_tools.store.repl import BoardFailed, Session
from onemo_tools.store.serial import digests_of

_LIMIT_S = 150.0  # of silence: a start takes 30 s at the most, an upload at 4800 bit/s 20 s

# Runs on the board. The answer is the last line, so that nothing that is printed before (a file's
# content, in hex) is taken for it. Errors of the driver come as text, for the same.
_SCRIPT = """
import json
from binascii import hexlify
class WrongEnd(OSError):
    pass
class Hex:
    def write(self, data):
        print("=" + hexlify(data).decode())
        return len(data)
%s
try:
%s
    if "certs" not in globals():
        from onemo import Modem
        from onemo.uart import open_uart
        try:
            with open("config.json") as file:
                settings = json.load(file)
        except OSError:
            raise ValueError("there is no config.json on the board: onemo deploy puts it there")
        except ValueError:
            raise ValueError("config.json on the board is no JSON: onemo deploy replaces it")
        if not isinstance(settings, dict):
            raise ValueError("config.json on the board is no object: onemo deploy replaces it")
        uart = open_uart(settings["uart"])
        if is_loopback(uart):
            raise WrongEnd(%s)
        modem = Modem(uart, baud=settings["uart"]["baud"])
        modem.start()
        certs = modem.certs
    print(json.dumps({"result": %s}))
except ImportError as error:
    said = "%%s: is the library on the board? onemo deploy puts it there" %% error
    print(json.dumps({"error": said}))
except KeyError as error:
    print(json.dumps({"error": "config.json on the board has no %%s" %% error}))
except MemoryError:
    print(json.dumps({"error": "the board's RAM is too short: reset it, let boot.py load less"}))
except (OSError, ValueError) as error:
    said = {"error": str(error) or repr(error), "type": type(error).__name__}
    said["code"] = getattr(error, "code", None)
    print(json.dumps(said))
"""

_RAM = Path(ram.__file__).read_text(encoding="utf-8")  # class Ram, as boards get it
# Where an ImportError is told: it needs the library, too.
_CHECK = indent(Path(line_check.__file__).read_text(encoding="utf-8"), "    ")
WIRED = (
    "the board's UART hears itself: its TX is wired to its RX (`onemo board --wire`), and no "
    "module is there; wire one, or start the board with `--module`"
)

# Runs on the board: what was in RAM only is gone from there, too.
_WIPE = """
for i in range(len(pem)):
    pem[i] = 0
"""


class BoardSays(RemoteError):
    """What went wrong on the board, in its words."""


class OnBoard:
    """The store of the module at the UART that the board's config.json names."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __enter__(self) -> Self:
        self._board = Session(self._port)
        self._board.__enter__()
        return self

    def __exit__(self, *what: object) -> None:
        self._board.__exit__(*what)

    def _call(self, expression: str) -> tuple[Any, list[str]]:
        """Evaluates an expression on the board, with `certs`; its value, and lines printed."""
        script = _SCRIPT % (_RAM, _CHECK, repr(WIRED), expression)
        lines = self._board.run(script, _LIMIT_S).splitlines()
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise BoardSays(f"the board at {self._port} answers {lines[-1:]!r}") from None
        if "error" in answer:
            raise BoardSays(answer["error"], answer.get("type", ""), answer.get("code"))
        return answer["result"], lines

    def list(self, kind: int) -> list[tuple[str, int]]:
        needed = "modem.require_model().psk" if kind == 3 else "True"
        found, _ = self._call(f"certs.list({kind}) if {needed} else []")
        return [(str(name), int(size)) for name, size in found]

    def write(self, name: str, file: Path, kind: int, force: bool) -> bool:
        """By way of the board's RAM: nothing of a key is ever in a file, here or there."""
        content = file.read_bytes()
        try:
            self._board.put("pem", content)
            call = f"certs.write({name!r}, Ram(pem), {kind}, size={len(content)}, force={force})"
            return bool(self._call(call)[0])
        finally:
            try:
                self._board.run(_WIPE, _LIMIT_S)
            except (BoardFailed, OSError):
                pass  # that it does not answer is told already

    def read(self, name: str, sink: BinaryIO) -> None:
        _, lines = self._call(f"certs.read({name!r}, Hex())")
        for line in lines:
            if line.startswith("="):
                sink.write(unhexlify(line[1:]))

    def remove(self, name: str, missing_ok: bool) -> bool:
        return bool(self._call(f"certs.remove({name!r}, {missing_ok})")[0])

    def digest(self, name: str) -> str:
        return str(self._call(f"certs.digest({name!r})")[0])

    def digests_of(self, file: Path) -> tuple[str, ...]:
        return digests_of(file)
