# SPDX-License-Identifier: MIT
#
# HTTPS with requests, unchanged: its `import socket` and its TLS are the module's. The server's
# certificate is checked against the module's ca.pem.
#
#     mpremote mip install requests        (some firmware has it built in)

from machine import UART
from onemo import AUTH_SERVER, Modem

URL = "https://api.example/time"

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()
modem.clock()

tls = modem.tls(1)
tls.configure(AUTH_SERVER, ca="ca.pem")
with modem.use_as_socket(tls):
    import requests

    response = requests.get(URL)
    print(response.status_code, response.json())
    response.close()
