# SPDX-License-Identifier: MIT
#
# Replaces the device's certificate and key without a gap. next.json is config.json with the names
# of the new ones. They are written beside the old ones and verified, a connection to "endpoint"
# decides, and only then are the old ones removed. Cut the power whenever you like: the next sync
# or rotate finishes the job or takes it back.

from onemo import Modem
from onemo.profile import read
from onemo.uart import open_uart

config = read("config.json")
modem = Modem(open_uart(config["uart"]), baud=config["uart"]["baud"])
modem.start()
modem.attach()
modem.sync(config)
try:
    modem.rotate(read("next.json"))
except OSError as error:  # refused by the server, for instance: the old identity is in use again
    print("not rotated:", error)

identity = modem.identity()
print("in use:", ", ".join(sorted(identity["objects"])))
print("proven by a connection:", identity["proven"])
