# SPDX-License-Identifier: MIT
#
# The product: writes the certificates, keys and TLS contexts of config.json into the module, sends
# telemetry by MQTT over verified TLS and takes commands; a failure is printed, then retried.

import asyncio
import json
import random
from binascii import hexlify

import machine
from onemo.aio import Modem
from onemo.errors import ClockError
from onemo.profile import read
from onemo.uart import open_uart

from mqtt import Client

WATCHDOG_MARGIN_S = 600  # without progress, beyond the pauses configured, until it expires


class Product:
    def __init__(self, config, uart):
        self.config = config
        self.modem = Modem(uart, baud=config["uart"]["baud"], model=config["module"].get("model"))
        self.modem.on_event(lambda kind, text: print("%s: %s" % (kind, text)))
        self.device = hexlify(machine.unique_id()).decode()
        self.line, self.failures = 1, 0  # the next line of telemetry; failures in a row
        self.note_progress()

    def note_progress(self):
        pauses = self.config["endpoint"]["every_s"], self.config["retry"]["most_s"]
        self.watchdog_budget_s = WATCHDOG_MARGIN_S + max(pauses)

    async def feed_watchdog(self, watchdog):
        period_s = self.config["watchdog_s"] / 4
        while self.watchdog_budget_s > 0:
            watchdog.feed()
            await asyncio.sleep(period_s)
            self.watchdog_budget_s -= period_s
        print("no progress, letting the watchdog expire")

    def progress(self, name, done, total):
        self.note_progress()
        if done % 512 == 0 or done == total:
            print("%s %d/%d" % (name, done, total))

    async def provision(self):
        """Writes certificates and keys into the module, unless they are there already."""
        done = await self.modem.sync(self.config, progress=self.progress)
        for what, name in done:
            if what == "write":
                digest = await self.modem.certs.digest(name)
                print("%s written, MD5 %s confirmed by the module" % (name, digest))
            else:
                print("%s: %s" % (what, name))
        if not [name for what, name in done if what != "configure"]:
            print("certificates and keys unchanged")

    async def session(self):
        """Brings a module in any state up and sends telemetry, until something fails."""
        modem, broker = self.modem, self.config["endpoint"]
        await modem.start()
        print("module %s found" % modem.model)
        addresses = await modem.attach(self.config["module"].get("apn"))
        print("attached, address %s" % " and ".join(addresses))
        await self.provision()
        try:
            print("the time is %d-%02d-%02d %02d:%02d:%02d" % (await modem.clock())[:6])
        except ClockError as error:  # connect refuses where dates are to be checked
            print(error)
        stream = await modem.connect(broker["host"], broker["port"], modem.tls(broker["ssl_id"]))
        client = Client(stream, lambda topic, message: print("command %s" % message))
        try:
            await client.connect(self.device)
            print("connected to %s:%d" % (broker["host"], broker["port"]))
            topic = "%s/%s/" % (broker["topic"], self.device)
            await client.subscribe(topic + "commands")
            while True:
                self.note_progress()
                signal = b" ".join(await modem.command("+CSQ")).decode()
                report = json.dumps({"device": self.device, "line": self.line, "signal": signal})
                await client.publish(topic + "telemetry", report.encode())
                print("published " + report)
                # Only now: a line that was not acknowledged is sent again.
                self.line, self.failures = self.line + 1, 0
                await client.wait(broker["every_s"])
        finally:
            await client.close()

    async def run(self, watchdog):
        if watchdog:
            self.watchdog_task = asyncio.create_task(self.feed_watchdog(watchdog))
        retry = self.config["retry"]
        while True:
            self.note_progress()
            try:
                await self.session()
            except (OSError, ValueError, MemoryError) as error:
                print("failed: %s" % error)
            # Twice as long each time; not all devices at once when their broker comes back.
            jitter = random.uniform(0.5, 1)
            pause = min(retry["most_s"], retry["first_s"] << self.failures) * jitter
            self.failures = min(self.failures + 1, 16)
            print("retrying in %.1f s" % pause)
            await asyncio.sleep(pause)


def main():
    try:
        config = read("config.json")
        product = Product(config, open_uart(config["uart"]))
        watchdog = config.get("watchdog_s") and machine.WDT(timeout=config["watchdog_s"] * 1000)
    except (OSError, ValueError) as error:
        print("config.json: %s" % error)
        return  # retrying is of no use: to the prompt
    random.seed(int.from_bytes(machine.unique_id(), "big"))  # no two devices alike
    asyncio.run(product.run(watchdog))


if __name__ == "__main__":
    main()
