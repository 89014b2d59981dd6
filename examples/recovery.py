# SPDX-License-Identifier: MIT
#
# Reports for ever, whatever happens: each failure is told to a Supervisor, which after some tries
# dials anew, switches the radio off and on, reboots the module, and resets the board at last. Only
# an acknowledged report is progress. main.py does the same in asyncio, with a watchdog.

import time

from onemo import Modem
from onemo.profile import read
from onemo.supervisor import Supervisor
from onemo.uart import open_uart, reopen

config = read("config.json")
line, endpoint = config["uart"], config["endpoint"]
modem = Modem(open_uart(line), baud=line["baud"], reopen=reopen(line))
modem.on_event(lambda kind, text: print(f"{kind}: {text}"))
supervisor = Supervisor(modem, config.get("recovery"), config["retry"], modem.reopen)


def report():
    modem.start(baud=line["baud"])
    modem.attach(config["module"].get("apn"))
    modem.sync(config)
    modem.clock()
    tls = modem.tls(endpoint["ssl_id"])
    with modem.connect(endpoint["host"], endpoint["port"], tls) as stream:
        stream.write("report\n")
        if stream.readline() != b"report\n":
            raise OSError("the server did not acknowledge the report")
    supervisor.progress()
    print("acknowledged")


while True:
    try:
        report()
        pause_s = endpoint["every_s"]
    except (OSError, ValueError) as error:
        print("failed:", error)
        supervisor.failed(error)
        pause_s = supervisor.pause_s()
    time.sleep(pause_s)
