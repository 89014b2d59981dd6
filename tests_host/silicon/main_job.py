# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# ruff: noqa: F821 (HOST, PORT, UART are set before)
# The main job on a board, blocking: everything from an unknown module to data over TLS.
import io

from onemo import AUTH_MUTUAL, CERT, KEY, Modem
from onemo.uart import open_uart

modem = Modem(open_uart(UART), baud=UART["baud"])
modem.start()
print("model", modem.model)
certs = modem.certs
for name, kind in (("ca.pem", CERT), ("client.pem", CERT), ("client.key", KEY)):
    print("write", name, certs.write(name, "/certs/" + name, kind))
print("again", certs.write("ca.pem", "/certs/ca.pem"))
print("list", sorted(certs.list(CERT)))
back = io.BytesIO()
size = certs.read("ca.pem", back)
with open("/certs/ca.pem", "rb") as file:
    print("read", size, back.getvalue() == file.read())
back = None
modem.attach()
tls = modem.tls(1)
tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
with modem.connect(HOST, PORT, tls) as stream:
    total = 0
    for number in range(4):
        sent = b"%d " % number * 200 + b"\n"
        stream.write(sent)
        total += stream.readline() == sent
print("exchanged", total)
