# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# ruff: noqa: A002, UP031, RUF012 (as MicroPython names and writes it)
# The classes of `machine`. Their hardware is in `_board`, native and outside the heap: what
# they do there allocates nothing. A str in answer is an error, "ExceptionType:text".
import io
import sys
import time

import _board
import micropython
from machine import PinBase

_ERRORS = {"TypeError": TypeError, "ValueError": ValueError, "OSError": OSError}


def _check(answer):
    if isinstance(answer, str):
        kind, text = answer.split(":", 1)
        raise _ERRORS[kind](text)
    return answer


def _irq_of(uart):
    # Defined where it is asked for: a board whose program has no handlers has its heap for itself.
    class irq:
        # What UART.irq() gives (shared/runtime/mpirq.c).
        handler = None
        hard = False
        looking = False

        def __init__(self, uart):
            self.uart = uart
            self.looks = self.look  # bound once: a turn allocates nothing

        def flags(self):
            return _board.uart_flags(self.uart._id)

        def set(self, handler=None, trigger=0, hard=False):
            if handler is not None and not callable(handler):
                raise ValueError("handler must be None or callable")
            _check(_board.uart_irq(trigger, bool(hard)))
            self.handler = handler
            self.hard = hard
            self.trigger(trigger)
            if handler is not None and not self.looking:
                self.looking = True
                micropython.schedule(self.looks, None)

        def trigger(self, *new):
            return _board.uart_trigger(self.uart._id, *new)

        def __call__(self):
            if self.handler is None:
                return
            if not self.hard:
                try:
                    micropython.schedule(self.handler, self.uart)
                except RuntimeError:
                    pass  # too much is waiting: firmware drops it, too
                return
            micropython.heap_lock()
            try:
                self.handler(self.uart)
                micropython.heap_unlock()
            except Exception as error:
                micropython.heap_unlock()
                self.trigger(0)
                self.handler = None
                print("Uncaught exception in IRQ callback handler")
                sys.print_exception(error)

        def look(self, _):
            # Stands for the interrupt: runs at the interpreter's every turn, and in every sleep.
            self.looking = self.handler is not None
            if self.looking:
                micropython.schedule(self.looks, None)
                if _board.uart_events(self.uart._id):
                    self()

    return irq(uart)


class UART(io.IOBase):
    _all = {}  # one object for each, as the ports have them in a table
    _irq = None

    def __new__(cls, id, *args, **kw):
        _check(_board.uart_open(id))
        if id not in cls._all:
            cls._all[id] = super().__new__(cls)
        return cls._all[id]

    def __init__(self, id, *args, **kw):
        self._id = id
        self._apply(args, kw, True)

    def init(self, *args, **kw):
        self._apply(args, kw, False)

    def _apply(self, args, kw, constructor):
        for i, value in enumerate(args):
            _check(_board.uart_argument(i, value))
        for name, value in kw.items():
            given = value._id if isinstance(value, Pin) else value
            _check(_board.uart_argument(name, given))
        _check(_board.uart_apply(self._id, constructor))

    def deinit(self):
        _board.uart_deinit(self._id)
        if self._irq:
            self._irq.handler = self._irq = None

    def __repr__(self):
        return _board.uart_repr(self._id)

    def any(self):
        return _board.uart_any(self._id)

    def readinto(self, buf, n=-1):
        while True:
            got = _board.uart_read(self._id, buf, n)
            if got is not False:  # False: a signal; going round lets a Ctrl-C through
                return got if got.__class__ is not str else _check(got)

    def read(self, n=-1):
        if n is None or n < 0:
            return self._read_all()
        buf = bytearray(n)
        got = self.readinto(buf)
        return got if got is None else bytes(memoryview(buf)[:got])

    def _read_all(self):
        buf = bytearray(256)
        whole = b""
        got = self.readinto(buf)
        while got:
            whole += memoryview(buf)[:got]
            got = self.readinto(buf)
        return whole or None

    def readline(self):
        line = bytearray()
        byte = bytearray(1)
        while self.readinto(byte):
            line += byte
            if byte[0] == 10:
                break
        return bytes(line) if line else None

    def write(self, buf, n=None, m=None):
        sent = _board.uart_write(self._id, buf, n, m)
        return sent if sent.__class__ is not str else _check(sent)

    def flush(self):
        _board.uart_ioctl(self._id, 1, 0)

    def txdone(self):
        return _board.uart_txdone(self._id)

    def irq(self, *args, **kw):
        if self._irq is None:
            self._irq = _irq_of(self)
        if args or kw:
            self._irq.set(*args, **kw)
        return self._irq

    def sendbreak(self):
        _board.uart_break(self._id)

    def ioctl(self, op, arg):
        return _board.uart_ioctl(self._id, op, arg)


for _key, _value in _board.uart_constants:
    setattr(UART, _key, _value)


class Pin(PinBase):
    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2

    def __init__(self, id, mode=-1, pull=-1, value=None, **kw):
        self._id = id
        self._out = None
        self.init(mode, pull, value)

    def init(self, mode=-1, pull=-1, value=None, **kw):
        self._mode = mode
        if value is not None:
            self.value(value)

    def __repr__(self):
        return "Pin(%s)" % self._id

    def value(self, v=None):
        if v is not None:
            self._out = 1 if v else 0
            _board.pin(self._id, self._out)
        elif self._mode == Pin.OUT and self._out is not None:
            return self._out
        else:
            return _board.pin(self._id)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self.value())


class RTC:
    def __init__(self, id=0):
        pass

    def datetime(self, t=None):
        if t is None:
            g = time.gmtime(int(time.time()) + _board.rtc())
            return (g[0], g[1], g[2], g[6], g[3], g[4], g[5], 0)
        now = time.mktime((t[0], t[1], t[2], t[4], t[5], t[6], 0, 0))
        _board.rtc(now - int(time.time()))

    init = datetime


class WDT:
    def __init__(self, id=0, timeout=5000):
        _check(_board.wdt(timeout))

    def feed(self):
        _board.wdt_feed()
