# SPDX-License-Identifier: MIT
#
# What the library notices (on_event), what the module says by itself (on_urc), and a trace of the
# conversation in a file: `onemo trace trace.txt` shows it as a table. It has no keys, no PSKs and
# no IMEI, ICCID or IMSI in it.

from machine import UART
from onemo import Modem
from onemo.trace import Trace

with open("trace.txt", "w") as file:
    trace = Trace(file)
    modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0), trace=trace)
    modem.on_event(lambda kind, text: print(f"event {kind}: {text}"))
    modem.on_urc(b"+CEREG:", lambda line: print("registration changed:", line))
    modem.start()
    modem.command("+CEREG=1")  # the module tells changes of its registration from now on
    modem.command("+CFUN=0")
    print("attached:", modem.attach())  # which switches the radio on again, and tells so
    modem.reboot()  # noticed, and told as an event
    print("attached:", modem.attach())
    trace.flush()
