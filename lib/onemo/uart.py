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

from .at_syntax import BAUD_MAX, BAUD_MIN

_RX_MIN = 1024  # bytes: at 115200 the time that a garbage collection and a flash write may take
_RX_PER_BAUD = 225  # more speed, more buffer: 4096 at 921600
_RX_MAX = 32766  # rp2's most
_TX = 512
_FIFO = 128  # esp32's driver wants buffers larger than its hardware's

_NAMES = ("id", "baud", "tx", "rx", "rts", "cts", "rxbuf", "txbuf")
_PINS = ("tx", "rx", "rts", "cts")

# sys.platform -> what its UART() takes besides baudrate and timeout, from the ports' sources:
# p pins, t txbuf, f flow, s a buffer and a frame at all; n: names as well as numbers
_PORTS = {
    "esp32": "sptf",
    "rp2": "sptf",
    "samd": "sptn",
    "mimxrt": "stf",
    "pyboard": "sfn",
    "stm32": "sfn",
    "renesas-ra": "sfn",
    "nrf": "",
}
# A product's board may give itself a sys.platform; these modules only its port has.
_MODULES = (("esp32", "esp32"), ("_rp2", "rp2"), ("stm", "stm32"), ("mimxrt", "mimxrt"))
_MODULES += (("samd", "samd"), ("renesas", "renesas-ra"), ("nrf", "nrf"))


def _port():
    port = sys.platform
    if port in _PORTS:
        return port
    if port.startswith("nrf"):
        return "nrf"
    for module, port in _MODULES:
        try:
            __import__(module)
            return port
        except ImportError:
            pass
    raise ValueError(
        "how a UART is opened on %s is not known here: open a machine.UART with timeout=0, and "
        "give it to Modem" % sys.platform
    )


def open_uart(settings):
    """The UART that `settings` describe: 8N1, and `timeout=0`, the one way of reading that is the
    same on every port. ValueError names the entry that is wrong or missing, or that the chip
    refuses, and says what it should be."""
    if not isinstance(settings, dict):
        raise ValueError('uart is %r; it must be an object such as {"id": 1, ...}' % (settings,))
    for name in settings:
        if name not in _NAMES:
            raise ValueError("uart.%s is not known; uart has %s" % (name, ", ".join(_NAMES)))
    port = _port()
    takes = _PORTS[port]
    from machine import UART  # type: ignore[import-not-found]

    number = settings.get("id")
    if "n" not in takes or "p" in takes or not isinstance(number, str):  # stm32 has names, "XA"
        number = _number(settings, "id", 0, 15, None, "the UART's number on this board")
    baud = _number(settings, "baud", BAUD_MIN, BAUD_MAX, None, "the module's speed in bit/s")
    # All in one go, and all of it: init() on stm32 resets what it is not told, and rp2 keeps it,
    # flow control even over a soft reset.
    options = {"baudrate": baud, "timeout": 0}
    least = _FIFO + 1 if port == "esp32" else 32
    if "s" in takes:
        options["bits"] = 8
        options["parity"] = None
        options["stop"] = 1
        fitting = min(_RX_MAX, max(_RX_MIN, baud // _RX_PER_BAUD))
        options["rxbuf"] = _number(settings, "rxbuf", least, _RX_MAX, fitting, "bytes")
    if "t" in takes:
        options["txbuf"] = _number(settings, "txbuf", least, _RX_MAX, _TX, "bytes")
    flow = 0
    for name, wire in (("tx", "RXD"), ("rx", "TXD"), ("rts", "CTS"), ("cts", "RTS")):
        needed = name in ("tx", "rx")
        if "p" in takes:
            wired = _pin(settings, name, wire, needed, "n" in takes)
            if wired is not None:
                options[name] = wired
        elif needed or "f" not in takes:
            wired = _left_out(settings, name)
        else:
            wired = _fixed(settings, name)
        if wired is not None and "f" in takes and not needed:
            flow |= UART.RTS if name == "rts" else UART.CTS
    for name, letter in (("rxbuf", "s"), ("txbuf", "t")):
        if letter not in takes:
            _left_out(settings, name)
    if "f" in takes:
        options["flow"] = flow
    try:
        return UART(number, **options)
    except (ValueError, OSError, TypeError) as error:
        raise ValueError(_refusal(settings, error))


def _refusal(settings, error):
    # Which entry machine.UART's message is about: one that it names, else a pin that Pin, too,
    # does not take.
    said = str(error)
    words = said.upper().replace("/", " ").replace("(", " ").split()
    for name in _PINS:
        if name.upper() in words and settings.get(name) is not None:
            break
    else:
        if "EXIST" in said.upper():
            name = "id"
        else:
            from machine import Pin  # type: ignore[import-not-found]

            for name in _PINS:
                try:
                    if type(settings.get(name)) in (int, str):
                        Pin(settings[name])
                except (ValueError, OSError, TypeError):
                    break
            else:
                return "uart is %r, which the chip refuses: %s" % (settings, said)
    return "uart.%s is %r: %s" % (name, settings[name], said)


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


def _pin(settings, name, wire, needed, named):
    value = settings.get(name)
    if value is None and not needed:
        return None
    if named and isinstance(value, str) and value:
        return value
    if type(value) is not int or not 0 <= value <= 99:
        _refuse(settings, name, "the number of the pin that is wired to the module's " + wire)
    return value


def _left_out(settings, name):
    if settings.get(name) is not None:
        _refuse(settings, name, "left out: on this board the UART's number decides it")


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
