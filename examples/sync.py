# SPDX-License-Identifier: MIT
#
# Makes the module have what config.json lists: objects and TLS contexts. Only what differs is
# touched, and what the file does not name is left alone.

from onemo import Modem
from onemo.profile import read
from onemo.uart import open_uart

config = read("config.json")  # ValueError names a wrong entry, and what it must be
modem = Modem(open_uart(config["uart"]), baud=config["uart"]["baud"])
modem.start()

print("to be done:", modem.sync(config, dry_run=True))
print("done:", modem.sync(config))
print("a second time:", modem.sync(config))
