# SPDX-License-Identifier: MIT
#
# Opens the board's UART as each port wants it, from the "uart" object of config.json:
#
#     {"id": 1, "baud": 115200, "tx": 17, "rx": 18}          esp32, rp2, samd: pins
#     {"id": 2, "baud": 115200}                              stm32, mimxrt, renesas-ra, nrf: the
#                                                            UART decides the pins
#
# "rts" and "cts" switch hardware flow control on (pins; where the UART decides them, true),
# "rxbuf" and "txbuf" are buffers in bytes. What may be left out may also be null.

import sys

from ._port import unload

_RX_MIN = 1024  # bytes: at 115200 the time that a garbage collection and a flash write may take
_RX_PER_BAUD = 225  # more speed, more buffer: 4096 at 921600
_RX_MAX = 32766  # rp2's most
_TX = 512

# schema's names of ports -> what UART() takes besides baudrate and timeout, from their sources:
# p pins, t txbuf, f flow, b rxbuf and the frame. renesas-ra is like stm32, schema's "pyboard".
_TAKES = {
    "esp32": "ptfb",
    "rp2": "ptfb",
    "rp2350": "ptfb",
    "samd": "ptb",
    "mimxrt": "tfb",
    "pyboard": "fb",
    "nrf": "",
}
_PINS = ("tx", "rx", "rts", "cts")


def open_uart(settings):
    """The UART that `settings` describe: 8N1, and `timeout=0`, the one way of reading that is the
    same on every port. ValueError names the entry that is wrong or missing, or that the chip
    refuses, and says what it should be."""
    from machine import UART  # type: ignore[import-not-found]

    from . import schema

    port = schema.this_port()
    if port not in _TAKES:
        raise ValueError(
            "how a UART is opened on %s is not known here: open a machine.UART with timeout=0, "
            "and give it to Modem" % sys.platform
        )
    schema.check(settings, "uart")
    unload("schema")
    takes = _TAKES[port]
    baud = settings["baud"]
    # All in one go, and all of it: init() on stm32 resets what it is not told, and rp2 keeps it,
    # flow control even over a soft reset.
    options = {"baudrate": baud, "timeout": 0}
    if "b" in takes:
        options["bits"] = 8
        options["parity"] = None
        options["stop"] = 1
        fitting = min(_RX_MAX, max(_RX_MIN, baud // _RX_PER_BAUD))
        options["rxbuf"] = _given(settings, "rxbuf", fitting)
    if "t" in takes:
        options["txbuf"] = _given(settings, "txbuf", _TX)
    flow = 0
    for name in _PINS:
        wired = settings.get(name)
        if wired is None or wired is False:
            continue
        if "p" in takes:
            options[name] = wired
        if "f" in takes and name in ("rts", "cts"):
            flow |= UART.RTS if name == "rts" else UART.CTS
    if "f" in takes:
        options["flow"] = flow
    try:
        return UART(settings["id"], **options)
    except (ValueError, OSError, TypeError) as error:
        raise ValueError(_refusal(settings, str(error)))


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


def _refusal(settings, said):
    # What the chip does not take, by its entry: one that its message names, else the pin that Pin
    # does not take either.
    words = said.upper().replace("/", " ").replace("(", " ").split()
    for name in _PINS:
        if name.upper() in words and settings.get(name) is not None:
            return "uart.%s is %r: %s" % (name, settings[name], said)
    if "EXIST" in said.upper():
        return "uart.id is %r: %s" % (settings["id"], said)
    from machine import Pin  # type: ignore[import-not-found]

    for name in _PINS:
        pin = settings.get(name)
        if pin is not None and pin is not True and pin is not False:
            try:
                Pin(pin)
            except (ValueError, OSError, TypeError):
                return "uart.%s is %r: %s" % (name, pin, said)
    return "uart is %r, which the chip refuses: %s" % (settings, said)
