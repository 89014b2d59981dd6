# SPDX-License-Identifier: MIT
#
# TLS on the MCU instead of in the module: MicroPython's `ssl` over a plain connection. It checks
# the server's name, which modules are not documented to do; docs/tls-where.md says when to
# choose which. Needs a firmware with `ssl`: ESP32, RP2 W boards, some STM32.

import ssl

from machine import UART
from onemo import Modem
from onemo.cert_der import der

HOST, PORT = "echo.example", 8443

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()
modem.clock()  # sets the MCU's clock, too

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.verify_mode = ssl.CERT_REQUIRED  # MicroPython's default checks nothing
context.load_verify_locations(cadata=der("/certs/ca.pem"))
context.load_cert_chain(der("/certs/client.pem"), der("/certs/client.key"))
with modem.connect(HOST, PORT, ssl=context) as stream:
    stream.write(b"hello\n")
    print("the server says", stream.readline().decode().strip())
