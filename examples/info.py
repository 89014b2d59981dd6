# SPDX-License-Identifier: MIT
#
# What the module and the network say of themselves. What they do not say is None.

from machine import UART
from onemo import Modem

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()

print(modem.model_info)  # model, where the library knows it from, what it can do
for name, value in sorted(modem.info().items()):
    print(f"{name:10} {value}")
print("certificates", modem.certs.list())
print("any command", modem.command("AT+CSQ"))
