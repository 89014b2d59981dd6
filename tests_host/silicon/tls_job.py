# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# ruff: noqa: F821 (HOST, OTHER, PORT, UART, NOW are set before)
# TLS on the board, over a plain connection of the module: a firmware's own `tls`.
import machine
import tls
from onemo import Modem
from onemo.cert_der import der
from onemo.uart import open_uart

modem = Modem(open_uart(UART), baud=UART["baud"])
modem.start()
modem.attach()
machine.RTC().datetime(NOW)  # else no certificate is valid yet


def context():
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED
    made.load_verify_locations(der("/certs/ca.pem"))
    made.load_cert_chain(der("/certs/client.pem"), der("/certs/client.key"))
    return made


try:
    print(modem.connect(OTHER, PORT, ssl=context()))
except OSError as error:
    print(type(error).__name__, error)
with modem.connect(HOST, PORT, ssl=context()) as stream:
    print(stream.cipher()[1])
    total = 0
    for number in range(4):
        sent = b"%d " % number * 200 + b"\n"
        stream.write(sent)
        total += stream.readline() == sent
print("exchanged", total)
