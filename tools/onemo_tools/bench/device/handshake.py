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
    """Prints milliseconds until the connection stands, bytes of heap that it takes then beside
    another one, and at most meanwhile (0 where that is not looked at, for looking takes time)."""
    __import__("onemo.net_tls")  # loaded before it is measured
    modem = Modem(open_uart(uart), baud=uart["baud"])
    modem.start()
    modem.attach()
    machine.RTC().datetime(now)
    by_module = modem.tls(1)
    by_module.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
    # Loads the rest, and stays: what a closed one leaves behind would be taken up by the next.
    other = modem.connect(host, port, by_module)
    gc.threshold(GARBAGE)
    gc.collect()
    before = gc.mem_alloc()
    peak = Peak() if sampled else None
    start = ticks_ms()
    if who == "module":
        stream = modem.connect(host, port, by_module)
    else:
        stream = modem.connect(host, port, ssl=context())
    took = ticks_diff(ticks_ms(), start)
    if peak:
        peak.timer.deinit()
    gc.collect()
    live = gc.mem_alloc() - before
    stream.write(b"hello\n")
    if stream.readline() != b"hello\n":
        raise OSError("it does not echo")
    stream.close()
    other.close()
    print(json.dumps([took, live, peak.used - before if peak else 0]))
