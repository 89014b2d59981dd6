# SPDX-License-Identifier: MIT
"""Looks at one thing after the other; what is in the way of another is said."""

import ast
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import onemo
from onemo import profile

from onemo_tools.deploy import ports
from onemo_tools.doctor import steps
from onemo_tools.store import line_check
from onemo_tools.store.repl import BoardFailed, NoMicroPython, Session
from onemo_tools.store.serial import PcUart

LIMIT_S = 55.0
BAUDS = (115200, 9600, 57600, 38400, 460800, 921600)
OLDEST = (1, 26)
_SILENCE_S = 30.0  # of a board in a step
_SHOWN = 40  # bytes of what something else says
_INTERRUPT = b"\r\x03\x03"

# In this order; each with what has to be right before.
STEPS: dict[str, tuple[str, ...]] = {
    "model": (),
    "power": (),
    "sim": (),
    "registration": ("sim",),
    "signal": (),
    "apn": (),
    "address": ("sim", "registration"),
    "clock": ("address",),
    "store": (),
    "differs": ("config",),
    "journal": (),
    "dns": ("config", "address"),
    "tcp": ("dns",),
    "tls": ("tcp", "store", "clock"),
}
_SERVER = ("dns", "tcp", "tls")
_ON_BOARD = ("differs", "journal")  # need the files that only a board has

_SURVEY = """
import json, sys
found = {"version": "%d.%d.%d" % sys.implementation[1][:3], "platform": sys.platform}
try:
    import onemo
    found["library"] = onemo.__version__
except ImportError:
    found["library"] = None
print(json.dumps(found))
"""
_CONFIG = """
from onemo import profile
found = ["config", {}]
try:
    with open("config.json") as file:
        case.config = json.load(file)
    case.config = profile.read()
except OSError:
    found = ["config-missing", {}]
except ValueError as error:
    found = ["config-wrong", {"text": str(error)}]
print(json.dumps([found, bool(case.config and case.config.get("endpoint"))]))
"""
_UART = """
from onemo.uart import open_uart
found = None
try:
    settings = case.config["uart"]
    uart = open_uart(settings)
except (ValueError, TypeError, KeyError, OSError) as error:
    found = ["uart-wrong", {"text": str(error)}]
else:
    who, heard = who_answers(uart)
    if who in ("silence", "other"):
        for baud in %r:
            other = dict(settings)
            other["baud"] = baud
            uart = open_uart(other)
            if who_answers(uart, 1)[0] == "module":
                who, heard = "other-baud", b""
                settings = other
                break
        else:
            uart = open_uart(settings)
    if who in ("module", "other-baud"):
        begin(uart, settings["baud"])
    found = [who, {"baud": settings["baud"], "heard": repr(heard[-%d:])}]
print(json.dumps(found))
"""


_RUN = """
found = run_step("{name}")
del step_{name}
import gc
gc.collect()
print(json.dumps(found))
"""


@dataclass
class Row:
    """One line of the table: `row`, `state` and `code` as words.py has them."""

    row: str
    state: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_STATE = {"other-baud": "warn", "micropython-old": "warn", "library-differs": "warn"}


def examine(
    serial: str | None, board: str | None, baud: int, config: Path | None, limit: float = LIMIT_S
) -> Iterator[Row]:
    """The rows as they are known; ends in `limit` seconds, whatever hangs."""
    rows: queue.Queue[Row | None] = queue.Queue()
    exam = _Exam(rows.put, serial or board or "", baud, config)
    work = exam.on_board if board is not None else exam.on_serial
    end = time.monotonic() + limit

    def run() -> None:
        try:
            work()
        except ports.PortError as error:
            exam.say("port", "bad", error.kind, text=str(error))
        except Exception as error:  # a row in any case: nobody else would hear of it
            said = f"{type(error).__name__} {ports.unnumbered(error)}"
            exam.say("answers", "bad", "unexpected", text=said)
        finally:
            rows.put(None)

    threading.Thread(target=run, name="onemo-doctor", daemon=True).start()
    while True:
        try:
            row = rows.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            yield Row("time", "bad", "over", {"seconds": round(limit)})
            return
        if row is None:
            return
        yield row


class _Exam:
    def __init__(
        self, tell: Callable[[Row], object], port: str, baud: int, config: Path | None
    ) -> None:
        self._tell = tell
        self._port, self._baud, self._config_file = port, baud, config
        self._wrong: set[str] = set()
        self._has_endpoint = False

    def say(self, row: str, state: str, code: str, /, **facts: Any) -> None:
        if state == "bad":
            self._wrong.add(row)
        self._tell(Row(row, state, code, {"port": self._port, **facts}))

    # A module at a port of this PC

    def on_serial(self) -> None:
        uart = PcUart(self._port, self._baud)
        self.say("port", "ok", "port-open")
        try:
            who, heard = line_check.who_answers(uart)
            if who in (line_check.SILENCE, line_check.OTHER):
                uart.write(_INTERRUPT)
                time.sleep(0.3)
                prompt = bytearray(64)
                count = uart.readinto(prompt) or 0
                if b">>>" in prompt[:count]:
                    self.say("answers", "bad", "board-not-module")
                    return
                for baud in BAUDS if "://" not in self._port else ():
                    uart.close()
                    uart = PcUart(self._port, baud)
                    if line_check.who_answers(uart, 1)[0] == line_check.MODULE:
                        who, self._baud = "other-baud", baud
                        break
            shown = repr(bytes(heard[-_SHOWN:]))
            self._answers("answers", who, {"baud": self._baud, "heard": shown})
            if "answers" in self._wrong:
                return
            steps.case.config = self._read_config()
            steps.begin(uart, self._baud)
            self._run_steps(steps.run_step, on_board=False)
        finally:
            uart.close()

    def _answers(self, row: str, who: str, facts: dict[str, Any]) -> None:
        state = "ok" if who == line_check.MODULE else _STATE.get(who, "bad")
        self.say(row, state, who, **facts)

    def _read_config(self) -> dict[str, Any] | None:
        if self._config_file is None:
            self.say("config", "note", "config-none")
            return None
        try:
            found: dict[str, Any] = profile.read(str(self._config_file))
        except (OSError, ValueError) as error:
            self.say("config", "bad", "config-wrong", text=ports.unnumbered(error))
            return None
        self.say("config", "ok", "config")
        self._has_endpoint = bool(found.get("endpoint"))
        return found

    # A module at a board

    def on_board(self) -> None:
        try:
            session = Session(self._port).__enter__()
        except NoMicroPython as error:
            self.say("port", "ok", "port-open")
            code = {"module": "module-not-board", "silence": "board-silent"}.get(
                error.kind, error.kind
            )
            heard = str(error).rpartition("bytes were ")[2].partition(": give")[0]
            self.say("answers", "bad", code, heard=heard)
            return
        self.say("port", "ok", "port-open")
        self.say("answers", "ok", "board")
        try:
            self._with_board(session)
        except BoardFailed as error:
            self.say("answers", "bad", "unexpected", text=str(error))
        finally:
            session.__exit__(None, None, None)

    def _with_board(self, board: Session) -> None:
        found = self._ask(board, _SURVEY)
        version = tuple(map(int, found["version"].split(".")[:2]))
        code = "micropython-old" if version < OLDEST else "micropython"
        said = {"version": f"MicroPython {found['version']}", "platform": found["platform"]}
        self.say("micropython", _STATE.get(code, "ok"), code, **said)
        library = found["library"]
        if library is None:
            self.say("library", "bad", "library-missing")
            return
        code = "library" if library == onemo.__version__ else "library-differs"
        self.say("library", _STATE.get(code, "ok"), code, version=library, here=onemo.__version__)
        for definition in _definitions(line_check).values():
            board.run(definition, _SILENCE_S)
        definitions = _definitions(steps)
        for name, definition in definitions.items():
            if not name.startswith("step_"):
                board.run(definition, _SILENCE_S)
        (code, facts), self._has_endpoint = self._ask(board, _CONFIG)
        self.say("config", "ok" if code == "config" else "bad", code, **facts)
        if code == "config-missing":
            return
        who, facts = self._ask(board, _UART % (BAUDS, _SHOWN))
        self._answers("uart", who, facts)
        if "uart" in self._wrong:
            return

        def run_step(name: str) -> tuple[str, str, dict[str, Any]]:
            # One at a time, for a board has no room for all of them beside what they load.
            board.run(definitions[f"step_{name}"], _SILENCE_S)
            state, code, facts = self._ask(board, _RUN.format(name=name))
            return state, code, facts

        self._run_steps(run_step, on_board=True)

    def _ask(self, board: Session, code: str) -> Any:
        lines = board.run(code, _SILENCE_S).splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            raise BoardFailed(f"the board answers {lines[-1:]!r}") from None

    # The module

    def _run_steps(
        self, run: Callable[[str], tuple[str, str, dict[str, Any]]], *, on_board: bool
    ) -> None:
        silent = ""
        for name, before in STEPS.items():
            if name in _ON_BOARD and not on_board:
                continue
            if name in _SERVER and not self._has_endpoint:
                if name == "dns" and "config" not in self._wrong and on_board:
                    self.say(name, "skip", "no-endpoint")
                continue
            obstacle = silent or next((one for one in before if one in self._wrong), "")
            if obstacle:
                self.say(name, "skip", "not-reached", after=obstacle)
                self._wrong.add(name)
                continue
            state, code, facts = run(name)
            self.say(name, state, code, **facts)
            if code == "went-silent":
                silent = name


def _definitions(module: ModuleType) -> dict[str, str]:
    """A module's statements, each by itself, by the names of functions: a board has no room to
    compile all of it at once."""
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    return {
        getattr(node, "name", str(number)): ast.get_source_segment(text, node) or ""
        for number, node in enumerate(ast.parse(text).body)
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    }
