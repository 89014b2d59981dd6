# SPDX-License-Identifier: MIT
#
# One of the three flows of the manual's 4.1, on the board. The certificates are in the module
# already, main.py brought them there. Which flow, and to whom, is set before:
#
#     mpremote exec "flow, host, port = 'mutual', 'broker.example', 8883" run flow.py
#
# mypy: ignore-errors
# ruff: noqa: F821 (flow, host and port are set before)
import gc
import json

from onemo import AUTH_MUTUAL, AUTH_NONE, AUTH_SERVER, Modem
from onemo.uart import open_uart

with open("config.json") as file:
    settings = json.load(file)["uart"]
modem = Modem(open_uart(settings), baud=settings["baud"])
modem.start()
modem.attach()

tls = modem.tls(2)
if flow == "none":  # has to be asked for: configure's default is AUTH_SERVER
    tls.configure(AUTH_NONE)
elif flow == "server":
    tls.configure(AUTH_SERVER, ca="ca.pem")
else:
    tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
kept = tls.read()
print("read back: auth", kept["auth"], kept["ca"], kept["cert"], kept["key"])

try:
    with modem.connect(host, port, tls) as stream:
        stream.write("flow " + flow + "\n")
        print("reply", stream.readline().decode().strip())
except OSError as error:
    print("refused", error)
gc.collect()
print(f"heap: {gc.mem_alloc()} of {gc.mem_alloc() + gc.mem_free()} bytes in use")
