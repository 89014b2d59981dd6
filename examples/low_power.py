# SPDX-License-Identifier: MIT
#
# A battery's device: the module may sleep between reports, and so does the MCU. The module is
# woken before a command by itself: by its DTR pin if modem.power has one, else by `AT`. Its
# connections stay.

import json

import machine
from machine import UART
from onemo import AUTH_MUTUAL, Modem
from onemo.errors import Unsupported

HOST, PORT = "echo.example", 8443
REPORTS = 3
PAUSE_MS = 60_000

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
# from onemo.power import Power
# modem.power = Power({"dtr": 6})  # with DTR wired no byte is lost while the module wakes
modem.start()
modem.attach()
modem.clock()
tls = modem.tls(1)
tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
try:
    modem.sleep_mode(True)
except Unsupported as error:
    print("it stays awake:", error)

with modem.connect(HOST, PORT, tls) as stream:
    for number in range(REPORTS):
        report = {"report": number, "rssi_dbm": modem.info(identifiers=False)["rssi_dbm"]}
        stream.write(json.dumps(report) + "\n")
        print("acknowledged", stream.readline().decode().strip())
        machine.lightsleep(PAUSE_MS)  # a UART hears nothing then: ask, do not wait for news
modem.sleep_mode(False)
