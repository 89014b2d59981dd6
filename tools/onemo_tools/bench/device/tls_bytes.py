# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# Bytes over the UART of a TLS connection: opened, and a message there and back.

import ssl

from onemo import AUTH_MUTUAL, AUTH_SERVER, Modem
from onemo.cert_der import der
from paced import FdUart

_MESSAGE = b"m" * 99 + b"\n"
_TIMES = 2  # the first tells the module what the second finds


def _context(mutual):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=der("ca.pem"))
    if mutual:
        made.load_cert_chain(der("client.pem"), der("client.key"))
    return made


def main(fd, baud, host, port, who, mutual):
    """Bytes of the first connection, and of one after it. `who`: module or board, which does
    TLS."""
    uart = FdUart(fd)
    modem = Modem(uart, baud=baud)
    modem.start()
    modem.attach()
    modem.clock()
    tls = modem.tls(1)
    if mutual:
        tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
    else:
        tls.configure(AUTH_SERVER, ca="ca.pem")
    found = []
    for _ in range(_TIMES):
        before = uart.count
        if who == "module":
            stream = modem.connect(host, port, tls)
        else:
            stream = modem.connect(host, port, ssl=_context(mutual))
        stream.write(_MESSAGE)
        if stream.readline() != _MESSAGE:
            raise OSError("it does not echo")
        found.append(uart.count - before)
        stream.close()
    return found
