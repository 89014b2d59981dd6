# SPDX-License-Identifier: MIT
#
# UDP: asks an NTP server for the time, and again if the answer is lost on the way.

from struct import unpack

from machine import UART
from onemo import Modem
from onemo.errors import Timeout

HOST, PORT = "pool.ntp.org", 123
NTP_TO_UNIX = 2208988800  # seconds from 1900 to 1970

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()

with modem.udp(HOST, PORT) as server:
    server.settimeout(5)
    for _ in range(3):
        server.send(b"\x1b" + bytes(47))
        try:
            answer = server.recv()
        except Timeout:
            continue
        print("Unix time", unpack("!I", answer[40:44])[0] - NTP_TO_UNIX)
        break
    else:
        print("no answer")
print("the module's own clock", modem.clock())  # AT+CCLK, compared with a time server (AT+MNTP)
