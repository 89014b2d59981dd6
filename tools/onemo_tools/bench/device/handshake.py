# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# On the emulated RP2040, with a firmware that has `tls`: what opening a connection with mutual TLS
# costs, by the module and on the board. bench/handshake.py is at the other end.

import gc
import json
from time import ticks_diff, ticks_ms

import machine
import tls
from onemo import AUTH_MUTUAL, Modem
from onemo.cert_der import der
from onemo.uart import open_uart

SAMPLE_MS = 50
GARBAGE = 2048  # bytes, at the most, that count as in use
# Looking at the whole heap takes longer than a FIFO holds out: the UART may interrupt the timers.
TIMERS_PRIORITY = 0xE000E400
LOWEST = 0xC0C0C0C0


def context():
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED
    made.load_verify_locations(der("/ca.pem"))
    made.load_cert_chain(der("/client.pem"), der("/client.key"))
    return made


class Peak:
    """The most of the heap that was in use, also in the midst of mbedTLS's work."""

    def __init__(self):
        self.used = 0
        machine.mem32[TIMERS_PRIORITY] = LOWEST
        every = {"mode": machine.Timer.PERIODIC, "period": SAMPLE_MS}
        self.timer = machine.Timer(callback=self.look, hard=True, **every)

    def look(self, timer):
        self.used = max(self.used, gc.mem_alloc())


def opened(who, host, port, uart, now, sampled):
    """Prints milliseconds until a connection stands that is not the first, bytes of heap that the
    first takes while it is open, bytes at most until one stands (0 where that is not looked at,
    for looking takes time), and bytes that one more beside it takes."""
    for name in ("net_tls", "net_stream"):  # loaded before anything is measured
        __import__("onemo." + name)
    modem = Modem(open_uart(uart), baud=uart["baud"])
    modem.start()
    modem.attach()
    machine.RTC().datetime(now)
    by_module = modem.tls(1)
    by_module.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")

    def connect():
        if who == "module":
            return modem.connect(host, port, by_module)
        return modem.connect(host, port, ssl=context())

    gc.threshold(GARBAGE)
    before = _taken()
    stream = connect()
    first = _taken() - before
    stream.close()
    before = _taken()
    peak = Peak() if sampled else None
    start = ticks_ms()
    stream = connect()
    took = ticks_diff(ticks_ms(), start)
    if peak:
        peak.timer.deinit()
    exchange(stream)
    stands = _taken()
    other = connect()
    more = _taken() - stands
    exchange(other)
    print(json.dumps([took, first, peak.used - before if peak else 0, more]))


def exchange(stream):
    stream.write(b"hello\n")
    if stream.readline() != b"hello\n":
        raise OSError("it does not echo")


def _taken():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()
