# SPDX-License-Identifier: MIT
"""Boards and modules for proofs of the line: many, quick, and alive while stations are killed.

A board here runs the scripts that a real one runs, word for word, with the driver and a simulated
module on a clock of its own, in this process; a station in another process talks to it over a
socket in place of a raw REPL. Connections out of the module are real.

    with LineRig(folder) as rig:
        board = rig.add("b0a2d00001", imei="861234050000001")
        with FastSession(board.port) as session:
            session.run("print(1)", 10)
"""

from __future__ import annotations

import builtins
import io
import json
import socket
import struct
import threading
import time
from binascii import unhexlify
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import onemo
from onemo import _port
from onemo_simulator import Module, SimulatedUart, SystemNetwork, VirtualClock
from onemo_simulator.store import Store

from onemo_tools.proofs.rig import VirtualModem
from onemo_tools.store.repl import BoardFailed

_WRAP = 1 << 30
_SETTINGS = json.dumps({"uart": {"id": 1, "baud": 115200}})
_QUICK: dict[str, Any] = {"boot_delay": 0.0, "register_delay": 0.0, "close_delay": 0.0}
_BUSY_S = 10.0  # what a killed station began may take so long to end
_LENGTH = struct.Struct(">I")


class Gone(BaseException):
    """The station went away in the middle of what a board did for it."""


class _Store(Store):
    """Remembers all that was ever written into it."""

    def __init__(self, capacity: int, most: int) -> None:
        super().__init__(capacity, most)
        self.history: list[bytes] = []

    def put(self, kind: int, name: str, data: bytes) -> None:
        self.history.append(data)
        super().put(kind, name, data)


class _Uart(SimulatedUart):
    """Where the board's side of a connection ends, some boards stop in the middle."""

    board: FastBoard

    def write(self, buf: Any, *window: int) -> int | None:
        self.board.check_station()
        return super().write(buf, *window)


class FastBoard:
    """A board with its module. `stops`: it drops what it does when its station is gone, as one
    does whose USB port loses power; else it ends it, as one does that is only not heard."""

    def __init__(self, port: Path, board_id: str, stops: bool = False, **quirks: Any) -> None:
        self.port = str(port)
        self.board_id = board_id
        self.stops = stops
        self.clock = VirtualClock()
        self.network = SystemNetwork()
        own = {**_QUICK, **quirks}
        self.module = Module("ML307R", clock=self.clock, network=self.network, **own)
        self.store = _Store(self.module.store.capacity, self.module.store.most)
        self.module.store = self.store
        self.uart = _Uart(self.module)
        self.uart.board = self
        self.ram: list[bytearray] = []  # what scripts allocated for an object
        self._station: socket.socket | None = None
        self.lock = threading.Lock()  # a module answers one at a time
        self._space: dict[str, Any] = {}
        self.reset()

    @property
    def imei(self) -> str:
        return str(self.module.quirks.imei)

    def check_station(self) -> None:
        """Gone if the station is, and this board stops then."""
        if not self.stops or self._station is None:
            return
        try:
            gone = self._station.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            raise Gone

    def reset(self) -> None:
        """A soft reset: a script finds this board's modules, files and print, and no more."""
        modules = {
            "gc": SimpleNamespace(collect=lambda: None),  # this process's heap is not a board's
            "machine": SimpleNamespace(unique_id=lambda: unhexlify(self.board_id)),
            "onemo.uart": SimpleNamespace(open_uart=lambda settings: self.uart),
            "onemo": SimpleNamespace(Modem=self._modem, AUTH_MUTUAL=onemo.AUTH_MUTUAL),
        }

        def import_(name: str, *args: Any) -> Any:
            return modules[name] if name in modules else builtins.__import__(name, *args)

        def allocate(*args: Any) -> bytearray:
            made = bytearray(*args)
            if len(self.ram) > 64:
                raise MemoryError  # as a small heap does, at some time
            if args and isinstance(args[0], int) and args[0] >= 16:
                self.ram.append(made)
            return made

        own = {**vars(builtins), "__import__": import_, "bytearray": allocate}
        own["open"] = lambda *args: io.StringIO(_SETTINGS)
        with self.lock:
            self._space = {"__builtins__": own, "__name__": "__main__"}

    def _modem(self, uart: Any, baud: int) -> VirtualModem:
        modem = VirtualModem(uart, baud=baud)
        modem.virtual_clock, modem.uart = self.clock, self.uart
        return modem

    def run(self, code: str, station: socket.socket) -> dict[str, str]:
        """Runs code as a raw REPL does; what was printed, and the error's last line."""
        printed = io.StringIO()
        with self.lock:
            self._space["__builtins__"]["print"] = lambda *words: print(*words, file=printed)
            self._station = station
            self.ram.clear()
            _clocks.now = self.clock
            try:
                exec(compile(code, "<raw REPL>", "exec"), self._space)
                error = ""
            except Exception as found:
                error = f"{type(found).__name__}: {found}"
            finally:
                self._station = None
                _clocks.now = None
        return {"printed": printed.getvalue(), "error": error}


class _Port:
    """Held by one station at a time; False for one that finds it in use for seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = threading.local()

    def __enter__(self) -> bool:
        self._held.by = self._lock.acquire(timeout=_BUSY_S)
        return bool(self._held.by)

    def __exit__(self, *_: object) -> None:
        if self._held.by:
            self._lock.release()


class LineRig:
    """Boards at ports, which are sockets in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.boards: dict[str, FastBoard] = {}  # port -> what is there now
        self._ports: dict[str, _Port] = {}
        self._listeners: list[socket.socket] = []
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        _clocks.install()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for listener in self._listeners:
            listener.close()
        for board in self.boards.values():
            board.network.close()
        _clocks.remove()

    def add(self, board_id: str, *, stops: bool = False, **quirks: Any) -> FastBoard:
        """Puts a new board at a port of its own."""
        port = self.folder / f"p{len(self.boards)}"
        board = FastBoard(port, board_id, stops, **quirks)
        self.boards[str(port)] = board
        self._ports[str(port)] = _Port()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(port))
        listener.listen(16)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(str(port), listener), daemon=True).start()
        return board

    def swap(self, one: str, other: str) -> None:
        """Two boards change places, under whoever has the ports open."""
        boards = self.boards
        boards[one], boards[other] = boards[other], boards[one]

    def _accept(self, port: str, listener: socket.socket) -> None:
        while not self._ended.is_set():
            try:
                station, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(port, station), daemon=True).start()

    def _serve(self, port: str, station: socket.socket) -> None:
        # One station has a port at a time. Opening it resets the board that is there; one that
        # comes to it later goes on with what it was told elsewhere: its memory is its own.
        with station, self._ports[port] as free:
            if not free:
                return
            self.boards[port].reset()
            try:
                while (code := _receive(station)) is not None:
                    board = self.boards[port]
                    _send(station, json.dumps(board.run(code.decode(), station)).encode())
            except (OSError, Gone):
                pass


class FastSession:
    """What a station has in place of `store.repl.Session`."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(self._port)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def run(self, code: str | bytes, timeout: float) -> str:
        _send(self._socket, code.encode() if isinstance(code, str) else code)
        answer = _receive(self._socket)
        if answer is None:
            raise BoardFailed("the board is gone")
        said = json.loads(answer)
        if said["error"]:
            raise BoardFailed(said["error"])
        return str(said["printed"])


def _send(sock: socket.socket, data: bytes) -> None:
    sock.sendall(_LENGTH.pack(len(data)) + data)


def _receive(sock: socket.socket) -> bytes | None:
    head = _exactly(sock, _LENGTH.size)
    return None if head is None else _exactly(sock, _LENGTH.unpack(head)[0])


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return bytes(data)


class _Clocks(threading.local):
    """The driver's clock is that of the board whose thread this is."""

    now: VirtualClock | None = None
    _real: Any = None

    def install(self) -> None:
        _Clocks._real = (_port.ticks_ms, _port.sleep_ms)
        _port.ticks_ms = self._ticks_ms
        _port.sleep_ms = self._sleep_ms

    def remove(self) -> None:
        _port.ticks_ms, _port.sleep_ms = _Clocks._real

    def _ticks_ms(self) -> int:
        return int((self.now.now() if self.now else time.monotonic()) * 1000) % _WRAP

    def _sleep_ms(self, ms: int) -> None:
        if self.now is not None:
            self.now.advance(ms / 1000)
        else:
            time.sleep(ms / 1000)


_clocks = _Clocks()
