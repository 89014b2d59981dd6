# SPDX-License-Identifier: MIT
#
# _port.py for CPython: tests, tools and products on a PC. Boards do not get it.

import time
from importlib import import_module

CLOSES_GENERATORS = True
IS_BOARD = False


def methods_of(homes, base=None):
    """A class with all methods that stand in these modules, and those of `base`."""
    modules = [pair.partition("=")[2].lstrip(".") for pair in homes.split()]
    if homes.endswith("_"):
        modules = [homes + "udp", homes + "socket"]
    modules = [name for name in dict.fromkeys(modules) if name[0] != "*"]
    bases = [import_module("onemo." + name).Methods for name in modules]
    return type("Methods", (*bases, base) if base else tuple(bases), {})


def bound(owner, homes, name):
    raise AttributeError(f"{owner.__class__.__name__} has no {name}")


def collect():
    pass  # the heap is not small, and looking at all of it takes long


_WRAP = 1 << 30


def const(value):
    return value


def ticks_ms():
    """Milliseconds that wrap at 2**30, as MicroPython's do."""
    return int(time.monotonic() * 1000) % _WRAP


def ticks_add(ticks, ms):
    return (ticks + ms) % _WRAP


def ticks_diff(end, start):
    return (end - start + _WRAP // 2) % _WRAP - _WRAP // 2


def sleep_ms(ms):
    time.sleep(ms / 1000)


def as_buffer(text):
    return text.encode() if isinstance(text, str) else text


MARKS = (b"+", b"\r", b"\n")


def load(*names):
    pass


def unload(*names):
    pass
