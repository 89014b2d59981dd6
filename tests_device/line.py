# SPDX-License-Identifier: MIT
#
# What the tests share: the UART as the tests' config says it, and waiting with a deadline.

import json
import time

from onemo.uart import open_uart

with open("tests_device/config.json") as _file:
    SETTINGS = json.load(_file)["uart"]


def open_line(**changes):
    """The UART, empty; settings may be changed."""
    settings = dict(SETTINGS)
    settings.update(changes)
    uart = open_uart(settings)
    pause(20)
    drain(uart)
    return uart


def pause(ms):
    time.sleep_ms(ms)


def wait_for(condition, ms=2000):
    """Whether a condition came true in time."""
    start = time.ticks_ms()
    while not condition():
        if time.ticks_diff(time.ticks_ms(), start) > ms:
            return False
        time.sleep_ms(1)
    return True


def drain(uart):
    """Reads all that is there; how many bytes."""
    buffer = bytearray(64)
    total = 0
    while uart.any():
        total += uart.readinto(buffer, min(64, uart.any())) or 0
    return total


def exchange(uart, data, ms=10000):
    """Writes all of `data`, whatever the UART takes at a time, and reads so many bytes."""
    start = time.ticks_ms()
    back = bytearray()
    piece = bytearray(48)
    sent = 0
    while len(back) < len(data) and time.ticks_diff(time.ticks_ms(), start) < ms:
        if sent < len(data):
            sent += uart.write(data, sent, min(32, len(data) - sent)) or 0
        n = uart.any()
        while n:  # all that is there, else it would be more and more
            n = uart.readinto(piece, min(n, len(piece)))
            back.extend(piece[:n])
            n = uart.any()
    return bytes(back)
