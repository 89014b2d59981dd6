# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# ruff: noqa: B023, F821, UP031 (each question is asked at once; as MicroPython writes it)
# Asks a board what it is and what its UART does: one line an answer. TX is wired to RX; the
# UART of config.json, SETTINGS, is set before.
import gc
import hashlib
import os
import select
import sys
import time

import machine
from machine import UART as Uart

PINS = {"tx": SETTINGS["tx"], "rx": SETTINGS["rx"]}
NUMBER = SETTINGS["id"]
MODULES = (
    "_thread array asyncio binascii bluetooth collections cryptolib deflate errno framebuf gc "
    "hashlib heapq io json lwip math micropython mip network ntptime platform random re requests "
    "select socket ssl struct tls uctypes vfs weakref websocket zlib"
)


def answer(name, question):
    gc.collect()
    try:
        said = repr(question())
    except Exception as error:
        said = "%s: %s" % (type(error).__name__, error)
    print(name, "->", said)


def opened(*args, **options):
    every = dict(PINS)
    every.update(options)
    return Uart(NUMBER, *args, **every)


def empty(uart):
    time.sleep_ms(40)
    while uart.any():
        uart.read()


def after(uart, data, question, ms=30):
    """Sends, waits until all is back, asks."""
    sent = uart.write(data)
    time.sleep_ms(ms)
    try:
        return sent, question()
    finally:
        empty(uart)


def took(question, unit):
    start = time.ticks_ms()
    found = question()
    return found, time.ticks_diff(time.ticks_ms(), start) // unit


for module in MODULES.split():
    answer("import " + module, lambda: __import__(module).__name__)
answer("sys.platform", lambda: sys.platform)
answer("sys.path", lambda: sys.path)
answer("os.getcwd", os.getcwd)
answer("sys.maxsize", lambda: sys.maxsize)
answer("sys.implementation", lambda: sys.implementation[1:3])
answer("hashlib", lambda: sorted(n for n in dir(hashlib) if n[0] != "_"))
answer("resets", lambda: sorted(n for n in dir(machine) if n.endswith("_RESET")))
answer("reset_cause", machine.reset_cause)
answer("unique_id", lambda: len(machine.unique_id()))
answer("freq", machine.freq)
answer("UART has", lambda: sorted(n for n in dir(Uart) if n[0] != "_"))

CONSTRUCTORS = (
    ("115200", (115200,), {}),
    ("all that open_uart gives", (115200,), {"bits": 8, "parity": None, "stop": 1, "timeout": 0}),
    ("buffers", (115200,), {"rxbuf": 1024, "txbuf": 512}),
    ("nothing", (), {}),
    ("tx 17", (115200,), {"tx": 17}),
    ("tx of the other UART", (115200,), {"tx": 0}),
    ("rx 18", (115200,), {"rx": 18}),
    ("rx where tx belongs", (115200,), {"rx": 4}),
    ("other pins", (115200,), {"tx": 8, "rx": 9}),
    ("cts and rts", (115200,), {"cts": 6, "rts": 7}),
    ("cts 9", (115200,), {"cts": 9}),
    ("rts 6", (115200,), {"rts": 6}),
    ("an unknown word", (115200,), {"speed": 1}),
    ("a fifth position", (115200, 8, None, 1, 4), {}),
    ("bits 7", (115200,), {"bits": 7}),
    ("bits 9", (115200,), {"bits": 9}),
    ("parity 0", (115200,), {"parity": 0}),
    ("parity 7", (115200,), {"parity": 7}),
    ("parity in words", (115200,), {"parity": "even"}),
    ("parity None", (115200,), {"parity": None}),
    ("stop 2", (115200,), {"stop": 2}),
    ("stop 3", (115200,), {"stop": 3}),
    ("bits and stop as usual", (115200,), {"bits": 8, "stop": 1}),
    ("speed 0", (0,), {}),
    ("speed -1", (-1,), {}),
    ("speed 5000000", (5000000,), {}),
    ("timeout 70000", (115200,), {"timeout": 70000}),
    ("timeout 0", (115200,), {"timeout": 0}),
    ("timeout_char 5", (115200,), {"timeout_char": 5}),
    ("timeout_char stays", (115200,), {}),
    ("rxbuf 0", (115200,), {"rxbuf": 0}),
    ("rxbuf 5", (115200,), {"rxbuf": 5}),
    ("rxbuf 40000", (115200,), {"rxbuf": 40000}),
    ("rxbuf -1", (115200,), {"rxbuf": -1}),
    ("txbuf 16", (115200,), {"txbuf": 16}),
    ("txbuf 40000", (115200,), {"txbuf": 40000}),
    ("flow 4", (115200,), {"flow": 4}),
    ("invert 1", (115200,), {"invert": 1}),
    ("invert stays", (115200,), {}),
    ("invert 0", (115200,), {"invert": 0}),
    ("invert 99", (115200,), {"invert": 99}),
)
for name, args, options in CONSTRUCTORS:
    answer("UART " + name, lambda: opened(*args, **options))
for number in (7, -1, "X", None):
    answer("UART number %r" % (number,), lambda: Uart(number, 115200))
answer("one object", lambda: opened(115200) is opened(9600))

uart = opened(115200, timeout=0, timeout_char=0, rxbuf=256)
empty(uart)
answer("any, nothing there", uart.any)
answer("read, nothing there", uart.read)
answer("read(4), nothing there", lambda: uart.read(4))
answer("readinto, nothing there", lambda: uart.readinto(bytearray(4)))
answer("readline, nothing there", uart.readline)
answer("any of 5", lambda: after(uart, b"hello", uart.any))
answer("read(2) of 5", lambda: after(uart, b"hello", lambda: (uart.read(2), uart.read())))
answer("readinto beyond", lambda: after(uart, b"xyz", lambda: uart.readinto(bytearray(2), 9)))
answer("readinto part", lambda: after(uart, b"xyz", lambda: uart.readinto(bytearray(9), 2)))
answer("readline of two", lambda: after(uart, b"ab\ncd", lambda: (uart.readline(), uart.read())))
answer("write str", lambda: after(uart, "ab", uart.read))
answer("write nothing", lambda: uart.write(b""))
answer("write a part", lambda: after(uart, b"", lambda: uart.write(b"abcdef", 2, 2)))
answer("write from beyond", lambda: uart.write(b"abc", 9, 2))
answer("write a number", lambda: uart.write(5))
answer("txdone", uart.txdone)
answer("flush", uart.flush)
answer("rxbuf 256 after 300", lambda: after(uart, bytes(300), uart.any, 60)[1])
answer(
    "init keeps what came",
    lambda: after(uart, b"12345678", lambda: (uart.init(115200), uart.any())),
)
answer("sendbreak", uart.sendbreak)
empty(uart)

poll = select.poll()
poll.register(uart, select.POLLIN | select.POLLOUT)
answer("poll idle", lambda: [row[1] for row in poll.poll(0)])
answer("poll readable", lambda: after(uart, b"q", lambda: [row[1] for row in poll.poll(0)])[1])
poll.modify(uart, select.POLLIN)
answer("poll for 50 ms", lambda: took(lambda: poll.poll(50), 20))

uart = opened(115200, timeout=90, timeout_char=30, rxbuf=256)
empty(uart)
answer("timeout 90", lambda: took(lambda: uart.read(5), 30))
answer("timeout_char 30", lambda: (uart.write(b"abc"), took(lambda: uart.read(5), 30)))
empty(uart)
answer("deinit", uart.deinit)
answer("any of a closed one", uart.any)
answer("read of a closed one", lambda: uart.read(1))
answer("write to a closed one", lambda: uart.write(b"a"))
answer("txdone of a closed one", uart.txdone)
answer("poll of a closed one", lambda: [row[1] for row in poll.poll(0)])
answer("open again", lambda: uart.init(115200))
answer("what it then has", lambda: uart)

uart = opened(9600, timeout=0, timeout_char=0, rxbuf=1024)
empty(uart)
answer("100 bytes at 9600", lambda: took(lambda: uart.write(bytes(100)), 20))
time.sleep_ms(150)
empty(uart)
uart = opened(115200, timeout=0, timeout_char=0, rxbuf=1024)
empty(uart)


def interrupted(trigger, act, hard=False, error=None):
    """How often a handler was called: in all, with the flags of `trigger` alone, with the UART."""
    calls = [0, 0, 0]

    def handler(which):
        calls[0] += 1
        calls[1] += interrupt.flags() == trigger
        calls[2] += which is uart
        if error:
            raise error

    interrupt = uart.irq(handler, trigger, hard)
    try:
        act()
        time.sleep_ms(40)
        return calls, interrupt.trigger()
    finally:
        uart.irq(None, 0)
        empty(uart)


def sent(*sizes):
    def send():
        for size in sizes:
            uart.write(bytes(size))
            time.sleep_ms(30)

    return send


def spun():
    uart.write(b"hello")
    for _ in range(20000):
        pass


IDLE = Uart.IRQ_RXIDLE
answer("irq of a byte", lambda: interrupted(IDLE, sent(1)))
answer("irq of 100 bytes", lambda: interrupted(IDLE, sent(100)))
answer("irq of two messages", lambda: interrupted(IDLE, sent(20, 20)))
answer("irq of nothing", lambda: interrupted(IDLE, sent()))
answer("irq while a loop runs", lambda: interrupted(IDLE, spun))
answer("irq, nothing chosen", lambda: interrupted(0, sent(20)))
answer("irq, hard", lambda: interrupted(IDLE, sent(20), True))
answer("irq, sent 60", lambda: interrupted(Uart.IRQ_TXIDLE, sent(60)))
answer("irq, sent 3", lambda: interrupted(Uart.IRQ_TXIDLE, sent(3)))
answer("irq handler fails", lambda: interrupted(IDLE, sent(9, 9), error=ValueError("own")))
answer("irq, hard, fails", lambda: interrupted(IDLE, sent(9, 9), True, ValueError("own")))
answer("irq is one object", lambda: uart.irq() is uart.irq())
answer("irq called by hand", lambda: interrupted(IDLE, uart.irq()))
answer("irq changed", lambda: (uart.irq().trigger(IDLE), uart.irq().trigger()))
answer("irq by hard=True only", lambda: uart.irq(hard=True).trigger())
answer("irq", lambda: uart.irq(lambda x: None, Uart.IRQ_RXIDLE) is not None)
answer("irq is shown", lambda: uart)
answer("irq for all", lambda: uart.irq(lambda x: None, 1))
answer("irq of no function", lambda: uart.irq(5, Uart.IRQ_RXIDLE))
answer("irq of a closed one", lambda: (uart.deinit(), uart.init(115200), uart.irq().trigger()))
answer("flow 3", lambda: opened(115200, flow=3))
uart.deinit()
