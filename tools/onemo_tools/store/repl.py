# SPDX-License-Identifier: MIT
"""One connection to a board's raw REPL, through mpremote's own transport, in this process.

What is sent so is in no command line, which all users of a PC can see, and in no file. It looks
first whether a MicroPython answers at all.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Self

from mpremote import transport_serial  # type: ignore[import-untyped]
from mpremote.transport import (  # type: ignore[import-untyped]
    TransportError,
    TransportExecError,
)
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]
from serial import SerialException  # type: ignore[import-untyped]
from serial.tools import list_ports  # type: ignore[import-untyped]

from onemo_tools.cli.exits import WrongEnd
from onemo_tools.deploy import ports

_PROBE_S = 5.0  # a board that was reset by the opening of its port boots first
_AGAIN_S = 0.5
_AT_S = 1.0
_ENTER_S = 10.0
_READ_S = 1.0  # of a read, so that no wait is without an end
_CHUNK = 256
_SHOWN = 60
_RAW = b"raw REPL; CTRL-B to exit"
_INTERRUPT = b"\r\x03\x03\r\x01"
_END = b"\r\x02"

# mpremote prints what it received when it gives up, which may be what was sent. Silenced where it
# prints, for sys.stdout is all threads': a line has a board in each.
transport_serial.print = lambda *args, **options: None


class NoMicroPython(WrongEnd):
    """No MicroPython answers at the port; the message says what does."""


class BoardFailed(OSError):
    """The board broke off what it was to do."""


class Session:
    """A board's raw REPL, from a soft reset on: `with Session(port) as board: board.run(code)`."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __enter__(self) -> Self:
        ports.check(self._port)
        device = _device(self._port)
        try:
            self._transport = SerialTransport(device, timeout=_READ_S)
        except (TransportError, SerialException, OSError) as error:
            # the transport says no more than that it failed
            raise _why_closed(device, error) from None
        try:
            with self._plugged_in():
                _require_micropython(self._transport.serial, self._port)
                self._transport.enter_raw_repl(timeout_overall=_ENTER_S)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            with contextlib.suppress(OSError):
                self._transport.serial.write(b"\r\x03")  # it may still be at work
        with contextlib.suppress(OSError):
            self._transport.exit_raw_repl()
        self._close()

    def run(self, code: str | bytes, timeout: float) -> str:
        """Runs code on the board; what it printed. `timeout`: seconds without any output."""
        with self._plugged_in():
            printed, error = self._transport.exec_raw(code, timeout=timeout)
        if error:
            lines = error.decode("utf-8", "replace").strip().splitlines()
            raise BoardFailed(lines[-1] if lines else "the board broke off")
        return str(printed.decode("utf-8", "replace"))

    def put(self, name: str, content: bytes) -> None:
        """`content` into a bytearray `name` in the board's RAM. BoardFailed if it does not fit."""
        try:
            self.run(f"{name} = bytearray({len(content)})", _ENTER_S)
            for at in range(0, len(content), _CHUNK):
                chunk = content[at : at + _CHUNK]
                self.run(f"{name}[{at}:{at + len(chunk)}] = {chunk!r}", _ENTER_S)
        except BoardFailed as error:
            if "MemoryError" not in str(error):
                raise
            raise BoardFailed(
                f"the board's RAM is too short for {len(content)} bytes in one piece: reset it, "
                "let boot.py load less, or write the file with --serial"
            ) from None

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._transport.close()

    @contextlib.contextmanager
    def _plugged_in(self) -> Iterator[None]:
        try:
            yield
        except TransportExecError as error:
            raise BoardFailed(error.args[-1]) from None
        except TransportError as error:
            # Without what came: it may hold what was sent.
            said = str(error).partition(":")[0]
            raise BoardFailed(f"the board at {self._port} does not answer: {said}") from None
        except SerialException as error:
            why = ports.unnumbered(error)
            said = f"{self._port} fails: is it still plugged in? {why}"
            raise ports.PortError(said, "port-lost") from None


def _require_micropython(port: Any, name: str) -> None:
    """NoMicroPython unless one answers at an open port."""
    heard = bytearray()
    deadline = time.monotonic() + _PROBE_S
    while time.monotonic() < deadline:
        port.write(_INTERRUPT)
        if _hear(port, heard, _AGAIN_S, _RAW):
            return
    port.write(_END)
    before = bytes(heard)
    del heard[:]
    port.write(b"\r")
    _hear(port, heard, _AGAIN_S / 2, b"\0")
    del heard[:]
    port.write(b"AT\r")
    is_module = _hear(port, heard, _AT_S, b"\nOK\r") or b"ERROR" in heard
    kind, said = _who(before, bytes(heard), is_module)
    raise NoMicroPython(f"no MicroPython answers at {name}: {said}", kind)


def _who(before: bytes, heard: bytes, is_module: bool) -> tuple[str, str]:
    """What is at the other end, as far as it can be told: in a word, in a sentence."""
    if is_module:
        return "module", "an AT module does; with --serial this PC talks to it itself"
    if heard and b"AT\r".startswith(heard.replace(b"\n", b"")[:3]):
        return "loopback", (
            "what is sent comes back as it is, so TX is wired to RX there, or the other end "
            "echoes: give the port of the board's USB or REPL"
        )
    if not (before or heard):
        return "silence", (
            "nothing at all does; is it the board's REPL port, is the board powered, is its "
            "program stuck? Reset it, or give another port"
        )
    last = (before + heard)[-_SHOWN:]
    return (
        "other",
        f"something else does, its last bytes were {last!r}: give the board's REPL port",
    )


def _hear(port: Any, heard: bytearray, seconds: float, wanted: bytes) -> bool:
    """Adds what comes to `heard`; True as soon as it has `wanted`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if port.in_waiting:
            heard += port.read(port.in_waiting)
            del heard[: -(1 << 12)]
            if wanted in heard:
                return True
        else:
            time.sleep(0.01)
    return False


def _device(port: str) -> str:
    """The device that a port in mpremote's words is."""
    found = sorted(list_ports.comports())
    if port.startswith("port:"):
        return port.removeprefix("port:")
    if port.startswith("id:"):
        found = [one for one in found if one.serial_number == port.removeprefix("id:")]
    elif port == "auto":
        found = [one for one in found if one.vid is not None and one.pid is not None]
    else:
        return port
    if not found:
        raise ports.PortError(f"there is no board {port}: plug it in, or name its port")
    return str(found[0].device)


def _why_closed(device: str, error: Exception) -> Exception:
    """What keeps a port closed, in a sentence."""
    import serial

    try:
        serial.serial_for_url(device, 115200, timeout=0, exclusive=True).close()
    except (OSError, ValueError) as cause:
        return ports.opening(device, cause)
    return ports.PortError(f"{device} cannot be opened: {error}", "port-closed")
