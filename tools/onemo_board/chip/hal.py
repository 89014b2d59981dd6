# SPDX-License-Identifier: MIT
"""`_board` and the rest of what a firmware has in ROM, as native functions.

A function that may fail returns a str, "ExceptionType:text", which `device/` raises: an
exception of ours could not pass through MicroPython's frames.
"""

import ctypes
import os
import select
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import flash, manners
from .ports import PORTS, SOFT
from .rom import FALSE, NONE, TRUE, Rom, integer, small
from .uart import ConfigError, Interrupted, Uart

# how a board process says why it ended (a soft reset adds the REPL's mode: 0 friendly, 1 raw)
EXIT_SOFT, EXIT_RESET, EXIT_SLEEP, EXIT_POWER_CUT, EXIT_FLASH = 64, 72, 73, 74, 75

# shared/runtime/pyexec.h and py/lexer.h
_NORMAL, _FORCED_EXIT = 0, 0x100
_IS_FILE = 2
_UNUSED_ON_BOARDS = {
    "os": ("getenv", "putenv", "unsetenv", "system", "errno"),
    "sys": ("exc_info", "atexit", "executable"),
    "machine": ("mem8", "mem16", "mem32", "time_pulse_us"),
}
_GET_FILENO, _POLL, _FLUSH = 10, 3, 1
_EINVAL = -22


class Host:
    """The line to the process that runs the board: events out, answers in."""

    _TIMEOUT_MS = 10_000

    def __init__(self, fd: int) -> None:
        self._fd = fd  # blocking; the socket module would double the time of a boot
        self._answers = select.poll()
        self._answers.register(fd, select.POLLIN)

    def tell(self, *words: object) -> None:
        os.write(self._fd, " ".join(map(str, words)).encode() + b"\n")

    def ask(self, *words: object) -> int:
        """Tells, and waits until the host has dealt with it: its answer."""
        self.tell(*words)
        reply = b""
        while not reply.endswith(b"\n"):
            part = os.read(self._fd, 64) if self._answers.poll(self._TIMEOUT_MS) else b""
            if not part:
                os._exit(EXIT_RESET)  # the host is gone
            reply += part
        return int(reply)


class Hal:
    """The board's hardware for one boot; `config` as `process.py` writes it."""

    def __init__(self, lib: ctypes.PyDLL, config: Mapping[str, Any]) -> None:
        self._lib, self._config = lib, config
        self._rom = Rom(lib)
        self._port = PORTS[config["port"]]
        self._host = Host(config["control_fd"])
        self._uarts: dict[int, Uart] = {}
        self._arguments: dict[str, int | None] = {}
        self._positional = 0
        self._messages: dict[str, int] = {}
        self._frequency = self._port.frequency
        self._rtc_offset = config["rtc_offset"]
        self._flash: flash.Flash | None = None
        if config["flash_fd"] is not None:
            cut = self._power_cut
            self._flash = flash.Flash(config["flash_fd"], config["counters_fd"], cut)

    # -- making the ROM -------------------------------------------------------------------
    def install(self) -> None:
        """Turns the unix build's built-in modules into the port's. Needs mp_init done."""
        rom, port, config = self._rom, self._port, self._config
        machine = config["machine"] or port.machine
        atexit = rom.entries("sys")["atexit"]
        rom.tuple_item(rom.entries("sys")["implementation"], 2, rom.string(machine))
        rom.edit(
            "sys", {"platform": rom.name(port.platform or port.name)}, _UNUSED_ON_BOARDS["sys"]
        )
        rom.edit("os", {"uname": self._uname(machine)}, _UNUSED_ON_BOARDS["os"])
        hashes = config["hashes"]
        unwanted = tuple(h for h in ("md5", "sha1", "sha256") if h not in hashes)
        rom.edit("hashlib", {}, unwanted)
        for name in ("termios", *port.absent):
            rom.remove_module(name)
            rom.remove_frozen(name)
        rom.edit("machine", self._machine(), _UNUSED_ON_BOARDS["machine"])
        with open(config["shims"], "rb") as file:
            shims = rom.string(file.read())
        rom.add_module("_board", {**self._functions(), "atexit": atexit, "rom": shims})

    def _uname(self, machine: str) -> int:
        rom, name = self._rom, self._port.platform or self._port.name
        version = rom.entries("sys")["version"]
        build = rom.text(version).split("MicroPython ", 1)[-1]
        fields = {
            "sysname": rom.name(name),
            "nodename": rom.name(name),
            "release": rom.string("1.29.0"),
            "version": rom.string(build),
            "machine": rom.string(machine),
        }
        result = rom.named_tuple(fields)
        return rom.function(lambda: result, 0)

    def _machine(self) -> dict[str, int]:
        fun = self._rom.function
        cause = small(self._port.causes[self._config["cause"]])
        unique = self._rom.string(bytes.fromhex(self._config["unique_id"]))
        return {
            **{name: small(value) for name, value in self._port.constants.items()},
            "reset": fun(lambda: os._exit(EXIT_RESET), 0),
            "reset_cause": fun(lambda: cause, 0),
            "unique_id": fun(lambda: unique, 0),
            "freq": fun(self._freq, 0, 2),
            "lightsleep": fun(self._light_sleep, 0, 1),
            "deepsleep": fun(self._deep_sleep, 0, 1),
            "disable_irq": fun(lambda: small(0), 0),
            "enable_irq": fun(lambda *state: NONE, 0, 1),
        }

    def _functions(self) -> dict[str, int]:
        fun, rom = self._rom.function, self._rom
        paths = self._config["path"]
        constants = {**self._port.uart_constants, **self._port.uart_irqs}
        return {
            "is_folder": FALSE if self._flash else TRUE,
            "folder": rom.string(self._config["folder"] or ""),
            "flash_at": rom.string(self._config["flash_at"]),
            "path": rom.string("\n".join(paths)),
            "progsize": small(self._port.progsize),
            "close_files": fun(self._close_files, 0),
            "attach": fun(self._attach, 2),
            "start": fun(self._start, 0),
            "bad_flash": fun(lambda: os._exit(EXIT_FLASH), 0),
            "blank": fun(self._blank, 0),
            "readblocks": fun(self._read_blocks, 2, 3),
            "writeblocks": fun(self._write_blocks, 2, 3),
            "ioctl": fun(self._block_ioctl, 2),
            "uart_constants": self._rom.plain_tuple(
                *(rom.plain_tuple(rom.name(k), small(v)) for k, v in constants.items())
            ),
            "uart_open": fun(self._uart_open, 1),
            "uart_argument": fun(self._uart_argument, 2),
            "uart_apply": fun(self._uart_apply, 2),
            "uart_deinit": fun(self._uart_deinit, 1),
            "uart_any": fun(lambda uart: small(self._uart(uart).any()), 1),
            "uart_read": fun(self._uart_read, 3),
            "uart_write": fun(self._uart_write, 4),
            "uart_ioctl": fun(self._uart_ioctl, 3),
            "uart_txdone": fun(lambda uart: TRUE if self._uart(uart).txdone() else FALSE, 1),
            "uart_break": fun(self._uart_break, 1),
            "uart_repr": fun(self._uart_repr, 1),
            "uart_irq": fun(self._uart_irq, 2),
            "uart_trigger": fun(self._uart_trigger, 1, 2),
            "uart_flags": fun(lambda uart: small(self._uart(uart).flags), 1),
            "uart_events": fun(lambda uart: small(self._uart(uart).interrupts()), 1),
            "pin": fun(self._pin, 1, 2),
            "wdt": fun(self._wdt, 1),
            "wdt_feed": fun(self._wdt_feed, 0),
            "rtc": fun(self._rtc, 0, 1),
        }

    def _raise(self, kind: str, text: str) -> int:
        message = f"{kind}:{text}"
        if message not in self._messages:
            self._messages[message] = self._rom.string(message)
        return self._messages[message]

    # -- the boot sequence ----------------------------------------------------------------
    def _attach(self, name: int, thing: int) -> int:
        """Adds an object of the board's heap to `machine`; the caller keeps it alive."""
        self._rom.edit("machine", {self._rom.text(name): thing})
        return NONE

    def _start(self) -> int:
        """Runs boot.py and main.py in the order and on the conditions of the ports' main.c."""
        # the unix port goes on to the REPL after its script when this is set
        environment = ctypes.CDLL(None)
        self._lib.gc_collect()
        environment.setenv(b"MICROPYINSPECT", b"1", 1)
        self._host.tell("up")
        boot = self._run(b"boot.py")
        if boot == _NORMAL and not self._config["raw"]:
            boot = self._run(b"main.py")
        if boot == _FORCED_EXIT:  # SystemExit: a soft reset instead of the REPL
            environment.unsetenv(b"MICROPYINSPECT")
        return NONE

    def _run(self, script: bytes) -> int:
        if self._lib.mp_vfs_import_stat(script) != _IS_FILE:
            return _NORMAL
        status = self._lib.pyexec_file(script)
        return _FORCED_EXIT if status & _FORCED_EXIT else status

    def _close_files(self) -> int:
        # as every port does at a soft reset: finalisers close what was left open
        self._lib.gc_sweep_all()
        return NONE

    # -- flash ----------------------------------------------------------------------------
    def _power_cut(self) -> None:
        os._exit(EXIT_POWER_CUT)

    def _blank(self) -> int:
        assert self._flash
        return TRUE if self._flash.read(0, 0, flash.BLOCK) == flash.ERASED else FALSE

    def _read_blocks(self, block: int, buf: int, offset: int = 1) -> int:
        assert self._flash
        address, size = self._rom.buffer(buf, writable=True)
        data = self._flash.read(integer(block), integer(offset), size)
        ctypes.memmove(address, data, len(data))
        return small(0)

    def _write_blocks(self, block: int, buf: int, offset: int | None = None) -> int:
        assert self._flash
        if offset is None:
            self._flash.erase(integer(block))
        start = 0 if offset is None else integer(offset)
        self._flash.program(integer(block), start, self._rom.view(buf))
        return small(0)

    def _block_ioctl(self, op: int, argument: int) -> int:
        assert self._flash
        what = integer(op)
        if what == 4:
            return small(self._flash.blocks)
        if what == 5:
            return small(flash.BLOCK)
        if what == 6:
            self._flash.erase(integer(argument))
        return small(0)

    # -- UART -----------------------------------------------------------------------------
    def _uart(self, uart_id: int) -> Uart:
        return self._uarts[integer(uart_id)]

    def _uart_open(self, uart_id: int) -> int:
        """UART(id): the arguments follow one by one."""
        try:
            number: int | str = integer(uart_id)
        except ValueError:
            try:
                number = self._rom.text(uart_id)
            except ValueError:
                return self._raise("TypeError", "can't convert NoneType to int")
            if not self._port.uart_names:
                return self._raise("TypeError", "can't convert str to int")
        if not isinstance(number, int) or number not in self._port.uart_ids:
            return self._raise("ValueError", f"UART({number}) doesn't exist")
        if number not in self._uarts:
            fd = self._config["uarts"].get(number)
            options = {k: self._config[k] for k in ("line_time", "overrun")}
            tell = self._host.ask
            uart = manners.make(number, fd, self._port, tell=tell, **options)
            if number in self._config["kept"]:
                uart.restore(self._config["kept"][number])
            self._uarts[number] = uart
        return NONE

    def _uart_argument(self, key: int, value: int) -> int:
        """An argument of the constructor or init(): a name, or a position, and its value."""
        try:
            number = None if value == NONE else integer(value)
        except ValueError:  # a pin by its name: which one makes no difference here
            number = None
            if not (key & 1) and self._rom.text(key) not in ("tx", "rx", "rts", "cts"):
                return self._raise("TypeError", "can't convert str to int")
        if key & 1:
            position = integer(key)
            self._positional = position + 1
            name = self._port.uart_keywords[min(position, 3)]
        else:
            name = self._rom.text(key)
        self._arguments[name] = number
        return NONE

    def _uart_apply(self, uart_id: int, constructor: int) -> int:
        arguments, positional = self._arguments, self._positional
        self._arguments, self._positional = {}, 0
        try:
            self._uart(uart_id).configure(arguments, positional, constructor == TRUE)
        except ConfigError as error:
            return self._raise(error.kind, error.text)
        return NONE

    def _uart_deinit(self, uart_id: int) -> int:
        self._uart(uart_id).deinit()
        return NONE

    def _uart_read(self, uart_id: int, buf: int, count: int) -> int:
        try:
            address, size = self._rom.buffer(buf, writable=True)
        except ValueError as error:
            return self._raise("TypeError", str(error))
        # a negative count stands for none given (extmod's stream code)
        if integer(count) >= 0:
            size = min(size, integer(count))
        try:
            got = self._uart(uart_id).read_into(address, size)
        except Interrupted:
            return FALSE  # the caller lets MicroPython see the Ctrl-C, and calls again
        return NONE if got is None else small(got)

    def _uart_write(self, uart_id: int, buf: int, first: int, second: int) -> int:
        """write(buf), write(buf, n) and write(buf, off, n), as py/stream.c takes them."""
        try:
            address, size = self._rom.buffer(buf)
        except ValueError as error:
            return self._raise("TypeError", str(error))
        offset = 0
        if second != NONE:
            offset = min(integer(first), size)
            size = min(size - offset, integer(second))
        elif first != NONE:
            size = min(size, integer(first))
        sent = self._uart(uart_id).write_from(address + offset, size)
        return NONE if sent is None else small(sent)

    def _uart_ioctl(self, uart_id: int, op: int, argument: int) -> int:
        uart, what = self._uart(uart_id), integer(op)
        if what == _POLL:
            return small(uart.ready(integer(argument)))
        if what == _GET_FILENO:
            fd = uart.pollable()
            return small(_EINVAL if fd is None else fd)
        if what == _FLUSH:
            uart.drain()
            return small(0)
        return small(_EINVAL)

    def _uart_break(self, uart_id: int) -> int:
        uart = self._uart(uart_id)
        uart.drain()
        time.sleep(13 / uart.settings.get("baudrate", 115200))
        self._host.tell("break", uart.id)
        return NONE

    def _uart_repr(self, uart_id: int) -> int:
        uart = self._uart(uart_id)
        return self._rom.string(f"UART({uart.id}{uart.shown()})")

    def _uart_irq(self, trigger: int, hard: int) -> int:
        """Whether irq() takes these."""
        port = self._port
        if unknown := integer(trigger) & ~sum(port.uart_irqs.values()):
            return self._raise("ValueError", f"trigger 0x{unknown:04x} unsupported")
        if hard == TRUE and not port.uart_hard_irq:
            return self._raise("ValueError", "hard IRQ is not supported")
        return NONE

    def _uart_trigger(self, uart_id: int, trigger: int | None = None) -> int:
        """What interrupts; a new value, where one is given."""
        uart = self._uart(uart_id)
        before = uart.trigger
        if trigger is not None:
            uart.trigger = integer(trigger)
        return small(before)

    # -- the rest -------------------------------------------------------------------------
    def _pin(self, name: int, value: int | None = None) -> int:
        text = str(integer(name)) if name & 1 else self._rom.text(name).replace(" ", "_")
        if value is None:
            return small(self._host.ask("pin?", text))
        self._host.tell("pin", text, integer(value))
        return NONE

    def _wdt(self, timeout: int) -> int:
        ms, port = integer(timeout), self._port
        if port.wdt_max_ms is not None and ms > port.wdt_max_ms:
            return self._raise("ValueError", port.wdt_too_long)
        if ms <= 0:
            return self._raise("ValueError", "WDT timeout too short")
        self._host.tell("wdt", ms)
        return NONE

    def _wdt_feed(self) -> int:
        self._host.tell("feed")
        return NONE

    def _rtc(self, offset: int | None = None) -> int:
        """Seconds by which the RTC is ahead of the system's clock."""
        if offset is not None:
            self._rtc_offset = integer(offset)
            self._host.tell("rtc", self._rtc_offset)
        return small(self._rtc_offset)

    def _freq(self, *args: int) -> int:
        if not args:
            if self._port.frequencies:
                return self._rom.plain_tuple(*map(small, self._port.frequencies))
            return small(self._frequency)
        self._frequency = integer(args[0])
        return NONE

    def _light_sleep(self, ms: int | None = None) -> int:
        # without a time there is no wake-up source here: until somebody resets the board
        poll: Callable[..., int] = ctypes.CDLL(None).poll
        poll(None, ctypes.c_ulong(0), -1 if ms is None else max(0, integer(ms)))
        return NONE

    def _deep_sleep(self, ms: int | None = None) -> int:
        self._host.tell("sleep", -1 if ms is None else integer(ms))
        os._exit(EXIT_SLEEP)


__all__ = ["EXIT_FLASH", "EXIT_POWER_CUT", "EXIT_RESET", "EXIT_SLEEP", "EXIT_SOFT", "SOFT", "Hal"]
