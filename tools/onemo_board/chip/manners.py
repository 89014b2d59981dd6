# SPDX-License-Identifier: MIT
"""The three ports' manners at the UART, each traced to the port's source (MicroPython 1.29)."""

import select
import time
from collections.abc import Mapping

from .ports import Port
from .uart import ConfigError, Interrupted, Uart, sleep_until


def _names(mask: int, constants: Mapping[str, int], *names: str) -> str:
    """The bits of a mask, as the ports print them: "RTS|CTS"; "" for none."""
    return "|".join(name for name in names if mask & constants[name])


class Esp32Uart(Uart):
    """ports/esp32/machine_uart.c over ESP-IDF's driver (components/driver/uart.c)."""

    _FIFO = 128
    _TICK_MS = 10  # FREERTOS_HZ is 100: times below 10 ms are none

    def _apply(self, values: dict[str, int | None], constructor: bool) -> None:
        # the driver keeps what was set before; an uninstalled one starts from the defaults
        settings = dict(self.settings) if self.open else self._pinned()
        for name, value in values.items():
            if value is None and name != "parity":
                continue
            if name in ("baudrate", "bits", "stop"):
                settings[name] = value or settings[name]  # 0 leaves it as it was
            elif name == "parity":
                settings[name] = -1 if value is None else value & 1
            elif name in settings and value != -1:
                settings[name] = value or 0
        if not 5 <= settings["bits"] <= 8:
            raise ConfigError("ValueError", "invalid data bits")
        if settings["stop"] not in (1, 2):
            raise ConfigError("ValueError", "invalid stop bits")
        # uart_driver_install: the receive ring must exceed the FIFO, the send ring too or be 0
        if settings["rxbuf"] <= self._FIFO or 0 < settings["txbuf"] <= self._FIFO:
            raise ConfigError("OSError", "ESP_FAIL")
        if self.open:
            sleep_until(min(self._wire_free, time.monotonic() + 1))  # uart_wait_tx_done
        self.settings = settings
        self._started(flush=True)  # uart_flush_input at the end of every init

    def _pinned(self) -> dict[str, int]:
        tx, rx = {1: (10, 9), 2: (17, 16)}.get(self.id, (-1, -1))
        return {**self._defaults(), "tx": tx, "rx": rx, "rts": -1, "cts": -1}

    def shown(self) -> str:
        s, constants = self.settings, self.port.uart_constants
        shown = "".join(f", {name}={s[name]}" for name in ("tx", "rx", "rts", "cts"))
        shown += "".join(f", {name}={s[name]}" for name in ("txbuf", "rxbuf"))
        shown += f", timeout={s['timeout']}, timeout_char={s['timeout_char']}, irq={self.trigger}"
        if invert := _names(s["invert"], constants, "INV_TX", "INV_RX"):
            shown += f", invert={invert}"
        if flow := _names(s["flow"], constants, "RTS", "CTS"):
            shown += f", flow={flow}"
        return self._shown_frame(s["baudrate"]) + shown

    def any(self) -> int:
        # bytes still in the hardware FIFO are not counted
        return min(self._received(), self.settings["rxbuf"]) if self.open else 0

    def _overflow(self, waiting: int) -> tuple[int, int]:
        # the ring is full, the interrupt off, one byte stashed; then the FIFO fills, and at its
        # overflow the whole of it is reset, again and again: the newest bytes survive
        kept = self.settings["rxbuf"] + 1
        excess = waiting - kept
        return (kept, excess // (self._FIFO + 1) * (self._FIFO + 1)) if excess > 0 else (kept, 0)

    def first_byte_ms(self) -> int:
        return self.settings["timeout"] // self._TICK_MS * self._TICK_MS

    def next_byte_ms(self) -> int:
        return self.settings["timeout_char"] // self._TICK_MS * self._TICK_MS

    def write_from(self, address: int, size: int) -> int | None:
        # uart_write_bytes blocks until every byte is in the ring buffer or the FIFO; there
        # is no timeout: a peer that stops it stops it for good
        if not self.open:
            return None
        room = self.settings["txbuf"] + self._FIFO
        done = 0
        while done < size:
            now = time.monotonic()
            ahead = (self._wire_free - now) / self.byte_time if self.byte_time else 0
            free = int(room - max(0.0, ahead))
            if free <= 0:
                sleep_until(now + max(0.0005, self.byte_time))
                continue
            count = self._put(address + done, min(free, size - done))
            if not count:
                _wait_writable(self, 1.0)
            self._on_wire(count, now)
            done += count
        return size


class Stm32Uart(Uart):
    """ports/stm32/machine_uart.c and uart.c."""

    fifo_behind_rxbuf = 1  # ring full: the byte in the data register stays, further ones go
    _QUANTUM_S = 0.001
    _APB1, _APB2 = 42_000_000, 84_000_000

    def _apply(self, values: dict[str, int | None], constructor: bool) -> None:
        if constructor and not values:
            return  # UART(id) alone creates the object as it was last initialised
        if values.get("baudrate") is None:
            raise ConfigError("TypeError", "'baudrate' argument required")
        settings = self._defaults()  # every init starts from all defaults again
        settings.update(
            {k: v for k, v in values.items() if v is not None and k not in ("rxbuf", "parity")}
        )
        parity = values.get("parity")
        settings["parity"] = -1 if parity is None else parity & 1
        settings["stop"] = 1 if settings["stop"] == 1 else 2
        bits = settings["bits"] + (settings["parity"] >= 0)
        if bits not in (7, 8, 9):
            raise ConfigError("ValueError", "unsupported combination of bits and parity")
        if settings["baudrate"] <= 0:
            raise ConfigError("ValueError", "set baudrate 0 is not within 5% of desired value")
        rxbuf = values.get("rxbuf")
        legacy = settings.pop("read_buf_len", self.port.buffers["rxbuf"])
        settings["rxbuf"] = rxbuf if rxbuf is not None and rxbuf >= 0 else max(0, legacy)
        floor = 13000 // settings["baudrate"] + 2
        settings["timeout_char"] = max(settings["timeout_char"] & 0xFFFF, floor)
        self.settings = settings
        self._started(flush=True)

    def shown(self) -> str:
        s = self.settings
        if not self.open:
            return ""
        # the speed that the divisor makes: USART1 and 6 run from APB2, the others from APB1
        source = self._APB2 if self.id in (1, 6) else self._APB1
        baud = source // max(1, round(source / s["baudrate"]))
        flow = _names(s["flow"], self.port.uart_constants, "RTS", "CTS") or "0"
        shown = f", flow={flow}, timeout={s['timeout']}, timeout_char={s['timeout_char']}"
        shown += f", rxbuf={s['rxbuf']}"
        return self._shown_frame(baud) + shown + (f"; irq={self.trigger:#x}" * bool(self.trigger))

    def write_from(self, address: int, size: int) -> int | None:
        # there is no transmit buffer: busy until the last bit of the last byte is out
        if not self.open:
            return None
        step = max(1, int(self._QUANTUM_S / self.byte_time)) if self.byte_time else size
        done = 0
        wait = self.settings["timeout"]
        while done < size:
            count = self._put(address + done, min(step, size - done))
            if not count:
                # the first byte waits `timeout`, then None; later ones 2 * timeout_char, then
                # the short count, as under CTS
                if not _wait_writable(self, wait / 1000):
                    break
                continue
            done += count
            self._on_wire(count, time.monotonic())
            sleep_until(self._wire_free)
            wait = 2 * self.settings["timeout_char"]
        return done or (None if size else 0)

    def txdone(self) -> bool:
        return True


class Rp2Uart(Uart):
    """ports/rp2/machine_uart.c."""

    fifo_behind_rxbuf = 32  # a full ring leaves the FIFO undrained, then bytes are lost
    _FIFO = 32
    _REFILL_AT = 4  # the transmit interrupt comes when the FIFO is down to 1/8
    _MIN, _MAX = 32, 32766

    _PINS = ({"tx": 0, "rx": 1, "cts": 2, "rts": 3}, {"tx": 4, "rx": 5, "cts": 6, "rts": 7})
    _PLACES: Mapping[str, int] = {"tx": 0, "rx": 1, "cts": 2, "rts": 3}  # of a pin among its four

    _IDLE_BITS = 32  # the hardware's receive timeout

    _ring = _level = 0  # bytes in the transmit ring and in the FIFO, at _moved
    _moved = 0.0
    _sending = False  # the FIFO was fuller than _REFILL_AT

    def _apply(self, values: dict[str, int | None], constructor: bool) -> None:
        # what is set stays set, whatever becomes of the object: the port keeps it in a table
        if not self.settings:
            self.settings = {**self._defaults(), **self._PINS[self.id], "baudrate": 0}
        s = self.settings
        old = s["rxbuf"]
        if constructor:  # make_new gives up the old buffers and takes 256 bytes again
            s.update(self.port.buffers)
        for name in ("baudrate", "bits", "stop"):
            if (values.get(name) or 0) > 0:
                s[name] = values[name] or 0
        if "parity" in values and values["parity"] != -1:
            parity = values["parity"]
            s["parity"] = -1 if parity is None else parity & 1
        for name, place in self._PLACES.items():
            if (pin := values.get(name)) is not None:
                if pin & 3 != place or (pin + 4 & 8) >> 3 != self.id:
                    raise ConfigError("ValueError", f"bad {name.upper()} pin")
                s[name] = pin
        for name, most, refusal in (
            ("timeout", None, ""),
            ("timeout_char", None, ""),
            ("invert", 3, "bad inversion mask"),
            ("flow", 3, "bad hardware flow control mask"),
        ):
            value = values.get(name)
            if value is not None and value >= 0:
                if most is not None and value & ~most:
                    raise ConfigError("ValueError", refusal)
                s[name] = value
        for name in ("rxbuf", "txbuf"):
            if (size := values.get(name) or 0) > 0:
                if size > self._MAX:
                    raise ConfigError("ValueError", name + " too large")
                s[name] = max(size, self._MIN)
        if not s["baudrate"]:
            s["baudrate"], s["timeout_char"] = 115200, 0
        s["timeout_char"] = max(s["timeout_char"] & 0xFFFF, 13000 // s["baudrate"] + 1)
        # init() keeps a buffer whose size did not change, with what is in it (since 1.25)
        keep = self.open and s["rxbuf"] == old and not constructor
        self._ring = self._level = 0
        self._started(flush=not keep)
        kept = (f"{name}={value}" for name, value in s.items() if name != "baudrate")
        self._tell("kept", self.id, ",".join(kept))

    def restore(self, kept: Mapping[str, int]) -> None:
        """After a soft reset, which takes the speed and no other setting."""
        self.settings = {**self._defaults(), **self._PINS[self.id], **kept, "baudrate": 0}

    def shown(self) -> str:
        s = self.settings
        shown = "".join(f", {n}={s[n]}" for n in ("tx", "rx", "txbuf", "rxbuf"))
        invert = _names(s["invert"], self.port.uart_constants, "INV_TX", "INV_RX") or "None"
        shown += f", timeout={s['timeout']}, timeout_char={s['timeout_char']}, invert={invert}"
        return self._shown_frame(s["baudrate"]) + f"{shown}, irq={self.trigger}"

    def deinit(self) -> None:
        sleep_until(self._wire_free)
        self.settings["baudrate"] = 0
        super().deinit()

    def _move(self, now: float) -> None:
        """Brings ring and FIFO to `now`: the interrupt refills the FIFO in bursts."""
        if not self.byte_time:
            self._ring = self._level = 0
            return
        while self._ring and self._level > self._REFILL_AT:
            burst = (self._level - self._REFILL_AT) * self.byte_time
            if self._moved + burst > now:
                break
            self._moved += burst
            moved = min(self._ring, self._FIFO - self._REFILL_AT)
            self._ring -= moved
            self._level = self._REFILL_AT + moved
        out = min(self._level, int((now - self._moved) / self.byte_time))
        self._level -= out
        self._moved = self._moved + out * self.byte_time if self._level else now

    def _fill(self) -> None:
        moved = min(self._ring, self._FIFO - self._level)
        self._ring -= moved
        self._level += moved
        self._sending = self._sending or self._level > self._REFILL_AT

    def _has_sent(self, now: float) -> bool:
        self._move(now)
        done = self._sending and not self._ring and self._level <= self._REFILL_AT
        self._sending = self._sending and not done
        return done

    def write_from(self, address: int, size: int) -> int | None:
        # fills the ring, then waits `timeout` ms for the first free slot and `timeout_char`
        # for each next: a short count, or None when nothing went in
        if not self.open:
            return size  # after deinit() the FIFO takes everything, and sends nothing
        done = 0
        start, wait = _ticks_ms(), self.settings["timeout"]
        while done < size:
            now = time.monotonic()
            self._move(now)
            free = self.settings["txbuf"] - self._ring
            count = self._put(address + done, min(free, size - done)) if free > 0 else 0
            if not count:
                if _ticks_ms() - start > wait:
                    break
                sleep_until(now + 0.0001)
                continue
            self._ring += count
            self._fill()
            self._on_wire(count, now)
            if done:
                start, wait = _ticks_ms(), self.settings["timeout_char"]
            done += count
        return done or (None if size else 0)

    def write_ready(self) -> bool:
        if not self.open:
            return True
        self._move(time.monotonic())
        return self._ring < self.settings["txbuf"]


MANNERS: dict[str, type[Uart]] = {"esp32": Esp32Uart, "stm32": Stm32Uart, "rp2": Rp2Uart}


def make(uart_id: int, fd: int | None, port: Port, **options) -> Uart:  # type: ignore[no-untyped-def]
    """The UART of a port."""
    return MANNERS[port.name](uart_id, fd, port, **options)


def _ticks_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _wait_writable(uart: Uart, seconds: float) -> bool:
    """Waits until the other end takes bytes; False when it did not in time."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    if uart.fd is not None:
        poll.register(uart.fd, select.POLLOUT)
    left = seconds
    while left > 0:
        if poll.poll(left * 1000):
            return True
        left = deadline - time.monotonic()
    return False


__all__ = ["MANNERS", "Interrupted", "make"]
