# SPDX-License-Identifier: MIT
#
# A TLS connection in which both sides show a certificate. What upload.py writes must be in the
# module. The stream is one of MicroPython's: print(file=), readline(), json.dump() work on it.

from machine import UART
from onemo import AUTH_MUTUAL, Modem

HOST, PORT = "echo.example", 8443

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
print("online as", modem.attach()[0])
modem.clock()  # the module judges the certificates' dates by its clock

tls = modem.tls(1)
tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
with modem.connect(HOST, PORT, tls) as stream:
    print("hello", file=stream)
    print("the server says", stream.readline().decode().strip())
