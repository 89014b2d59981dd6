# SPDX-License-Identifier: MIT
"""Driver and simulated module in one process, on a clock that jumps: hours pass in milliseconds.

For tests of the driver, for the fault sweep, and for products that test their own use of it:

    with Rig("ML307R") as rig:
        rig.modem.start()
        rig.module.violations      # what the simulated module objected to
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from onemo import _port
from onemo.blocking import Modem
from onemo_simulator import Fault, FaultyLine, Module, SimulatedUart, VirtualClock

_WRAP = 1 << 30
_TICK = 0.0002  # seconds that pass at the least when the driver waits, or two bytes on the line


class VirtualModem(Modem):
    """The blocking front, whose waits move a virtual clock to where something happens next."""

    virtual_clock: VirtualClock
    uart: SimulatedUart

    def wait(self) -> None:
        now = self.virtual_clock.now()
        event = self.uart.next_event()
        until = now + self.channel.max_sleep_ms() / 1000
        if event is not None:
            until = min(until, max(event, now))
        tick = min(_TICK, 20 / self.uart.baud) if self.uart.baud else _TICK
        self.virtual_clock.advance_to(max(until, now + tick))
        if ms := self.channel.min_sleep_ms():
            _port.sleep_ms(ms)


class Rig:
    """A started clock, module, line and driver; `module`, `line`, `uart`, `modem`, `clock`.

    faults: see `simulator.faults`. driver: keywords of `onemo.Modem`. uart: keywords of
    `SimulatedUart`. All others are the module's.
    """

    def __init__(
        self,
        model: str = "ML307R",
        *,
        faults: list[Fault] | None = None,
        driver: dict[str, Any] | None = None,
        uart: dict[str, Any] | None = None,
        **module: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.module = Module(model, clock=self.clock, **module)
        self.line = FaultyLine(self.module, faults or [])
        self.uart = SimulatedUart(self.line, **(uart or {}))
        self._real = (_port.ticks_ms, _port.sleep_ms)
        _port.ticks_ms = self._ticks_ms
        _port.sleep_ms = self._sleep_ms
        self.modem = self.new_driver(**(driver or {}))

    def new_driver(self, **settings: Any) -> VirtualModem:
        """A driver that knows nothing yet, as after a reset of the host."""
        modem = VirtualModem(self.uart, **settings)
        modem.virtual_clock = self.clock
        modem.uart = self.uart
        return modem

    def _ticks_ms(self) -> int:
        return int(self.clock.now() * 1000) % _WRAP

    def _sleep_ms(self, ms: int) -> None:
        self.clock.advance(ms / 1000)

    def close(self) -> None:
        """Gives the driver its real clock back."""
        _port.ticks_ms, _port.sleep_ms = self._real

    def __enter__(self) -> Rig:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
