# SPDX-License-Identifier: MIT
#
# Another identity: next.json names new objects; they are written beside the old ones, a trial
# connection decides, and only then are the old ones removed.
#
# mypy: ignore-errors
import json

from onemo import Modem
from onemo.uart import open_uart

with open("config.json") as file:
    config = json.load(file)
with open("next.json") as file:
    following = json.load(file)
modem = Modem(open_uart(config["uart"]), baud=config["uart"]["baud"])
modem.on_event(lambda kind, text: print(f"{kind}: {text}"))
modem.start()
modem.attach()
modem.sync(config)
try:
    print("rotated", modem.rotate(following))
except OSError as error:
    print("not rotated:", error)
found = modem.identity()
print(
    "in force", " ".join(sorted(found["objects"])), "proven" if found["proven"] else "as written"
)
