# SPDX-License-Identifier: MIT
"""The module at a serial port of this PC."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import serial  # type: ignore[import-untyped]
from onemo import Modem

from onemo_tools.cli.exits import WrongEnd
from onemo_tools.deploy import ports
from onemo_tools.store import line_check

_WRITE_S = 5.0


class PcUart:
    """A pyserial port as the driver wants a UART: `any`, `readinto`, `write`, never waiting."""

    def __init__(self, port: str, baud: int) -> None:
        ports.check(port)
        self._port = port
        try:
            self._serial = serial.serial_for_url(
                port, baud, timeout=0, write_timeout=_WRITE_S, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise ports.opening(port, error) from None

    def any(self) -> int:
        with self._plugged_in():
            return int(self._serial.in_waiting)

    def readinto(self, buf: bytearray | memoryview, nbytes: int | None = None) -> int | None:
        with self._plugged_in():
            data = self._serial.read(len(buf) if nbytes is None else min(nbytes, len(buf)))
        buf[: len(data)] = data
        return len(data) or None

    def write(self, buf: bytes | bytearray | memoryview) -> int | None:
        with self._plugged_in():
            try:
                return int(self._serial.write(buf) or 0) or None
            except serial.SerialTimeoutException:
                return None  # nobody takes it: the driver's own deadline speaks

    def close(self) -> None:
        self._serial.close()

    @contextmanager
    def _plugged_in(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = ports.unnumbered(error)
            said = f"{self._port} fails: is it still plugged in? {why}"
            raise ports.PortError(said, "port-lost") from None


class OnSerial:
    """The store of the module at `port`, such as /dev/ttyUSB0 or any URL of pyserial's."""

    def __init__(self, port: str, baud: int) -> None:
        self._port, self._baud = port, baud

    def __enter__(self) -> Self:
        self._uart = PcUart(self._port, self._baud)
        try:
            if line_check.is_loopback(self._uart):
                raise WrongEnd(
                    f"what is sent to {self._port} comes back as it is: its TX is wired to its "
                    "RX, and no module is there",
                    "loopback",
                )
            self._modem = Modem(self._uart, baud=self._baud)
            self._modem.start()
        except BaseException:
            self._uart.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._uart.close()

    def list(self, kind: int) -> list[tuple[str, int]]:
        if kind == 3 and not self._modem.require_model().psk:
            return []
        return list(self._modem.certs.list(kind))

    def write(self, name: str, file: Path, kind: int, force: bool) -> bool:
        return bool(self._modem.certs.write(name, str(file), kind, force=force))

    def read(self, name: str, sink: BinaryIO) -> None:
        self._modem.certs.read(name, sink)

    def remove(self, name: str, missing_ok: bool) -> bool:
        return bool(self._modem.certs.remove(name, missing_ok))

    def digest(self, name: str) -> str:
        return str(self._modem.certs.digest(name))

    def digests_of(self, file: Path) -> tuple[str, ...]:
        return digests_of(file)


def digests_of(file: Path) -> tuple[str, ...]:
    """The MD5s that a module may show for a file: as it is, and with CR LF, as the models store
    it that take data in commands only."""
    content = file.read_bytes()
    lines = content.replace(b"\r\n", b"\n")
    return tuple(
        hashlib.md5(data).hexdigest() for data in (content, lines, lines.replace(b"\n", b"\r\n"))
    )
