# SPDX-License-Identifier: MIT
#
# Opens the board's UART as each port wants it, from the "uart" object of config.json:
#
#     {"id": 1, "baud": 115200, "tx": 17, "rx": 18}          esp32, rp2: numbers of pins
#     {"id": 2, "baud": 115200}                              stm32: the UART decides the pins
#
# "rts" and "cts" switch hardware flow control on (pins; on stm32 true), "rxbuf" and "txbuf" are
# buffers in bytes. What may be left out may also be null.

import sys

from .at_syntax import BAUD_MAX, BAUD_MIN

_RX_MIN = 1024  # bytes: at 115200 the time that a garbage collection and a flash write may take
_RX_PER_BAUD = 225  # more speed, more buffer: 4096 at 921600
_RX_MAX = 32766  # rp2's most
_TX = 512
_FIFO = 128  # esp32's driver wants buffers larger than its hardware's

_NAMES = ("id", "baud", "tx", "rx", "rts", "cts", "rxbuf", "txbuf")


def open_uart(settings):
    """The UART that `settings` describe: 8N1, and `timeout=0`, the one way of reading that is the
    same on every port. ValueError names the entry that is wrong or missing and says what it should
    be."""
    if not isinstance(settings, dict):
        raise ValueError('uart is %r; it must be an object such as {"id": 1, ...}' % (settings,))
    for name in settings:
        if name not in _NAMES:
            raise ValueError("uart.%s is not known; uart has %s" % (name, ", ".join(_NAMES)))
    from machine import UART  # type: ignore[import-not-found]

    pinned = sys.platform not in ("pyboard", "stm32")
    number = settings.get("id")
    if pinned or not isinstance(number, str):  # stm32 has names as well, "XA"
        number = _number(settings, "id", 0, 15, None, "the UART's number on this board")
    baud = _number(settings, "baud", BAUD_MIN, BAUD_MAX, None, "the module's speed in bit/s")
    # All in one go, and all of it: init() on stm32 resets what it is not told.
    options = {"baudrate": baud, "bits": 8, "parity": None, "stop": 1, "timeout": 0}
    least = _FIFO + 1 if sys.platform == "esp32" else 32
    fitting = min(_RX_MAX, max(_RX_MIN, baud // _RX_PER_BAUD))
    options["rxbuf"] = _number(settings, "rxbuf", least, _RX_MAX, fitting, "bytes")
    if pinned:
        options["txbuf"] = _number(settings, "txbuf", least, _RX_MAX, _TX, "bytes")
        options["tx"] = _pin(settings, "tx", "RXD", True)
        options["rx"] = _pin(settings, "rx", "TXD", True)
    flow = 0
    for name, wire in (("rts", "CTS"), ("cts", "RTS")):
        wired = _pin(settings, name, wire, False) if pinned else _fixed(settings, name)
        if wired is None:
            continue
        flow |= UART.RTS if name == "rts" else UART.CTS
        if pinned:
            options[name] = wired
    if not pinned:
        for name in ("tx", "rx", "txbuf"):
            if settings.get(name) is not None:
                _refuse(settings, name, "left out: on this board the UART's number decides it")
    if flow:
        options["flow"] = flow
    return UART(number, **options)


def reopen(settings):
    """A function of the speed that opens the UART anew, for `modem.set_baud`."""

    def at(baud):
        changed = dict(settings)
        changed["baud"] = baud
        return open_uart(changed)

    return at


def _number(settings, name, low, high, default, what):
    value = settings.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not int or not low <= value <= high:  # JSON's true is no number
        _refuse(settings, name, "%d to %d, %s" % (low, high, what))
    return value


def _pin(settings, name, wire, needed):
    value = settings.get(name)
    if value is None and not needed:
        return None
    if type(value) is not int or not 0 <= value <= 99:
        _refuse(settings, name, "the number of the pin that is wired to the module's " + wire)
    return value


def _fixed(settings, name):
    # Pins that the UART decides: used or not.
    value = settings.get(name)
    if value is not None and type(value) is not bool:
        _refuse(settings, name, "true or false: on this board the UART decides the pin")
    return value or None


def _refuse(settings, name, wanted):
    value = settings.get(name)
    said = "missing" if value is None else repr(value)
    raise ValueError("uart.%s is %s; it must be %s" % (name, said, wanted))
