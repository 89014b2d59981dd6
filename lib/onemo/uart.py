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

from ._port import unload

_RX_MIN = 1024  # bytes: at 115200 the time that a garbage collection and a flash write may take
_RX_PER_BAUD = 225  # more speed, more buffer: 4096 at 921600
_RX_MAX = 32766  # rp2's most
_TX = 512


def open_uart(settings):
    """The UART that `settings` describe: 8N1, and `timeout=0`, the one way of reading that is the
    same on every port. ValueError names the entry that is wrong or missing and says what it should
    be."""
    from machine import UART  # type: ignore[import-not-found]

    from . import schema

    schema.check(settings, "uart")
    unload("schema")
    baud = settings["baud"]
    # All in one go, and all of it: init() on stm32 resets what it is not told.
    options = {"baudrate": baud, "bits": 8, "parity": None, "stop": 1, "timeout": 0}
    fitting = min(_RX_MAX, max(_RX_MIN, baud // _RX_PER_BAUD))
    options["rxbuf"] = _given(settings, "rxbuf", fitting)
    pinned = sys.platform not in ("pyboard", "stm32")
    if pinned:
        options["txbuf"] = _given(settings, "txbuf", _TX)
        options["tx"] = settings["tx"]
        options["rx"] = settings["rx"]
    flow = 0
    for name in ("rts", "cts"):
        wired = settings.get(name)
        if wired is None or wired is False:
            continue
        flow |= UART.RTS if name == "rts" else UART.CTS
        if pinned:
            options[name] = wired
    if flow:
        options["flow"] = flow
    return UART(settings["id"], **options)


def reopen(settings):
    """A function of the speed that opens the UART anew, for `modem.set_baud`."""

    def at(baud):
        changed = dict(settings)
        changed["baud"] = baud
        return open_uart(changed)

    return at


def flow(settings):
    """Which lines of flow control the UART uses, for `Modem(uart, **flow(settings))`."""
    return {name: settings.get(name) not in (None, False) for name in ("rts", "cts")}


def _given(settings, name, default):
    value = settings.get(name)
    return default if value is None else value
