# SPDX-License-Identifier: MIT
#
# Writes a CA, a client certificate and its key from the board's flash into the module, each
# verified by the module's own digest. Run it twice: the second time nothing is written.

from machine import UART
from onemo import CERT, KEY, Modem

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()


def progress(done, total):
    print(f"  {done} of {total} bytes")


for name, kind in (("ca.pem", CERT), ("client.pem", CERT), ("client.key", KEY)):
    written = modem.certs.write(name, f"/certs/{name}", kind, progress=progress)
    print(name, "written and verified" if written else "was there already")
    print("  MD5 by the module:", modem.certs.digest(name))
