# SPDX-License-Identifier: MIT
#
# What can go wrong, and what a program learns of it. Every error of the module or the line is a
# ModemError, which is an OSError; after each of them the same modem object goes on.

from machine import UART
from onemo import AUTH_SERVER, KEY, Modem
from onemo.errors import CommandError, ModemError

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()
modem.clock()
tls = modem.tls(1)

# The module's code, in words, and the remedy
try:
    modem.certs.digest("no-such.pem")
except CommandError as error:
    print(error.code, "-", error)

# A server that somebody else's CA vouches for
tls.configure(AUTH_SERVER, ca="ca.pem")
try:
    modem.connect("other.example", 8443, tls)
except CommandError as error:
    print(error.code, "-", error)

# A mistake of the caller's is found before a byte is sent
try:
    modem.certs.write("client.key", "/certs/client.pem", KEY)
except ValueError as error:
    print(error)

# Nobody there: an errno as sockets have it
try:
    modem.connect("echo.example", 1, tls)
except ModemError as error:
    print(error.errno, "-", error)
