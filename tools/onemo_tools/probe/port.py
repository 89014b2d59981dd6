# SPDX-License-Identifier: MIT
"""Raw bytes to a module and back: through a serial port of this PC, or a board's UART."""

import json
import time
from binascii import unhexlify
from typing import Protocol, Self

import serial  # type: ignore[import-untyped]

from onemo_tools.deploy import ports
from onemo_tools.store.board import BoardSays
from onemo_tools.store.repl import Session

_WRITE_S = 5.0
_BOARD_S = 30.0  # of silence until a board counts as gone
_CHUNK = 256


class Port(Protocol):
    """What the probe needs of a line. Times are seconds."""

    baud: int

    def write(self, data: bytes) -> None:
        """Sends all of it."""

    def read(self, seconds: float) -> bytes:
        """What has come, as soon as something has; b"" after that many seconds of nothing."""

    def now(self) -> float:
        """A clock that never goes back."""

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""


class SerialPort:
    """A serial port of this PC, or any URL of pyserial's."""

    def __init__(self, port: str, baud: int) -> None:
        ports.check(port)
        self.baud = baud
        self._port = port

    def __enter__(self) -> Self:
        try:
            self._serial = serial.serial_for_url(
                self._port, self.baud, timeout=0, write_timeout=_WRITE_S, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise ports.opening(self._port, error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._serial.close()

    def write(self, data: bytes) -> None:
        at = 0
        deadline = self.now() + _WRITE_S + len(data) * 10 / self.baud
        try:
            while at < len(data):
                at += int(self._serial.write(data[at:]) or 0)
                if self.now() > deadline:
                    raise serial.SerialTimeoutException
        except serial.SerialTimeoutException:
            raise ports.PortError(
                f"{self._port} takes no bytes: is flow control on without its wires?"
            ) from None
        except OSError as error:
            raise self._gone(error) from None

    def read(self, seconds: float) -> bytes:
        try:
            self._serial.timeout = max(0.0, seconds)
            data = bytes(self._serial.read(1))
            if data:
                self._serial.timeout = 0
                data += bytes(self._serial.read(4096))
        except OSError as error:
            raise self._gone(error) from None
        return data

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _gone(self, error: OSError) -> ports.PortError:
        why = ports.unnumbered(error)
        return ports.PortError(f"{self._port} fails: is it still plugged in? {why}")


# Runs on the board: its UART as config.json has it, and one exchange: bytes out, then what comes
# until something came and 30 ms of silence followed, or time is up.
_OPEN = """
import json
try:
    with open("config.json") as file:
        settings = json.load(file)["uart"]
    from onemo.uart import open_uart
    probe_uart = open_uart(settings)
    print(json.dumps({"baud": settings["baud"]}))
except OSError:
    said = "there is no config.json on the board: onemo deploy puts it there"
    print(json.dumps({"error": said}))
except ImportError:
    print(json.dumps({"error": "the library is not on the board: onemo deploy puts it there"}))
except (KeyError, TypeError, ValueError) as error:
    print(json.dumps({"error": "config.json on the board: %s" % error}))
import time
from binascii import hexlify
def probe_send(data):
    at = 0
    start = time.ticks_ms()
    while at < len(data) and time.ticks_diff(time.ticks_ms(), start) < 20000:
        at += probe_uart.write(data[at:]) or 0
def probe_exchange(data, ms, buf=bytearray(256)):
    probe_send(data)
    got = False
    start = heard = time.ticks_ms()
    while True:
        n = probe_uart.readinto(buf)
        now = time.ticks_ms()
        if n:
            print(hexlify(memoryview(buf)[:n]).decode())
            got, heard = True, now
        elif time.ticks_diff(now, heard if got else start) >= (30 if got else ms):
            break
        if time.ticks_diff(now, start) > ms + 5000:
            break
"""


class BoardPort:
    """The module at a board's UART, byte by byte, through the board's raw REPL."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._unsent = b""
        self.baud = 115200

    def __enter__(self) -> Self:
        self._board = Session(self._port)
        self._board.__enter__()
        try:
            answer = json.loads(self._board.run(_OPEN, 10.0).splitlines()[-1])
        except (IndexError, ValueError):
            self.__exit__(None, None, None)
            raise BoardSays(f"the board at {self._port} does not open its UART") from None
        except BaseException:
            self.__exit__(None, None, None)
            raise
        if "error" in answer:
            self.__exit__(None, None, None)
            raise BoardSays(answer["error"])
        self.baud = int(answer["baud"])
        return self

    def __exit__(self, *what: object) -> None:
        self._board.__exit__(*what)

    def write(self, data: bytes) -> None:
        self._unsent += data

    def read(self, seconds: float) -> bytes:
        data, self._unsent = self._unsent, b""
        while len(data) > _CHUNK:  # as source, it has to fit into the board's RAM
            self._board.run(f"probe_send({data[:_CHUNK]!r})", _BOARD_S)
            data = data[_CHUNK:]
        call = f"probe_exchange({data!r}, {int(max(0.0, seconds) * 1000)})"
        printed = self._board.run(call, seconds + _BOARD_S)
        return b"".join(unhexlify(line.strip()) for line in printed.splitlines())

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
